//! Links that several stores share: closed forms, other traffic, and what is wrong with them.

use drawdown::fleet::{ClusterId, HeadId};
use drawdown::migration::message::{Binding, Milestone};
use drawdown::scenario::{ReadSettings, Scenario, Source, starter};
use drawdown::sim::{self, Outcome, RunId};
use drawdown::units::{Rate, Span, Time};

/// Two heads of idle storage with mailboxes of 100 MB, eight streams of 10 MB/s each, and nothing else that takes time.
const IDLE: &str = r#"
name = "Links"
time_zone = "UTC"
as_of = 2026-01-05T00:00:00
horizon = "30 days"
[[head]]
name = "head-1"
capacity = "1000000000 op/s"
latency = { points = [["100 %", "1 ms"]] }
[[head]]
name = "head-2"
capacity = "1000000000 op/s"
latency = { points = [["100 %", "1 ms"]] }
[[cluster]]
name = "nas-1"
rated = "900 TB"
full_at = "40 %"
ingest = "10 GB/s"
capacity = "1000000000 op/s"
latency = { points = [["100 %", "1 ms"]] }
[population]
mailboxes = 8_000
split = { head-1 = "90 %", head-2 = "10 %" }
size = { median = "100 MB", sigma = 0.0, max = "100 MB" }
message = { mean = "100 kB" }
activity = "0 op/s"
[load]
profile = "flat"
[users]
objective = "10 ms"
[plan]
order = { heads = ["head-1", "head-2"] }
throttle = { law = "fixed", streams = 8 }
move = { stream = "10 MB/s", setup = "0 s", purge_after = "never" }
"#;

fn read(text: &str, more: &str, overrides: &[&str]) -> Result<Source, String> {
    let overrides = overrides.iter().map(|&setting| setting.to_owned()).collect();
    let settings = ReadSettings { overrides, allow_path: false };
    Source::from_text("links.toml", &format!("{text}\n{more}\n"), &settings).map_err(|problems| problems.to_string())
}

fn good(text: &str, more: &str, overrides: &[&str]) -> Source {
    read(text, more, overrides).unwrap_or_else(|problems| panic!("{problems}"))
}

/// A link of so many MB/s behind which these stores are.
fn link(megabytes_s: u32, stores: &str) -> String {
    format!("[[link]]\nname = \"uplink\"\ncapacity = \"{megabytes_s} MB/s\"\nstores = [{stores}]\n")
}

fn run(scenario: &Scenario) -> Outcome {
    sim::simulate(scenario, RunId { seed: 1, replication: 0 })
}

/// Seconds until a head is emptied.
fn emptied(source: &Source, head: u8) -> f64 {
    let scenario = source.middle();
    let asked = Milestone::HeadEmptied { head: HeadId(head), set_aside: 0 };
    let place = scenario.milestones.iter().position(|one| *one == asked).expect("each head has its date");
    run(scenario).reached[place].expect("it ends").since(scenario.as_of).secs()
}

/// The first head's 7,200 mailboxes of 100 MB alone.
fn first_head(more: &str) -> f64 {
    emptied(&good(IDLE, more, &[]), 0)
}

fn assert_seconds(seconds: f64, expected: f64) {
    // A speed is kept to a millionth of full speed, an end is rounded up to a microsecond.
    assert!((seconds / expected - 1.0).abs() < 1e-5, "{seconds} s, not {expected} s");
}

#[test]
fn half_of_what_the_streams_ask_for_takes_twice_as_long() {
    assert_seconds(first_head(""), 9_000.0);
    for stores in ["\"head-1\"", "\"nas-1\"", "\"head-2\", \"head-1\"", "\"head-1\", \"nas-1\""] {
        // Where both ends are behind it a copy goes over it once.
        assert_seconds(first_head(&link(40, stores)), 18_000.0);
        assert_seconds(first_head(&link(20, stores)), 36_000.0);
    }
    assert_seconds(first_head(&link(20, "\"head-2\"")), 9_000.0);
}

