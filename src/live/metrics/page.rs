//! The page itself: from a status to text.

use std::fmt::{self, Write as _};

use crate::live::status::{ClusterStatus, HeadStatus, Holds, Status};

/// How a metric behaves.
#[derive(Clone, Copy)]
enum Kind {
    Gauge,
    Counter,
    Histogram,
}

/// The text of all metrics.
#[must_use]
pub fn page(status: &Status) -> String {
    let mut page = Page(String::new());
    migration(&mut page, status);
    heads(&mut page, &status.heads);
    clusters(&mut page, &status.clusters);
    holds(&mut page, &status.holds);
    host(&mut page, status);
    page.0
}

fn migration(page: &mut Page, status: &Status) {
    page.family("drawdown_info", Kind::Gauge, "The program and the scenario; always 1.");
    let version = env!("CARGO_PKG_VERSION");
    page.sample("drawdown_info", &[("scenario", &status.name), ("version", version)], 1);
    page.one("drawdown_session", Kind::Gauge, "Number of the session.", status.session);
    let since = seconds(status.since_us);
    page.one("drawdown_session_start_timestamp_seconds", Kind::Gauge, "When the session began.", since);
    page.one(
        "drawdown_last_event_timestamp_seconds",
        Kind::Gauge,
        "When something last happened.",
        seconds(status.at_us),
    );
    page.one("drawdown_paused", Kind::Gauge, "1 while an operator has paused it.", u8::from(status.paused));
    page.one(
        "drawdown_stopped",
        Kind::Gauge,
        "1 while it has stopped by itself and waits for a person.",
        u8::from(status.stopped.is_some()),
    );
    page.one("drawdown_mailboxes", Kind::Gauge, "Mailboxes known.", status.mailboxes);
    let moved = status.moved_before + status.moved;
    page.one("drawdown_mailboxes_moved", Kind::Gauge, "Mailboxes moved, those of earlier sessions too.", moved);
    page.one("drawdown_moves_total", Kind::Counter, "Mailboxes moved in this session.", status.moved);
    page.one("drawdown_moved_bytes_total", Kind::Counter, "Bytes moved in this session.", status.moved_bytes);
    page.family("drawdown_faults_total", Kind::Counter, "Attempts of this session that failed, by the fault.");
    for (fault, count) in &status.faults_by {
        page.sample("drawdown_faults_total", &[("fault", fault)], count);
    }
}

fn heads(page: &mut Page, heads: &[HeadStatus]) {
    page.family("drawdown_head_mailboxes", Kind::Gauge, "Mailboxes of a head by their state.");
    for head in heads {
        let states = [
            ("waiting", u64::from(head.waiting)),
            ("copying", u64::from(head.copying)),
            ("switching", u64::from(head.switching)),
            ("set_aside", u64::from(head.set_aside)),
            ("moved_unpurged", head.unpurged),
            ("moved_kept", u64::from(head.kept)),
        ];
        for (state, count) in states {
            page.sample("drawdown_head_mailboxes", &[("head", &head.name), ("state", state)], count);
        }
    }
    page.family("drawdown_head_streams_allowed", Kind::Gauge, "Copies that may progress now.");
    for head in heads {
        page.maybe("drawdown_head_streams_allowed", &head.name, head.streams);
    }
    page.family(
        "drawdown_head_rate_limit_bytes_per_second",
        Kind::Gauge,
        "Cap on the sum of the copies' speeds, if any.",
    );
    for head in heads {
        page.maybe("drawdown_head_rate_limit_bytes_per_second", &head.name, head.rate);
    }
    page.family("drawdown_head_bound", Kind::Gauge, "1 for what binds a head now, 0 for the other causes.");
    for head in heads {
        for cause in head.bound_us.keys() {
            let binds = u8::from(*cause == head.binds);
            page.sample("drawdown_head_bound", &[("head", &head.name), ("cause", &word(cause))], binds);
        }
    }
    page.family("drawdown_head_bound_seconds_total", Kind::Counter, "How long each cause has bound a head.");
    for head in heads {
        for (cause, micros) in &head.bound_us {
            let labels = [("head", head.name.as_str()), ("cause", &word(cause))];
            page.sample("drawdown_head_bound_seconds_total", &labels, seconds(*micros));
        }
    }
    let stores: Vec<_> = heads.iter().map(|head| (head.name.as_str(), head.load, head.sampled_at_us)).collect();
    load(page, "head", &stores);
}

fn clusters(page: &mut Page, clusters: &[ClusterStatus]) {
    page.family("drawdown_cluster_used_bytes", Kind::Gauge, "Bytes on a cluster at the last sample.");
    for cluster in clusters {
        if let Some(used) = cluster.used {
            page.sample("drawdown_cluster_used_bytes", &[("cluster", &cluster.name)], used);
        }
    }
    page.family("drawdown_cluster_reserved_bytes", Kind::Gauge, "Bytes on their way to a cluster.");
    for cluster in clusters {
        page.sample("drawdown_cluster_reserved_bytes", &[("cluster", &cluster.name)], cluster.reserved);
    }
    page.family("drawdown_cluster_threshold_bytes", Kind::Gauge, "Bytes up to which a cluster is filled.");
    for cluster in clusters {
        page.sample("drawdown_cluster_threshold_bytes", &[("cluster", &cluster.name)], cluster.threshold);
    }
    inodes(page, clusters);
    let stores: Vec<_> =
        clusters.iter().map(|cluster| (cluster.name.as_str(), cluster.load, cluster.sampled_at_us)).collect();
    load(page, "cluster", &stores);
}

