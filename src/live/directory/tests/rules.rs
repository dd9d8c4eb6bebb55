//! What every directory does with the default tables: users are found, held and moved, and one lease is in force at a time.

use std::sync::{Arc, Barrier};
use std::thread;

use super::{Directory, LENGTH, at, refused, take, user};
use super::{DirectoryError, Fence, Lease, State, User};

/// The rules of a directory with the default tables, empty so far. `connect` gives one instance after the other, `sql`
/// is somebody who works in the database by hand.
pub(in crate::live::directory) fn keeps_the_rules(connect: &dyn Fn() -> Arc<Directory>, sql: &dyn Fn(&str)) {
    sql("INSERT INTO mailbox (name, home, path) VALUES ('bob', 'head-1', 'b/bob'), ('Zoe', 'head-1', 'z/zoe'), \
         ('o''brien\"; --', 'head-2', 'o/o''brien'), ('éva', 'head-2', 'e/éva'), ('adam', 'head-1', 'a/adam'), \
         ('carol', 'head-1', 'c/carol')");
    let (one, two) = (connect(), connect());
    finds_users(&one);
    moves_a_user_once(&one);
    keeps_to_its_holds(&one, sql);
    an_owner_takes_its_lease_anew(&one);
    is_kept_when_it_has_run_out_and_nobody_has_taken_it(&one);
    yields_to_the_next_instance(&one, &two);
    lets_one_of_many_threads_through(&one);
}

fn finds_users(directory: &Directory) {
    let users = directory.list().expect("the list").users;
    let names = users.iter().map(|user| user.name.as_str()).collect::<Vec<_>>();
    assert_eq!(names, ["Zoe", "adam", "bob", "carol", "o'brien\"; --", "éva"]);
    let path = "o/o'brien".to_owned();
    let expected =
        User { name: names[4].to_owned(), home: "head-2".to_owned(), path, epoch: 0, state: State::Ok, group: None };
    assert_eq!((&users[4], user(directory, names[4])), (&expected, expected.clone()));
    assert_eq!(directory.user("nobody' OR '1'='1"), Ok(None));
    assert_eq!(directory.intake("cluster-1"), Ok(false));
}

fn moves_a_user_once(directory: &Arc<Directory>) {
    let lease = take(directory, "one", at(1000));
    let fence = lease.fence();
    let bob = user(directory, "bob");
    refused(directory.flip(&bob, "cluster-1", fence));
    directory.hold(&bob, fence).expect("held");
    directory.hold(&bob, fence).expect("held again under the same number");
    assert_eq!(user(directory, "bob"), User { state: State::Hold, ..bob.clone() });
    directory.flip(&bob, "cluster-1", fence).expect("moved");
    let moved = User { home: "cluster-1".to_owned(), epoch: 1, ..bob.clone() };
    assert_eq!(user(directory, "bob"), moved);
    // Everything that was thought of the user before is out of date.
    refused(directory.flip(&bob, "cluster-2", fence));
    refused(directory.hold(&bob, fence));
    refused(directory.release(&bob, fence));
    directory.release(&moved, fence).expect("not held any more: nothing to end");
    refused(directory.hold(&User { name: "nobody".to_owned(), ..moved.clone() }, fence));
    refused(directory.hold(&moved, Fence::from_number(fence.number() + 1)));
    assert_eq!(user(directory, "bob"), moved);
    lease.end().expect("given back");
    refused(directory.hold(&moved, fence));
}

fn keeps_to_its_holds(directory: &Arc<Directory>, sql: &dyn Fn(&str)) {
    let lease = take(directory, "one", at(1000));
    let fence = lease.fence();
    let adam = user(directory, "adam");
    directory.hold(&adam, fence).expect("held");
    directory.release(&adam, fence).expect("released");
    directory.release(&adam, fence).expect("released again");
    refused(directory.flip(&adam, "cluster-1", fence));
    sql("UPDATE mailbox SET state = 'hold' WHERE name = 'adam'");
    refused(directory.hold(&adam, fence));
    refused(directory.release(&adam, fence));
    refused(directory.flip(&adam, "cluster-1", fence));
    sql("UPDATE mailbox SET state = 'ok' WHERE name = 'adam'");
    lease.end().expect("given back");
}

