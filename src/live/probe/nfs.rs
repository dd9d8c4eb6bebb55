//! `/proc/self/mountstats`: how long the operations of an NFS mount take, from the call until its answer is dealt with:
//! the queue before the network is part of what a user waits for.

use std::path::{Path, PathBuf};

use super::{Load, ProbeError, anew, mean_latency};
use crate::units::Share;

/// The operations that users wait for, of versions 3 and 4. Locks wait for other users, and what the client does for
/// itself (leases, layouts, `FSSTAT` for our own fill) waits for nobody.
const OPERATIONS: [&str; 24] = [
    "READ",
    "WRITE",
    "COMMIT",
    "OPEN",
    "OPEN_NOATTR",
    "CLOSE",
    "GETATTR",
    "SETATTR",
    "LOOKUP",
    "ACCESS",
    "READLINK",
    "READDIR",
    "READDIRPLUS",
    "CREATE",
    "MKDIR",
    "SYMLINK",
    "LINK",
    "REMOVE",
    "RMDIR",
    "RENAME",
    "DELEGRETURN",
    "OPEN_CONFIRM",
    "OPEN_DOWNGRADE",
    "MKNOD",
];

/// A mount's counters since it was mounted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counters {
    operations: u64,
    /// Milliseconds that they took, added up.
    took_ms: u64,
}

/// The counters of the mount that `root` lies on.
///
/// # Errors
/// It lies on no NFS mount, or what is said of the mount is not understood.
pub(super) fn find(text: &str, root: &Path) -> Result<Counters, String> {
    let mut best: Option<(Mount<'_>, usize)> = None;
    for (number, line) in text.lines().enumerate() {
        let Some(mount) = mount(line) else { continue };
        let is_nearer =
            |(known, _): &(Mount<'_>, usize)| mount.point.components().count() >= known.point.components().count();
        // Of two mounts on one folder the later one lies above.
        if root.starts_with(&mount.point) && best.as_ref().is_none_or(is_nearer) {
            best = Some((mount, number));
        }
    }
    let (mount, number) = best.ok_or_else(|| format!("{} lies on no mount", root.display()))?;
    let at = mount.point.display();
    if !matches!(mount.kind, "nfs" | "nfs4") {
        return Err(format!("{} lies on {at}, which is {} and not NFS", root.display(), mount.kind));
    }
    let block = text.lines().skip(number + 1).take_while(|line| !is_mount(line));
    counters(block).ok_or_else(|| format!("the operations of {at} in /proc/self/mountstats are not understood"))
}

struct Mount<'a> {
    point: PathBuf,
    kind: &'a str,
}

fn is_mount(line: &str) -> bool {
    line.starts_with("device ") || line.starts_with("no device ")
}

/// `device nas:/export mounted on /mnt/nas with fstype nfs4 statvers=1.1`
fn mount(line: &str) -> Option<Mount<'_>> {
    if !is_mount(line) {
        return None;
    }
    let (_, rest) = line.split_once(" mounted on ")?;
    let (point, rest) = rest.split_once(" with fstype ")?;
    Some(Mount { point: PathBuf::from(unescaped(point)), kind: rest.split_ascii_whitespace().next()? })
}

/// A name in which the kernel wrote spaces, tabs, line ends and backslashes as three octal digits: `\040`.
fn unescaped(name: &str) -> String {
    let mut plain = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(at) = rest.find('\\') {
        plain.push_str(&rest[..at]);
        let code = rest.get(at + 1..at + 4).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        if let Some(code) = code.filter(u8::is_ascii) {
            plain.push(char::from(code));
            rest = &rest[at + 4..];
        } else {
            plain.push('\\');
            rest = &rest[at + 1..];
        }
    }
    plain + rest
}

