//! Tests of whole scenario files.

use std::fmt::Write as _;

use super::*;
use crate::migration::message::Milestone;
use crate::migration::plan::{Law, Level, WindowLimit};
use crate::scenario::starter;
use crate::units::{Latency, Rate, Share, Span, Time};

fn read_with(name: &str, overrides: &[&str]) -> Source {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios").join(name);
    let overrides = overrides.iter().map(|&setting| setting.to_owned()).collect();
    let source = Source::read(&path, &ReadSettings { overrides, allow_path: false });
    source.unwrap_or_else(|problems| panic!("{problems}"))
}

fn read(name: &str) -> Source {
    read_with(name, &[])
}

fn changed(from: &str, to: &str) -> Source {
    let at = starter().rfind(from).unwrap();
    let text = format!("{}{to}{}", &starter()[..at], &starter()[at + from.len()..]);
    Source::from_text("test.toml", &text, &ReadSettings::default()).unwrap_or_else(|problems| panic!("{problems}"))
}

#[test]
fn every_scenario_of_the_project_reads() {
    for name in
        ["opensrs-cluster-b.toml", "opensrs-cluster-b-backcast.toml", "drain-reference.toml", "constant-rate.toml"]
    {
        let scenario = read(name).middle().clone();
        assert!(scenario.milestones.contains(&Milestone::AllEmptied), "{name}");
        for milestone in &scenario.milestones {
            let text = scenario.milestone_name(milestone);
            assert_eq!(scenario.milestone_named(&text), Some(*milestone), "{text}");
        }
    }
}

#[test]
fn the_founding_case_says_what_its_source_says() {
    let source = read("opensrs-cluster-b.toml");
    let scenario = source.middle();
    let percent = |percent: u32| Share::from_ppm(percent * 10_000);
    assert_eq!(scenario.model.population.split, [percent(50), percent(50)]);
    assert_eq!(scenario.model.population.moved, [percent(40), percent(0)]);
    assert_eq!(scenario.plan.placement.clusters.len(), 3);
    assert!(scenario.plan.placement.clusters.iter().all(|cluster| cluster.full_at == percent(40)));
    // 09:00 in Toronto, daylight saving: 13:00 UTC.
    assert_eq!(scenario.as_of, Time::from_unix_micros(1_349_874_000_000_000));
    // The whole of October 20 counts: the first instant too late is 04:00 UTC on the 21st.
    assert_eq!(scenario.expectations[0].before, Time::from_unix_micros(1_350_792_000_000_000));
    assert_eq!(scenario.expectations[0].by, "2012-10-20");
}

#[test]
fn business_hours_keep_local_time_when_daylight_saving_ends() {
    let windows = &read("opensrs-cluster-b.toml").middle().plan.heads[0].windows.changes.clone();
    let hour = |time: &Time| time.unix_micros() / 3_600_000_000 % 24;
    let change = Time::from_unix_micros(1_352_008_800_000_000); // 2012-11-04 06:00 UTC
    let starts = |after: bool| {
        let limited = |entry: &&(Time, WindowLimit)| entry.1.streams == 12;
        windows.iter().filter(limited).map(|entry| entry.0).find(|time| (*time > change) == after)
    };
    assert_eq!(starts(false).as_ref().map(hour), Some(12));
    assert_eq!(starts(true).as_ref().map(hour), Some(13));
    assert!(windows.is_sorted_by_key(|entry| entry.0));
}

#[test]
fn a_draw_depends_on_its_key_and_stays_in_its_range() {
    let range = r#"cost.head_per_message={ low = "14 op", mid = "18 op", high = "22 op" }"#;
    let source = read_with("opensrs-cluster-b.toml", &[range]);
    let draw = |u: f64| {
        let mut keys = Vec::new();
        let scenario = source.realise(&mut |key| {
            keys.push(key.to_owned());
            u
        });
        (scenario.model.cost.head_per_message.get(), keys)
    };
    let (low, keys) = draw(1e-9);
    let (high, _) = draw(1.0 - 1e-9);
    assert!((low - 14.0).abs() < 0.01 && (high - 22.0).abs() < 0.01, "{low} {high}");
    let mut once = keys.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), keys.len(), "drawn twice: {keys:?}");
    let mut listed: Vec<&str> = source.uncertain().iter().map(|input| input.key.as_str()).collect();
    listed.sort_unstable();
    assert_eq!(once, listed);
    assert!((source.middle().model.cost.head_per_message.get() - 18.0).abs() < 1e-12);
}

