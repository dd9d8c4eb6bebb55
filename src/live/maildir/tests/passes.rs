use std::sync::Barrier;

use super::*;

#[test]
fn a_mailbox_arrives_with_everything_that_belongs_to_it() {
    let stores = Stores::new();
    for folder in [".Sent", ".A.B", "nested/deep", ".Empty"] {
        stores.make_folder(folder);
    }
    fs::create_dir(stores.source().join("sieve")).unwrap();
    for (path, content) in [
        ("new/1.M1.host,S=5", &b"fresh"[..]),
        ("cur/2.M2.host,S=4:2,S", b"seen"),
        ("cur/3.M3.host:2,", b""),
        (".Sent/cur/4.M4.lock:2,FS", b"a host called lock"),
        (".A.B/new/5.M5.lock", b"another"),
        ("nested/deep/cur/6.host:2,", &vec![7; 700_000]),
        ("dovecot-uidlist", b"3 V1 N7\n"),
        ("dovecot.index.cache", b"cache"),
        (".Sent/dovecot-keywords", b"0 $Junk\n"),
        (".Sent/maildirfolder", b""),
        ("sieve/main.sieve", b"keep;"),
        ("subscriptions", b"Sent\n"),
        // These stay behind.
        ("dovecot-uidlist.lock", b"pid"),
        (".nfs000123", b"open"),
        (".temp.host", b"half"),
        ("cur/.nfs000124", b"open"),
        ("tmp/7.host", b"half"),
    ] {
        stores.write(path, content);
    }
    mode(&stores.source().join("cur/2.M2.host,S=4:2,S"), 0o640);
    mode(&stores.source().join(".Sent"), 0o2750);
    mode(&stores.source(), 0o700);
    let mut copy = stores.copy();
    let bulk = copy.bulk(&Open).unwrap();
    assert_eq!((bulk.copied, bulk.skipped, bulk.deleted), (6, 0, 0));
    copy.rehash(&Open).unwrap();
    let delta = copy.delta(&Open).unwrap();
    assert_eq!((delta.changes(), delta.bytes), (0, 0), "{delta:?}");
    let (last, totals) = stores.finish(&mut copy);
    assert_eq!((last.copied, last.deleted), (6, 0));
    assert_eq!((totals.messages, totals.folders, totals), (6, 5, copy.totals()));
    stores.assert_same();
    for behind in ["dovecot-uidlist.lock", ".nfs000123", "cur/.nfs000124", "tmp/7.host"] {
        assert!(!stores.target().join(behind).exists(), "{behind}");
    }
}

/// Does something before one of the pieces, which may be the last that passes.
struct At<F> {
    pieces: AtomicU64,
    piece: u64,
    then: F,
}

fn at<F>(piece: u64, then: F) -> At<F> {
    At { pieces: AtomicU64::new(0), piece, then }
}

impl<F: Fn() -> Result<(), Stopped> + Sync> Gate for At<F> {
    fn pass(&self, _bytes: u64) -> Result<(), Stopped> {
        if self.pieces.fetch_add(1, Ordering::Relaxed) == self.piece { (self.then)() } else { Ok(()) }
    }
}

#[test]
fn an_instance_that_wakes_up_takes_nothing_from_the_one_that_works_in_its_place() {
    const MESSAGES: u64 = 40;
    // Stopped early and late; its lease seen to be lost when it wakes up, or not before its next look.
    for (early, sees) in [(3, true), (30, true), (MESSAGES, true), (MESSAGES, false)] {
        let stores = Stores::new();
        for number in 0..MESSAGES {
            stores.write(&format!("cur/{number}.host:2,"), &[7; 3_000]);
        }
        let (mut first, mut second) = (stores.copy().numbered(1), stores.copy().numbered(2));
        let [stopped, wakes, ended] = [(); 3].map(|()| Barrier::new(2));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let stops = at(early, || {
                    stopped.wait();
                    wakes.wait();
                    if sees { Err(Stopped) } else { Ok(()) }
                });
                assert!(first.bulk(&stops).is_err(), "it goes on in another one's place");
                ended.wait();
            });
            stopped.wait();
            let amidst = at(MESSAGES / 2, || {
                wakes.wait();
                ended.wait();
                Ok(())
            });
            assert_eq!(second.bulk(&amidst).unwrap().copied, MESSAGES as u32);
        });
        stores.finish(&mut second);
        stores.assert_same();
    }
}

