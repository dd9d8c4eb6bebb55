//! Malformed scenarios: each has its message, none makes the program panic.

use std::fmt::Write as _;
use std::fs;

use drawdown::scenario::{ReadSettings, Source, starter};
use proptest::prelude::*;

/// What the program says of a text; the text must be refused.
fn refused(text: &str) -> String {
    match Source::from_text("bad.toml", text, &ReadSettings::default()) {
        Ok(_) => panic!("was taken:\n{text}"),
        Err(problems) => problems.to_string(),
    }
}

/// The text with the last `from` replaced: earlier ones stand in comments.
fn with_last(text: &str, from: &str, to: &str) -> String {
    let at = text.rfind(from).unwrap_or_else(|| panic!("the good file has no {from}"));
    format!("{}{to}{}", &text[..at], &text[at + from.len()..])
}

/// What the program says of settings over the good file.
fn set(overrides: &[&str]) -> String {
    let overrides = overrides.iter().map(|&setting| setting.to_owned()).collect();
    match Source::from_text("bad.toml", starter(), &ReadSettings { overrides, allow_path: false }) {
        Ok(_) => panic!("was taken"),
        Err(problems) => problems.to_string(),
    }
}

#[test]
fn the_good_file_is_good() {
    let source = Source::from_text("good.toml", starter(), &ReadSettings::default());
    let source = source.unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(source.warnings(), []);
}

