use super::super::{
    can_be_fenced, discard, folders_left, has_old_copy, is_fenced, is_free, keep_spare, mark_placed, measure, place,
    purge, stray, take_back, unfence, unmark_placed, unplace,
};
use super::*;
use std::collections::BTreeSet;

fn path() -> &'static Path {
    Path::new(PATH)
}

#[test]
fn a_fence_takes_the_place_and_gives_it_back() {
    let stores = Stores::new();
    stores.write("cur/1.host:2,", b"mail");
    let before = tree(&stores.source());
    for _ in 0..2 {
        let fenced = fence(&stores.from, path()).unwrap();
        assert_eq!(fenced.moving, Path::new(MOVING));
        assert!(is_fenced(&stores.from, path()).unwrap());
        assert_eq!(tree(&stores.old.join(MOVING)), before);
        let meta = fs::symlink_metadata(stores.source()).unwrap();
        assert!(meta.is_file() && meta.mode().trailing_zeros() >= 9);
        assert!(fs::create_dir(stores.source().join("cur")).is_err());
    }
    for _ in 0..2 {
        unfence(&stores.from, path()).unwrap();
        assert!(!is_fenced(&stores.from, path()).unwrap());
        assert_eq!(tree(&stores.source()), before);
        assert_eq!(fs::read_dir(stores.old.join("example.com/alice")).unwrap().count(), 1);
    }
}

#[test]
fn an_interrupted_fence_goes_on_or_back() {
    for back in [false, true] {
        for interrupted in 0..3 {
            let stores = Stores::new();
            stores.write("cur/1.host:2,", b"mail");
            let before = tree(&stores.source());
            fence(&stores.from, path()).unwrap();
            let (plain, moving) = (stores.source(), stores.old.join(MOVING));
            match interrupted {
                // The fence was made, and no more.
                0 => {
                    fs::rename(&plain, stores.old.join("x")).unwrap();
                    fs::rename(&moving, &plain).unwrap();
                    fs::rename(stores.old.join("x"), &moving).unwrap();
                }
                // The mailbox is away, the fence not there yet.
                1 => fs::remove_file(&plain).unwrap(),
                // A fence was being written when the mailbox was away.
                _ => fs::rename(&plain, stores.old.join("example.com/alice/Maildir.fence")).unwrap(),
            }
            if back {
                unfence(&stores.from, path()).unwrap();
                assert_eq!(tree(&plain), before);
            } else {
                fence(&stores.from, path()).unwrap();
                assert!(is_fenced(&stores.from, path()).unwrap());
                assert_eq!(tree(&moving), before);
            }
        }
    }
}

#[test]
fn a_mailbox_made_again_at_the_old_place_is_never_touched() {
    let stores = Stores::new();
    stores.write("cur/1.host:2,", b"mail");
    fence(&stores.from, path()).unwrap();
    assert_eq!(stray(&stores.from, path()).unwrap(), 0);
    fs::remove_file(stores.source()).unwrap();
    assert_eq!(stray(&stores.from, path()).unwrap(), 0);
    stores.make_folder("");
    stores.write("new/2.host", b"stray");
    stores.make_folder(".Sent");
    stores.write(".Sent/new/3.host", b"stray");
    let (here, there) = (tree(&stores.source()), tree(&stores.old.join(MOVING)));
    assert_eq!(stray(&stores.from, path()).unwrap(), 2);
    assert!(matches!(fence(&stores.from, path()), Err(MailError::Differs { .. })));
    assert!(matches!(unfence(&stores.from, path()), Err(MailError::Differs { .. })));
    assert!(matches!(purge(&stores.from, path(), None), Err(MailError::Differs { .. })));
    assert_eq!((tree(&stores.source()), tree(&stores.old.join(MOVING))), (here, there));
}