/// How clusters stand with inodes that have a limit of them.
fn inodes(page: &mut Page, clusters: &[ClusterStatus]) {
    let limited = || clusters.iter().filter_map(|cluster| Some((cluster.name.as_str(), cluster.inodes?)));
    if limited().next().is_none() {
        return;
    }
    page.family("drawdown_cluster_used_inodes", Kind::Gauge, "Inodes in use on a cluster at the last sample.");
    for (name, inodes) in limited() {
        if let Some(used) = inodes.used {
            page.sample("drawdown_cluster_used_inodes", &[("cluster", name)], used);
        }
    }
    page.family("drawdown_cluster_reserved_inodes", Kind::Gauge, "Inodes of what is on its way to a cluster.");
    for (name, inodes) in limited() {
        page.sample("drawdown_cluster_reserved_inodes", &[("cluster", name)], inodes.reserved);
    }
    page.family("drawdown_cluster_threshold_inodes", Kind::Gauge, "Inodes up to which a cluster is filled.");
    for (name, inodes) in limited() {
        page.sample("drawdown_cluster_threshold_inodes", &[("cluster", name)], inodes.threshold);
    }
}

/// A store's name, its utilisation and latency at the last sample, and when that was measured.
type Sampled<'a> = (&'a str, Option<(u32, u32)>, Option<i64>);

/// What samples say of the stores of a kind.
fn load(page: &mut Page, kind: &str, stores: &[Sampled<'_>]) {
    let known = || stores.iter().filter_map(|(name, load, at)| Some((*name, (*load)?, (*at)?)));
    let name = format!("drawdown_{kind}_utilisation_ratio");
    page.family(&name, Kind::Gauge, "Load at the last sample, 0 to 1.");
    for (store, (utilisation, _), _) in known() {
        page.sample(&name, &[(kind, store)], f64::from(utilisation) / 1e6);
    }
    let name = format!("drawdown_{kind}_latency_seconds");
    page.family(&name, Kind::Gauge, "Mean time of an operation at the last sample.");
    for (store, (_, latency), _) in known() {
        page.sample(&name, &[(kind, store)], f64::from(latency) / 1e6);
    }
    let name = format!("drawdown_{kind}_sample_timestamp_seconds");
    page.family(&name, Kind::Gauge, "When the last sample was measured.");
    for (store, _, at) in known() {
        page.sample(&name, &[(kind, store)], seconds(at));
    }
}

fn holds(page: &mut Page, holds: &Holds) {
    let name = "drawdown_hold_seconds";
    page.family(name, Kind::Histogram, "How long users were held by switches of this session.");
    let mut below = 0;
    for (count, most) in holds.counts.iter().zip(Holds::UP_TO_S) {
        below += count;
        page.sample(&format!("{name}_bucket"), &[("le", &most.to_string())], below);
    }
    let all: u64 = holds.counts.iter().sum();
    page.sample(&format!("{name}_bucket"), &[("le", "+Inf")], all);
    page.sample(&format!("{name}_sum"), &[], holds.sum_us as f64 / 1e6);
    page.sample(&format!("{name}_count"), &[], all);
    let help = "Holds of this session that were backed out.";
    page.one("drawdown_holds_backed_out_total", Kind::Counter, help, holds.backed_out);
}

fn host(page: &mut Page, status: &Status) {
    let help = "Events recorded in this session.";
    page.one("drawdown_ledger_events_total", Kind::Counter, help, status.ledger.events);
    let help = "From the last event that happened until it was recorded.";
    page.one("drawdown_ledger_lag_seconds", Kind::Gauge, help, status.ledger.lag_us as f64 / 1e6);
    let help = "Time spent recording in this session.";
    page.one("drawdown_ledger_write_seconds_total", Kind::Counter, help, status.ledger.spent_us as f64 / 1e6);
    let help = "How often the machine's clock was set in this session.";
    page.one("drawdown_clock_steps_total", Kind::Counter, help, status.clock_steps);
    if let (Some(fence), Some(until)) = (status.lease.fence, status.lease.until_us) {
        page.one("drawdown_lease_fence", Kind::Gauge, "The fencing number of the lease.", fence);
        let help = "When the lease runs out unless it is kept, by the session's time.";
        page.one("drawdown_lease_expiry_timestamp_seconds", Kind::Gauge, help, seconds(until));
    }
}

/// A page in the making.
struct Page(String);

impl Page {
    /// Begins a metric; its samples follow at once.
    fn family(&mut self, name: &str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Gauge => "gauge",
            Kind::Counter => "counter",
            Kind::Histogram => "histogram",
        };
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl fmt::Display) {
        self.0.push_str(name);
        for (place, (label, text)) in labels.iter().enumerate() {
            let before = if place == 0 { '{' } else { ',' };
            let _ = write!(self.0, "{before}{label}=\"{}\"", escaped(text));
        }
        let end = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.0, "{end} {value}");
    }

    /// A metric with one sample and no labels.
    fn one(&mut self, name: &str, kind: Kind, help: &str, value: impl fmt::Display) {
        self.family(name, kind, help);
        self.sample(name, &[], value);
    }

    /// A head's sample where there is one.
    fn maybe(&mut self, name: &str, head: &str, value: Option<impl fmt::Display>) {
        if let Some(value) = value {
            self.sample(name, &[("head", head)], value);
        }
    }
}

/// The words of a cause as one.
fn word(cause: &str) -> String {
    cause.replace(' ', "_")
}

fn seconds(micros: i64) -> f64 {
    micros as f64 / 1e6
}

/// A label's value as the format wants it.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