/// Each case: what it is about, what is replaced in the good file, and by what.
const CASES: &[(&str, &str, &str)] = &[
    ("a number for a text", "name = \"My migration\"", "name = 7"),
    ("an empty name", "name = \"My migration\"", "name = \"\""),
    ("a bare number for a load", "\"9000 op/s\"", "9000"),
    ("a load in the wrong unit", "\"9000 op/s\"", "\"9000 MB/s\""),
    ("no capacity", "\"9000 op/s\"", "\"0 op/s\""),
    ("a negative capacity", "\"9000 op/s\"", "\"-5 op/s\""),
    ("a capacity that is not a number", "\"9000 op/s\"", "\"NaN op/s\""),
    ("an infinite capacity", "\"9000 op/s\"", "\"inf op/s\""),
    ("a bare NaN", "growth = \"0.05 % / day\"", "growth = nan"),
    ("a bare infinity", "sigma = 1.6", "sigma = inf"),
    ("a number beyond doubles", "\"9000 op/s\"", "\"1e999 op/s\""),
    ("a whole number beyond 64 bits", "mailboxes = 50_000", "mailboxes = 99999999999999999999"),
    ("more than a double can be", "sigma = 1.6", "sigma = 1e999"),
    ("a load above all loads", "\"9000 op/s\"", "\"9e12 op/s\""),
    ("bits for bytes", "rated = \"40 TB\"", "rated = \"40 Tb\""),
    ("bits a second", "\"400 MB/s\"", "\"400 Mbps\""),
    ("an ambiguous kilobyte", "\"75 kB\"", "\"75 KB\""),
    ("a share without a unit", "full_at = \"40 %\"", "full_at = \"40\""),
    ("a share above all", "full_at = \"40 %\"", "full_at = \"140 %\""),
    ("a share as a bare number", "full_at = \"40 %\"", "full_at = 0.4"),
    ("half a mailbox", "mailboxes = 50_000", "mailboxes = 50000.5"),
    ("thousands with a point", "mailboxes = 50_000", "mailboxes = 50.000"),
    ("no mailboxes", "mailboxes = 50_000", "mailboxes = 0"),
    ("negative mailboxes", "mailboxes = 50_000", "mailboxes = -3"),
    ("a typo in a key", "capacity = \"60000 op/s\"", "capcity = \"60000 op/s\""),
    ("an unknown table", "[faults]", "[fautls]"),
    ("a missing key", "objective = \"10 ms\"", ""),
    ("a missing table", "[users]\nobjective = \"10 ms\"\n", ""),
    ("a key twice", "objective = \"10 ms\"", "objective = \"10 ms\"\nobjective = \"11 ms\""),
    ("an unknown head in the split", "split = { head-1 = \"100 %\" }", "split = { head-2 = \"100 %\" }"),
    ("a split that does not add up", "split = { head-1 = \"100 %\" }", "split = { head-1 = \"90 %\" }"),
    ("an unknown head in the order", "heads = [\"head-1\"]", "heads = [\"head1\"]"),
    ("a head that nobody drains", "heads = [\"head-1\"]", "heads = []"),
    ("a head drained twice", "heads = [\"head-1\"]", "heads = [\"head-1\", \"head-1\"]"),
    ("an unknown law", "law = \"aimd\"", "law = \"aimed\""),
    ("a key of another law", "start = 8", "start = 8\nstream_load = \"1 %\""),
    ("no law", "law = \"aimd\"", ""),
    ("two targets", "latency = \"4 ms\"", "latency = \"4 ms\"\nutilisation = \"80 %\""),
    ("more at the least than at the most", "min = 1", "min = 60"),
    ("a throttle that never allows a stream", "start = 8\nmin = 1\nmax = 48", "min = 0\nmax = 0"),
    ("a guard in the wrong unit", "pause_above = \"8 ms\"", "pause_above = \"8 MB\""),
    ("an unknown order", "within = \"inventory\"", "within = \"alphabet\""),
    ("an unknown placement", "placement = \"sequential\"", "placement = \"leastfilled\""),
    ("an unknown time zone", "time_zone = \"America/Toronto\"", "time_zone = \"America/Torronto\""),
    ("a date in quotes", "as_of = 2027-01-11T09:00:00", "as_of = \"2027-01-11\""),
    ("a date with an offset", "as_of = 2027-01-11T09:00:00", "as_of = 2027-01-11T09:00:00Z"),
    ("a start before time begins", "as_of = 2027-01-11T09:00:00", "as_of = 1969-12-31T09:00:00"),
    ("a time without a date", "as_of = 2027-01-11T09:00:00", "as_of = 09:00:00"),
    ("a day that no calendar has", "by = 2027-03-31", "by = 2027-02-30"),
    ("a year far away", "by = 2027-03-31", "by = 9999-01-01"),
    ("an expectation of what is never sure", "probability = \"80 %\"", "probability = \"100 %\""),
    ("an expectation before the start", "by = 2027-03-31", "by = 2026-03-31"),
    ("a horizon before the start", "horizon = \"120 days\"", "horizon = 2027-01-01"),
    ("no horizon", "horizon = \"120 days\"", "horizon = \"0 days\""),
    ("a horizon beyond all plans", "horizon = \"120 days\"", "horizon = \"5000 weeks\""),
    ("a copy's messages that the core cannot count", "messages = \"60 / s\"", "messages = \"10 / hour\""),
    (
        "two dates for one mailbox",
        "within = \"inventory\" }",
        "scheduled = [{ mailbox = 7, at = 2027-01-20 }, { mailbox = 7, at = 2027-02-20 }] }",
    ),
    (
        "a date for a mailbox that is excluded",
        "within = \"inventory\" }",
        "excluded = [9, 7], scheduled = [{ mailbox = 7, at = 2027-01-20 }] }",
    ),
    ("a name with other letters", "split = { head-1 = \"100 %\" }", "split = { \"köpf-1\" = \"100 %\" }"),
    ("a name that is too long", "heads = [\"head-1\"]", "heads = [\"head-1\", \"b\"]"),
    ("no cluster before the horizon", "# in_service = 2027-01-20", "in_service = 2030-01-20"),
    ("an unknown milestone", "milestone = \"head-1 emptied\"", "milestone = \"head-1 is empty\""),
    ("a milestone of an unknown head", "milestone = \"head-1 emptied\"", "milestone = \"head-9 emptied\""),
    ("a milestone that never happens", "purge_after = \"7 days\"", "purge_after = \"never\" # purged"),
    ("an unknown preset", "preset = \"specsfs2008-fas3140\"", "preset = \"specsfs2008-fas3141\""),
    ("a curve of two kinds", "{ preset = \"specsfs2008-fas3140\" }", "{ preset = \"x\", points = [] }"),
    (
        "points that fall",
        "{ preset = \"specsfs2008-fas3140\" }",
        "{ points = [[\"80 %\", \"4 ms\"], [\"10 %\", \"1 ms\"]] }",
    ),
    (
        "points that fall to nothing",
        "{ preset = \"specsfs2008-fas3140\" }",
        "{ points = [[\"10 %\", \"5 ms\"], [\"20 %\", \"1 ms\"]] }",
    ),
    ("a range the wrong way round", "low = \"14 op\", mid = \"18 op\"", "low = \"19 op\", mid = \"18 op\""),
    ("half a range", "{ low = \"14 op\", mid = \"18 op\", high = \"22 op\" }", "{ low = \"14 op\" }"),
    ("a range of mixed units", "low = \"14 op\", mid = \"18 op\"", "low = \"14 op\", mid = \"18 MB\""),
    ("a window without days", "when = \"Mon-Fri 08:00-18:00\"", "when = \"08:00-18:00\""),
    ("a window that limits nothing", "streams = 12 ", "pause = false "),
    ("windows that always pause", "when = \"Mon-Fri 08:00-18:00\"\nstreams = 12", "when = \"daily\"\npause = true"),
    ("clusters too small", "rated = \"40 TB\"", "rated = \"4 TB\""),
    ("moved without room for it", "# moved = { head-1 = \"40 %\" }", "moved = { head-1 = \"40 %\" } #"),
    ("a largest mailbox below the median", "max = \"20 GB\"", "max = \"20 MB\""),
    ("an assumption about nothing", "\"cost.head_per_message\"]", "\"cost.head_per_mesage\"]"),
    (
        "a correlation of one number",
        "[users]",
        "[[correlation]]\ninputs = [\"cost.head_per_message\"]\ncorrelation = 0.5\n[users]",
    ),
    (
        "a correlation beyond one",
        "[users]",
        "[[correlation]]\ninputs = [\"cost.head_per_message\", \"population.activity\"]\ncorrelation = 1.5\n[users]",
    ),
    (
        "a correlation of what is exact",
        "[users]",
        "[[correlation]]\ninputs = [\"cost.head_per_mesage\", \"population.growth\"]\ncorrelation = 0.5\n[users]",
    ),
    (
        "a correlation that is given twice",
        "[users]",
        "[[correlation]]\ninputs = [\"population.activity\", \"population.activity\"]\ncorrelation = 0.5\n[users]",
    ),
    (
        "a price until what never happens",
        "purge_after = \"7 days\"",
        "purge_after = \"never\"\n[price]\na_day = 5\ncurrency = \"EUR\"",
    ),
    ("a bracket that is not closed", "[population]", "[population"),
    ("a list that is not closed", "heads = [\"head-1\"], within", "heads = [\"head-1\", within"),
    ("a table in a line that is not closed", "split = { head-1 = \"100 %\" }", "split = { head-1 = \"100 %\""),
    ("a list that is not closed by the end", "[population]", "nonsense = [1,\n[population]"),
    ("a name without quotes", "name = \"nas-1\"", "name = nas-1"),
    ("a number with a unit without quotes", "rated = \"40 TB\"", "rated = 40 TB"),
    ("a text that is not closed", "name = \"My migration\"", "name = \"My migration"),
    ("an array for a table", "[users]", "[[users]]"),
    ("extends without a folder", "name = \"My migration\"", "name = \"x\"\nextends = \"base.toml\""),
];

