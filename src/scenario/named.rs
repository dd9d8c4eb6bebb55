//! A plan that names mailboxes of an inventory, for other rows: those of a ledger or of a directory of users.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Scenario;
use crate::fleet::MailboxId;
use crate::migration::plan::Plan;

impl Scenario {
    /// The plan with its mailboxes as the rows of somebody else, who finds a row by its name; and the names that are not
    /// found there, whose mailboxes the plan then leaves out. Without an inventory the plan is as it is.
    #[must_use]
    pub fn plan_for(&self, find: &dyn Fn(&str) -> Option<MailboxId>) -> (Arc<Plan>, Vec<&str>) {
        if self.named.is_empty() {
            return (Arc::clone(&self.plan), Vec::new());
        }
        let found: BTreeMap<MailboxId, Option<MailboxId>> =
            self.named.iter().map(|(row, name)| (*row, find(name))).collect();
        let row = |mailbox: &MailboxId| found.get(mailbox).copied().flatten();
        let mut plan = Plan::clone(&self.plan);
        plan.order.excluded = self.plan.order.excluded.iter().filter_map(row).collect();
        plan.order.excluded.sort_unstable();
        let scheduled = self.plan.order.scheduled.iter();
        plan.order.scheduled = scheduled.filter_map(|(mailbox, at)| Some((row(mailbox)?, *at))).collect();
        plan.order.scheduled.sort_by_key(|scheduled| (scheduled.1, scheduled.0));
        let missing = self.named.iter().filter(|(mailbox, _)| row(mailbox).is_none());
        (Arc::new(plan), missing.map(|(_, name)| name.as_str()).collect())
    }
}