#[test]
fn no_directory_is_made_above_or_for_what_arrives_once_the_gate_is_closed() {
    for made in 0..3 {
        let stores = Stores::new();
        let closes = at(made, || Err(Stopped));
        assert!(matches!(stores.copy().bulk(&closes), Err(MailError::Stopped)));
        let there = Path::new(ARRIVING).ancestors().filter(|path| !path.as_os_str().is_empty());
        let there = there.filter(|path| stores.new.join(path).exists()).count();
        assert_eq!(there as u64, made, "made since");
    }
}

#[test]
fn a_delta_follows_flags_and_deliveries_and_deletes_nothing() {
    let stores = Stores::new();
    for name in ["new/1.host", "cur/2.host:2,", "cur/3.host:2,"] {
        stores.write(name, name.as_bytes());
    }
    let mut copy = stores.copy();
    copy.bulk(&Open).unwrap();
    stores.rename("new/1.host", "cur/1.host:2,S");
    stores.rename("cur/2.host:2,", "cur/2.host:2,FS");
    fs::remove_file(stores.source().join("cur/3.host:2,")).unwrap();
    stores.write("new/4.host", b"late");
    let delta = copy.delta(&Open).unwrap();
    assert_eq!((delta.copied, delta.renamed, delta.deleted, delta.bytes), (1, 2, 0, 4));
    assert!(stores.target().join("cur/3.host:2,").exists());
    let (last, _) = stores.finish(&mut copy);
    assert_eq!((last.copied, last.renamed, last.deleted), (0, 0, 1));
    stores.assert_same();
}

#[test]
fn names_of_one_file_stay_names_of_one_file() {
    let stores = Stores::new();
    stores.make_folder(".Copies");
    stores.write("cur/1.host:2,", b"one");
    let link = |old: &str, new: &str| fs::hard_link(stores.source().join(old), stores.source().join(new)).unwrap();
    link("cur/1.host:2,", ".Copies/cur/2.host:2,");
    let mut copy = stores.copy();
    assert_eq!(copy.bulk(&Open).unwrap().copied, 2);
    // A further name of what was copied before, from another folder and in the same one.
    link("cur/1.host:2,", ".Copies/new/3.host");
    link("cur/1.host:2,", "cur/4.host:2,S");
    // The same identity twice, as between a link and an unlink.
    link("cur/1.host:2,", "new/1.host");
    assert_eq!(copy.delta(&Open).unwrap().copied, 3);
    fs::remove_file(stores.source().join("cur/1.host:2,")).unwrap();
    stores.finish(&mut copy);
    stores.assert_same();
    assert_eq!(fs::metadata(stores.target().join("new/1.host")).unwrap().nlink(), 4);
}

#[test]
fn two_messages_with_one_identity_both_arrive() {
    let stores = Stores::new();
    stores.write("cur/1.host:2,S", b"one");
    stores.write("cur/1.host:2,FS", b"two two");
    let mut copy = stores.copy();
    copy.bulk(&Open).unwrap();
    // They even change names.
    stores.rename("cur/1.host:2,S", "cur/1.host:2,");
    stores.rename("cur/1.host:2,FS", "cur/1.host:2,S");
    stores.rename("cur/1.host:2,", "cur/1.host:2,FS");
    copy.delta(&Open).unwrap();
    stores.finish(&mut copy);
    stores.assert_same();
}

#[test]
fn content_that_changes_in_place_is_copied_again() {
    let stores = Stores::new();
    stores.write("cur/1.host:2,", b"before");
    fs::hard_link(stores.source().join("cur/1.host:2,"), stores.source().join("cur/2.host:2,")).unwrap();
    let mut copy = stores.copy();
    copy.bulk(&Open).unwrap();
    stores.write("cur/1.host:2,", b"after it");
    assert_eq!(copy.delta(&Open).unwrap().copied, 2);
    stores.finish(&mut copy);
    stores.assert_same();
}