#[test]
fn what_stands_where_a_mailbox_would_be_behind_its_fence_is_found_before() {
    let stores = Stores::new();
    stores.write("cur/1.host:2,", b"mail");
    can_be_fenced(&stores.from, path()).unwrap();
    let theirs = stores.old.join(MOVING);
    fs::create_dir(&theirs).unwrap();
    assert!(matches!(can_be_fenced(&stores.from, path()), Err(MailError::Taken { .. })));
    fs::remove_dir(&theirs).unwrap();
    fs::write(&theirs, "a file of somebody's").unwrap();
    assert!(matches!(can_be_fenced(&stores.from, path()), Err(MailError::Taken { .. })));
    fs::remove_file(&theirs).unwrap();
    fence(&stores.from, path()).unwrap();
    can_be_fenced(&stores.from, path()).unwrap();
}

#[test]
fn mail_that_came_behind_the_fence_is_never_removed() {
    let stores = Stores::new();
    stores.make_folder(".Sent");
    stores.write("cur/1.host:2,", b"mail");
    stores.write(".Sent/cur/2.host:2,", b"mail");
    fence(&stores.from, path()).unwrap();
    let moving = stores.old.join(MOVING);
    fs::write(moving.join("new/3.host"), b"late").unwrap();
    let before = tree(&moving);
    let told = purge(&stores.from, path(), Some(2)).unwrap_err().to_string();
    assert!(told.starts_with("1 message has come behind its fence"), "{told}");
    assert!(is_fenced(&stores.from, path()).unwrap());
    assert_eq!(tree(&moving), before);
    // Somebody has seen to it.
    fs::remove_file(moving.join("new/3.host")).unwrap();
    assert_eq!(purge(&stores.from, path(), Some(2)).unwrap().messages, 2);
    assert!(!moving.exists() && !stores.source().exists());
}

#[test]
fn what_stands_beside_an_old_copy_under_the_name_of_a_removal_is_not_removed() {
    let stores = Stores::new();
    stores.write("cur/1.host:2,", b"mail");
    fence(&stores.from, path()).unwrap();
    let theirs = stores.old.join(format!("{PATH}.purging"));
    fs::create_dir_all(theirs.join("cur")).unwrap();
    let told = purge(&stores.from, path(), None).unwrap_err().to_string();
    assert!(told.contains("need not be ours"), "{told}");
    assert!(theirs.exists() && stores.old.join(MOVING).exists());
    fs::remove_dir_all(theirs).unwrap();
    assert_eq!(purge(&stores.from, path(), None).unwrap().messages, 1);
}

#[test]
fn what_this_program_has_put_at_a_root_is_no_mail_that_is_left() {
    let stores = Stores::new();
    for path in [".drawdown-preflight-7/Maildir/cur", "example.com/.drawdown-preflight-7/Maildir/cur"] {
        fs::create_dir_all(stores.old.join(path)).unwrap();
        fs::write(stores.old.join(path).join("1.host:2,"), "mail").unwrap();
    }
    let left = folders_left(&stores.from, &BTreeSet::new()).unwrap();
    assert_eq!(left.first, [Path::new("example.com/.drawdown-preflight-7/Maildir")]);
}

#[test]
fn where_nothing_at_all_is_there_no_old_copy_counts_as_removed() {
    let folder = tempfile::tempdir().unwrap();
    let root = Root::open(folder.path()).unwrap();
    // What a session makes at a mount point at which nothing is mounted.
    keep_spare(&root).unwrap();
    fs::create_dir(folder.path().join("lost+found")).unwrap();
    for path in ["example.com/alice/Maildir", "alice"] {
        let told = purge(&root, Path::new(path), None).unwrap_err().to_string();
        assert!(told.ends_with("is the store mounted?"), "{told}");
        assert!(has_old_copy(&root, Path::new(path)).is_err());
    }
    fs::create_dir(folder.path().join("bob")).unwrap();
    assert_eq!(purge(&root, Path::new("alice"), None).unwrap(), Totals::default());
    assert!(!has_old_copy(&root, Path::new("alice")).unwrap());
}