fn an_owner_takes_its_lease_anew(directory: &Arc<Directory>) {
    let old = take(directory, "one", at(1500));
    let anew = take(directory, "one", at(1501));
    assert!(anew.fence() > old.fence());
    refused(directory.hold(&user(directory, "adam"), old.fence()));
    refused(old.keep(at(1502)));
    anew.end().expect("given back");
}

fn is_kept_when_it_has_run_out_and_nobody_has_taken_it(directory: &Arc<Directory>) {
    let lease = take(directory, "one", at(1600));
    assert!(lease.holds(at(1629)));
    // The clock was set forward by an hour.
    assert!(lease.is_lost(at(5000)) && lease.holds(at(5000)));
    assert!(!lease.is_lost(at(5029)), "it was kept");
    // And back: what is known is what the directory has.
    lease.keep(at(1700)).expect("kept");
    assert!(!lease.is_lost(at(1729)) && lease.is_lost(at(1730)));
    lease.keep(at(5000)).expect("kept");
    let next = take(directory, "two", at(5030));
    assert!(!lease.holds(at(5030)) && !lease.holds(at(1601)), "lost for good");
    assert!(next.holds(at(5031)));
    next.end().expect("given back");
}

fn yields_to_the_next_instance(one: &Arc<Directory>, two: &Arc<Directory>) {
    let old = take(one, "one", at(2000));
    let carol = user(one, "carol");
    one.hold(&carol, old.fence()).expect("held");
    assert!(Lease::take(two, "two", at(2029), LENGTH).expect("an answer").is_none());
    old.keep(at(2020)).expect("kept");
    assert!(Lease::take(two, "two", at(2049), LENGTH).expect("an answer").is_none());
    assert!(!old.is_lost(at(2049)) && old.is_lost(at(2050)) && !old.is_refused());
    let new = take(two, "two", at(2050));
    assert!(new.fence() > old.fence());
    refused(one.hold(&carol, old.fence()));
    refused(one.flip(&carol, "cluster-1", old.fence()));
    refused(one.release(&carol, old.fence()));
    assert!(old.is_lost(at(2050)));
    refused(old.keep(at(2021)));
    assert!(old.is_lost(at(2021)) && old.is_refused(), "lost for good, whatever the clock says");
    refused(old.end());
    refused(two.flip(&carol, "cluster-2", new.fence()));
    two.hold(&carol, new.fence()).expect("the hold of the earlier instance is taken over");
    two.flip(&carol, "cluster-2", new.fence()).expect("moved");
    assert_eq!(user(one, "carol").home, "cluster-2");
    two.hold(&user(two, "carol"), new.fence()).expect("held");
    let fence = new.fence();
    new.end().expect("given back");
    let next = take(one, "one", at(2051));
    assert!(next.fence() > fence);
    one.release(&user(one, "carol"), next.fence()).expect("the hold of an earlier instance is ended");
    assert_eq!(user(one, "carol").state, State::Ok);
    next.end().expect("given back");
}

fn lets_one_of_many_threads_through(directory: &Arc<Directory>) {
    const THREADS: usize = 6;
    let barrier = Barrier::new(THREADS);
    let all = |work: &(dyn Fn(usize) -> bool + Sync)| {
        thread::scope(|scope| {
            let run = |number| {
                barrier.wait();
                work(number)
            };
            let threads = (0..THREADS).map(|number| scope.spawn(move || run(number))).collect::<Vec<_>>();
            threads.into_iter().filter_map(|thread| thread.join().expect("no panic").then_some(())).count()
        })
    };
    let taken = all(&|number| {
        let owner = format!("thread {number}");
        Lease::take(directory, &owner, at(3000), LENGTH).expect("an answer").is_some()
    });
    assert_eq!(taken, 1);
    let lease = take(directory, "one", at(4000));
    let zoe = user(directory, "Zoe");
    directory.hold(&zoe, lease.fence()).expect("held");
    let moved = all(&|number| match directory.flip(&zoe, &format!("cluster-{number}"), lease.fence()) {
        Ok(()) => true,
        Err(DirectoryError::Refused { .. }) => false,
        Err(error) => panic!("{error}"),
    });
    assert_eq!((moved, user(directory, "Zoe").epoch), (1, 1));
    lease.end().expect("given back");
}
