use super::*;

#[test]
fn five_thousand_messages_are_no_trouble() {
    let stores = Stores::new();
    for number in 0..5_000 {
        fs::write(stores.source().join(format!("cur/{number}.M1P1.host,S=6:2,S")), b"small\n").unwrap();
    }
    let mut copy = stores.copy();
    assert_eq!(copy.bulk(&Open).unwrap().copied, 5_000);
    for number in (0..5_000).step_by(50) {
        stores.rename(&format!("cur/{number}.M1P1.host,S=6:2,S"), &format!("cur/{number}.M1P1.host,S=6:2,RS"));
    }
    assert_eq!(copy.delta(&Open).unwrap().renamed, 100);
    copy.rehash(&Open).unwrap();
    assert_eq!(stores.finish(&mut copy).1.messages, 5_000);
}

/// Prints how long copies of a mailbox take, ours and that of `cp`.
#[test]
#[ignore = "a measurement"]
#[expect(clippy::disallowed_methods, reason = "it measures")]
fn copies_are_measured_beside_cp() {
    let stores = Stores::new();
    let content: Vec<u8> = (0..75_000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for number in 0..3_000 {
        fs::write(stores.source().join(format!("cur/{number}.M1P1.host,S=75000:2,S")), &content).unwrap();
    }
    rustix::fs::sync();
    let timed = |what: &str, work: &mut dyn FnMut()| {
        let _ = fs::write("/proc/sys/vm/drop_caches", "3");
        let start = std::time::Instant::now();
        work();
        println!("{what}: {:.0} messages/s", 3_000.0 / start.elapsed().as_secs_f64());
    };
    for _ in 0..2 {
        timed("cp -a and sync", &mut || {
            let copied =
                std::process::Command::new("cp").arg("-a").arg(stores.source()).arg(stores.new.join("cp")).status();
            assert!(copied.unwrap().success());
            rustix::fs::syncfs(fs::File::open(&stores.new).unwrap()).unwrap();
        });
        fs::remove_dir_all(stores.new.join("cp")).unwrap();
        let mut copy = stores.copy();
        timed("bulk", &mut || {
            copy.bulk(&Open).unwrap();
        });
        timed("delta, nothing new", &mut || {
            copy.delta(&Open).unwrap();
        });
        timed("rehash", &mut || copy.rehash(&Open).unwrap());
        fence(&stores.from, Path::new(PATH)).unwrap();
        timed("finish", &mut || {
            copy.finish(Path::new(MOVING), &Open).unwrap();
        });
        timed("verify", &mut || {
            copy.verify(&Open).unwrap();
        });
        super::super::unfence(&stores.from, Path::new(PATH)).unwrap();
        super::super::discard(&stores.to, Path::new(ARRIVING)).unwrap();
        timed("as in delta, a sync for each", &mut || {
            stores.copy().delta(&Open).unwrap();
        });
        super::super::discard(&stores.to, Path::new(ARRIVING)).unwrap();
    }
}