#[test]
fn a_file_that_is_not_our_fence_is_never_removed() {
    let stores = Stores::new();
    fence(&stores.from, path()).unwrap();
    fs::remove_file(stores.source()).unwrap();
    fs::write(stores.source(), b"an mbox, perhaps").unwrap();
    assert!(!is_fenced(&stores.from, path()).unwrap());
    assert!(fence(&stores.from, path()).is_err());
    assert!(unfence(&stores.from, path()).is_err());
    assert!(purge(&stores.from, path(), None).is_err());
    assert!(fs::read(stores.source()).is_ok() && stores.old.join(MOVING).is_dir());
}

#[test]
fn a_mailbox_that_is_nowhere_cannot_be_fenced() {
    let stores = Stores::new();
    for missing in ["example.com/bob/Maildir", "example.com/alice/other", "example.org/a"] {
        let missing = Path::new(missing);
        assert!(matches!(fence(&stores.from, missing), Err(MailError::Gone)));
        assert!(matches!(unfence(&stores.from, missing), Err(MailError::Gone)));
        assert!(!is_fenced(&stores.from, missing).unwrap());
        // Nothing that says that anything was ever removed there.
        let purged = purge(&stores.from, missing, None);
        assert_eq!(purged.is_ok(), missing.starts_with("example.com/alice"), "{purged:?}");
        assert!(!has_old_copy(&stores.from, missing).unwrap());
        assert_eq!(stray(&stores.from, missing).unwrap(), 0);
        assert!(matches!(measure(&stores.from, missing), Err(MailError::Gone)));
        discard(&stores.from, missing).unwrap();
    }
}

#[test]
fn a_copy_takes_its_place_and_leaves_it_but_never_anothers() {
    let stores = Stores::new();
    stores.write("cur/1.host:2,", b"mail");
    stores.copy().bulk(&Open).unwrap();
    let (arriving, there) = (Path::new(ARRIVING), tree(&stores.target()));
    for _ in 0..2 {
        place(&stores.to, arriving, path()).unwrap();
        assert_eq!(tree(&stores.new.join(PATH)), there);
        assert!(!stores.target().exists());
    }
    for _ in 0..2 {
        take_back(&stores.to, path(), arriving).unwrap();
        assert_eq!(tree(&stores.target()), there);
    }
    // A directory, even an empty one, and a fence hold the place.
    fs::create_dir(stores.new.join(PATH)).unwrap();
    assert!(matches!(place(&stores.to, arriving, path()), Err(MailError::Taken { .. })));
    fence(&stores.to, path()).unwrap();
    assert!(matches!(place(&stores.to, arriving, path()), Err(MailError::Taken { .. })));
    discard(&stores.to, arriving).unwrap();
    discard(&stores.to, arriving).unwrap();
    assert!(matches!(place(&stores.to, arriving, path()), Err(MailError::Taken { .. })));
    assert!(matches!(discard(&stores.to, path()), Err(MailError::Special { .. })));
    let bob = [Path::new("example.com/alice/a"), Path::new("example.com/alice/b")];
    assert!(matches!(place(&stores.to, bob[0], bob[1]), Err(MailError::Gone)));
}