#[test]
fn the_narrower_of_two_links_holds_and_binds_as_a_link() {
    let both = format!("{}{}", link(60, "\"head-1\""), link(40, "\"nas-1\"").replace("uplink", "core"));
    let source = good(IDLE, &both, &[]);
    assert_seconds(emptied(&source, 0), 18_000.0);
    let bound = run(source.middle()).heads[0].bound;
    let all: f64 =
        Binding::ALL.iter().filter(|one| **one != Binding::NotItsTurn).map(|one| bound[*one as usize].secs()).sum();
    assert!(bound[Binding::Link as usize].secs() > 0.95 * all, "{bound:?}");
    // The wider one never held anybody.
    let held = run(source.middle()).held_by_links;
    assert_eq!(held[0], Span::ZERO);
    assert_seconds(held[1].secs(), 20_000.0);
}

#[test]
fn caps_that_always_bind_are_named_where_all_mailboxes_end_at_once() {
    // While eight of one size are set up again, none copies: the last ones of each round had the link to themselves.
    let lawful = "plan.throttle={ law = \"aimd\", latency = \"4 ms\", start = 8, min = 1, max = 64 }";
    let rate = "plan.throttle.rate=40 MB/s";
    let (none, narrow) = (String::new(), link(40, "\"nas-1\""));
    for (link, overrides) in [(&narrow, &[][..]), (&none, &[rate]), (&narrow, &[lawful]), (&none, &[lawful, rate])] {
        let source = good(IDLE, link, &[&["plan.move.setup=2 s"], overrides].concat());
        let bound = run(source.middle()).heads[0].bound;
        let all: f64 =
            Binding::ALL.iter().filter(|one| **one != Binding::NotItsTurn).map(|one| bound[*one as usize].secs()).sum();
        assert!(bound[Binding::Link as usize].secs() > 0.95 * all, "{link} {overrides:?}: {bound:?}");
    }
}

#[test]
fn two_heads_on_a_link_share_it_fairly() {
    // Four copies from each head at once, since the first has fewer than its streams: eight on a link for four.
    let few = [
        "plan.order.overlap=tail",
        "population.mailboxes=8",
        "population.split={ head-1 = \"50 %\", head-2 = \"50 %\" }",
    ];
    for (megabytes_s, expected) in [(80, 10.0), (40, 20.0), (16, 50.0)] {
        let source = good(IDLE, &link(megabytes_s, "\"nas-1\""), &few);
        assert_seconds(emptied(&source, 0), expected);
        assert_seconds(emptied(&source, 1), expected);
    }
    // One copy from the first and seven from the second: as fast, each.
    let uneven = [
        "plan.order.overlap=tail",
        "population.mailboxes=8",
        "population.split={ head-1 = \"12.5 %\", head-2 = \"87.5 %\" }",
    ];
    let source = good(IDLE, &link(40, "\"nas-1\""), &uneven);
    assert_seconds(emptied(&source, 0), 20.0);
    assert_seconds(emptied(&source, 1), 20.0);
    // Over a link of its own one copy leaves the other head's alone.
    let own = good(IDLE, &link(4, "\"head-1\""), &uneven);
    assert_seconds(emptied(&own, 0), 25.0);
    assert_seconds(emptied(&own, 1), 10.0);
}

#[test]
fn other_traffic_delays_by_what_it_takes_to_the_second() {
    let with = |traffic: &str| {
        first_head(&format!("{}[[link.traffic]]\nname = \"copies\"\n{traffic}\n", link(80, "\"nas-1\"")))
    };
    // 9,000 s without it. An hour at half speed costs half an hour; two nights with a quarter are not reached.
    assert_seconds(with("load = \"50 %\"\nwhen = \"Mon 01:00-02:00\""), 9_000.0 + 1_800.0);
    assert_seconds(with("load = \"60 MB/s\"\nwhen = \"daily 01:00-02:00\""), 9_000.0 + 2_700.0);
    // Nothing is left for 1,801 s: copies stand still and keep their work.
    assert_seconds(
        with("load = \"100 %\"\nfrom = 2026-01-05T01:00:29\nuntil = 2026-01-05T01:30:30"),
        9_000.0 + 1_801.0,
    );
    // Always: three quarters are left.
    assert_seconds(with("load = \"20 MB/s\""), 12_000.0);
    // It began before the start, and ends half an hour after it.
    assert_seconds(with("load = \"50 %\"\nwhen = \"Sun 22:00-00:30\""), 9_000.0 + 900.0);
}

