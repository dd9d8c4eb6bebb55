use super::*;
use proptest::prelude::*;
use std::sync::atomic::AtomicBool;

const FOLDERS: [&str; 4] = ["", ".Sent", ".A.B", "nested/deep"];

/// Something that happens to a mailbox; the numbers choose where.
type Step = (u8, u8, u8);

/// A mailbox that things happen to.
struct Life<'s> {
    stores: &'s Stores,
    names: u32,
}

impl Life<'_> {
    fn messages(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for folder in FOLDERS {
            for part in ["cur", "new"] {
                let Ok(entries) = fs::read_dir(self.stores.source().join(folder).join(part)) else { continue };
                found.extend(entries.map(|entry| entry.unwrap().path()));
            }
        }
        found.sort();
        found
    }

    /// Few sizes and times, so that inodes used again look like what they were before.
    fn deliver(&mut self, folder: u8, part: &str, kind: u8) {
        let folder = FOLDERS[usize::from(folder) % FOLDERS.len()];
        self.stores.make_folder(folder);
        self.names += 1;
        let flags = if part == "cur" { ":2,S" } else { "" };
        let path = self.stores.source().join(folder).join(part).join(format!("{}.M{kind}.host{flags}", self.names));
        let mut content = vec![0; [0, 10, 300, 600_000][usize::from(kind) % 4]];
        let number = self.names.to_le_bytes();
        let end = content.len().min(4);
        content[..end].copy_from_slice(&number[..end]);
        fs::write(&path, content).unwrap();
        set_time(&path, 1_500_000_000 + i64::from(kind % 2), 0);
    }

    /// Messages and lists change; nothing is changed in place.
    fn step(&mut self, (what, one, two): Step) {
        let messages = self.messages();
        let chosen = messages.get(usize::from(one) % messages.len().max(1)).cloned();
        let base = |path: &Path| path.file_name().unwrap().to_str().unwrap().split(':').next().unwrap().to_owned();
        let flags = ["S", "FS", "", "RSa"][usize::from(two) % 4];
        let folder = FOLDERS[usize::from(two) % FOLDERS.len()];
        let source = self.stores.source();
        match (what % 12, chosen) {
            (0, _) => self.deliver(one, "new", two),
            (1, _) => self.deliver(one, "cur", two),
            (2 | 3, Some(path)) => {
                let cur = path.parent().unwrap().with_file_name("cur");
                fs::rename(&path, cur.join(format!("{}:2,{flags}", base(&path)))).unwrap();
            }
            (4, Some(path)) => fs::remove_file(path).unwrap(),
            (5, Some(path)) => {
                self.stores.make_folder(folder);
                self.names += 1;
                fs::hard_link(path, source.join(folder).join(format!("cur/{}.C.host:2,", self.names))).unwrap();
            }
            (6, Some(path)) => {
                self.stores.make_folder(folder);
                let _ = fs::rename(&path, source.join(folder).join("new").join(base(&path)));
            }
            (7, Some(path)) => {
                // A message with two names of one identity.
                let _ = fs::hard_link(&path, path.parent().unwrap().join(format!("{}:2,T", base(&path))));
            }
            (8, _) => fs::write(source.join("dovecot-keywords"), vec![one; usize::from(two)]).unwrap(),
            (9, _) => {
                let _ = fs::write(source.join(folder).join(["dovecot-uidlist", "x.lock"][usize::from(one) % 2]), [two]);
            }
            (10, _) if two > 200 && !folder.is_empty() => {
                let _ = fs::remove_dir_all(source.join(folder));
            }
            (11, _) if two > 128 => {
                let _ = fs::rename(source.join(FOLDERS[1]), source.join(FOLDERS[2]));
            }
            _ => {}
        }
    }

    /// What no mail server does: content, times and modes change in place, names are swapped.
    fn odd_step(&mut self, (what, one, two): Step) {
        let messages = self.messages();
        let Some(path) = messages.get(usize::from(one) % messages.len().max(1)) else { return };
        match what % 4 {
            0 => mode(path, [0o600, 0o640, 0o644][usize::from(two) % 3]),
            1 => set_time(path, 1_400_000_000 + i64::from(two), 1),
            2 => self.stores.write(path.strip_prefix(self.stores.source()).unwrap().to_str().unwrap(), &[two; 9]),
            _ => {
                let other = &messages[usize::from(two) % messages.len()];
                let aside = self.stores.source().join("aside");
                for (old, new) in [(path, &aside), (other, path), (&aside, other)] {
                    let _ = fs::rename(old, new);
                }
            }
        }
    }
}

fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    proptest::collection::vec(any::<Step>(), 0..most)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_between_passes_arrives(
        before in steps(40),
        odd in steps(6),
        phases in proptest::collection::vec(steps(12), 3),
        budgets in proptest::collection::vec(0_u64..3_000_000, 4),
        again in any::<bool>(),
    ) {
        let stores = Stores::new();
        let mut life = Life { stores: &stores, names: 0 };
        for step in before {
 life.step(step);
}
        let mut copy = stores.copy();
        for budget in budgets {
            let _ = copy.bulk(&Budget(AtomicU64::new(budget)));
            if again {
                // The program was killed and started again.
                copy = stores.copy();
            }
        }
        copy.bulk(&Open).unwrap();
        for step in odd {
 life.odd_step(step);
}
        for phase in phases {
            copy.delta(&Open).unwrap();
            copy.rehash(&Open).unwrap();
            for step in phase {
 life.step(step);
}
        }
        let (_, totals) = stores.finish(&mut copy);
        prop_assert_eq!(totals, copy.totals());
        stores.assert_same();
    }
}

#[test]
fn whatever_happens_during_passes_arrives() {
    for seed in 0..3_u32 {
        let stores = Stores::new();
        let mut life = Life { stores: &stores, names: 0 };
        for number in 0..150 {
            life.deliver(number, ["new", "cur"][usize::from(number) % 2], number / 2);
        }
        let done = AtomicBool::new(false);
        let mut copy = stores.copy();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                // A generator of the simplest kind; what counts is that everything happens.
                let mut dice = seed.wrapping_mul(2_654_435_761).wrapping_add(12_345);
                while !done.load(Ordering::Relaxed) {
                    dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    let [_, what, one, two] = dice.to_le_bytes();
                    // Folders stay, and messages become neither ever more nor none.
                    let what = match (what % 9, life.messages().len()) {
                        (what, 300..) if what != 4 => 4,
                        (4, ..50) => 0,
                        (what, _) => what,
                    };
                    life.step((what, one, two));
                }
            });
            let outcome = copy.bulk(&Open).and_then(|bulk| Ok((bulk, copy.delta(&Open)?, copy.delta(&Open)?)));
            let rehash = copy.rehash(&Open);
            done.store(true, Ordering::Relaxed);
            let (bulk, ..) = outcome.unwrap();
            rehash.unwrap();
            assert!(bulk.copied > 0, "{bulk:?}");
        });
        copy.delta(&Open).unwrap();
        stores.finish(&mut copy);
        // A message that was seen under two names while it was renamed was copied twice: if it really gets both later, its
        // copies share no inode, which costs room and nothing else.
        let alone = |mut tree: BTreeMap<PathBuf, Twin>| {
            for twin in tree.values_mut() {
                if let Twin::File { names, .. } = twin {
                    names.clear();
                }
            }
            tree
        };
        assert_eq!(difference(alone(tree(&stores.old.join(MOVING))), &alone(tree(&stores.target()))), []);
    }
}