#[test]
fn a_link_is_never_made_to_a_name_that_another_message_takes() {
    // Messages come in the order of their inodes, so each of the two goes first once.
    for swapped in ["cur/1.host:2,", "cur/2.host:2,"] {
        let stores = Stores::new();
        for name in ["1.host:2,", "2.host:2,"] {
            stores.write(&format!("cur/{name}"), name.as_bytes());
            let further = stores.source().join(format!("cur/further.{name}"));
            fs::hard_link(stores.source().join("cur").join(name), further).unwrap();
        }
        let mut copy = stores.copy();
        copy.bulk(&Open).unwrap();
        let other = if swapped.contains('1') { "cur/further.2.host:2," } else { "cur/further.1.host:2," };
        for (old, new) in [(swapped, "cur/aside"), (other, swapped), ("cur/aside", other)] {
            stores.rename(old, new);
        }
        copy.delta(&Open).unwrap();
        copy.rehash(&Open).unwrap();
        stores.finish(&mut copy);
        stores.assert_same();
    }
}

#[test]
fn folders_that_go_and_come_are_followed_by_the_last_pass() {
    let stores = Stores::new();
    for folder in [".Old", ".Old.Sub", "nested/deep"] {
        stores.make_folder(folder);
    }
    stores.write(".Old/cur/1.host:2,", b"one");
    stores.write("nested/deep/new/2.host", b"two");
    let mut copy = stores.copy();
    copy.bulk(&Open).unwrap();
    stores.rename(".Old", ".Fresh");
    fs::remove_dir_all(stores.source().join("nested")).unwrap();
    fs::remove_dir(stores.source().join(".Old.Sub/new")).unwrap();
    copy.delta(&Open).unwrap();
    assert!(stores.target().join(".Old/cur/1.host:2,").exists());
    let (last, totals) = stores.finish(&mut copy);
    assert!(last.deleted > 0 && last.copied == 0, "{last:?}");
    assert_eq!((totals.messages, totals), (1, copy.totals()));
    stores.assert_same();
}

#[test]
fn a_copy_over_an_interrupted_one_takes_over_what_is_complete() {
    let stores = Stores::new();
    for number in 0..20 {
        stores.write(&format!("cur/{number}.host:2,"), &vec![number; 1000]);
    }
    let mut first = stores.copy();
    assert!(matches!(first.bulk(&Budget(AtomicU64::new(12_500))), Err(MailError::Stopped)));
    assert_eq!(first.totals().messages, 0);
    first.bulk(&Open).unwrap();
    drop(first);
    // A crash leaves a partial file under a temporary name, and a message that has gone since.
    fs::write(stores.target().join(".temp.drawdown.7"), b"half").unwrap();
    fs::write(stores.target().join("cur/99.host:2,"), b"gone").unwrap();
    stores.rename("cur/3.host:2,", "cur/3.host:2,S");
    stores.write("cur/5.host:2,", &[9; 1000]);
    stores.write("cur/4.host:2,", &[9; 1001]);
    let mut second = stores.copy();
    let bulk = second.bulk(&Open).unwrap();
    assert_eq!((bulk.copied, bulk.renamed, bulk.found), (1, 1, 18), "{bulk:?}");
    assert!(!stores.target().join(".temp.drawdown.7").exists());
    // The one with another content, but with the same size and time, is found by reading it back.
    assert!(matches!(second.rehash(&Open), Err(MailError::Differs { what }) if what.contains("5.host")));
    assert_eq!(second.delta(&Open).unwrap().copied, 1);
    second.rehash(&Open).unwrap();
    let (last, _) = stores.finish(&mut second);
    assert_eq!(last.deleted, 1);
    stores.assert_same();
}