/// A second store of a kind, as a setting over the good file that names the first one.
fn second(list: &str, name: &str) -> String {
    let text = starter();
    let (_, table) = text.split_once(&format!("\n[[{list}]]\n")).expect("the good file has one");
    let own = table.split_once("\n\n").map_or(table, |(own, _)| own);
    let first = format!("name = \"{}-1\"", if list == "head" { "head" } else { "nas" });
    assert!(own.contains(&first), "{own}");
    format!("{text}\n[[{list}]]\n{}\n", own.replace(&first, &format!("name = \"{name}\"")))
}

#[test]
fn stores_that_the_data_files_could_not_tell_apart_are_refused_where_they_stand() {
    let said = refused(&second("cluster", "nas_1"));
    let line = second("cluster", "nas_1").lines().position(|line| line.starts_with("name = \"nas_1\"")).unwrap() + 1;
    assert!(said.contains(&format!("bad.toml:{line}:8")), "{line}: {said}");
    assert!(
        said.contains("is \"nas_1\", which the data files cannot tell from cluster \"nas-1\": both are nas_1 there")
    );
    assert!(refused(&second("head", "head--1")).contains("cannot tell from head \"head-1\""));
    assert!(refused(&second("head", "all")).contains("is \"all\": \"all emptied\" is the milestone of all heads"));
    assert!(refused(&second("head", "--")).contains("is \"--\", must have a letter or a digit"));
    // One called as a store of the other kind would have its draws, too.
    for name in ["head-1", "head_1"] {
        let said = refused(&second("cluster", name));
        assert!(said.contains("and there is a head \"head-1\": stores need names of their own"), "{said}");
    }
    // Of one name is said once.
    let same = refused(&second("cluster", "nas-1"));
    assert!(same.contains("which another cluster is called already") && !same.contains("data files"), "{same}");
    let (mut heads, share) =
        (second("head", "head-1_99"), |name: &str, share: &str| format!("'{name} {share} % moved'"));
    let _ = writeln!(heads, "[forecast]\nmilestones = [{}, {}]", share("head-1", "99.5"), share("head-1_99", "5"));
    let said = refused(&heads);
    assert!(
        said.contains("\"head-1 99.5 % moved\" and \"head-1_99 5 % moved\" are both head_1_99_5_percent"),
        "{said}"
    );
}

