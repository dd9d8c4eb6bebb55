//! The reference job on `simcore`: a component a head, which receives its events by callbacks; the heads come one after the
//! other by an event from one to the next.

use std::cell::RefCell;
use std::rc::Rc;

use peers::{Clusters, HEADS, Job, SAMPLE_US, SETUP_US, Throttle, report, transfer_us};
use serde::Serialize;
use simcore::{Event, EventHandler, EventId, Id, Simulation, SimulationContext, cast};

/// A copy has ended.
#[derive(Clone, Serialize)]
struct CopyEnded {
    serial: usize,
}

/// The throttle's minute is over.
#[derive(Clone, Serialize)]
struct Sample;

/// The head before is empty.
#[derive(Clone, Serialize)]
struct Begin;

struct Head {
    mailboxes: Vec<u64>,
    begun: usize,
    left: usize,
    in_turn: bool,
    /// Those under way, in the order in which they began.
    copies: Vec<Copy>,
    /// How many of them progress: the first ones, as many as the throttle allows.
    going: usize,
    throttle: Throttle,
    clusters: Rc<RefCell<Clusters>>,
    next: Option<Id>,
    ended_us: u64,
    context: SimulationContext,
}

struct Copy {
    serial: usize,
    ready_us: u64,
    left_us: u64,
    /// When it ends, and by which event; none while it is suspended.
    end: Option<(u64, EventId)>,
}

fn main() {
    let job = Job::from_arguments();
    let clusters = Rc::new(RefCell::new(job.clusters()));
    let mut simulation = Simulation::new(1);
    let (mut heads, mut next) = (Vec::new(), None);
    for place in (0..HEADS).rev() {
        let name = format!("head-{}", place + 1);
        let mailboxes = job.of_head(place).to_vec();
        let head = Rc::new(RefCell::new(Head {
            begun: 0,
            left: mailboxes.len(),
            mailboxes,
            in_turn: false,
            copies: Vec::new(),
            going: 0,
            throttle: job.throttle(),
            clusters: Rc::clone(&clusters),
            next,
            ended_us: 0,
            context: simulation.create_context(name.as_str()),
        }));
        next = Some(simulation.add_handler(name, head.clone()));
        head.borrow().context.emit_self_now(Sample);
        heads.push(head);
    }
    let first = heads[HEADS - 1].borrow().context.id();
    heads[0].borrow().context.emit_now(Begin, first);
    simulation.step_until_no_events();
    let [last, first] = [heads[0].borrow(), heads[1].borrow()];
    let moved = first.begun - first.left + last.begun - last.left;
    report(last.ended_us, moved, &[first.throttle, last.throttle]);
}

impl EventHandler for Head {
    fn on(&mut self, event: Event) {
        cast!(match event.data {
            CopyEnded { serial } => {
                self.end_copy(serial);
            }
            Sample {} => {
                self.sample();
            }
            Begin {} => {
                self.in_turn = true;
                self.keep_pace();
            }
        });
    }
}

impl Head {
    fn now_us(&self) -> u64 {
        self.context.time() as u64
    }

    /// The throttle decides, each minute until the head is empty.
    fn sample(&mut self) {
        if self.left == 0 {
            return;
        }
        self.throttle.sample(self.left, self.copies.len());
        self.keep_pace();
        self.context.emit_self(Sample, SAMPLE_US as f64);
    }

    /// Suspends copies or lets them go on, as the throttle has it, and begins new ones.
    fn keep_pace(&mut self) {
        if !self.in_turn {
            return;
        }
        let (now, streams) = (self.now_us(), self.throttle.streams());
        while self.going > streams {
            self.going -= 1;
            self.copies[self.going].suspend(&self.context, now);
        }
        while self.going < streams && (self.going < self.copies.len() || self.begin_copy(now)) {
            self.copies[self.going].go_on(&self.context, now);
            self.going += 1;
        }
    }

    /// Begins the next copy, if there is one.
    fn begin_copy(&mut self, now: u64) -> bool {
        let Some(&bytes) = self.mailboxes.get(self.begun) else { return false };
        self.clusters.borrow_mut().place(bytes);
        let (ready_us, left_us) = (now + SETUP_US, transfer_us(bytes));
        self.copies.push(Copy { serial: self.begun, ready_us, left_us, end: None });
        self.begun += 1;
        true
    }

    fn end_copy(&mut self, serial: usize) {
        let Ok(place) = self.copies.binary_search_by_key(&serial, |copy| copy.serial) else { return };
        self.copies.remove(place);
        self.going -= 1;
        self.left -= 1;
        if self.left == 0 {
            self.ended_us = self.now_us();
            if let Some(next) = self.next {
                self.context.emit_now(Begin, next);
            }
        }
        self.keep_pace();
    }
}

impl Copy {
    fn go_on(&mut self, context: &SimulationContext, now: u64) {
        let ends_us = now.max(self.ready_us) + self.left_us;
        let event = context.emit_self(CopyEnded { serial: self.serial }, (ends_us - now) as f64);
        self.end = Some((ends_us, event));
    }

    /// Its set-up goes on.
    fn suspend(&mut self, context: &SimulationContext, now: u64) {
        if let Some((ends_us, event)) = self.end.take() {
            context.cancel_event(event);
            self.left_us = ends_us - now.max(self.ready_us);
        }
    }
}
