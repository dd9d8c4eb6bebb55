//! `rehearse` ends whatever the plan, and says truly what has become of the mail.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test that waits for a program")]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::site_world::ended_within;

/// Mailboxes of an inventory, of so many bytes in one message each, on one head; two clusters with room for 400 kB each.
fn rehearse(sizes: &[u64], order: &str) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    let rows = (0..).zip(sizes).map(|(number, bytes): (u32, &u64)| format!("user-{number},head-1,{bytes},1\n"));
    let text = format!("mailbox,head,bytes,messages\n{}", rows.collect::<String>());
    fs::write(folder.path().join("inventory.csv"), text).unwrap();
    let path = folder.path().join("scenario.toml");
    fs::write(&path, scenario(order, "inventory = \"inventory.csv\"")).unwrap();
    rehearse_file(&path)
}

fn rehearse_file(path: &Path) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_drawdown"));
    command.arg("rehearse").arg(path).args(["--scale", "1", "--thin", "1", "--quiet"]).stdin(Stdio::null());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    ended_within(Duration::from_mins(2), child)
}

fn scenario(order: &str, population: &str) -> String {
    format!(
        r#"
name = "A rehearsal"
time_zone = "UTC"
as_of = 2027-01-11T09:00:00
horizon = "30 days"
[[head]]
name = "head-1"
capacity = "9000 op/s"
latency = {{ points = [["100 %", "5 ms"]] }}
[[cluster]]
name = "nas-1"
rated = "1 MB"
full_at = "40 %"
ingest = "400 MB/s"
capacity = "60000 op/s"
latency = {{ points = [["100 %", "5 ms"]] }}
[[cluster]]
name = "nas-2"
rated = "1 MB"
full_at = "40 %"
ingest = "400 MB/s"
capacity = "60000 op/s"
latency = {{ points = [["100 %", "5 ms"]] }}
in_service = 2027-02-01
[population]
{population}
activity = "0.01 op/s"
[load]
profile = "flat"
[cost]
purge_rate = "200 / s"
[users]
objective = "10 ms"
[plan]
order = {{ heads = ["head-1"]{order} }}
throttle = {{ law = "fixed", streams = 2 }}
move = {{ stream = "20 MB/s", purge_after = "7 days" }}
"#
    )
}

#[test]
fn waves_are_not_waited_for_and_clusters_of_later_are_there() {
    let waves = r#", waves = [{ share = "10 %", soak = "2 days", go = "operator" }]"#;
    let (code, said) = rehearse(&[50_000; 12], waves);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("12 messages moved in 12 copies"), "{said}");
    assert!(said.contains("lost 0, changed 0, from nowhere 0; left on the heads 0\n"), "{said}");
    assert!(said.contains("nas-2 opened"), "{said}");
}

/// Whoever the core sets aside by itself is excused at the audit: the head counts as emptied, and nothing stops.
#[test]
fn a_mailbox_that_no_cluster_could_take_is_named_and_stays_and_the_rest_goes() {
    let mut sizes = [20_000; 12];
    sizes[5] = 450_000;
    let (code, said) = rehearse(&sizes, "");
    assert_eq!(code, Some(12), "{said}");
    assert!(said.contains("11 messages moved in 11 copies"), "{said}");
    assert!(said.contains("lost 0, changed 0, from nowhere 0; left on the heads 1\n"), "{said}");
    assert!(said.contains("of these 1 of mailboxes that stay there"), "{said}");
    assert!(said.contains("head-1 emptied"), "{said}");
    assert!(said.contains("is larger than any cluster could take: set aside"), "{said}");
    assert!(!said.contains("audit"), "{said}");
}

#[test]
fn where_no_cluster_has_room_for_what_is_left_it_ends_and_says_so() {
    // Each is below a threshold, and two do not fit together.
    let (code, said) = rehearse(&[260_000; 3], "");
    assert_eq!(code, Some(12), "{said}");
    assert!(
        said.contains("ended: nothing has gone on for 20 s; 1 of 3 mailboxes left; head-1: 1 left, 0 copying, no room"),
        "{said}"
    );
}

#[test]
fn excluded_mailboxes_stay_and_are_not_lost() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scenario.toml");
    let population = "mailboxes = 12\nsplit = { head-1 = \"100 %\" }\n\
                      size = { median = \"20 kB\", sigma = 0.1, max = \"100 kB\" }\nmessage = { mean = \"20 kB\" }";
    fs::write(&path, scenario(", excluded = [3, 7]", population)).unwrap();
    let (code, said) = rehearse_file(&path);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("in 10 copies") && said.contains("lost 0, changed 0, from nowhere 0; left on the heads"),
        "{said}"
    );
    let stayed = said.split("of these ").nth(1).and_then(|rest| rest.split(' ').next());
    assert!(stayed.is_some_and(|stayed| stayed.parse::<u32>().is_ok_and(|stayed| stayed >= 2)), "{said}");
}
