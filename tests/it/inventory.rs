//! Inventories: good ones become the fleet, odd ones are refused with every row and column that is wrong, none makes the
//! program panic.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use drawdown::fleet::{ClusterId, Fleet, HeadId, Home, MailboxId};
use drawdown::scenario::{ReadSettings, Scenario, Source, starter};
use drawdown::sim::{self, RunId};
use drawdown::units::{Bytes, Time};
use polars::prelude::{
    Column, DataFrame, IntoColumn, NamedFrom, ParquetWriter, Series, TimeUnit, TimeZone as PolarsTimeZone,
};
use proptest::prelude::*;

const GOOD: &str = "\
mailbox,head,bytes,messages,activity,group,moved_to,moved_at
ann@example.org,head-1,1000000,10,0.5,org,,
bob@example.org,head-1,2000000,20,0.25,org,nas-1,2027-01-05T10:00:00Z
\"cy, the third@example.com\",head-1,0,0,0,com,,
dan@example.net,head-1,3000000,30,0.125,,nas-1,2026-01-05T10:00:00Z
";

/// The starter with an inventory, in a folder of its own.
struct Stage {
    folder: tempfile::TempDir,
}

impl Stage {
    fn new(file: &[u8]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("base.toml"), starter()).expect("a file");
        fs::write(folder.path().join("boxes.csv"), file).expect("a file");
        Self { folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, keys: &str) {
        let text = format!("extends = \"base.toml\"\n[population]\ninventory = \"boxes.csv\"\n{keys}\n");
        fs::write(self.path().join("scenario.toml"), text).expect("a file");
    }

    fn read(&self, keys: &str, overrides: &[&str]) -> Result<Source, String> {
        self.write(keys);
        let overrides = overrides.iter().map(|&setting| setting.to_owned()).collect();
        let settings = ReadSettings { overrides, allow_path: false };
        let read = Source::read(&self.path().join("scenario.toml"), &settings);
        read.map_err(|problems| problems.to_string().replace(&format!("{}/", self.path().display()), ""))
    }

    fn good(&self, keys: &str) -> Scenario {
        self.read(keys, &[]).unwrap_or_else(|problems| panic!("{problems}")).middle().clone()
    }
}

fn fleet(scenario: &Scenario) -> Fleet {
    sim::fleet(scenario, RunId { seed: 1, replication: 0 })
}

#[test]
fn no_header_is_judged_by_columns_that_were_refused() {
    let stage = Stage::new(b"mailbox,Filer,bytes\na,head-1,5\n");
    let problems = stage.read("[population.columns]\nhaed = \"Filer\"", &[]).expect_err("refused");
    assert!(problems.contains("did you mean `head`") && !problems.contains("has no column"), "{problems}");
}

#[test]
fn what_the_file_says_is_so() {
    let scenario = Stage::new(GOOD.as_bytes()).good("");
    let found = fleet(&scenario);
    assert_eq!(found.bytes, [1_000_000, 2_000_000, 0, 3_000_000].map(Bytes::new));
    assert_eq!(found.messages, [10, 20, 0, 30]);
    assert_eq!(found.activity_micro_op_s, [500_000, 250_000, 0, 125_000]);
    assert_eq!(found.origin, [HeadId(0); 4]);
    let (head, cluster) = (Home::head(HeadId(0)), Home::cluster(ClusterId(0)));
    assert_eq!(found.home, [head, cluster, head, cluster]);
    assert_eq!(found.group, [0, 0, 1, u32::MAX]);
    // What moved less than seven days before `as_of` still has its old copy; the rest counts as purged.
    let unpurged = &scenario.facts.as_ref().unwrap().unpurged;
    assert_eq!(unpurged[..], [(MailboxId(1), Time::from_unix_micros(1_799_143_200_000_000))]);
    let population = &scenario.model.population;
    assert_eq!((population.mailboxes, population.bytes), (4, Some(Bytes::new(6_000_000))));
    assert!((population.activity.ops_per_second() - 0.218_75).abs() < 1e-9);
    assert_eq!(population.message_mean, Bytes::new(100_000), "60 messages in all");
}

