//! The page is read back by a parser that knows the format's rules and nothing of who wrote it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use super::*;
use crate::live::status::{ClusterStatus, HeadStatus, InodeStatus, LeaseStatus};

fn status() -> Status {
    let mut status = Status {
        name: "A \"quoted\" \\ name".to_owned(),
        session: 3,
        since_us: 1_349_874_000_000_000,
        at_us: 1_349_877_600_500_000,
        mailboxes: 400,
        moved: 30,
        moved_bytes: 2_500_000_000,
        moved_before: 100,
        faults: 3,
        faults_by: BTreeMap::from([("transient".to_owned(), 2), ("no_room".to_owned(), 1)]),
        lease: LeaseStatus { fence: Some(7), until_us: Some(1_349_877_660_000_000) },
        heads: vec![HeadStatus {
            name: "head-1".to_owned(),
            left: 170,
            waiting: 160,
            copying: 8,
            switching: 2,
            set_aside: 1,
            excluded: 0,
            unpurged: 30,
            kept: 2,
            streams: Some(8),
            rate: None,
            binds: "stream cap".to_owned(),
            bound_us: BTreeMap::from([("throttle".to_owned(), 1_500_000), ("stream cap".to_owned(), 2_000_000)]),
            load: Some((620_000, 4_100)),
            sampled_at_us: Some(1_349_877_590_000_000),
        }],
        clusters: vec![
            ClusterStatus { name: "nas-1".to_owned(), threshold: 16, ..ClusterStatus::default() },
            ClusterStatus {
                name: "nas-2".to_owned(),
                inodes: Some(InodeStatus { used: Some(120), reserved: 9, threshold: 400 }),
                ..ClusterStatus::default()
            },
        ],
        ..Status::default()
    };
    for (micros, backed_out) in [(90_000, false), (100_000, false), (700_000, true), (90_000_000, true)] {
        status.holds.add(Duration::from_micros(micros), backed_out);
    }
    status.ledger.lag_us = 2_500;
    status
}

/// A sample: its name and labels as written, and its value.
type Samples = BTreeMap<String, f64>;

/// Reads a page by the rules of the text format.
fn parse(page: &str) -> Result<Samples, String> {
    let (mut samples, mut kinds, mut current) = (Samples::new(), BTreeMap::new(), String::new());
    let mut helped = BTreeSet::new();
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').ok_or(line)?;
            if !helped.insert(name.to_owned()) || help.is_empty() {
                return Err(format!("helped again, or with nothing: {line}"));
            }
            name.clone_into(&mut current);
            continue;
        }
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').ok_or(line)?;
            if name != current || !["gauge", "counter", "histogram"].contains(&kind) {
                return Err(format!("a type of something else: {line}"));
            }
            if (kind == "counter") != name.ends_with("_total") {
                return Err(format!("only counters are totals: {line}"));
            }
            kinds.insert(name.to_owned(), kind.to_owned());
            continue;
        }
        let (series, value) = line.rsplit_once(' ').ok_or(line)?;
        let name = series.split('{').next().unwrap_or_default();
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_') {
            return Err(format!("no name of a metric: {line}"));
        }
        let family = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|end| {
                name.strip_suffix(end).filter(|name| kinds.get(*name).is_some_and(|kind| kind == "histogram"))
            })
            .unwrap_or(name);
        if family != current || !kinds.contains_key(family) {
            return Err(format!("not under its own type: {line}"));
        }
        labels(&series[name.len()..]).ok_or(format!("labels that cannot be read: {line}"))?;
        let value: f64 = value.parse().map_err(|_| format!("no number: {line}"))?;
        if samples.insert(series.to_owned(), value).is_some() {
            return Err(format!("told twice: {line}"));
        }
    }
    Ok(samples)
}

/// `{a="x",b="y"}` or nothing.
fn labels(text: &str) -> Option<usize> {
    if text.is_empty() {
        return Some(0);
    }
    let (mut rest, mut count) = (text.strip_prefix('{')?.strip_suffix('}')?, 0);
    while !rest.is_empty() {
        let (name, after) = rest.split_once("=\"")?;
        name.chars().all(|c| c.is_ascii_lowercase() || c == '_').then_some(())?;
        let mut escaped = false;
        let end = after.char_indices().find_map(|(at, c)| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends.then_some(at)
        })?;
        count += 1;
        let more = &after[end + 1..];
        if more.is_empty() {
            break;
        }
        rest = more.strip_prefix(',')?;
    }
    Some(count)
}