#[test]
fn traffic_that_overlaps_adds_up() {
    let more = format!(
        "{}[[link.traffic]]\nname = \"a\"\nload = \"50 %\"\nwhen = \"Mon 00:00-01:00\"\n\
         [[link.traffic]]\nname = \"b\"\nload = \"20 MB/s\"\nwhen = \"Mon 00:30-01:30\"",
        link(80, "\"nas-1\"")
    );
    // Half for 1,800 s, a quarter for 1,800 s, three quarters for 1,800 s: a half of 5,400 s is lost.
    let source = good(IDLE, &more, &[]);
    assert_seconds(emptied(&source, 0), 9_000.0 + 2_700.0);
    assert_seconds(run(source.middle()).held_by_links[0].secs(), 5_400.0);
}

#[test]
fn a_link_that_never_binds_changes_nothing_at_all() {
    let small = ["population.mailboxes=2000", "horizon=60 days"];
    let free = good(starter(), "", &small);
    // As much as all streams can ask for, and far more; with traffic that leaves enough.
    for link in [
        "capacity = \"576 MB/s\"\nstores = [\"nas-1\"]",
        "capacity = \"800 GB/s\"\nstores = [\"head-1\", \"nas-1\"]",
        "capacity = \"1 GB/s\"\nstores = [\"head-1\"]\ntraffic = [{ name = \"a\", load = \"42 %\", when = \"daily 22:00-06:00\" }]",
    ] {
        let with = good(starter(), &format!("[[link]]\nname = \"uplink\"\n{link}"), &small);
        for replication in 0..3 {
            let of = |source: &Source| {
                let outcome = sim::simulate(source.middle(), RunId { seed: 3, replication });
                assert!(
                    outcome.held_by_links.iter().all(|held| *held == Span::ZERO),
                    "{link}: {:?}",
                    outcome.held_by_links
                );
                Outcome { held_by_links: Vec::new(), ..outcome }
            };
            assert_eq!(of(&free), of(&with), "{link}");
        }
    }
    // And one that binds does change something.
    let narrow = good(starter(), &link(2, "\"nas-1\""), &small);
    assert_ne!(run(free.middle()).reached, run(narrow.middle()).reached);
}

#[test]
fn a_link_is_read_with_what_traffic_leaves_and_settings_reach_all_of_it() {
    let text = "[[link]]\nname = \"uplink\"\ncapacity = { low = \"800 MB/s\", high = \"1 GB/s\" }\nstores = [\"nas-1\", \"head-2\"]\n\
        [[link.traffic]]\nname = \"nightly\"\nload = { low = \"20 %\", mid = \"30 %\", high = \"60 %\" }\nwhen = \"daily 22:00-02:00\"";
    let source = good(IDLE, text, &[]);
    let keys: Vec<_> = source.uncertain().iter().map(|input| input.key.as_str()).collect();
    assert_eq!(keys, ["link.uplink.capacity", "link.uplink.traffic.nightly.load"]);
    let hour = |hour: i64| Time::from_unix_micros((1_767_571_200 + 3_600 * hour) * 1_000_000);
    let link = &source.middle().model.links[0];
    assert_eq!(
        (link.name.as_str(), &link.heads[..], &link.clusters[..]),
        ("uplink", &[HeadId(1)][..], &[ClusterId(0)][..])
    );
    assert_eq!(link.left_at(hour(0)), (Rate::per_second(630_000_000), Some(hour(2))));
    assert_eq!(link.left_at(hour(2)), (Rate::per_second(900_000_000), Some(hour(22))));
    assert_eq!(link.left_at(hour(22) - Span::TICK), (Rate::per_second(900_000_000), Some(hour(22))));
    // Each number is drawn by its own key.
    let drawn = source.realise(&mut |key| if key == "link.uplink.capacity" { 0.25 } else { 0.5 });
    assert_eq!(drawn.model.links[0].left_at(hour(3)).0, Rate::per_second(850_000_000));
    let set = [
        "link.uplink.capacity=500 MB/s",
        "link.uplink.traffic.nightly.load=100 MB/s",
        "link.uplink.stores=[\"head-1\"]",
    ];
    let set = good(IDLE, text, &set);
    let link = &set.middle().model.links[0];
    assert_eq!((&link.heads[..], link.left_at(hour(1)).0), (&[HeadId(0)][..], Rate::per_second(400_000_000)));
}