#[test]
fn what_the_file_does_not_say_is_drawn_as_the_scenario_says() {
    let rows: Vec<String> = (0..1_000).map(|row| format!("user-{row},head-1,{}\n", 1_000_000 + row)).collect();
    let stage = Stage::new(format!("mailbox,head,bytes\n{}", rows.concat()).as_bytes());
    let scenario = stage.good("moved = { head-1 = \"40 %\" }\ngroups = 7");
    let found = fleet(&scenario);
    assert_eq!(found.bytes[999], Bytes::new(1_000_999));
    assert_eq!(found.home.iter().filter(|home| home.is_cluster()).count(), 400);
    assert!(found.home[..400].iter().all(|home| home.is_cluster()), "the first of the order");
    assert!(found.messages.iter().all(|messages| *messages > 0));
    assert!(found.activity_micro_op_s.iter().all(|activity| *activity == 30_000));
    assert!(found.group.iter().all(|group| *group < 7) && found.group.iter().any(|group| *group != found.group[0]));
    let other = sim::fleet(&scenario, RunId { seed: 1, replication: 1 });
    assert!(other.bytes == found.bytes && other.messages != found.messages);
}

#[test]
fn other_peoples_headers_and_units_are_mapped() {
    let text = "\u{feff}Team;User;Size (MB);Items;Server;Load;Migrated\r\n\
                x;ann;1.5;3;old-a.example;36;\r\n\
                x;bob;2 GB;4;old-a.example;72;\r\n";
    let keys = "separator = \";\"\n[population.columns]\nmailbox = \"User\"\nbytes = \"Size (MB)\"\nmessages = \"Items\"\n\
                head = { column = \"Server\", values = { head-1 = \"old-a.example\" } }\n\
                activity = { column = \"Load\", unit = \"op/h\" }\ngroup = \"Team\"\n";
    let stage = Stage::new(text.as_bytes());
    let found = fleet(&stage.good(keys));
    assert_eq!(found.bytes, [1_500_000, 2_000_000_000].map(Bytes::new));
    assert_eq!(found.messages, [3, 4]);
    assert_eq!(found.activity_micro_op_s, [10_000, 20_000]);
    let source = stage.read(keys, &[]).unwrap();
    assert_eq!(source.inventory().unwrap().unread, ["Migrated"]);
}

#[test]
fn a_plan_names_mailboxes_as_the_file_does() {
    let stage = Stage::new(GOOD.as_bytes());
    let keys = "[plan.order]\nheads = [\"head-1\"]\nwithin = \"group\"\nexcluded = [\"cy, the third@example.com\"]\n\
                scheduled = [{ mailbox = \"ann@example.org\", at = 2027-02-01 }]\n";
    let scenario = stage.good(keys);
    assert_eq!(scenario.plan.order.excluded, [MailboxId(2)]);
    assert_eq!(scenario.plan.order.scheduled[0].0, MailboxId(0));
    // Somebody else has other rows: a directory of users, a ledger.
    let (plan, missing) = scenario.plan_for(&|name| (name == "ann@example.org").then_some(MailboxId(70)));
    assert_eq!((plan.order.excluded.len(), plan.order.scheduled[0].0), (0, MailboxId(70)));
    assert_eq!(missing, ["cy, the third@example.com"]);
}

#[test]
fn the_resolved_scenario_names_the_content_of_the_file() {
    let stage = Stage::new(GOOD.as_bytes());
    let resolved = |stage: &Stage| stage.read("", &[]).unwrap().resolved().to_owned();
    let before = resolved(&stage);
    let sha256 = stage.read("", &[]).unwrap().inventory().unwrap().sha256.clone();
    assert!(before.contains(&sha256), "{before}");
    stage.good(&format!("inventory_sha256 = \"{sha256}\""));
    fs::write(stage.path().join("boxes.csv"), GOOD.replace("3000000", "3000001")).unwrap();
    assert_ne!(resolved(&stage), before);
    let problems = stage.read(&format!("inventory_sha256 = \"{sha256}\""), &[]).unwrap_err();
    assert!(problems.contains("the file has changed"), "{problems}");
}

