//! What a running migration tells Prometheus: the text format, version 0.0.4, over plain HTTP at `/metrics`.
//!
//! It is the status in other words. Names and units follow Prometheus' conventions: seconds, bytes, ratios; what only grows
//! in a session ends in `_total`. No mailbox's name is told.

mod page;

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tiny_http::{Header, Method, Response, Server};

use super::status::Status;

pub use page::page;

/// What the page is.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// After a request that could not be taken in the next one is waited for so much later.
const AGAIN: Duration = Duration::from_millis(100);

/// A page of metrics that can be had while this lives.
#[derive(Debug)]
pub struct Metrics {
    address: SocketAddr,
    server: Served,
    stop: Arc<AtomicBool>,
    answers: Option<JoinHandle<()>>,
}

/// The server, which has nothing to show of itself.
struct Served(Arc<Server>);

impl std::fmt::Debug for Served {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a server")
    }
}

impl Metrics {
    /// Answers at an address; port 0 is any that is free.
    ///
    /// # Errors
    /// Somebody else has it, or it is none of this machine's.
    pub fn open(address: SocketAddr, status: Arc<Mutex<Status>>) -> io::Result<Self> {
        let failed = |why: String| io::Error::other(format!("{address}: {why}"));
        let server = Arc::new(Server::http(address).map_err(|error| failed(error.to_string()))?);
        let address = server.server_addr().to_ip().unwrap_or(address);
        let stop = Arc::new(AtomicBool::new(false));
        let (shared, stopped) = (Arc::clone(&server), Arc::clone(&stop));
        let answers = std::thread::Builder::new().name("metrics".to_owned()).spawn(move || {
            while !stopped.load(Ordering::Acquire) {
                match shared.recv() {
                    Ok(request) => {
                        let answer = answer(request.method(), request.url(), &status);
                        // Whoever has gone away needs none.
                        let _ = request.respond(answer);
                    }
                    // Woken to stop, or one that could not be taken in: no more files may be open, for a while.
                    Err(_) => std::thread::park_timeout(AGAIN),
                }
            }
        })?;
        Ok(Self { address, server: Served(server), stop, answers: Some(answers) })
    }

    /// Where it answers.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Metrics {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.server.0.unblock();
        if let Some(answers) = self.answers.take() {
            let _ = answers.join();
        }
    }
}

fn answer(method: &Method, url: &str, status: &Mutex<Status>) -> Response<io::Cursor<Vec<u8>>> {
    let path = url.split('?').next().unwrap_or_default();
    match (method, path) {
        (Method::Get | Method::Head, "/metrics") => {
            let status = status.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let header = Header::from_bytes("Content-Type", CONTENT_TYPE).expect("a header of ASCII");
            Response::from_string(page(&status)).with_header(header)
        }
        (Method::Get | Method::Head, _) => Response::from_string("look at /metrics\n").with_status_code(404),
        _ => Response::from_string("nothing can be changed here\n").with_status_code(405),
    }
}

#[cfg(test)]
mod tests;