/// Its shares would else have what the file says of a number that nothing is drawn for.
#[test]
fn what_is_correlated_with_a_number_that_a_ledger_tells_has_a_draw_of_its_own() {
    let together = ["cost.lock", "cost.head_per_message"];
    let source = || {
        read_with(
            "opensrs-cluster-b.toml",
            &[
                r#"cost.head_per_message={ low = "14 op", high = "22 op" }"#,
                r#"cost.lock={ low = "1 s", high = "3 s" }"#,
                r#"correlation=[{ inputs = ["cost.lock", "cost.head_per_message"], correlation = 0.9 }]"#,
            ],
        )
    };
    // The draw of the first alone changes.
    let drawn = |source: &Source, of_lock: f64| {
        source.realise(&mut |key| if key == together[0] { of_lock } else { 0.5 }).model.cost.head_per_message.get()
    };
    let read = source();
    assert!(drawn(&read, 0.99) > drawn(&read, 0.01) + 5.0);
    let told = source().told_by(&|key| key == together[0]);
    assert!((drawn(&told, 0.99) - 18.0).abs() < 1e-9 && (drawn(&told, 0.01) - 18.0).abs() < 1e-9);
}

#[test]
fn the_middle_of_a_distribution_that_is_cut_off_is_told_as_it_is_used() {
    let middle = |probability: &str| {
        let setting = format!("faults.transient={{ median = \"{probability}\", sigma = 1.0 }}");
        let source = read_with("opensrs-cluster-b.toml", &[&setting]);
        source.uncertain().iter().find(|input| input.key == "faults.transient").unwrap().middle.clone()
    };
    assert_eq!(middle("0.1 %"), "0.1 %");
    assert_ne!(middle("40 %"), "40 %");
}

#[test]
fn a_setting_replaces_a_value_and_shows_in_the_resolved_file() {
    let source = read_with("drain-reference.toml", &["plan.throttle.max=24", "head.head-2.capacity=8000 op/s"]);
    assert_eq!(source.middle().plan.heads[0].throttle.max, 24);
    assert!((source.middle().model.heads[1].capacity.ops_per_second() - 8_000.0).abs() < 1e-9);
    assert!((source.middle().model.heads[0].capacity.ops_per_second() - 10_000.0).abs() < 1e-9);
    let again = Source::from_text("resolved.toml", source.resolved(), &ReadSettings::default()).unwrap();
    assert_eq!(again.resolved(), source.resolved());
    assert_eq!(again.middle().plan, source.middle().plan);
    assert_eq!(again.middle().model, source.middle().model);
}

#[test]
fn a_file_inherits_what_it_does_not_say() {
    let (base, back) = (read("opensrs-cluster-b.toml"), read("opensrs-cluster-b-backcast.toml"));
    assert_eq!(back.middle().model.heads, base.middle().model.heads);
    assert_eq!(back.middle().model.population.mailboxes, 400_000);
    assert_eq!(back.middle().model.population.moved, [Share::ZERO, Share::ZERO]);
    assert!(!back.resolved().contains("extends"));
}

#[test]
fn a_head_may_have_a_throttle_of_its_own() {
    let overrides = ["plan.throttle_for.head-2.max=7", "plan.throttle_for.head-2.utilisation=\"60 %\""];
    let source = read_with("drain-reference.toml", &[overrides[0], overrides[1], "plan.throttle_for.head-2.start=3"]);
    let throttles = &source.middle().plan.heads;
    assert_eq!((throttles[0].throttle.max, throttles[1].throttle.max), (64, 7));
    let target = Level::Utilisation(Share::from_ppm(600_000));
    assert_eq!(throttles[1].throttle.law, Law::Aimd { target, start: 3, hysteresis: Share::ONE });
}

#[test]
fn the_integral_law_knows_the_slope_of_its_curve() {
    let source = changed("law = \"aimd\"", "law = \"integral\"\nstream_load = \"1 %\"");
    let Law::Integral { contract, slope, .. } = &source.middle().plan.heads[0].throttle.law else {
        panic!("another law");
    };
    assert_eq!(*contract, Latency::from_micros(4_000));
    assert!(slope.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1), "{slope:?}");
    // Near a utilisation of 0.4 the slope is 3.2 ms, so that a stream of 1 % adds about 32 us.
    let near = slope.iter().find(|step| step.0 >= Latency::from_micros(1_700)).unwrap();
    assert!((25..60).contains(&near.1.micros()), "{near:?}");
}

