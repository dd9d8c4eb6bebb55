//! What the calendar does: holidays, freezes, backups, hardware that comes late, clusters that stall.

use drawdown::migration::message::{Binding, Milestone};
use drawdown::scenario::occasions::{Holiday, HolidayEffect};
use drawdown::scenario::{ReadSettings, Source, starter};
use drawdown::sim::{self, Outcome, RunId};
use drawdown::units::{Span, Time};

/// The starter, small and quick, with more keys after it.
fn read(more: &str, overrides: &[&str]) -> Result<Source, String> {
    let small = ["population.mailboxes=300", "load.noise.sigma=0.0", "horizon=40 days", "plan.move.stream=1 MB/s"];
    let overrides = small.iter().chain(overrides).map(|&setting| setting.to_owned()).collect();
    let text = format!("{}\n{more}\n", starter());
    let read = Source::from_text("calendar.toml", &text, &ReadSettings { overrides, allow_path: false });
    read.map_err(|problems| problems.to_string())
}

fn good(more: &str, overrides: &[&str]) -> Source {
    read(more, overrides).unwrap_or_else(|problems| panic!("{problems}"))
}

fn run(source: &Source) -> Outcome {
    sim::simulate(source.middle(), RunId { seed: 1, replication: 0 })
}

fn emptied(source: &Source) -> Time {
    let place = source.middle().milestones.iter().position(|one| *one == Milestone::AllEmptied).expect("asked for");
    run(source).reached[place].unwrap_or(Time::NEVER)
}

/// An instant of January 2027 in Toronto: five hours behind UTC.
fn january(day: i64, hour: i64) -> Time {
    Time::from_unix_micros((1_798_761_600 + (day - 1) * 86_400 + (hour + 5) * 3_600) * 1_000_000)
}

#[test]
fn holidays_are_days_of_the_year_of_the_week_or_once_and_the_first_one_counts() {
    let source = good(
        "[[load.holiday]]\nname = \"founders\"\nwhen = \"yearly 01-12..01-13\"\nlike = \"Sun\"\n\
         [[load.holiday]]\nname = \"sale\"\nfrom = 2027-01-13\nuntil = 2027-01-14\nfactor = \"250 %\"",
        &["horizon=10 days"],
    );
    let found = &source.middle().model.load.holidays;
    let day = |from: i64, until: i64, effect| Holiday { from: january(from, 0), until: january(until, 0), effect };
    let expected = [
        day(12, 13, HolidayEffect::Weekday(6)),
        day(13, 14, HolidayEffect::Weekday(6)),
        day(14, 15, HolidayEffect::Factor(2.5)),
    ];
    assert_eq!(found[..3], expected);
    // The calendar goes on for a year after the horizon.
    assert_eq!(found.len(), 5, "{found:?}");
}

#[test]
fn a_freeze_that_comes_every_year_stops_the_migration_and_binds_as_a_window() {
    let free = good("", &[]);
    let frozen = good("[[plan.window]]\nname = \"freeze\"\nwhen = \"yearly 01-11..01-15\"\npause = true", &[]);
    let thawed = january(16, 0);
    assert!(emptied(&free) < thawed, "without the freeze it would be over");
    assert!(emptied(&frozen) > thawed);
    let bound = run(&frozen).heads[0].bound[Binding::Window as usize];
    assert!(bound > Span::from_secs(4 * 86_400), "{bound:?}");
}

#[test]
fn a_backup_loads_its_head_at_its_time_and_slows_the_migration() {
    let backup = "[[backup]]\nname = \"nightly\"\nwhen = \"daily 22:00-04:00\"\nload = \"60 %\"\nheads = [\"head-1\"]";
    let (free, loaded) = (good("", &[]), good(backup, &[]));
    let load = loaded.middle().model.backups[0].load[0].ops_per_second();
    assert!((load - 0.6 * 9_000.0).abs() < 1e-6, "{load}");
    let day = |source: &Source| f64::from(run(source).heads[0].days[0].user_utilisation);
    // A quarter of each day.
    assert!((day(&loaded) - day(&free) - 0.15).abs() < 0.01, "{} {}", day(&loaded), day(&free));
    let ops = good(backup, &["backup.nightly.load=900 op/s"]);
    assert!((day(&ops) - day(&free) - 0.025).abs() < 0.005, "{} {}", day(&ops), day(&free));
}