#[test]
fn what_is_wrong_with_links_is_told_all_at_once() {
    let wrong = r#"
[[link]]
name = "a"
capacity = "0 MB/s"
stores = ["hed-1", "nas-1", "nas-1"]
[[link]]
name = "a"
capacity = "8 Gbps"
stores = []
[[link]]
name = "b"
capacity = "100 MB/s"
stores = ["head-1"]
traffic = [{ name = "x", load = "1 GB/s" }, { name = "y", load = "150 %" }, { name = "z", load = "5 %", from = 2026-01-06 }]
[[link]]
name = "c"
capacity = "100 MB/s"
stores = ["head-1"]
traffic = [{ name = "x", load = "60 %", when = "Tue 02:00-04:00" }, { name = "y", load = "50 MB/s", when = "daily 03:00-05:00" }]
[[link]]
name = "d"
capacity = "100 MB/s"
stores = "head-1"
traffic = [{ name = "x", load = "100 %", when = "dayly" }]
[[link]]
name = "e"
capacty = "100 MB/s"
traffic = [{ name = "x", load = "100 %" }]
[[link]]
name = "f"
capacity = "100 MB/s"
stores = ["head-1"]
traffic = [{ name = "x", load = "100 %" }]
"#;
    insta::assert_snapshot!("links", read(IDLE, wrong, &[]).expect_err("problems"));
}

#[test]
fn one_name_for_a_head_and_a_cluster_tells_no_store() {
    let text = IDLE.replace("name = \"nas-1\"", "name = \"head-1\"");
    let problems = read(&text, &link(10, "\"head-1\""), &[]).expect_err("a problem");
    assert!(
        problems.contains("link.uplink.stores.1: is \"head-1\", the name of a head and of a cluster"),
        "{problems}"
    );
    // Traffic that fits in the middle, and not at the high end of its range.
    let traffic = "[[link.traffic]]\nname = \"x\"\nload = { low = \"1 MB/s\", mid = \"2 MB/s\", high = \"11 MB/s\" }";
    let problems = read(IDLE, &format!("{}{traffic}", link(10, "\"head-1\"")), &[]).expect_err("a problem");
    assert!(
        problems.contains("with all ranges at their high end: is 11.0 MB/s, above the link's capacity of 10.0 MB/s"),
        "{problems}"
    );
}

#[test]
fn links_are_told_in_bits_a_second_as_well() {
    let bits = link(0, "\"head-1\"").replace("0 MB/s", "0.32 Gbit/s");
    assert_seconds(first_head(&bits), 18_000.0);
    let traffic = "[[link.traffic]]\nname = \"copies\"\nload = \"160 Mbit/s\"";
    assert_seconds(first_head(&format!("{}{traffic}", link(60, "\"nas-1\""))), 18_000.0);
    // A copy's own speed is that of storage.
    let problems = read(IDLE, "", &["plan.move.stream=80 Mbit/s"]).expect_err("a problem");
    assert!(problems.contains("here bytes are meant"), "{problems}");
}

#[test]
fn shares_that_make_all_of_a_link_leave_nothing_of_it_and_no_less() {
    for capacity in ["99999999 B/s", "100000000 B/s", "77777777 B/s"] {
        for shares in [&["50 %", "50 %"][..], &["33.3 %", "33.3 %", "33.4 %"], &["12.5 %", "87.5 %"]] {
            let traffic = shares.iter().enumerate().map(|(place, share)| {
                format!("[[link.traffic]]\nname = \"{place}\"\nload = \"{share}\"\nwhen = \"daily 01:00-02:00\"\n")
            });
            let text = format!("{}{}", link(1, "\"nas-1\""), traffic.collect::<String>());
            let source = good(IDLE, &text, &[&format!("link.uplink.capacity={capacity}")]);
            let at_one = Time::from_unix_micros((1_767_571_200 + 3_600) * 1_000_000);
            assert_eq!(source.middle().model.links[0].left_at(at_one).0, Rate::ZERO, "{capacity} {shares:?}");
        }
    }
}