#[test]
fn overlapping_windows_take_the_tightest_limit() {
    let more = "streams = 12\n[[plan.window]]\nname = \"lunch\"\nwhen = \"daily 12:00-13:00\"\nrate = \"5 MB/s\"\n";
    let source = changed("streams = 12 ", &format!("{more}#"));
    let changes = &source.middle().plan.heads[0].windows.changes;
    let both = WindowLimit { streams: 12, rate: Rate::per_second(5_000_000) };
    assert!(changes.iter().any(|change| change.1 == both));
    assert!(changes.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 != pair[1].1));
}

#[test]
fn the_integers_of_the_plan_are_exact() {
    let source = read("opensrs-cluster-b.toml");
    let copy = &source.middle().plan.copy;
    assert_eq!((copy.stream, copy.messages_per_ks), (Rate::per_second(12_000_000), 60_000));
    assert_eq!(copy.purge_after, Some(Span::from_secs(7 * 86_400)));
    assert_eq!(source.middle().plan.placement.clusters[0].threshold().get(), 19_200_000_000_000);
}

#[test]
fn what_has_moved_and_hardly_fits_is_warned_of_by_the_bytes_that_the_order_moves_first() {
    let said = |within: &str, moved: &str| {
        let settings = [
            "cluster.nas-1.rated=16 TB".to_owned(),
            format!("plan.order.within={within}"),
            format!("population.moved={{ head-1 = '{moved}' }}"),
        ];
        let source =
            Source::from_text("test.toml", starter(), &ReadSettings { overrides: settings.into(), allow_path: false });
        let source = source.unwrap_or_else(|problems| panic!("{problems}"));
        source.warnings().iter().map(ToString::to_string).find(|text| text.contains("already moved"))
    };
    assert_eq!(said("inventory", "80 %"), None);
    assert_eq!(said("smallest", "90 %"), None);
    for (within, moved) in [("inventory", "99 %"), ("largest", "80 %")] {
        let text = said(within, moved).unwrap_or_else(|| panic!("{within} {moved}: nothing is said"));
        assert!(text.contains("hold 6.2 TB on average, of 6.4 TB"), "{text}");
    }
}

#[test]
fn samples_that_come_too_seldom_are_warned_of() {
    let warnings = |overrides: &[&str]| {
        let source = read_with("constant-rate.toml", overrides);
        source.warnings().iter().map(ToString::to_string).filter(|text| text.contains("sample")).collect::<Vec<_>>()
    };
    assert_eq!(warnings(&["probe.every=2 min", "probe.clusters_every=10 min"]), [""; 0]);
    let [seldom] = &warnings(&["probe.every=2 min", "probe.clusters_every=20 min"])[..] else {
        panic!("one warning, about the clusters")
    };
    assert!(seldom.contains("sample_limit is 15.0 min") && seldom.contains("placement would stop"), "{seldom}");
    // Without a key of their own clusters are asked as often as heads.
    let both = warnings(&["probe.every=20 min"]);
    assert!(both.iter().any(|text| text.contains("moving would stop")), "{both:?}");
    assert!(both.iter().any(|text| text.contains("placement would stop")), "{both:?}");
}

#[test]
fn waves_that_may_cut_a_whole_group_are_warned_of() {
    let warned = |within: &str, waves: &str| {
        let (within, waves) = (format!("plan.order.within={within}"), format!("plan.order.waves={waves}"));
        let source = read_with("constant-rate.toml", &[&within, &waves, "population.groups=100"]);
        source.warnings().iter().any(|text| text.to_string().contains("one may end within a group"))
    };
    let cut = "[{ share = \"1 %\", soak = \"1 day\" }]";
    assert!(warned("whole-groups", cut));
    assert!(!warned("group", cut) && !warned("whole-groups", "[{ share = \"100 %\", soak = \"1 day\" }]"));
}

