//! The reference job on `nexosim`: a model a head, which schedules the ends of its copies and its own samples. An empty head sends
//! the clusters on to the next one, through a port.

use std::time::Duration;

use nexosim::Message;
use nexosim::model::{Context, Model, schedulable};
use nexosim::ports::{EventSinkReader, Output, SinkState, event_slot};
use nexosim::simulation::{EventKey, Mailbox, SimInit, SimulationError};
use nexosim::time::MonotonicTime;
use peers::{Clusters, HEADS, Job, SAMPLE_US, SETUP_US, Throttle, report, transfer_us};
use serde::{Deserialize, Serialize};

/// What an empty head sends on.
#[derive(Clone, Message, Serialize, Deserialize)]
struct Emptied {
    clusters: Clusters,
    at_us: u64,
    moved: usize,
    throttles: Vec<Throttle>,
}

#[derive(Serialize, Deserialize)]
struct Head {
    mailboxes: Vec<u64>,
    begun: usize,
    left: usize,
    /// What came from the head before it, when that was empty.
    turn: Option<Emptied>,
    /// Those under way, in the order in which they began.
    copies: Vec<Copy>,
    /// How many of them progress: the first ones, as many as the throttle allows.
    going: usize,
    throttle: Throttle,
    emptied: Output<Emptied>,
}

#[derive(Serialize, Deserialize)]
struct Copy {
    serial: usize,
    ready_us: u64,
    left_us: u64,
    /// When it ends, and the key of that event; none while it is suspended.
    end: Option<(u64, EventKey)>,
}

#[Model]
impl Head {
    #[nexosim(init)]
    #[expect(clippy::unused_async, reason = "the framework awaits it")]
    async fn init(&mut self, context: &Context<Self>) {
        self.sample((), context);
    }

    /// The head before is empty.
    fn begin(&mut self, turn: Emptied, context: &Context<Self>) {
        self.turn = Some(turn);
        self.keep_pace(context);
    }

    /// The throttle decides, each minute until the head is empty.
    #[nexosim(schedulable)]
    fn sample(&mut self, (): (), context: &Context<Self>) {
        if self.left == 0 {
            return;
        }
        self.throttle.sample(self.left, self.copies.len());
        self.keep_pace(context);
        let scheduled = context.schedule_event(Duration::from_micros(SAMPLE_US), schedulable!(Self::sample), ());
        scheduled.expect("a time that lies ahead");
    }

    #[nexosim(schedulable)]
    async fn copy_ends(&mut self, serial: usize, context: &Context<Self>) {
        let Ok(place) = self.copies.binary_search_by_key(&serial, |copy| copy.serial) else { return };
        self.copies.remove(place);
        self.going -= 1;
        self.left -= 1;
        if self.left == 0
            && let Some(mut turn) = self.turn.take()
        {
            turn.at_us = now_us(context);
            turn.moved += self.begun;
            turn.throttles.push(self.throttle);
            self.emptied.send(turn).await;
        }
        self.keep_pace(context);
    }

    /// Suspends copies or lets them go on, as the throttle has it, and begins new ones.
    fn keep_pace(&mut self, context: &Context<Self>) {
        if self.turn.is_none() {
            return;
        }
        let (now, streams) = (now_us(context), self.throttle.streams());
        while self.going > streams {
            self.going -= 1;
            self.copies[self.going].suspend(now);
        }
        while self.going < streams && (self.going < self.copies.len() || self.begin_copy(now)) {
            self.copies[self.going].go_on(now, context);
            self.going += 1;
        }
    }

    /// Begins the next copy, if there is one.
    fn begin_copy(&mut self, now: u64) -> bool {
        let (Some(turn), Some(&bytes)) = (&mut self.turn, self.mailboxes.get(self.begun)) else { return false };
        turn.clusters.place(bytes);
        let (ready_us, left_us) = (now + SETUP_US, transfer_us(bytes));
        self.copies.push(Copy { serial: self.begun, ready_us, left_us, end: None });
        self.begun += 1;
        true
    }
}

impl Copy {
    fn go_on(&mut self, now: u64, context: &Context<Head>) {
        let ends_us = now.max(self.ready_us) + self.left_us;
        let wait = Duration::from_micros(ends_us - now);
        let scheduled = context.schedule_keyed_event(wait, schedulable!(Head::copy_ends), self.serial);
        self.end = Some((ends_us, scheduled.expect("a time that lies ahead")));
    }

    /// Its set-up goes on.
    fn suspend(&mut self, now: u64) {
        if let Some((ends_us, event)) = self.end.take() {
            event.cancel();
            self.left_us = ends_us - now.max(self.ready_us);
        }
    }
}

fn now_us(context: &Context<Head>) -> u64 {
    context.time().duration_since(MonotonicTime::EPOCH).as_micros() as u64
}

fn main() -> Result<(), SimulationError> {
    let job = Job::from_arguments();
    let heads = [0, 1].map(|head| {
        let mailboxes = job.of_head(head).to_vec();
        Head {
            begun: 0,
            left: mailboxes.len(),
            mailboxes,
            turn: None,
            copies: Vec::new(),
            going: 0,
            throttle: job.throttle(),
            emptied: Output::default(),
        }
    });
    let [mut first, mut last] = heads;
    first.turn = Some(Emptied { clusters: job.clusters(), at_us: 0, moved: 0, throttles: Vec::new() });
    let [first_mailbox, last_mailbox] = [Mailbox::new(), Mailbox::new()];
    first.emptied.connect(Head::begin, &last_mailbox);
    let (sink, mut emptied) = event_slot(SinkState::Enabled);
    last.emptied.connect_sink(sink);
    let bench = SimInit::with_num_threads(1);
    let bench = bench.add_model(first, first_mailbox, "head-1").add_model(last, last_mailbox, "head-2");
    bench.init(MonotonicTime::EPOCH)?.run()?;
    let end: Emptied = emptied.try_read().expect("an empty head");
    let throttles: [Throttle; HEADS] = [end.throttles[0], end.throttles[1]];
    report(end.at_us, end.moved, &throttles);
    Ok(())
}