#[test]
fn the_page_keeps_the_rules_of_the_format_and_says_what_the_status_says() {
    let page = page(&status());
    let samples = parse(&page).unwrap_or_else(|why| panic!("{why}\n{page}"));
    for (series, value) in [
        ("drawdown_mailboxes_moved", 130.0),
        ("drawdown_moves_total", 30.0),
        ("drawdown_last_event_timestamp_seconds", 1_349_877_600.5),
        ("drawdown_faults_total{fault=\"no_room\"}", 1.0),
        ("drawdown_head_mailboxes{head=\"head-1\",state=\"waiting\"}", 160.0),
        ("drawdown_head_mailboxes{head=\"head-1\",state=\"set_aside\"}", 1.0),
        ("drawdown_head_mailboxes{head=\"head-1\",state=\"moved_kept\"}", 2.0),
        ("drawdown_head_streams_allowed{head=\"head-1\"}", 8.0),
        ("drawdown_head_bound{head=\"head-1\",cause=\"stream_cap\"}", 1.0),
        ("drawdown_head_bound{head=\"head-1\",cause=\"throttle\"}", 0.0),
        ("drawdown_head_bound_seconds_total{head=\"head-1\",cause=\"throttle\"}", 1.5),
        ("drawdown_head_utilisation_ratio{head=\"head-1\"}", 0.62),
        ("drawdown_head_latency_seconds{head=\"head-1\"}", 0.0041),
        ("drawdown_hold_seconds_bucket{le=\"0.1\"}", 2.0),
        ("drawdown_hold_seconds_bucket{le=\"1\"}", 3.0),
        ("drawdown_hold_seconds_bucket{le=\"60\"}", 3.0),
        ("drawdown_hold_seconds_bucket{le=\"+Inf\"}", 4.0),
        ("drawdown_hold_seconds_sum", 90.89),
        ("drawdown_holds_backed_out_total", 2.0),
        ("drawdown_ledger_lag_seconds", 0.0025),
        ("drawdown_cluster_used_inodes{cluster=\"nas-2\"}", 120.0),
        ("drawdown_cluster_reserved_inodes{cluster=\"nas-2\"}", 9.0),
        ("drawdown_cluster_threshold_inodes{cluster=\"nas-2\"}", 400.0),
        ("drawdown_lease_fence", 7.0),
        ("drawdown_info{scenario=\"A \\\"quoted\\\" \\\\ name\",version=\"0.1.0\"}", 1.0),
    ] {
        let told = samples.get(series).unwrap_or_else(|| panic!("{series} is missing from\n{page}"));
        assert!((told - value).abs() < 1e-9 * value.abs().max(1.0), "{series}: {told}, not {value}");
    }
    // What nobody knows is not told.
    for unknown in
        ["drawdown_cluster_used_bytes{", "drawdown_head_rate_limit_bytes_per_second{", "drawdown_cluster_latency"]
    {
        assert!(!samples.keys().any(|series| series.starts_with(unknown)), "{unknown}");
    }
}

#[test]
fn the_parser_of_this_test_refuses_what_breaks_a_rule() {
    let good = "# HELP a_total b\n# TYPE a_total counter\na_total{x=\"1\"} 1\n";
    assert!(parse(good).is_ok());
    for (from, to) in [
        ("counter", "gauge"),
        ("} 1", "} one"),
        ("=\"1\"", "=1"),
        ("a_total{", "b_total{"),
        ("HELP a_total b", "HELP a_total "),
    ] {
        assert!(parse(&good.replace(from, to)).is_err(), "{from} -> {to}");
    }
    assert!(parse(&format!("{good}{good}")).is_err());
}

fn get(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("somebody listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a limit");
    write!(stream, "{request} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n").expect("it is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

#[test]
fn the_page_is_served_as_it_is_at_that_moment_until_the_end() {
    let shared = Arc::new(Mutex::new(status()));
    let metrics = Metrics::open("127.0.0.1:0".parse().expect("an address"), Arc::clone(&shared)).expect("a free port");
    let address = metrics.address();
    let answer = get(address, "GET /metrics");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    assert!(head.starts_with("HTTP/1.1 200") && head.contains(CONTENT_TYPE), "{head}");
    assert_eq!(parse(body).expect("a good page")["drawdown_moves_total"].to_string(), "30");
    shared.lock().expect("no panic").moved = 31;
    assert!(get(address, "GET /metrics?x=1").contains("\ndrawdown_moves_total 31\n"));
    assert!(get(address, "GET /").starts_with("HTTP/1.1 404"));
    assert!(get(address, "POST /metrics").starts_with("HTTP/1.1 405"));
    assert!(Metrics::open(address, shared).is_err(), "the address is taken");
    drop(metrics);
    // The thread that takes connections in ends by itself, in a moment.
    let closed = (0..2_000).any(|_| {
        std::thread::park_timeout(Duration::from_millis(10));
        TcpStream::connect(address).is_err()
    });
    assert!(closed, "nobody listens any more");
}