#[test]
fn a_stopped_gate_stops_within_a_chunk_and_leaves_no_partial_file() {
    let stores = Stores::new();
    stores.write("cur/1.host:2,", &vec![1; 3_000_000]);
    let mut copy = stores.copy();
    let gate = Budget(AtomicU64::new(1_000_000));
    assert!(matches!(copy.bulk(&gate), Err(MailError::Stopped)));
    assert!(gate.0.load(Ordering::Relaxed) < 256 * 1024);
    let left: Vec<_> =
        tree(&stores.target()).into_iter().filter(|(_, twin)| matches!(twin, Twin::File { .. })).collect();
    assert_eq!(left, []);
    assert!(!stores.target().join(".temp.drawdown.1").exists());
    copy.bulk(&Open).unwrap();
    assert!(matches!(copy.rehash(&Closed), Err(MailError::Stopped)));
    copy.rehash(&Open).unwrap();
    stores.finish(&mut copy);
    stores.assert_same();
}

#[test]
fn a_pace_counts_each_byte_once_though_it_is_read_back() {
    let stores = Stores::new();
    for (name, bytes) in [("cur/1.host:2,", 600_000), ("cur/2.host:2,S", 90_000), ("new/3.host", 10_000)] {
        stores.write(name, &vec![1; bytes]);
    }
    let mut copy = stores.copy();
    let gate = Budget(AtomicU64::new(1_000_000));
    copy.bulk(&gate).unwrap();
    copy.rehash(&gate).unwrap();
    copy.delta(&gate).unwrap();
    assert_eq!(gate.0.load(Ordering::Relaxed), 300_000);
}

#[test]
fn holes_stay_holes() {
    let stores = Stores::new();
    let path = stores.source().join("cur/1.host:2,");
    for (size, tail) in [(40_000_000, &b""[..]), (40_000_001, b""), (40_000_000, b"tail")] {
        let _ = fs::remove_file(&path);
        let file = fs::File::create(&path).unwrap();
        file.set_len(size).unwrap();
        std::os::unix::fs::FileExt::write_all_at(&file, tail, size).unwrap();
        std::os::unix::fs::FileExt::write_all_at(&file, b"head", 10).unwrap();
        drop(file);
        let mut copy = stores.copy();
        copy.delta(&Open).unwrap();
        copy.rehash(&Open).unwrap();
        let meta = fs::metadata(stores.target().join("cur/1.host:2,")).unwrap();
        assert_eq!(meta.len(), size + tail.len() as u64);
        assert!(meta.blocks() * 512 < 2_000_000, "{} blocks", meta.blocks());
    }
}

#[test]
fn another_content_at_the_target_is_never_taken_for_the_copy() {
    let damages: [Deed; 5] = [
        ("same size, same time", |path| {
            let meta = fs::metadata(path).unwrap();
            fs::write(path, b"xxxx").unwrap();
            set_time(path, meta.mtime(), meta.mtime_nsec());
        }),
        ("cut short", |path| fs::File::options().write(true).open(path).unwrap().set_len(2).unwrap()),
        ("longer", |path| fs::write(path, b"seen and more").unwrap()),
        ("gone", |path| fs::remove_file(path).unwrap()),
        ("a link to the like", |path| {
            fs::remove_file(path).unwrap();
            std::os::unix::fs::symlink("/etc/passwd", path).unwrap();
        }),
    ];
    for (damage, make) in damages {
        let stores = Stores::new();
        stores.write("cur/1.host:2,", b"seen");
        stores.write("dovecot-uidlist", b"list");
        let mut copy = stores.copy();
        copy.bulk(&Open).unwrap();
        make(&stores.target().join("cur/1.host:2,"));
        assert!(copy.rehash(&Open).is_err(), "{damage}: read back");
        // Without that, comparison inside the hold finds it, since nothing says that it was read back.
        let stores = Stores::new();
        for (path, content) in [("cur/1.host:2,", b"seen"), ("dovecot-uidlist", b"list")] {
            stores.write(path, content);
        }
        for path in ["cur/1.host:2,", "dovecot-uidlist"] {
            let _ = super::super::unfence(&stores.from, Path::new(PATH));
            super::super::discard(&stores.to, Path::new(ARRIVING)).unwrap();
            let mut copy = stores.copy();
            copy.bulk(&Open).unwrap();
            stores.finish(&mut copy);
            make(&stores.target().join(path));
            assert!(copy.verify(&Open).is_err(), "{damage}: {path}");
        }
    }
}