#[test]
fn a_backup_between_two_steps_of_the_load_is_warned_of() {
    let backup = "[[backup]]\nname = \"nightly\"\nwhen = \"daily 22:10-22:50\"\nload = \"60 %\"";
    let told = |step: &str| {
        let source = good(backup, &[step]);
        let warnings = source.warnings().iter().map(|problem| format!("{}: {}", problem.key, problem.message));
        warnings.filter(|warning| warning.contains("between two steps")).collect::<Vec<_>>()
    };
    assert_eq!(told("load.step=5 min"), [""; 0]);
    let hourly = told("load.step=1 h");
    assert!(
        hourly.len() == 1 && hourly[0].starts_with("backup.nightly.when: lies between two steps of the load"),
        "{hourly:?}"
    );
}

#[test]
fn late_hardware_is_drawn_and_a_cluster_opens_when_it_has_come() {
    let late =
        ["cluster.nas-1.in_service=2027-01-13T09:00:00", "cluster.nas-1.delay={ low = \"0 days\", high = \"6 days\" }"];
    let source = good("", &late);
    assert!(source.uncertain().iter().any(|input| input.key == "cluster.nas-1.delay"));
    let at = |u: f64| source.realise(&mut |_| u).model.clusters[0].in_service;
    assert_eq!(at(0.5), january(16, 9));
    assert!((at(0.99).since(january(19, 9)).days() + 0.06).abs() < 0.001);
    let opened = run(&source).reached[source
        .middle()
        .milestones
        .iter()
        .position(|one| matches!(one, Milestone::ClusterOpened { .. }))
        .expect("asked for")];
    assert!(opened.is_some_and(|at| at >= january(16, 9)), "{opened:?}");
}

#[test]
fn a_cluster_whose_ingest_stalls_takes_longer_to_fill() {
    let stalls = "cluster.nas-1.stalls={ rate = \"12 / day\", lasts = { median = \"1 h\", sigma = 0.2 } }";
    let (free, stalled, slowed) =
        (good("", &[]), good("", &[stalls]), good("", &[stalls, "cluster.nas-1.stalls.ingest=50 %"]));
    let days = |source: &Source| emptied(source).since(source.middle().as_of).days();
    // A third of the time nothing flows: an hour's stall after two hours without one.
    assert!(days(&stalled) > 1.2 * days(&free), "{} {}", days(&stalled), days(&free));
    assert!(days(&slowed) < days(&stalled), "{} {}", days(&slowed), days(&stalled));
}

#[test]
fn whole_groups_without_groups_are_warned_of() {
    let whole = "plan.order.within=whole-groups";
    let is_warned = |overrides: &[&str]| {
        good("", overrides).warnings().iter().any(|warning| warning.message.contains("no mailbox has a group"))
    };
    assert!(is_warned(&[whole]) && !is_warned(&[whole, "population.groups=20"]));
}

#[test]
fn what_is_wrong_with_the_calendar_is_told_all_at_once() {
    let problems = read(
        "[[load.holiday]]\nname = \"a\"\nwhen = \"yearly 13-01\"\nlike = \"Sun\"\n\
         [[load.holiday]]\nname = \"b\"\nwhen = \"yearly 12-25\"\n\
         [[load.holiday]]\nname = \"c\"\nwhen = \"yearly 12-25\"\nlike = \"sun\"\n\
         [[backup]]\nname = \"d\"\nwhen = \"Mon\"\nload = \"5 MB\"\n\
         [[backup]]\nname = \"e\"\nload = \"5 %\"\nheads = [\"head1\"]",
        &["cluster.nas-1.delay=\"2 days\"", "cluster.nas-1.stalls={ rate = \"1 / day\" }"],
    )
    .expect_err("problems");
    for expected in [
        "load.holiday.c.like: is \"sun\", must be one of Mon, Tue, Wed, Thu, Fri, Sat, Sun (did you mean `Sun`?)",
        "backup.d.load: is \"5 MB\", must be a share such as \"40 %\" or a load such as \"9000 op/s\"",
        "cluster.nas-1.stalls.lasts: is missing: how long a stall lasts",
        "load.holiday.a.when: is \"yearly 13-01\", must be days",
        "load.holiday.b: needs either `like`, a day of the week, or `factor`",
        "backup.e: needs either `when`, or `from` and `until`",
        "no head is called \"head1\"",
        "cluster.nas-1.delay: needs `in_service`, the date from which it counts",
    ] {
        assert!(problems.contains(expected), "{expected}\n{problems}");
    }
}