#[test]
fn a_head_is_overloaded_by_those_who_have_not_moved() {
    let warned = |within: &str, capacity: u32| {
        let overrides = [
            r#"population.activity={ mean = "0.05 op/s", spread = 1.0 }"#,
            r#"population.moved={ head-1 = "40 %" }"#,
            &format!("head.head-1.capacity={capacity} op/s"),
            &format!("plan.order.within={within}"),
        ];
        let overrides = overrides.iter().map(|&setting| setting.to_owned()).collect();
        let settings = ReadSettings { overrides, allow_path: false };
        let source =
            Source::from_text("test.toml", starter(), &settings).unwrap_or_else(|problems| panic!("{problems}"));
        source.warnings().iter().any(|warning| warning.to_string().contains("its users alone ask for"))
    };
    // At the peak 1,020 op/s after the busiest, 2,700 after any, 4,030 after the idlest.
    assert!(!warned("busiest", 1_800) && warned("inventory", 1_800));
    assert!(!warned("inventory", 3_300) && warned("idlest", 3_300));
}

#[test]
fn a_switch_that_is_never_short_enough_is_refused() {
    let with = |lock: &str| {
        let overrides = vec![format!("cost.lock={lock} s"), "plan.move.hold_at_most=1 s".to_owned()];
        Source::from_text("test.toml", starter(), &ReadSettings { overrides, allow_path: false })
    };
    let refused = with("2").unwrap_err().to_string();
    let said = "plan.move.hold_at_most: is 1.0 s, and a switch locks its user out for 2.0 s (cost.lock): every switch would back out";
    assert!(refused.contains(said), "{refused}");
    assert!(with("1").is_ok());
}

#[test]
fn what_lies_outside_of_the_forecast_is_warned_of() {
    // From 2026-11-02 on for 120 days.
    let warned = |setting: &str| {
        let overrides = ["as_of=2026-11-02", "horizon=120 days", "expect=[]", setting].map(str::to_owned).into();
        let source = Source::from_text("test.toml", starter(), &ReadSettings { overrides, allow_path: false })
            .unwrap_or_else(|problems| panic!("{problems}"));
        source.warnings().iter().map(|warning| format!("{}: {}", warning.key, warning.message)).collect::<Vec<_>>()
    };
    let before = "which lies before as_of: it is over, and has no effect";
    let after = "which lies after the horizon: it has no effect on the forecast";
    for (list, extra) in
        [("plan.window", "pause = true"), ("load.holiday", "factor = \"50 %\""), ("backup", "load = \"5 %\"")]
    {
        let of = |from: &str, until: &str| {
            warned(&format!("{list}=[{{ name = \"closed\", from = {from}, until = {until}, {extra} }}]"))
        };
        assert_eq!(of("2025-12-24", "2025-12-26"), [format!("{list}.closed.until: is 2025-12-26, {before}")]);
        assert_eq!(of("2027-12-24", "2027-12-26"), [format!("{list}.closed.from: is 2027-12-24, {after}")]);
        for (from, until) in [("2026-12-24", "2026-12-26"), ("2025-12-24", "2026-12-26"), ("2026-11-01", "2026-11-02")]
        {
            assert_eq!(of(from, until), Vec::<String>::new(), "{list} {from} {until}");
        }
    }
    let scheduled = |at: &str| warned(&format!("plan.order.scheduled=[{{ mailbox = 7, at = {at} }}]"));
    let [late] = <[String; 1]>::try_from(scheduled("2027-12-24T12:00:00")).unwrap();
    assert!(
        late.ends_with("at: is 2027-12-24T12:00:00, which lies after the horizon: until then it does not move"),
        "{late}"
    );
    assert_eq!(scheduled("2026-12-24T12:00:00"), Vec::<String>::new());
}

#[test]
fn many_milestones_and_assumptions_are_read_in_a_moment() {
    let mut text = starter().to_owned();
    for _ in 0..20_000 {
        text.push_str("[[assumption]]\nkeys = [\"cost.purge_rate\"]\ntext = \"one\"\nsource = \"us\"\n");
    }
    let shares = (1_000..21_000).map(|share| format!("\"head-1 {} % moved\"", f64::from(share) / 1e3));
    let milestones = shares.collect::<Vec<_>>().join(", ");
    let _ = writeln!(text, "[forecast]\nmilestones = [{milestones}]");
    // Each held against each of the others they took minutes.
    let source = Source::from_text("many.toml", &text, &ReadSettings::default()).unwrap();
    assert!(source.notes().len() > 20_000 && source.middle().milestones.len() > 20_000);
}