#[test]
fn nobody_can_delete_more_mailboxes_a_day_than_there_are() {
    let said = set(&["population.deletions='1000000 / s'"]);
    let told = "comes to 86400000000 a day, of 50000 mailboxes: must be at most as many a day as there are mailboxes";
    assert!(said.contains(told), "{said}");
    let said = set(&["population.deletions='50001 / day'", "population.mailboxes=many"]);
    assert!(!said.contains("must be at most as many"), "nobody knows how many there are: {said}");
}

#[test]
fn what_is_missing_is_not_empty_too_and_a_table_has_its_keys() {
    let said = set(&["plan.throttle={ law = 'steps', max = 8 }"]);
    assert!(said.contains("table: is missing") && !said.contains("is empty"), "{said}");
    let said = set(&["load.profile={ sine = 0.5 }"]);
    assert!(said.contains("must be a table for a sine profile, with amplitude, peak"), "{said}");
}

#[test]
fn each_malformed_scenario_has_its_message() {
    let mut all = String::new();
    for (title, from, to) in CASES {
        let mut text = with_last(starter(), from, to);
        // These need a second change to be about what their titles say.
        if *title == "a milestone that never happens" {
            text = with_last(&text, "head-1 emptied", "head-1 purged");
        } else if *title == "moved without room for it" {
            text = with_last(&text, "# in_service = 2027-01-20", "in_service = 2027-01-20");
        }
        if *title == "a name with other letters" {
            text = with_last(&text, "name = \"head-1\"", "name = \"köpf-1\"");
        }
        if *title == "a name that is too long" {
            text = with_last(&text, "name = \"head-1\"", &format!("name = \"{}\"", "long".repeat(20)));
        }
        println!("{title}");
        let _ = writeln!(all, "## {title}\n{}", refused(&text));
    }
    insta::assert_snapshot!("malformed", all);
}

#[test]
fn every_problem_is_reported_at_once_in_the_order_of_the_file() {
    let changes = [
        ("9000 op/s", "0 op/s"),
        ("rated = \"40 TB\"", "rated = 40"),
        ("start = 8", "strat = 8"),
        ("probability = \"80 %\"", "probability = \"180 %\""),
    ];
    let text = changes.iter().fold(starter().to_owned(), |text, (from, to)| with_last(&text, from, to));
    insta::assert_snapshot!("all_at_once", refused(&text));
}

#[test]
fn a_setting_is_named_as_its_own_place() {
    let mut all = String::new();
    for settings in [
        &["plan.throttle.max=0", "plan.throttle.min=0"][..],
        &["plan.throtle.max=3"],
        &["head.head-9.capacity=1 op/s"],
        &["head.head-1.capacity=many"],
        &["name.more=1"],
        &["no equals sign"],
        &["=1"],
        &["a..b=1"],
    ] {
        let _ = writeln!(all, "## {}\n{}", settings.join(" "), set(settings));
    }
    insta::assert_snapshot!("settings", all);
}

#[test]
fn empty_and_binary_texts_are_refused() {
    let mut all = String::new();
    for text in [
        "",
        "\n\n  \n",
        "# only a comment\n",
        "a\0b = 1",
        "\u{feff}",
        "= = =",
        "[[[[",
        "\"",
        "'''",
        "a = {",
        "[a]\n[a]",
    ] {
        let _ = writeln!(all, "## {text:?}\n{}", refused(text));
    }
    insta::assert_snapshot!("no_text", all);
}

