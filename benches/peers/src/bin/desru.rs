//! The reference job on `desru`: actions at instants, which share the state of the site by `Rc<RefCell<..>>`. An event cannot be
//! taken back, so the end of a copy that was suspended meanwhile finds that it ends at another time, and does nothing.

use std::cell::RefCell;
use std::rc::Rc;

use desru::EventScheduler;
use peers::{Clusters, HEADS, Job, SAMPLE_US, SETUP_US, Throttle, report, transfer_us};

type Shared = Rc<RefCell<Site>>;

struct Site {
    heads: Vec<Head>,
    clusters: Clusters,
    /// The head in its turn.
    turn: usize,
    ended_us: u64,
}

struct Head {
    mailboxes: Vec<u64>,
    begun: usize,
    left: usize,
    /// Those under way, in the order in which they began.
    copies: Vec<Copy>,
    /// How many of them progress: the first ones, as many as the throttle allows.
    going: usize,
    throttle: Throttle,
}

struct Copy {
    serial: usize,
    ready_us: u64,
    left_us: u64,
    /// When it ends; none while it is suspended.
    ends_us: Option<u64>,
}

fn main() {
    let job = Job::from_arguments();
    let head = |head| {
        let mailboxes = job.of_head(head).to_vec();
        Head { begun: 0, left: mailboxes.len(), mailboxes, copies: Vec::new(), going: 0, throttle: job.throttle() }
    };
    let heads = (0..HEADS).map(head).collect();
    let site = Rc::new(RefCell::new(Site { heads, clusters: job.clusters(), turn: 0, ended_us: 0 }));
    let mut scheduler = EventScheduler::new();
    sample(&mut scheduler, &site);
    let done = Rc::clone(&site);
    // Without a filter each event would be kept in a log.
    scheduler.run(Box::new(move |_| done.borrow().turn == HEADS), Some(Box::new(|_, _| false)));
    let site = site.borrow();
    let moved = site.heads.iter().map(|head| head.begun - head.left).sum();
    report(site.ended_us, moved, &[site.heads[0].throttle, site.heads[1].throttle]);
}

/// The throttles decide, each minute.
fn sample(scheduler: &mut EventScheduler, site: &Shared) {
    let mut state = site.borrow_mut();
    let turn = state.turn;
    for head in &mut state.heads[turn..] {
        head.throttle.sample(head.left, head.copies.len());
    }
    keep_pace(scheduler, site, &mut state);
    let site = Rc::clone(site);
    let action = move |scheduler: &mut EventScheduler| {
        sample(scheduler, &site);
        None
    };
    scheduler.timeout(SAMPLE_US as f64, Some(Box::new(action)), None);
}

/// Suspends copies or lets them go on, as the throttle has it, and begins new ones.
fn keep_pace(scheduler: &mut EventScheduler, site: &Shared, state: &mut Site) {
    let Site { heads, clusters, turn, .. } = state;
    let (now, Some(head)) = (scheduler.current_time as u64, heads.get_mut(*turn)) else { return };
    let streams = head.throttle.streams();
    while head.going > streams {
        head.going -= 1;
        head.copies[head.going].suspend(now);
    }
    while head.going < streams && (head.going < head.copies.len() || head.begin_copy(now, clusters)) {
        go_on(scheduler, site, &mut head.copies[head.going], now);
        head.going += 1;
    }
}

impl Head {
    /// Begins the next copy, if there is one.
    fn begin_copy(&mut self, now: u64, clusters: &mut Clusters) -> bool {
        let Some(&bytes) = self.mailboxes.get(self.begun) else { return false };
        clusters.place(bytes);
        let (ready_us, left_us) = (now + SETUP_US, transfer_us(bytes));
        self.copies.push(Copy { serial: self.begun, ready_us, left_us, ends_us: None });
        self.begun += 1;
        true
    }
}

impl Copy {
    /// Its set-up goes on.
    fn suspend(&mut self, now: u64) {
        if let Some(ends_us) = self.ends_us.take() {
            self.left_us = ends_us - now.max(self.ready_us);
        }
    }
}

fn go_on(scheduler: &mut EventScheduler, site: &Shared, copy: &mut Copy, now: u64) {
    let ends_us = now.max(copy.ready_us) + copy.left_us;
    copy.ends_us = Some(ends_us);
    let (site, serial) = (Rc::clone(site), copy.serial);
    let action = move |scheduler: &mut EventScheduler| {
        copy_ends(scheduler, &site, serial);
        None
    };
    scheduler.timeout((ends_us - now) as f64, Some(Box::new(action)), None);
}

fn copy_ends(scheduler: &mut EventScheduler, site: &Shared, serial: usize) {
    let mut state = site.borrow_mut();
    let now = scheduler.current_time as u64;
    let turn = state.turn;
    let Some(head) = state.heads.get_mut(turn) else { return };
    let Ok(place) = head.copies.binary_search_by_key(&serial, |copy| copy.serial) else { return };
    if head.copies[place].ends_us != Some(now) {
        return;
    }
    head.copies.remove(place);
    head.going -= 1;
    head.left -= 1;
    if head.left == 0 {
        state.turn += 1;
        state.ended_us = now;
    }
    keep_pace(scheduler, site, &mut state);
}
