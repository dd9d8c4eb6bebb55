//! Names: a message's identity and size, and what stays behind.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Ends the name of a copy that arrives.
pub const ARRIVING: &str = ".arriving";
/// Ends the name of a mailbox behind its fence.
pub const MOVING: &str = ".moving";
/// Ends the name of a mailbox that is being removed.
pub const PURGING: &str = ".purging";
/// Ends the name of the mark beside a copy in its place in which nobody lives yet.
pub(super) const PLACED: &str = ".placed";
/// What a move puts beside a mailbox, on its head or on its cluster, by the ends of the names. No other mailbox may have such a
/// name: it would be taken for ours, and removed.
pub const ENDINGS: [&str; 7] = [ARRIVING, MOVING, PURGING, PLACED, ".placed.new", ".fence", ".moving.fence"];

/// The files that we write begin with this before they have their name; nothing that begins with `.temp.` is ever copied.
pub(super) const STAGED: &str = ".temp.drawdown.";

/// A directory of a Maildir folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Part {
    New,
    Cur,
    /// Its content is never looked at.
    Tmp,
}

impl Part {
    pub(super) const ALL: [Self; 3] = [Self::New, Self::Cur, Self::Tmp];
    /// The parts with messages. `new` first: a message moves from there to `cur` and would be missed in the other order.
    pub(super) const MAIL: [Self; 2] = [Self::New, Self::Cur];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Cur => "cur",
            Self::Tmp => "tmp",
        }
    }

    pub(super) fn named(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|part| part.name().as_bytes() == name)
    }
}

/// Where a message is within its folder. Ordered by name first, so that the names of one message are neighbours.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place {
    pub(super) name: Vec<u8>,
    pub(super) part: Part,
}

impl Place {
    /// The path below the mailbox, for messages to people.
    pub(super) fn shown(&self, folder: &Path) -> PathBuf {
        folder.join(self.part.name()).join(os(&self.name))
    }
}

/// A name as the operating system takes it.
pub(super) fn os(name: &[u8]) -> &OsStr {
    OsStr::from_bytes(name)
}

/// What stays the same while flags change: everything before the colon.
pub(super) fn base(name: &[u8]) -> &[u8] {
    name.split(|byte| *byte == b':').next().unwrap_or(name)
}

/// The size that a message's name states (`,S=1234`). With compressed storage it is that of the message, not of the file.
pub(super) fn stated_size(name: &[u8]) -> Option<u64> {
    let digits = base(name).split(|byte| *byte == b',').find_map(|field| field.strip_prefix(b"S="))?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// A name in `new` or `cur` that is not a message. A lock's ending is no reason there: a host may be called so.
pub(super) fn is_no_message(name: &[u8]) -> bool {
    name.starts_with(b".temp.") || name.starts_with(b".nfs")
}

/// A file beside the messages that stays behind.
pub(super) fn stays_behind(name: &[u8]) -> bool {
    is_no_message(name) || name.ends_with(b".lock")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_keeps_its_base_name_when_its_flags_change() {
        for (name, same) in [
            ("1.M2P3.host,S=12:2,", "1.M2P3.host,S=12"),
            ("1.M2P3.host,S=12:2,FSa", "1.M2P3.host,S=12"),
            ("1.M2P3.host", "1.M2P3.host"),
            (":2,S", ""),
        ] {
            assert_eq!(base(name.as_bytes()), same.as_bytes(), "{name}");
        }
    }

    #[test]
    fn a_size_is_read_from_a_name_only_where_it_stands_whole() {
        for (name, size) in [
            ("1.host,S=1234,W=1300:2,S", Some(1234)),
            ("1.host,W=1300,S=7", Some(7)),
            ("1.host,S=", None),
            ("1.host,S=12x", None),
            ("1.host:2,S=12", None),
            ("1.host,S=99999999999999999999999", None),
        ] {
            assert_eq!(stated_size(name.as_bytes()), size, "{name}");
        }
    }

    #[test]
    fn locks_and_temporary_files_stay_behind_but_no_message_does() {
        for (name, message, behind) in [
            ("dovecot-uidlist", false, false),
            ("dovecot-uidlist.lock", false, true),
            (".temp.1.host", true, true),
            (".nfs0001", true, true),
            ("1.M1.lock", false, true),
        ] {
            assert_eq!((is_no_message(name.as_bytes()), stays_behind(name.as_bytes())), (message, behind), "{name}");
        }
    }
}
