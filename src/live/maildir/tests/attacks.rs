use super::*;
use std::collections::BTreeSet;
use std::os::unix::fs::symlink;

use super::super::{MailError::Special, discard, folders_left, measure, stray};

#[test]
fn anything_but_files_and_directories_is_refused_at_the_source() {
    let things: [Deed; 6] = [
        ("cur/1.host:2,", |path| symlink("/etc/passwd", path).unwrap()),
        (".Folder", |path| symlink("/etc", path).unwrap()),
        ("dovecot-uidlist", |path| symlink("cur", path).unwrap()),
        ("new/pipe", |path| {
            rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
        }),
        ("socket", |path| drop(std::os::unix::net::UnixListener::bind(path).unwrap())),
        ("cur/directory", |path| fs::create_dir(path).unwrap()),
    ];
    for (path, make) in things {
        let stores = Stores::new();
        stores.write("cur/2.host:2,", b"fine");
        make(&stores.source().join(path));
        let mut copy = stores.copy();
        assert!(matches!(copy.bulk(&Open), Err(Special { what }) if what == path), "{path}");
    }
}

#[test]
fn a_link_in_a_mailbox_path_is_not_followed_on_either_side() {
    let stores = Stores::new();
    stores.write("cur/1.host:2,", b"mail");
    let outside = tempfile::tempdir().unwrap();
    fs::create_dir_all(outside.path().join("alice/Maildir/cur")).unwrap();
    fs::write(outside.path().join("alice/Maildir/cur/secret"), b"secret").unwrap();
    // At the source.
    symlink(outside.path(), stores.old.join("evil.com")).unwrap();
    let mut copy = Copy::new(&stores.from, &stores.to, Path::new("evil.com/alice/Maildir"), Path::new(ARRIVING));
    assert!(matches!(copy.bulk(&Open), Err(Special { .. })));
    assert!(matches!(measure(&stores.from, Path::new("evil.com/alice/Maildir")), Err(Special { .. })));
    assert_eq!(folders_left(&stores.from, &BTreeSet::new()).unwrap().folders, 1);
    // At the target, above the mailbox and within.
    symlink(outside.path(), stores.new.join("example.com")).unwrap();
    assert!(stores.copy().bulk(&Open).is_err());
    assert!(discard(&stores.to, Path::new("example.com/alice")).is_err());
    fs::remove_file(stores.new.join("example.com")).unwrap();
    fs::create_dir_all(stores.target()).unwrap();
    symlink(outside.path(), stores.target().join("cur")).unwrap();
    assert!(stores.copy().bulk(&Open).is_err());
    let there: Vec<_> = fs::read_dir(outside.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(there, ["alice"]);
    assert_eq!(fs::read_dir(outside.path().join("alice/Maildir/cur")).unwrap().count(), 1);
    // Removing takes the link away and nothing behind it.
    discard(&stores.to, Path::new(ARRIVING)).unwrap();
    assert!(outside.path().join("alice/Maildir/cur/secret").exists());
}

#[test]
fn components_that_become_links_under_way_never_lead_out() {
    let stores = Stores::new();
    stores.make_folder(".F");
    for number in 0..200 {
        stores.write(&format!(".F/cur/{number}.host:2,"), b"mail");
    }
    let outside = tempfile::tempdir().unwrap();
    fs::create_dir(outside.path().join("cur")).unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (folder, aside) = (stores.target().join(".F"), stores.target().join(".aside"));
            while !done.load(Ordering::Relaxed) {
                if fs::rename(&folder, &aside).is_ok() {
                    let _ = symlink(outside.path(), &folder);
                    let _ = fs::remove_file(&folder);
                    let _ = fs::rename(&aside, &folder);
                }
            }
        });
        for _ in 0..20 {
            let _ = stores.copy().bulk(&Open);
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
    assert_eq!(fs::read_dir(outside.path().join("cur")).unwrap().count(), 0);
}

#[test]
fn a_link_at_the_old_place_is_no_mailbox_and_no_fence() {
    let stores = Stores::new();
    symlink(stores.source(), stores.old.join("example.com/alice/link")).unwrap();
    let link = Path::new("example.com/alice/link");
    assert!(fence(&stores.from, link).is_err());
    assert!(super::super::unfence(&stores.from, link).is_err());
    assert!(super::super::purge(&stores.from, link, None).is_err());
    assert!(!super::super::is_fenced(&stores.from, link).unwrap());
    assert_eq!(stray(&stores.from, link).unwrap(), 0);
    assert!(stores.source().join("cur").exists());
}

#[test]
fn errors_of_the_system_are_told_apart() {
    use super::super::error::Side;
    use rustix::io::Errno;
    let of = |side: Side, errno| format!("{:?}", side.failed("a")(errno));
    for (side, errno, error) in [
        (Side::Target, Errno::NOSPC, "NoRoom"),
        (Side::Target, Errno::DQUOT, "NoRoom"),
        (Side::Target, Errno::ROFS, "ReadOnly"),
        (Side::Source, Errno::IO, "SourceUnreadable { what: \"a\" }"),
        (Side::Source, Errno::LOOP, "Special { what: \"a\" }"),
    ] {
        assert_eq!(of(side, errno), error);
    }
    assert!(of(Side::Target, Errno::IO).starts_with("Io"));
    assert_eq!(MailError::from(Stopped).to_string(), "the job was stopped");
}