#[test]
fn bad_rows_are_left_out_and_counted_when_that_is_asked_for() {
    let text =
        format!("{GOOD}ann@example.org,head-1,5,1,0,,,\neve,head-9,-1,1,0,,,\nfay,head-1,7,1,0,,,\nshort,head-1\n");
    let source = Stage::new(text.as_bytes()).read("", &["population.skip_bad_rows=true"]).unwrap();
    let summary = source.inventory().unwrap();
    assert_eq!((summary.mailboxes, summary.skipped), (5, 3));
    let reasons =
        [("bytes negative", 1), ("head unknown", 1), ("mailbox twice", 1), ("rows with another number of values", 1)];
    assert_eq!(summary.reasons, reasons.map(|(reason, count)| (reason.to_owned(), count)));
    assert_eq!(fleet(source.middle()).bytes[4], Bytes::new(7));
}

/// Each odd file: what it is about, more keys of the population, and the file.
const ODD: &[(&str, &str, &[u8])] = &[
    ("an empty file", "", b""),
    ("blank lines", "", b"\n\r\n \n"),
    ("a header only", "", b"mailbox,head,bytes\n"),
    ("another separator", "", b"mailbox;head;bytes\na;head-1;5\n"),
    ("tabs", "", b"mailbox\thead\tbytes\na\thead-1\t5\n"),
    ("UTF-16", "", b"\xff\xfem\0a\0i\0l\0"),
    ("a spreadsheet", "", b"PK\x03\x04\x14\0\x06\0"),
    ("gzip", "", b"\x1f\x8b\x08\0\0\0\0\0"),
    ("a binary file", "", b"\x7fELF\0\0\0\0"),
    ("lines that end in CR", "", b"mailbox,head,bytes\ra,head-1,5\r"),
    ("no column of bytes", "", b"mailbox,head,Bytes\na,head-1,5\n"),
    ("nothing that is needed", "", b"User,Server,Size\na,head-1,5\n"),
    ("a column that is named and not there", "[population.columns]\nmessages = \"Items\"", b"mailbox,head,bytes,Item\na,head-1,5,1\n"),
    ("a column twice", "", b"mailbox,head,bytes,bytes\na,head-1,5,5\n"),
    ("a unit that is none", "[population.columns]\nbytes = { column = \"bytes\", unit = \"Mb\" }", b"mailbox,head,bytes\na,head-1,5\n"),
    ("a header with a unit that is none", "[population.columns]\nbytes = \"Size (Mb)\"", b"mailbox,head,Size (Mb)\na,head-1,5\n"),
    ("an unknown key of a column", "[population.columns]\nbites = \"Size\"", b"mailbox,head,bytes\na,head-1,5\n"),
    ("a zone that is none", "[population.columns]\nmoved_at = { column = \"moved_at\", zone = \"Mars\" }", b"mailbox,head,bytes,moved_to,moved_at\na,head-1,5,,\n"),
    ("dates without places", "", b"mailbox,head,bytes,moved_at\na,head-1,5,2026-01-01\n"),
    ("negative sizes", "", b"mailbox,head,bytes\na,head-1,-5\nb,head-1,5\nc,head-1,-1e3\n"),
    ("what is no number", "", b"mailbox,head,bytes,messages,activity\na,head-1,many,1,0\nb,head-1,5,1.5,0\nc,head-1,NaN,,busy\nd,head-1,\"1,000\",1,0\n"),
    ("too much for any column", "", b"mailbox,head,bytes,messages\na,head-1,1e19,4294967296\n"),
    ("half a byte", "", b"mailbox,head,bytes\na,head-1,1.5\n"),
    ("unknown heads", "", b"mailbox,head,bytes\na,head1,5\nb,nas-1,5\nc,,5\n"),
    ("unknown clusters", "", b"mailbox,head,bytes,moved_to\na,head-1,5,nas1\n"),
    ("mailboxes twice", "", b"mailbox,head,bytes\na,head-1,5\nb,head-1,5\na,head-1,6\n,head-1,7\n"),
    ("mixed time zones", "", b"mailbox,head,bytes,moved_to,moved_at\na,head-1,5,nas-1,2026-12-01T10:00:00Z\nb,head-1,5,nas-1,2026-12-01T10:00:00\nc,head-1,5,nas-1,2026-12-01T10:00:00+02:00\n"),
    ("instants that are none", "", b"mailbox,head,bytes,moved_to,moved_at\na,head-1,5,nas-1,01/12/2026\nb,head-1,5,,2026-12-01\nc,head-1,5,nas-1,2027-06-01\n"),
    ("rows of other widths", "", b"mailbox,head,bytes\na,head-1\nb,head-1,5,6\n\nc,head-1,5\n"),
    ("broken quotes", "", b"mailbox,head,bytes\na\"b,head-1,5\n\"c\"d,head-1,5\ne,head-1,\"5\n"),
    ("text that is not UTF-8", "", b"mailbox,head,bytes\ncaf\xe9,head-1,5\n"),
    ("control characters", "", b"mailbox,head,bytes\na\x07,head-1,5\n"),
    ("more than there is", "", b"mailbox,head,bytes\na,head-1,9e17\nb,head-1,9e17\n"),
    ("a mark of Parquet and nothing else", "", b"PAR1"),
    ("a Parquet file that is cut off", "", b"PAR1\x15\x04\x15\x10\x15\x14\x4c\x15\x02\x15\x04"),
    ("a Parquet file with a footer of nothing", "", b"PAR1\0\0\0\0\xff\xff\xff\x7fPAR1"),
    ("a Parquet file of noise", "", b"PAR1\x15\x04\x15\x10\x15\x14\x4c\x15\x02\x15\x04\x08\0\0\0PAR1"),
    ("nobody of this name", "[plan.order]\nheads = [\"head-1\"]\nexcluded = [\"anna\"]", b"mailbox,head,bytes\nanne,head-1,5\n"),
    ("no row of this number", "[plan.order]\nheads = [\"head-1\"]\nexcluded = [1]", b"mailbox,head,bytes\nanne,head-1,5\n"),
    ("every row skipped", "skip_bad_rows = true", b"mailbox,head,bytes\na,head-1,-5\n"),
];

