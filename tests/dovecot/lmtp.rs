//! As much of an LMTP client as is needed: transactions over one connection.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// An answer that takes longer is an error.
const PATIENCE: Duration = Duration::from_mins(5);

/// A connection.
pub(crate) struct Lmtp {
    reader: BufReader<TcpStream>,
}

/// An answer: its code and its text.
pub(crate) type Reply = (u16, String);

/// How the text of a message is sent.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Manner {
    /// In chunks with a length rather than as lines up to a dot.
    pub(crate) chunks: bool,
    /// Between the recipients and the text.
    pub(crate) before: Duration,
    /// In the middle of the text.
    pub(crate) within: Duration,
}

impl Lmtp {
    pub(crate) fn connect(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut lmtp = Self { reader: BufReader::new(stream) };
        lmtp.reply()?;
        lmtp.say("LHLO mta")?;
        Ok(lmtp)
    }

    /// One transaction: what has become of each recipient. An error: nobody knows, but of those whose answer had come.
    #[allow(clippy::disallowed_methods, reason = "a slow client is slow")]
    pub(crate) fn deliver(
        &mut self,
        to: &[String],
        text: &[u8],
        manner: Manner,
        answered: &mut dyn FnMut(&str, Reply),
    ) -> io::Result<()> {
        self.say("MAIL FROM:<sender@example.com>")?;
        let mut taken = Vec::new();
        for user in to {
            let reply = self.say(&format!("RCPT TO:<{user}>"))?;
            if reply.0 == 250 { taken.push(user) } else { answered(user, reply) }
        }
        if taken.is_empty() {
            return self.say("RSET").map(drop);
        }
        std::thread::sleep(manner.before);
        let (first, second) = text.split_at(text.len() / 2);
        if manner.chunks {
            self.send(format!("BDAT {}\r\n", first.len()).as_bytes())?;
            self.send(first)?;
            self.reply()?;
            std::thread::sleep(manner.within);
            self.send(format!("BDAT {} LAST\r\n", second.len()).as_bytes())?;
            self.send(second)?;
        } else {
            self.say("DATA")?;
            self.send(first)?;
            std::thread::sleep(manner.within);
            self.send(second)?;
            self.send(b".\r\n")?;
        }
        for user in taken {
            let reply = self.reply()?;
            answered(user, reply);
        }
        Ok(())
    }

    fn say(&mut self, command: &str) -> io::Result<Reply> {
        self.send(format!("{command}\r\n").as_bytes())?;
        self.reply()
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.reader.get_mut().write_all(bytes)
    }

    /// An answer, of one line or many.
    fn reply(&mut self) -> io::Result<Reply> {
        let mut line = String::new();
        loop {
            line.clear();
            if self.reader.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if line.as_bytes().get(3) != Some(&b'-') {
                let code = line.get(..3).and_then(|code| code.parse().ok()).unwrap_or(0);
                return Ok((code, line.trim_end().to_owned()));
            }
        }
    }
}