/// Adds up the lines after `per-op statistics`; `None` when there are none or one of them is garbled.
fn counters<'a>(block: impl Iterator<Item = &'a str>) -> Option<Counters> {
    let lines = block.skip_while(|line| line.trim() != "per-op statistics").skip(1);
    let mut sum = Counters::default();
    let mut seen = 0_u32;
    for line in lines.filter(|line| !line.trim().is_empty()) {
        let (name, numbers) = line.split_once(':')?;
        // Ended, sent, major timeouts, bytes out and in, milliseconds queued, on the wire, in all; newer kernels add errors.
        let numbers: Vec<u64> =
            numbers.split_ascii_whitespace().map(|number| number.parse().ok()).collect::<Option<_>>()?;
        let [ended, _, _, _, _, _, _, took_ms, ..] = numbers[..] else { return None };
        if OPERATIONS.contains(&name.trim()) {
            sum.operations = sum.operations.checked_add(ended)?;
            sum.took_ms = sum.took_ms.checked_add(took_ms)?;
        }
        seen += 1;
    }
    (seen > 0).then_some(sum)
}

/// The load between two readings; it has no utilisation. A server that does not answer ends no operation, and so looks
/// idle here: the fill of the same mount does not answer then either.
///
/// # Errors
/// The counters have begun anew: it was mounted again.
pub(super) fn between(before: Counters, now: Counters) -> Result<Load, ProbeError> {
    let rise = |before: u64, now: u64| now.checked_sub(before).ok_or_else(|| anew("the mount"));
    let latency = mean_latency(rise(before.took_ms, now.took_ms)?, rise(before.operations, now.operations)?);
    Ok(Load { utilisation: Share::ZERO, latency, ..Load::default() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::units::Latency;

    /// In the form of Linux 6.1: local file systems, version 3 with a space in its name, and version 4.1.
    const TEXT: &str = "device /dev/vda mounted on / with fstype ext4
device proc mounted on /proc with fstype proc
no device mounted on /run with fstype tmpfs
device nas-1:/export/old\\040mail mounted on /mnt/old\\040mail with fstype nfs statvers=1.1
\topts:\trw,vers=3,rsize=1048576,wsize=1048576,namlen=255,acregmin=3,acregmax=60,acdirmin=30,acdirmax=60,hard,proto=tcp,timeo=600
\tage:\t90210
\tcaps:\tcaps=0x3fe7,wtmult=4096,dtsize=1048576,bsize=0,namlen=255
\tsec:\tflavor=1,pseudoflavor=1
\tevents:\t52 110 7 9 31 12 140 0 0 5 0 0 20 0 4 2 0 0 0 0 0 0 0 0 0 0 0
\tbytes:\t4096 8192 0 0 4096 8192 1 2
\tRPC iostats version: 1.1  p/v: 100003/3 (nfs)
\txprt:\ttcp 812 1 1 0 12 3310 3310 0 3310 0 2 0 0
\tper-op statistics
\t        NULL: 1 1 0 44 24 0 0 0 0
\t     GETATTR: 1000 1000 0 132000 112000 10 400 500 0
\t      LOOKUP: 200 200 0 28000 24000 2 150 160 40
\t        READ: 100 102 0 15200 6400000 40 700 900 0
\t       WRITE: 50 50 0 3280000 8000 20 500 640 0
\t      FSSTAT: 90 90 0 9000 15000 0 9000 9000 0

device nas-2:/mail mounted on /mnt/nas-2 with fstype nfs4 statvers=1.1
\topts:\trw,vers=4.1,rsize=1048576,wsize=1048576,namlen=255,hard,proto=tcp,timeo=600,sec=sys,clientaddr=10.0.0.7
\tage:\t90211
\timpl_id:\tname='',domain='',date='0,0'
\tcaps:\tcaps=0x3ffbffff,wtmult=512,dtsize=1048576,bsize=0,namlen=255
\tnfsv4:\tbm0=0xfdffbfff,bm1=0x40f9be3e,bm2=0x60803,acl=0x3,sessions,pnfs=not configured,lease_time=90,lease_expired=0
\tsec:\tflavor=1,pseudoflavor=1
\tevents:\t1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27
\tbytes:\t1 2 3 4 5 6 7 8
\tRPC iostats version: 1.1  p/v: 100003/4 (nfs)
\txprt:\ttcp 0 0 2 0 0 412 412 0 412 0 2 0 0
\tper-op statistics
\t        NULL: 1 1 0 44 24 0 0 0 0
\t        READ: 10 10 0 2480 105600 1 30 40 0
\t        OPEN: 4 4 0 1200 1600 0 8 8 0
\t        LOCK: 1 1 0 200 112 0 60000 60000 0
\t    SEQUENCE: 33 33 0 4000 3000 0 99 99 0
device tmpfs mounted on /mnt/nas-2/spool with fstype tmpfs
";

    fn counters_at(root: &str) -> Result<Counters, String> {
        find(TEXT, Path::new(root))
    }

    #[test]
    fn each_mount_has_the_operations_that_users_wait_for() {
        let old = Counters { operations: 1_350, took_ms: 2_200 };
        assert_eq!(counters_at("/mnt/old mail"), Ok(old));
        assert_eq!(counters_at("/mnt/nas-2"), Ok(Counters { operations: 14, took_ms: 48 }));
        // A root may lie below the mount.
        assert_eq!(counters_at("/mnt/old mail/a/b"), Ok(old));
    }

    #[test]
    fn a_root_that_lies_on_something_else_is_refused() {
        assert_eq!(
            counters_at("/mnt/nas-2/spool/x").unwrap_err(),
            "/mnt/nas-2/spool/x lies on /mnt/nas-2/spool, which is tmpfs and not NFS"
        );
        // Not mounted: the folder is one of the root's. And one name is not a part of another.
        assert!(counters_at("/mnt/nas-20").unwrap_err().contains("which is ext4"));
        assert!(find("", Path::new("/mnt")).unwrap_err().contains("no mount"));
    }

    #[test]
    fn of_two_mounts_on_one_folder_the_later_one_counts() {
        let text = format!(
            "{TEXT}{}",
            "device x:/ mounted on /mnt/nas-2 with fstype nfs\n\tper-op statistics\n\tREAD: 1 1 0 0 0 0 0 7\n"
        );
        assert_eq!(find(&text, Path::new("/mnt/nas-2")), Ok(Counters { operations: 1, took_ms: 7 }));
    }

    #[test]
    fn garbled_statistics_are_refused() {
        for operations in
            ["", "\tper-op statistics\n", "\tper-op statistics\n\tREAD: 1 2 3\n", "\tper-op statistics\n\tREAD: a\n"]
        {
            let text = format!("device x:/ mounted on /m with fstype nfs\n{operations}");
            assert!(find(&text, Path::new("/m")).unwrap_err().contains("are not understood"), "{operations}");
        }
    }

    #[test]
    fn latency_is_the_mean_of_what_ended_since_the_last_reading() {
        let before = Counters { operations: 1_350, took_ms: 2_200 };
        let load = between(before, Counters { operations: 1_750, took_ms: 4_200 }).unwrap();
        assert_eq!(load, Load { utilisation: Share::ZERO, latency: Latency::from_micros(5_000), ..Load::default() });
        assert_eq!(between(before, before).unwrap(), Load::default());
        let again = Counters { operations: 3, took_ms: 2 };
        assert!(matches!(between(before, again), Err(ProbeError::Missing(_))));
    }

    #[test]
    fn escapes_are_octal_and_others_stay() {
        for (written, plain) in
            [("a\\040b\\134", "a b\\"), ("\\011\\012", "\t\n"), ("\\04", "\\04"), ("\\999", "\\999"), ("\\é", "\\é")]
        {
            assert_eq!(unescaped(written), plain);
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(
            text in "(device | mounted on |/m| with fstype |nfs|\n|per-op statistics|\tREAD: |[0-9]{1,21} |\\\\[0-9é]{0,3}|\\PC){0,60}",
        ) {
            let _ = find(&text, Path::new("/m"));
        }

        #[test]
        fn no_change_of_a_good_text_makes_the_reader_panic(at in 0..TEXT.len(), length in 0..40_usize, with in "[0-9 :\n\\\\a]{0,4}") {
            let mut text = TEXT.to_owned();
            text.replace_range(at..(at + length).min(TEXT.len()), &with);
            let _ = find(&text, Path::new("/mnt/nas-2"));
        }
    }
}
