//! What moving a mailbox costs: its copy's own speed, and what it asks of head and cluster.

use super::number::whole_of_positive;
use super::transfer::{Flow, Work};
use crate::migration::plan::CopyPlan;
use crate::scenario::model::Cost;
use crate::units::Span;

/// The costs of a scenario as factors, so that a move needs one division.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Costs {
    /// Seconds alone on idle stores.
    byte_s: f64,
    message_s: f64,
    slow_above: f64,
    slow_extra: f64,
    change_per_s: f64,
    /// Thousandths of an operation.
    head_message: f64,
    /// More for each message by each other one of its mailbox.
    head_message_growth: f64,
    head_byte: f64,
    cluster_message: f64,
    cluster_byte: f64,
    /// What a copy, and a purge, weighs on its head by its mere presence, in operations a second.
    pub(crate) stream_op_s: f64,
    pub(crate) purge_op_s: f64,
    /// Microseconds to purge a message.
    purge_message_us: f64,
    /// Microseconds.
    switch_us: f64,
    lock_us: f64,
    lock_message_us: f64,
    hold_at_most_us: f64,
}

/// What a switch takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Switching {
    /// All of it.
    pub(crate) wait: Span,
    /// Its user is locked out for so long.
    pub(crate) lock: Span,
    /// The user would be locked out for longer than the plan allows: it backs out.
    pub(crate) too_long: bool,
}

impl Costs {
    /// The costs of a plan in a model.
    pub(crate) fn new(plan: &CopyPlan, cost: &Cost) -> Self {
        Self {
            byte_s: 1.0 / plan.stream.bytes_per_second() as f64,
            message_s: if plan.messages_per_ks == u32::MAX { 0.0 } else { 1e3 / f64::from(plan.messages_per_ks) },
            slow_above: if cost.slow_above == u32::MAX { f64::INFINITY } else { f64::from(cost.slow_above) },
            slow_extra: cost.slow_extra,
            change_per_s: cost.change_per_day / 86_400.0,
            head_message: cost.head_per_message.get() * 1e3,
            head_message_growth: cost.head_per_message_growth.get() * 1e3 / 1e4,
            head_byte: cost.head_per_megabyte.get() * 1e-3,
            cluster_message: cost.cluster_per_message.get() * 1e3,
            cluster_byte: cost.cluster_per_megabyte.get() * 1e-3,
            stream_op_s: cost.head_per_stream.ops_per_second(),
            purge_op_s: cost.purge_per_message.get() * cost.purge_rate,
            purge_message_us: 1e6 / cost.purge_rate,
            switch_us: cost.switch.micros() as f64,
            lock_us: cost.lock.micros() as f64,
            lock_message_us: cost.lock_per_thousand.micros() as f64 * 1e-3,
            hold_at_most_us: plan.hold_at_most.micros() as f64,
        }
    }

    /// How long removing an old copy takes.
    #[inline]
    pub(crate) fn purge(&self, messages: f64) -> Span {
        Span::from_micros(whole_of_positive(messages * self.purge_message_us) as i64)
    }

    /// What a switch takes: the lock grows with the names that are compared.
    #[inline(always)]
    pub(crate) fn switch(&self, messages: u32) -> Switching {
        self.switch_within(messages, self.hold_at_most_us)
    }

    /// The same of a user who has agreed to be held for as long as it takes.
    #[cold]
    pub(crate) fn switch_in_full(&self, messages: u32) -> Switching {
        self.switch_within(messages, f64::INFINITY)
    }

    #[inline(always)]
    fn switch_within(&self, messages: u32, hold_at_most_us: f64) -> Switching {
        let lock_us = self.lock_us + self.lock_message_us * f64::from(messages);
        let too_long = lock_us > hold_at_most_us;
        let held_us = if too_long { hold_at_most_us } else { lock_us };
        Switching {
            wait: Span::from_micros(whole_of_positive(self.switch_us + held_us) as i64),
            lock: Span::from_micros(whole_of_positive(held_us) as i64),
            too_long,
        }
    }

    /// What a copy asks for: its own limit is the slower of bytes and messages; its operations spread evenly over its work.
    /// It ends after `part` of it.
    #[inline(always)]
    pub(crate) fn flow(&self, bytes: f64, messages: f64, part: f64) -> Flow {
        let mut alone_s = larger(bytes * self.byte_s, messages * self.message_s);
        if messages > self.slow_above {
            alone_s *= 1.0 + (messages - self.slow_above) / messages * self.slow_extra;
        }
        // What changes during the copy is copied again; the copy's length is taken from what it needs alone.
        alone_s *= 1.0 + (self.change_per_s * alone_s).min(1.0);
        if alone_s <= 0.0 {
            return Flow::NONE;
        }
        let a_second = 1.0 / alone_s;
        Flow {
            work: Work::from_micros(alone_s * part * 1e6),
            head_milli_op_s: whole_of_positive(
                (messages * (self.head_message + messages * self.head_message_growth) + bytes * self.head_byte)
                    * a_second,
            ),
            cluster_milli_op_s: whole_of_positive(
                (messages * self.cluster_message + bytes * self.cluster_byte) * a_second,
            ),
            bytes_s: whole_of_positive(bytes * a_second),
        }
    }
}