#[test]
fn each_odd_file_has_its_message() {
    let mut all = String::new();
    for (title, keys, file) in ODD {
        println!("{title}");
        let problems = Stage::new(file).read(keys, &[]).err();
        let _ = writeln!(all, "## {title}\n{}", problems.unwrap_or_else(|| panic!("{title} was taken")));
    }
    insta::assert_snapshot!("odd", all);
}

#[test]
fn many_bad_rows_are_counted_and_the_first_are_shown() {
    let rows: Vec<String> = (0..10_000).map(|row| format!("user-{row},head-2,-{row}\n")).collect();
    let text = format!("mailbox,head,bytes\n{}", rows.concat());
    let problems = Stage::new(text.as_bytes()).read("", &[]).unwrap_err();
    let lines: Vec<&str> = problems.lines().collect();
    assert_eq!(lines[0], "boxes.csv: 10000 rows have problems: head unknown 10000, bytes negative 9999");
    assert!(lines[1].starts_with("boxes.csv: row 2, column \"head\": is \"head-2\""), "{}", lines[1]);
    assert_eq!(lines.last(), Some(&"19999 problems, the first 51 of them above"));
}

#[test]
fn an_inventory_stays_in_the_scenarios_folder() {
    let stage = Stage::new(GOOD.as_bytes());
    let mut all = String::new();
    for target in ["../boxes.csv", "/etc/passwd", "nowhere.csv", "."] {
        let problems = stage.read("", &[&format!("population.inventory=\"{target}\"")]).unwrap_err();
        let _ = writeln!(all, "## {target}\n{problems}");
    }
    let text = format!("{}[population.columns]\n", starter())
        .replace("[population]\n", "[population]\ninventory = \"boxes.csv\"\n");
    let problems = Source::from_text("text.toml", &text, &ReadSettings::default()).unwrap_err();
    let _ = writeln!(all, "## a text\n{problems}");
    insta::assert_snapshot!("places", all);
}

