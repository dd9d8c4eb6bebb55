//! What plan, calendar and operator allow.

use super::Oracle;
use crate::fleet::HeadId;
use crate::migration::plan::Plan;
use crate::units::{Rate, Time};

impl Oracle {
    /// The rate that plan and calendar allow.
    pub(super) fn most_rate(plan: &Plan, head: HeadId, now: Time) -> Rate {
        let changes = &plan.heads[head.index()].windows.changes;
        let limit = changes.iter().rev().find(|(at, _)| *at <= now).map_or(Rate::UNLIMITED, |(_, limit)| limit.rate);
        limit.min(plan.heads[head.index()].throttle.rate)
    }

    /// What calendar and operator allow.
    pub(super) fn most_streams(&self, plan: &Plan, head: HeadId, now: Time) -> u16 {
        let windows = &plan.heads[head.index()].windows;
        let over = windows.end.is_some_and(|end| now >= end);
        let limit = windows.changes.iter().rev().find(|(at, _)| *at <= now);
        let window = if over { 0 } else { limit.map_or(u16::MAX, |(_, limit)| limit.streams) };
        let cap = if self.halted() { 0 } else { self.caps.get(&head).copied().unwrap_or(u16::MAX) };
        window.min(cap).min(plan.heads[head.index()].throttle.ceiling())
    }
}