/// The larger of two numbers: an instruction, where `f64::max` looks whether one of them is not a number.
#[inline]
fn larger(a: f64, b: f64) -> f64 {
    if a > b { a } else { b }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::testing::quiet;
    use crate::units::{Ops, Rate};

    /// 10 MB/s, 50 messages a second; 10 op a message and 2 op a MB on the head, 4 op a message on the cluster.
    fn costs(change: impl FnOnce(&mut Cost)) -> Costs {
        let (mut plan, mut model) = quiet(1);
        (plan.copy.stream, plan.copy.messages_per_ks) = (Rate::per_second(10_000_000), 50_000);
        model.cost.head_per_message = Ops::new(10.0);
        model.cost.head_per_megabyte = Ops::new(2.0);
        model.cost.cluster_per_message = Ops::new(4.0);
        change(&mut model.cost);
        Costs::new(&plan.copy, &model.cost)
    }

    #[test]
    fn the_slower_of_bytes_and_messages_limits_a_copy() {
        // 100 MB take 10 s by bytes; 100 messages take 2 s, 1,000 take 20 s.
        let few = costs(|_| {}).flow(1e8, 100.0, 1.0);
        assert_eq!(few.work, Work::from_micros(10e6));
        assert_eq!((few.head_milli_op_s, few.cluster_milli_op_s, few.bytes_s), (120_000, 40_000, 10_000_000));
        let many = costs(|_| {}).flow(1e8, 1_000.0, 0.5);
        assert_eq!(many.work, Work::from_micros(10e6));
        assert_eq!((many.head_milli_op_s, many.cluster_milli_op_s, many.bytes_s), (510_000, 200_000, 5_000_000));
    }

    #[test]
    fn where_directories_are_searched_from_end_to_end_twice_the_messages_cost_four_times_as_much() {
        // 5 op more a message and 10,000 messages, and neither message nor byte costs anything else.
        let growing = costs(|cost| {
            (cost.head_per_message, cost.head_per_megabyte) = (Ops::new(0.0), Ops::new(0.0));
            cost.head_per_message_growth = Ops::new(5.0);
        });
        // 10,000 messages take 200 s: 50,000 op, and 200,000 op in 400 s.
        for (messages, milli_op_s) in [(10_000.0, 250_000), (20_000.0, 500_000)] {
            assert_eq!(growing.flow(0.0, messages, 1.0).head_milli_op_s, milli_op_s);
        }
        // On top of 10 op a message.
        let both = costs(|cost| cost.head_per_message_growth = Ops::new(5.0));
        assert_eq!(both.flow(0.0, 10_000.0, 1.0).head_milli_op_s, 750_000);
        let none = costs(|_| {}).flow(1e8, 1_000.0, 1.0);
        assert_eq!(costs(|cost| cost.head_per_message_growth = Ops::new(0.0)).flow(1e8, 1_000.0, 1.0), none);
    }

    #[test]
    fn a_switch_backs_out_at_the_plans_limit_unless_its_user_has_agreed() {
        let costs = costs(|cost| {
            (cost.lock, cost.lock_per_thousand, cost.switch) =
                (Span::from_secs(1), Span::from_secs(100), Span::from_secs(2));
        });
        let seconds = |taken: Switching| (taken.wait.secs() as u32, taken.lock.secs() as u32, taken.too_long);
        assert_eq!([100, 1_000].map(|messages| seconds(costs.switch(messages))), [(13, 11, false), (62, 60, true)]);
        assert_eq!(seconds(costs.switch_in_full(1_000)), (103, 101, false));
    }

    #[test]
    fn large_folders_and_changes_meanwhile_take_longer() {
        let slow = costs(|cost| (cost.slow_above, cost.slow_extra) = (500, 1.0)).flow(0.0, 1_000.0, 1.0);
        assert_eq!(slow.work, Work::from_micros(30e6));
        let changing = costs(|cost| cost.change_per_day = 864.0).flow(1e8, 0.0, 1.0);
        assert_eq!(changing.work, Work::from_micros(11e6));
        assert_eq!(costs(|_| {}).flow(0.0, 0.0, 1.0), Flow::NONE);
    }
}