/// The good file's facts as Parquet, whose numbers are numbers and whose instants are instants.
fn parquet() -> Vec<u8> {
    let text = |name: &str, values: [&str; 3]| Series::new(name.into(), values).into_column();
    let moved_at = Series::new("moved_at".into(), [None, Some(1_799_143_200_000_i64), None]).into_column();
    let zoned = polars::prelude::DataType::Datetime(TimeUnit::Milliseconds, Some(PolarsTimeZone::UTC));
    let columns: Vec<Column> = vec![
        text("mailbox", ["ann", "bob", "cy"]),
        text("head", ["head-1"; 3]),
        Series::new("bytes".into(), [1_i64, 2, 3]).into_column(),
        Series::new("messages".into(), [1_u32, 2, 3]).into_column(),
        Series::new("activity".into(), [0.5_f64, 0.25, 0.0]).into_column(),
        text("moved_to", ["", "nas-1", ""]),
        moved_at.cast(&zoned).expect("instants"),
    ];
    let mut frame = DataFrame::new(3, columns).expect("a frame");
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes).finish(&mut frame).expect("a file");
    bytes
}

#[test]
fn parquet_is_read_as_it_is() {
    let scenario = Stage::new(&parquet()).good("");
    let found = fleet(&scenario);
    assert_eq!(found.bytes, [1, 2, 3].map(Bytes::new));
    assert_eq!(found.messages, [1, 2, 3]);
    assert_eq!(found.activity_micro_op_s, [500_000, 250_000, 0]);
    assert_eq!(found.home[1], Home::cluster(ClusterId(0)));
    assert_eq!(scenario.facts.as_ref().unwrap().unpurged.len(), 1);
}

#[test]
fn a_parquet_file_that_is_cut_off_anywhere_is_refused() {
    let whole = parquet();
    for length in (4..whole.len()).step_by(37) {
        let problems = Stage::new(&whole[..length]).read("", &[]).unwrap_err();
        assert!(problems.contains("is a Parquet file that is cut off"), "{length}: {problems}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_change_of_a_csv_file_makes_the_reader_panic(
        changes in prop::collection::vec((0..400_usize, 0..30_usize, prop::sample::select(vec![
            &b""[..], b"\"", b",", b"\n", b"\r", b"\0", b"\xff", b"-1", b"1e999", b"\"\"", b",,", b"nan", b"\xef\xbb\xbf", b"2026-13-01",
        ])), 1..8),
        skip in any::<bool>(),
    ) {
        let mut file = GOOD.as_bytes().to_vec();
        for (at, length, with) in changes {
            let from = at % (file.len() + 1);
            let to = (from + length).min(file.len());
            file.splice(from..to, with.iter().copied());
        }
        let keys = if skip { "skip_bad_rows = true" } else { "" };
        if let Ok(source) = Stage::new(&file).read(keys, &[]) {
            prop_assert!(!fleet(source.middle()).is_empty());
        }
    }

    #[test]
    fn no_change_of_a_parquet_file_makes_the_reader_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut file = parquet();
        for (at, byte) in changes {
            let at = at.index(file.len());
            file[at] = byte;
        }
        let stage = Stage::new(&file);
        stage.write("");
        // In a program of its own: a damaged page that is believed can make the library reserve memory that no machine has, which
        // ends it, and which nothing can catch.
        let ended = Command::new(env!("CARGO_BIN_EXE_drawdown")).arg("validate").arg(stage.path().join("scenario.toml")).output();
        let ended = ended.expect("the program");
        let said = String::from_utf8_lossy(&ended.stderr);
        prop_assert!(matches!(ended.status.code(), Some(0 | 2)), "{}: {said}", ended.status);
    }
}