#[test]
fn what_changed_behind_the_last_pass_is_a_difference() {
    let changes: [Deed; 6] = [
        ("expunged", |box_| fs::remove_file(box_.join("cur/1.host:2,")).unwrap()),
        ("flagged", |box_| fs::rename(box_.join("cur/1.host:2,"), box_.join("cur/1.host:2,F")).unwrap()),
        ("delivered", |box_| fs::write(box_.join("new/2.host"), b"late").unwrap()),
        ("touched", |box_| set_time(&box_.join("cur/1.host:2,"), 5, 5)),
        ("a folder made", |box_| fs::create_dir(box_.join(".New")).unwrap()),
        ("a list written", |box_| fs::write(box_.join("dovecot-keywords"), b"0 a\n").unwrap()),
    ];
    for (change, make) in changes {
        let stores = Stores::new();
        stores.write("cur/1.host:2,", b"seen");
        let mut copy = stores.copy();
        copy.bulk(&Open).unwrap();
        copy.rehash(&Open).unwrap();
        stores.finish(&mut copy);
        make(&stores.old.join(MOVING));
        assert!(matches!(copy.verify(&Open), Err(MailError::Differs { .. })), "{change}");
    }
}

#[test]
fn owners_are_kept() {
    if !is_root() {
        return;
    }
    let stores = Stores::new();
    stores.write("cur/1.host:2,", b"hers");
    for path in ["", "cur", "cur/1.host:2,"] {
        std::os::unix::fs::chown(stores.source().join(path), Some(4711), Some(4712)).unwrap();
    }
    std::os::unix::fs::chown(stores.old.join("example.com/alice"), Some(4711), Some(4713)).unwrap();
    let mut copy = stores.copy();
    copy.bulk(&Open).unwrap();
    stores.finish(&mut copy);
    stores.assert_same();
    let above = fs::metadata(stores.new.join("example.com/alice")).unwrap();
    assert_eq!((above.uid(), above.gid()), (4711, 4713));
}

#[test]
fn a_mailbox_that_is_not_there_is_gone() {
    let stores = Stores::new();
    let mut copy = Copy::new(&stores.from, &stores.to, Path::new("example.com/bob/Maildir"), Path::new(ARRIVING));
    assert!(matches!(copy.bulk(&Open), Err(MailError::Gone)));
    assert!(!stores.target().exists());
    let mut copy = Copy::new(&stores.from, &stores.to, Path::new("../alice"), Path::new(ARRIVING));
    assert!(matches!(copy.bulk(&Open), Err(MailError::Io { .. })));
}

/// A file system that ends when it is dropped.
struct Mount(PathBuf);

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_full_target_is_told_and_nothing_half_is_left() {
    if !is_root() {
        return;
    }
    let stores = Stores::new();
    for number in 0..40 {
        stores.write(&format!("cur/{number}.host:2,"), &vec![1; 50_000]);
    }
    let small = |options: &str| {
        let mount = ["-t", "tmpfs", "-o", options, "none"];
        std::process::Command::new("mount").args(mount).arg(&stores.new).status().is_ok_and(|status| status.success())
    };
    if !small("size=1m") {
        println!("skipped: nothing can be mounted");
        return;
    }
    let _mount = Mount(stores.new.clone());
    let to = Root::open(&stores.new).unwrap();
    let mut copy = Copy::new(&stores.from, &to, Path::new(PATH), Path::new(ARRIVING));
    assert!(matches!(copy.bulk(&Open), Err(MailError::NoRoom)));
    assert_eq!(copy.totals().messages, 0);
    assert!(tree(&stores.target()).values().all(|twin| matches!(twin, Twin::Dir(..))));
    // There is room later, and the same copy goes on.
    assert!(small("remount,size=4m"));
    assert_eq!(copy.bulk(&Open).unwrap().copied, 40);
    copy.rehash(&Open).unwrap();
    stores.finish(&mut copy);
    stores.assert_same();
    assert!(small("remount,ro"));
    assert!(matches!(super::super::discard(&to, Path::new(ARRIVING)), Err(MailError::ReadOnly)));
}