#[test]
fn a_link_of_which_some_draws_leave_nothing_is_warned_of() {
    // At the low ends, and at the high ends, there is enough; drawn apart there may not be.
    let link = link(0, "\"nas-1\"").replace("\"0 MB/s\"", "{ low = \"50 MB/s\", high = \"100 MB/s\" }");
    let with = |load: &str| {
        let text = format!("{link}[[link.traffic]]\nname = \"nightly\"\nload = {load}\nwhen = \"daily 22:00-02:00\"\n");
        let source = good(IDLE, &text, &[]);
        let told: Vec<_> =
            source.warnings().iter().map(|problem| (problem.key.clone(), problem.message.clone())).collect();
        told
    };
    let told = with("{ low = \"20 MB/s\", high = \"80 MB/s\" }");
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].0, "link.uplink.traffic.nightly.load");
    assert!(
        told[0].1.starts_with(
            "with the capacity at the low end of its range and other traffic at the high end: is 80.0 MB/s, above the link's \
             capacity of 50.0 MB/s"
        ),
        "{told:?}"
    );
    assert_eq!(with("{ low = \"20 MB/s\", high = \"49 MB/s\" }"), []);
    assert_eq!(with("{ low = \"20 %\", high = \"99 %\" }"), []);
}

#[test]
fn what_moves_after_all_are_emptied_is_not_held_before_that() {
    // Half of them wait for a person until long after the rest has gone; both come over a link for half of the streams.
    let settings = [
        "faults.permanent=50 %",
        "plan.attempts.fault_rate=100 %",
        "operator.resolves_after={ median = \"1 day\", sigma = 0.0 }",
        "plan.move.purge_after=7 days",
        "cost.purge_rate=1000000 / s",
    ];
    let source = good(IDLE, &link(40, "\"nas-1\""), &settings);
    let outcome = run(source.middle());
    let place = source.middle().milestones.iter().position(|known| *known == Milestone::AllEmptied).unwrap();
    let emptied = outcome.reached[place].expect("emptied").since(source.middle().as_of);
    assert!(outcome.moved > 7_900, "{} have moved in the end", outcome.moved);
    let held = outcome.held_by_links[0];
    assert!(held <= emptied && held.secs() > 0.9 * emptied.secs(), "{held:?} of {emptied:?}");
}

#[test]
fn a_link_so_slow_that_no_copy_ends_is_told_as_what_binds() {
    // A kilobyte a second for eight mailboxes of 100 MB: a day each at the least, were they alone.
    let slow = link(1, "\"nas-1\"").replace("1 MB/s", "1 kB/s");
    let source = good(IDLE, &slow, &["horizon=1 day"]);
    let outcome = run(source.middle());
    assert_eq!((outcome.moved, outcome.unfinished), (0, Some(Binding::Link)));
    let bound = outcome.heads[0].bound;
    assert!(bound[Binding::Link as usize].secs() > 0.99 * 86_400.0, "{bound:?}");
    // The same of a cluster that takes nothing in to speak of.
    let source = good(IDLE, "", &["horizon=1 day", "cluster.nas-1.ingest=1 kB/s"]);
    let bound = run(source.middle()).heads[0].bound;
    assert!(bound[Binding::Ingest as usize].secs() > 0.99 * 86_400.0, "{bound:?}");
    // And while other traffic leaves nothing for hours in the middle of it all.
    let text = format!(
        "{}[[link.traffic]]\nname = \"copies\"\nload = \"100 %\"\nwhen = \"Mon 00:01-06:00\"",
        link(800, "\"nas-1\"")
    );
    let source = good(IDLE, &text, &[]);
    let bound = run(source.middle()).heads[0].bound;
    assert!((bound[Binding::Link as usize].secs() / (359.0 * 60.0) - 1.0).abs() < 0.02, "{bound:?}");
}