#[test]
fn deep_brackets_are_refused_before_they_are_parsed() {
    for bracket in ["[", "{", "a = [", "[a.", "a = {b="] {
        let count = 15_000_000 / bracket.len();
        let message = refused(&bracket.repeat(count));
        assert!(message.contains("nests brackets more than 64 deep"), "{message:.200}");
    }
}

#[test]
fn files_are_refused_for_what_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("inner");
    fs::create_dir(&inner).unwrap();
    let write = |path: &std::path::Path, bytes: &[u8]| fs::write(path, bytes).unwrap();
    write(&inner.join("large.toml"), "[".repeat(100_000_000).as_bytes());
    write(&inner.join("latin.toml"), b"name = \"caf\xe9\"");
    write(&inner.join("image.toml"), b"\x89PNG\r\n\0\0");
    write(&inner.join("a.toml"), b"extends = \"b.toml\"\n");
    write(&inner.join("b.toml"), b"extends = \"./a.toml\"\n");
    write(&inner.join("self.toml"), b"extends = \"self.toml\"\n");
    write(&folder.path().join("outside.toml"), starter().as_bytes());
    write(&inner.join("up.toml"), b"extends = \"../outside.toml\"\n");
    write(&inner.join("absolute.toml"), b"extends = \"/etc/passwd\"\n");
    write(&inner.join("nowhere.toml"), b"extends = \"nowhere-else.toml\"\n");
    write(&inner.join("number.toml"), b"extends = 3\n");
    write(&inner.join("through.toml"), b"extends = \"link.toml\"\n");
    std::os::unix::fs::symlink("../outside.toml", inner.join("link.toml")).unwrap();
    let mut all = String::new();
    for name in ["large", "latin", "image", "a", "self", "up", "absolute", "nowhere", "number", "through", "missing"] {
        let path = inner.join(format!("{name}.toml"));
        let problems = Source::read(&path, &ReadSettings::default()).unwrap_err().to_string();
        let problems = problems.replace(&format!("{}/", inner.display()), "");
        let _ = writeln!(all, "## {name}\n{problems}");
    }
    let folder_itself = Source::read(&inner, &ReadSettings::default()).unwrap_err().to_string();
    let _ = writeln!(all, "## a folder\n{}", folder_itself.replace(&inner.display().to_string(), "inner"));
    insta::assert_snapshot!("files", all);
    let allowed = ReadSettings { overrides: Vec::new(), allow_path: true };
    assert!(Source::read(&inner.join("up.toml"), &allowed).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,200}") {
        let _ = Source::from_text("any.toml", &text, &ReadSettings::default()).map_err(|problems| problems.to_string());
    }

    #[test]
    fn no_toml_like_text_makes_the_reader_panic(
        parts in prop::collection::vec(prop::sample::select(vec![
            "[", "]", "[[", "]]", "{", "}", "=", ".", ",", "\"", "'", "\n", "head", "plan", "name", "x", "1", "-", "e", "nan",
            "2012-10-20", "\"40 %\"", "low", " ", "#", "é", "\\", "T09:00", "\"\"\"",
        ]), 0..60),
    ) {
        let text = parts.concat();
        let _ = Source::from_text("any.toml", &text, &ReadSettings::default()).map_err(|problems| problems.to_string());
    }

    #[test]
    fn no_change_of_a_good_file_makes_the_reader_panic(
        changes in prop::collection::vec((0..6000_usize, 0..40_usize, prop::sample::select(vec![
            "", "0", "-1", "9e99", "[", "]", "{", "\"", "\n", "nan", "é", "\"0 B\"", "= 1", "x", "never", "[[head]]\n", " % ",
        ])), 1..6),
    ) {
        let mut text = starter().to_owned();
        for (at, length, with) in changes {
            let from = floor(&text, at % (text.len() + 1));
            let to = floor(&text, (from + length).min(text.len()));
            text.replace_range(from..to, with);
        }
        let _ = Source::from_text("any.toml", &text, &ReadSettings::default()).map_err(|problems| problems.to_string());
    }
}

fn floor(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