#[test]
fn only_a_copy_in_which_nobody_lives_yet_is_removed_from_its_place() {
    let stores = Stores::new();
    stores.write("cur/1.host:2,", b"mail");
    let (arriving, placed) = (Path::new(ARRIVING), stores.new.join(PATH));
    let put = |epoch| {
        stores.copy().bulk(&Open).unwrap();
        mark_placed(&stores.to, path(), epoch).unwrap();
        place(&stores.to, arriving, path()).unwrap();
    };
    is_free(&stores.to, path()).unwrap();
    put(7);
    is_free(&stores.to, path()).expect("a mark: it may be ours");
    // The user has moved since, and lives there: the epoch is another one.
    unplace(&stores.to, path(), 8).unwrap();
    assert!(placed.join("cur/1.host:2,").exists());
    // Without a mark nobody knows whose it is.
    unplace(&stores.to, path(), 7).unwrap();
    assert!(placed.exists());
    let taken = is_free(&stores.to, path()).unwrap_err();
    assert!(taken.to_string().starts_with(&placed.display().to_string()), "{taken}");
    // What stands there already is never marked.
    assert!(matches!(mark_placed(&stores.to, path(), 7), Err(MailError::Taken { .. })));
    unplace(&stores.to, path(), 7).unwrap();
    assert!(placed.exists());
    take_back(&stores.to, path(), arriving).unwrap();
    mark_placed(&stores.to, path(), 6).unwrap();
    put(7);
    unmark_placed(&stores.to, path()).unwrap();
    unplace(&stores.to, path(), 7).unwrap();
    assert!(placed.exists());
    take_back(&stores.to, path(), arriving).unwrap();
    put(7);
    for _ in 0..2 {
        unplace(&stores.to, path(), 7).unwrap();
        let beside = fs::read_dir(placed.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
        assert_eq!(beside.collect::<Vec<_>>(), Vec::<std::path::PathBuf>::new());
    }
    let bob = Path::new("example.com/bob/Maildir");
    unplace(&stores.to, bob, 7).unwrap();
    unmark_placed(&stores.to, bob).unwrap();
}

#[test]
fn a_purge_removes_what_is_behind_the_fence_and_goes_on_after_an_interruption() {
    for interrupted in 0..4 {
        let stores = Stores::new();
        stores.make_folder(".Sent");
        stores.write("cur/1.host,S=1000:2,", b"mail");
        stores.write(".Sent/new/2.host", b"mail");
        fs::create_dir(stores.old.join("example.com/alice/sieve")).unwrap();
        assert!(matches!(purge(&stores.from, path(), None), Err(MailError::Differs { .. })));
        fence(&stores.from, path()).unwrap();
        let (moving, purging) = (stores.old.join(MOVING), stores.old.join("example.com/alice/Maildir.purging"));
        match interrupted {
            0 => {}
            1 => fs::rename(&moving, &purging).unwrap(),
            2 => {
                fs::rename(&moving, &purging).unwrap();
                fs::remove_dir_all(purging.join("cur")).unwrap();
            }
            _ => fs::remove_dir_all(&moving).unwrap(),
        }
        let removed = purge(&stores.from, path(), None).unwrap();
        assert_eq!(removed.messages, [2, 2, 1, 0][interrupted]);
        assert_eq!(removed.bytes.get(), [1004, 1004, 4, 0][interrupted]);
        assert_eq!(purge(&stores.from, path(), None).unwrap(), Totals::default());
        let left: Vec<_> = fs::read_dir(stores.old.join("example.com/alice")).unwrap().collect();
        assert_eq!(left.len(), 1, "{left:?}");
    }
}

#[test]
fn an_audit_counts_folders_with_mail_that_nobody_has_moved() {
    let stores = Stores::new();
    assert_eq!(folders_left(&stores.from, &BTreeSet::new()).unwrap().folders, 0);
    stores.make_folder(".Sent");
    // A folder of this name is no fenced mailbox.
    stores.make_folder(".Work.moving");
    for name in ["cur/1.host,S=70:2,", ".Sent/new/2.host", ".Work.moving/cur/3.host:2,", "cur/.nfs0001"] {
        stores.write(name, b"mail");
    }
    let totals = measure(&stores.from, path()).unwrap();
    assert_eq!((totals.bytes.get(), totals.messages, totals.folders), (78, 3, 3));
    let left = folders_left(&stores.from, &BTreeSet::new()).unwrap();
    let mut first: Vec<_> =
        left.first.iter().map(|path| path.strip_prefix(PATH).unwrap().display().to_string()).collect();
    first.sort_unstable();
    assert_eq!((left.folders, first), (3, ["", ".Sent", ".Work.moving"].map(str::to_owned).to_vec()));
    fence(&stores.from, path()).unwrap();
    assert_eq!(folders_left(&stores.from, &BTreeSet::new()).unwrap().folders, 0);
    fs::rename(stores.old.join(MOVING), stores.old.join("example.com/alice/Maildir.purging")).unwrap();
    assert_eq!(folders_left(&stores.from, &BTreeSet::new()).unwrap().folders, 0);
}
