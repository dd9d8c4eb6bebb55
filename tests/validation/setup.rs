//! Scenarios in which only what is to be looked at happens.

use std::fs;

use drawdown::scenario::{ReadSettings, Scenario, Source};

/// Reads a scenario from its text.
pub(crate) fn read(text: &str) -> Scenario {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("scenario.toml");
    fs::write(&file, text).unwrap();
    let source = Source::read(&file, &ReadSettings::default()).unwrap_or_else(|problems| panic!("{problems}"));
    source.middle().clone()
}

/// What a scenario has of everything that a test does not speak of: one head, one cluster, no cost but time, no noise.
pub(crate) struct Plain<'a> {
    pub(crate) mailboxes: u32,
    /// Of every mailbox.
    pub(crate) size: &'a str,
    pub(crate) activity: &'a str,
    pub(crate) head: &'a str,
    pub(crate) cluster: &'a str,
    pub(crate) throttle: &'a str,
    /// Of the load: how often the stores' load and response are found anew.
    pub(crate) step: &'a str,
    /// Of `[plan.move]`.
    pub(crate) copying: &'a str,
    /// Tables and keys besides.
    pub(crate) more: &'a str,
}

/// A head and a cluster that are never busy.
pub(crate) const IDLE: &str = "capacity = \"1000000000 op/s\"\nlatency = { points = [[\"100 %\", \"1 ms\"]] }";

impl Plain<'_> {
    pub(crate) fn read(&self) -> Scenario {
        let Plain { mailboxes, size, activity, head, cluster, throttle, step, copying, more } = self;
        read(&format!(
            r#"
name = "Validation"
time_zone = "UTC"
as_of = 2026-01-05T00:00:00
horizon = "300 days"
[[head]]
name = "head"
{head}
[[cluster]]
name = "cluster"
rated = "1000000 TB"
full_at = "90 %"
{cluster}
[population]
mailboxes = {mailboxes}
split = {{ head = "100 %" }}
size = {{ median = "{size}", sigma = 0.0, max = "{size}" }}
message = {{ mean = "{size}" }}
activity = "{activity}"
[load]
profile = "flat"
step = "{step}"
[users]
objective = "10 ms"
[plan]
order = {{ heads = ["head"] }}
throttle = {{ {throttle} }}
move = {{ {copying}, setup = "0 s", purge_after = "never" }}
{more}
"#
        ))
    }
}
