//! What happens by the clock: steps of the load, probes, arrivals of samples, and dated entries.

use rand::Rng;
use rand::distr::Distribution;
use rand_distr::Poisson;

use super::World;
use crate::fleet::{ClusterId, HeadId, MailboxId};
use crate::migration::message::{Event, Order};
use crate::sim::account::HeadStep;
use crate::sim::draw::{Purpose, unit};
use crate::sim::health::{Strikes, mean_repair_hours, rate_per_day};
use crate::sim::recording::Outcomes;
use crate::units::{Latency, Rate, Share, Span, Time};

/// New accounts and deletions are drawn by the hour, each hour by its own key.
const HOUR: Span = Span::from_secs(3_600);

/// A dated entry.
#[derive(Clone, Copy, Debug)]
pub(super) enum Agenda {
    /// A cluster enters service.
    Opens(ClusterId),
    /// An owner deletes a mailbox.
    Deletion(MailboxId),
    /// Somebody has looked whether a head is empty.
    Audit(HeadId),
    /// The operator orders something.
    Operator(Order),
    /// A person has seen to a mailbox that was set aside.
    Resolved(MailboxId),
    /// The clock of the machine that runs the migration is set.
    ClockSteps(Span),
    /// Other traffic on a link begins or ends.
    LinkChanges(u8),
    /// An hour begins, by its number since the start.
    Hour(u64),
    /// The horizon is reached.
    Horizon,
}

impl<O: Outcomes> World<'_, O> {
    pub(super) fn enter(&mut self, at: Time, entry: Agenda) {
        self.entered += 1;
        self.agenda.insert((at, self.entered), entry);
        self.entry_at = self.entry_at.min(at);
        self.calendar_at = self.calendar_at.min(at);
    }

    /// At an instant that lies ahead the clock of the machine that runs the migration is set by so much. The world's time goes
    /// on as it does.
    pub fn set_clock(&mut self, at: Time, by: Span) {
        assert!(at >= self.now, "a clock set at {at:?}, which lies before {:?}", self.now);
        self.enter(at, Agenda::ClockSteps(by));
    }

    /// Tells the machine of something at once, before anything else of this instant.
    pub(super) fn tell(&mut self, event: Event) {
        self.ready.push_back(event);
        self.calendar_at = self.now;
    }

    /// Enters what is known from the start.
    pub(super) fn enter_fixed_dates(&mut self) {
        let scenario = self.scenario;
        for (place, cluster) in scenario.model.clusters.iter().enumerate() {
            if cluster.in_service > scenario.as_of {
                self.enter(cluster.in_service, Agenda::Opens(ClusterId(place as u8)));
            }
        }
        for link in 0..scenario.model.links.len() {
            self.change_link(link as u8);
        }
        let population = &scenario.model.population;
        if population.new_accounts_per_day > 0.0 || population.deletions_per_day > 0.0 {
            self.enter(scenario.as_of, Agenda::Hour(0));
        }
        self.enter(scenario.horizon, Agenda::Horizon);
    }

    /// Does one thing of the calendar that is due now, or hands out what the machine is to be told at once; the arrival of
    /// a sample is an event.
    #[inline(never)]
    pub(super) fn pass_calendar(&mut self) -> Option<Event> {
        let mut arrived = None;
        if let Some(event) = self.ready.pop_front() {
            arrived = Some(event);
        } else if self.tick_at == self.now {
            self.tick();
            self.tick_at = self.now + self.scenario.model.load.step;
        } else if self.look_at == self.now {
            self.look_at_heads();
        } else if self.probe_at == self.now {
            self.probe_heads();
            self.probe_at = self.now + self.until_next(self.probe_number, self.scenario.model.probe.every);
            self.await_sample();
        } else if self.cluster_probe_at == self.now {
            self.probe_clusters();
            let every = self.scenario.model.probe.clusters_every;
            self.cluster_probe_at = self.now + self.until_next(self.cluster_probe_number, every);
            self.await_sample();
        } else if self.sample_at == self.now {
            arrived = self.samples.pop_front().map(|(_, event)| event);
            self.await_sample();
        } else if let Some((_, entry)) = self.agenda.pop_first() {
            self.pass_entry(entry);
            self.entry_at = self.agenda.first_key_value().map_or(Time::NEVER, |((at, _), _)| *at);
        }
        let probe_at = self.probe_at.min(self.cluster_probe_at);
        self.calendar_at = self.tick_at.min(self.look_at).min(probe_at).min(self.sample_at).min(self.entry_at);
        if !self.ready.is_empty() {
            self.calendar_at = self.now;
        }
        arrived
    }

    /// How long after the last of so many samples the next one is taken: as soon as its part of the interval has come after
    /// the first, at the start, and an interval after each other.
    fn until_next(&self, taken: u64, every: Span) -> Span {
        let first = Span::from_secs_f64(every.secs() * self.probe_phase);
        if taken == 1 && first > Span::ZERO { first } else { every }
    }

    fn await_sample(&mut self) {
        self.sample_at = self.samples.front().map_or(Time::NEVER, |(at, _)| *at);
    }

    #[inline(never)]
    fn pass_entry(&mut self, entry: Agenda) {
        match entry {
            Agenda::Opens(cluster) => {
                self.clusters[cluster.index()].state.in_service = true;
                // At once, so that the first sample of it knows them.
                self.take_in_accounts();
                self.tell(Event::ClusterOpened { cluster });
            }
            Agenda::Deletion(mailbox) => self.delete(mailbox),
            Agenda::Audit(head) => {
                let users_left = self.users_left(head);
                self.tell(Event::HeadAudited { head, users_left, folders_left: users_left });
            }
            Agenda::Operator(order) => self.tell(Event::Operator(order)),
            Agenda::Resolved(mailbox) => self.resolve(mailbox),
            Agenda::ClockSteps(by) => self.tell(Event::ClockStepped { by }),
            Agenda::LinkChanges(link) => self.change_link(link),
            Agenda::Hour(number) => self.begin_hour(number),
            Agenda::Horizon => {
                self.ended = true;
                self.tell(Event::Operator(Order::EndSession));
            }
        }
    }

    /// From now on other traffic leaves as much of a link as the scenario says.
    fn change_link(&mut self, link: u8) {
        let (left, changes_at) = self.scenario.model.links[usize::from(link)].left_at(self.now);
        self.sharing.set_link(usize::from(link), left);
        if let Some(at) = changes_at {
            self.enter(at, Agenda::LinkChanges(link));
        }
    }

    /// Draws the new accounts and deletions of an hour. Deletions fall uniformly on all rows, so that the draws do not
    /// depend on what has moved; those that meet a mailbox which is gone already are without effect.
    fn begin_hour(&mut self, number: u64) {
        let population = &self.scenario.model.population;
        let hour = format!("hour {number}");
        let mut accounts = self.draws.stream(Purpose::Accounts, &hour);
        let count = poisson(population.new_accounts_per_day / 24.0, &mut accounts);
        self.intake.accounts_s = count / HOUR.secs();
        let mut deletions = self.draws.stream(Purpose::Deletions, &hour);
        for _ in 0..poisson(population.deletions_per_day / 24.0, &mut deletions) as u64 {
            let at = self.now + Span::from_secs_f64(HOUR.secs() * unit(deletions.next_u64()));
            let row = (u128::from(deletions.next_u64()) * self.places.len() as u128) >> 64;
            self.enter(at, Agenda::Deletion(MailboxId(row as u32)));
        }
        self.enter(self.now + HOUR, Agenda::Hour(number + 1));
    }

    /// A step of the load: closes the last one's accounts, lets trouble strike and end, and sets the next one's load.
    #[inline(never)]
    fn tick(&mut self) {
        let passed = self.now.since(self.ticked_at);
        self.ticked_at = self.now;
        if passed > Span::ZERO {
            for head in 0..self.heads.len() {
                self.pass_head(HeadId(head as u8), passed);
            }
            self.pass_clusters(passed);
            self.pass_stalls(passed.days());
        }
        if self.now >= self.day_ends {
            self.day_ends = self.day_ends + Span::from_secs(86_400);
            self.end_day();
        }
        self.demand.pass_to(self.now);
        self.backups.pass_to(self.now);
        self.set_users();
        self.set_clusters();
        let step = self.scenario.model.load.step.micros();
        self.look_at =
            self.now + Span::from_micros((self.looks.unit(self.steps_of_load) * step as f64) as i64).max(Span::TICK);
        self.steps_of_load += 1;
    }

    /// Sees how the heads are at one instant of a step, drawn anew for each: whatever keeps the beat of the steps, as purges on
    /// the minute do, would be seen at its ends always or never.
    #[inline(never)]
    fn look_at_heads(&mut self) {
        self.look_at = Time::NEVER;
        for head in 0..self.heads.len() {
            self.heads[head].seen = Some(self.head_step(HeadId(head as u8)));
        }
    }

    /// Accounts for a step on a head, carries what could not be served, and lets trouble strike.
    fn pass_head(&mut self, head: HeadId, passed: Span) {
        let seen = self.heads[head.index()].seen.take().unwrap_or_else(|| self.head_step(head));
        let step = HeadStep { seconds: passed.secs(), ..seen };
        let model = &self.scenario.model.heads[head.index()];
        let state = &mut self.heads[head.index()];
        state.account.pass(&step);
        let served = step.saturation * state.capacity;
        let unserved = (state.users + state.backlog / step.seconds - served).max(0.0) * step.seconds;
        state.backlog = if state.out() { 0.0 } else { unserved };
        let known = step.utilisation.min(step.saturation);
        let days = passed.days();
        let was_out = state.out();
        let struck = state.outages.as_mut().is_some_and(|outages| {
            let rate = rate_per_day(outages.hazard(), known);
            outages.pass(self.now, days, rate)
        });
        if let Some(brownouts) = state.brownouts.as_mut().filter(|_| !was_out) {
            let rate = rate_per_day(brownouts.hazard(), known);
            brownouts.pass(self.now, days, rate);
        }
        let browned = state.brownouts.as_ref().is_some_and(Strikes::lasts);
        let left = model.brownouts.filter(|_| browned).map_or(1.0, |brownouts| brownouts.capacity.fraction());
        state.capacity = model.capacity.ops_per_second() * left;
        if struck {
            state.account.struck(state.mailboxes);
            self.strike(head);
        }
    }

    /// How a head is now, for a step whose length is still to be said.
    fn head_step(&self, head: HeadId) -> HeadStep {
        let model = &self.scenario.model.heads[head.index()];
        let state = &self.heads[head.index()];
        let utilisation = self.sharing.utilisation(head);
        // What users repeat is theirs: only they wait, copies do not add to it.
        let alone = (state.users + state.repeated) / state.capacity;
        let saturation = model.latency.saturation();
        let out = state.out();
        let rates = model.outages.as_ref().filter(|_| !out).map_or((0.0, 0.0), |hazard| {
            (rate_per_day(hazard, utilisation.min(saturation)), rate_per_day(hazard, alone.min(saturation)))
        });
        // The partner serves the rest, if it is not out itself: that is seen in what is down, and not expected.
        let exposed = 1.0 - model.failover.map_or(0.0, |failover| failover.share.fraction());
        HeadStep {
            seconds: 0.0,
            mailboxes: state.mailboxes,
            streams: state.lane.allowed,
            alone,
            utilisation,
            response_s: model.latency.response_s(utilisation),
            response_alone_s: model.latency.response_s(alone),
            objective_s: self.scenario.model.objective.secs(),
            saturation,
            hazard: rates.0,
            hazard_alone: rates.1,
            repair_hours: model.outages.as_ref().map_or(0.0, mean_repair_hours),
            exposed,
            down: state.down,
        }
    }

    /// Growth and new accounts of a step.
    fn pass_clusters(&mut self, passed: Span) {
        if self.growth_of_step > 0.0 {
            self.growth *= 1.0 + self.growth_of_step;
            for cluster in &mut self.clusters {
                cluster.state.grow(self.growth_of_step);
            }
        }
        self.intake.waiting += self.intake.accounts_s * passed.secs();
        self.take_in_accounts();
    }

    /// Sets what users ask of each head from now on; a failed head's partner takes over its share.
    fn set_users(&mut self) {
        for (place, state) in self.heads.iter_mut().enumerate() {
            let weight = self.demand.of_head(place);
            state.users = state.activity_micro_op_s as f64 * 1e-6 * weight * state.noise.next();
        }
        for head in 0..self.heads.len() {
            self.heads[head].down = 0.0;
            if self.heads[head].out() {
                let users = std::mem::take(&mut self.heads[head].users);
                self.heads[head].down = 1.0;
                if let Some(failover) = self.scenario.model.heads[head].failover {
                    let partner = usize::from(failover.partner);
                    if !self.heads[partner].out() {
                        self.heads[partner].users += users * failover.share.fraction();
                        self.heads[head].down = 1.0 - failover.share.fraction();
                    }
                }
            }
        }
        let step_s = self.scenario.model.load.step.secs();
        for head in 0..self.heads.len() {
            let state = &mut self.heads[head];
            if !state.out() {
                state.users += self.backups.of_head(head);
            }
            // Users do not repeat more at once than the whole head can serve.
            state.repeated = (state.backlog / step_s).min(state.capacity);
            state.told = None;
            self.changed |= 1 << head;
        }
    }

    /// Lets stalls of the clusters' ingest begin and end.
    fn pass_stalls(&mut self, days: f64) {
        for (place, (side, model)) in self.clusters.iter_mut().zip(&self.scenario.model.clusters).enumerate() {
            if let (Some(stalls), Some(of)) = (&mut side.stalls, &model.stalls) {
                stalls.pass(self.now, days, of.per_day);
                let left = Rate::per_second(of.ingest.of_count(model.ingest.bytes_per_second()));
                let ingest = if stalls.lasts() { left } else { model.ingest };
                self.sharing.set_ingest(ClusterId(place as u8), ingest);
            }
        }
    }

    fn set_clusters(&mut self) {
        let weight = self.demand.of_all();
        for (place, model) in self.scenario.model.clusters.iter().enumerate() {
            let id = ClusterId(place as u8);
            let cluster = &mut self.clusters[place];
            let users = cluster.state.activity_micro_op_s as f64 * 1e-6 * weight * cluster.noise.next();
            cluster.state.utilisation = self.sharing.pass_cluster(id, users, model.capacity.ops_per_second());
            cluster.state.response_s = model.latency.response_s(cluster.state.utilisation);
        }
    }

    fn end_day(&mut self) {
        // The last step may have ended on the day's first instants, or beyond them: then heads have nothing of it, nor clusters.
        if !self.heads.iter().any(|state| state.account.has_begun_day()) {
            return;
        }
        for state in &mut self.heads {
            state.account.end_day(state.mailboxes);
        }
        for cluster in &mut self.clusters {
            cluster.days.push(cluster.state.fill().fraction() as f32);
            cluster.inode_days.extend(cluster.state.inode_fill().map(|fill| fill.fraction() as f32));
        }
    }

    /// Closes the accounts at the end of a replication: the last step and the last day may be shorter.
    pub(super) fn close_accounts(&mut self, end: Time) {
        let passed = end.since(self.ticked_at);
        if passed > Span::ZERO {
            for head in 0..self.heads.len() {
                let seen = self.heads[head].seen.take().unwrap_or_else(|| self.head_step(HeadId(head as u8)));
                let step = HeadStep { seconds: passed.secs(), ..seen };
                self.heads[head].account.pass(&step);
            }
        }
        if end > self.day_ends - Span::from_secs(86_400) {
            self.end_day();
        }
    }

    /// Takes a sample of every head; it arrives later, or never.
    #[inline(never)]
    fn probe_heads(&mut self) {
        let Self { scenario, heads, sharing, samples, .. } = self;
        let number = self.probe_number;
        self.probe_number += 1;
        let (measured_at, arrives) = (self.now, self.now + scenario.model.probe.delay);
        for (place, (state, model)) in heads.iter().zip(&scenario.model.heads).enumerate() {
            if state.out() || state.probe.is_lost(number) {
                continue;
            }
            let head = HeadId(place as u8);
            let utilisation = sharing.utilisation(head);
            let latency = model.latency.response_s(utilisation);
            let (by_load, by_latency) = state.probe.factors(number);
            let event = Event::HeadSampled {
                head,
                measured_at,
                utilisation: Share::from_fraction_up(utilisation * by_load),
                latency: Latency::from_secs_up(latency * by_latency),
                held_by: sharing.holds_most(head),
            };
            samples.push_back((arrives, event));
        }
    }

    /// Takes a sample of every cluster; it arrives later, or never.
    #[inline(never)]
    fn probe_clusters(&mut self) {
        let Self { scenario, clusters, samples, .. } = self;
        let number = self.cluster_probe_number;
        self.cluster_probe_number += 1;
        let (measured_at, arrives) = (self.now, self.now + scenario.model.probe.delay);
        for (place, side) in clusters.iter().enumerate() {
            if side.probe.is_lost(number) {
                continue;
            }
            let (utilisation, latency) = (side.state.utilisation, side.state.response_s);
            let (by_load, by_latency) = side.probe.factors(number);
            let event = Event::ClusterSampled {
                cluster: ClusterId(place as u8),
                measured_at,
                used: side.state.used(),
                inodes: side.state.inodes_used().into(),
                utilisation: Share::from_fraction_up(utilisation * by_load),
                latency: Latency::from_secs_up(latency * by_latency),
            };
            samples.push_back((arrives, event));
        }
    }
}

fn poisson(mean: f64, stream: &mut impl Rng) -> f64 {
    Poisson::new(mean).map_or(0.0, |law| law.sample(stream))
}
