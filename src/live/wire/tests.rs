//! Tests of the texts.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;

use super::arbitrary::{any_command, any_event, any_plan, any_start, effect};
use super::*;
use crate::fleet::ClusterId;
use crate::migration::message::{Batch, Order};
use crate::units::{Bytes, Latency, Share, Time};

/// The kind that a text says of itself.
fn key(text: &str) -> String {
    match serde_json::from_str(text).unwrap() {
        serde_json::Value::String(kind) => kind,
        value => value.as_object().unwrap().keys().next().unwrap().clone(),
    }
}

proptest! {
    #[test]
    fn an_event_comes_back_as_it_was_and_as_the_same_bytes(any in any_event()) {
        let text = event(&any);
        let back = read_event(&text).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(&event(&back), &text);
        prop_assert_eq!(key(&text), event_kind(&any));
        prop_assert_eq!(back, any);
    }

    #[test]
    fn a_command_comes_back_as_it_was_and_as_the_same_bytes(any in any_command()) {
        let text = command(&any);
        let back = read_command(&text).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(&command(&back), &text);
        prop_assert_eq!(key(&text), command_kind(&any));
        prop_assert_eq!(back, any);
    }

    #[test]
    fn a_plan_comes_back_as_it_was(any in any_plan()) {
        prop_assert_eq!(read_plan(&plan(&any)), Ok(any));
    }

    #[test]
    fn an_effect_is_its_number(any in effect()) {
        prop_assert_eq!(read_effect(effect_number(any)), any);
        prop_assert_eq!(command(&Command::Switch { effect: any }), format!("{{\"switch\":{{\"effect\":{}}}}}", effect_number(any)));
    }
}

#[test]
fn other_programs_find_names_and_whole_numbers() {
    let sample = Event::HeadSampled {
        head: HeadId(1),
        measured_at: Time::from_unix_micros(1_349_874_000_000_000),
        utilisation: Share::from_ppm(612_500),
        latency: Latency::from_micros(4_100),
        held_by: None,
    };
    let text = r#"{"head_sampled":{"head":1,"measured_at":1349874000000000,"utilisation":612500,"latency":4100}}"#;
    assert_eq!(event(&sample), text);
    assert_eq!(event(&Event::Wake), r#""wake""#);
    assert_eq!(event(&Event::Operator(Order::Skip(MailboxId(7)))), r#"{"operator":{"skip":7}}"#);
    let found = Event::MailboxFound { mailbox: MailboxId(9), home: Home::cluster(ClusterId(2)), bytes: Bytes::new(5) };
    assert_eq!(event(&found), r#"{"mailbox_found":{"mailbox":9,"home":{"cluster":2},"bytes":5}}"#);
    let purge = Command::Purge {
        effect: EffectId::new(1, 3, 2),
        batch: Batch::new([MailboxId(4), MailboxId(8)]),
        from: HeadId(0),
    };
    assert_eq!(command(&purge), r#"{"purge":{"effect":1125899906867202,"batch":[4,8],"from":0}}"#);
}

#[test]
fn what_is_not_known_is_an_error() {
    for text in [
        "",
        "wake",
        "null",
        r#""sleep""#,
        r#"{"switch_undone":{"effect":1}}"#,
        r#"{"switch_ended":{}}"#,
        r#"{"switch_ended":{"effect":-1}}"#,
        r#"{"switch_ended":{"effect":1,"speed":2}}"#,
        r#"{"copy_failed":{"effect":1,"fault":"tired"}}"#,
        r#"{"mailbox_found":{"mailbox":9,"home":{"cluster":200},"bytes":5}}"#,
        r#""wake" and more"#,
    ] {
        let error = read_event(text).unwrap_err().to_string();
        assert!(error.starts_with("not an event: "), "{text}: {error}");
    }
    assert!(read_command(r#"{"purge":{"effect":1,"batch":[1,2,3,4,5],"from":0}}"#).is_err());
    assert!(check_form(1).is_ok() && check_form(FORM).is_ok());
    assert!(check_form(0).is_err());
    assert!(check_form(FORM + 1).unwrap_err().to_string().contains(&format!("form {}", FORM + 1)));
}

#[test]
fn a_start_whose_parts_do_not_fit_together_is_an_error() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut some = || any_start().new_tree(&mut runner).unwrap().current();
    let with = |start: Start| read_event(&event(&Event::Started(Arc::new(start))));
    let mut start = some();
    while start.facts.fleet.is_empty() {
        start = some();
    }
    assert!(with(start.clone()).is_ok());
    let changed = |change: &dyn Fn(&mut Start)| {
        let mut other = start.clone();
        change(&mut other);
        with(other).unwrap_err().to_string()
    };
    let cut = changed(&|start| Arc::make_mut(&mut start.facts.fleet).messages.truncate(0));
    assert!(cut.contains("rows"), "{cut}");
    let away = changed(&|start| Arc::make_mut(&mut start.facts.fleet).home[0] = Home::cluster(ClusterId(3)));
    assert!(away.contains("lives where there is nothing"), "{away}");
    let unknown = changed(&|start| start.facts.attempts.push((MailboxId(6), 1)));
    assert!(unknown.contains("mailbox 6"), "{unknown}");
    let twice = changed(&|start| Arc::make_mut(&mut start.plan).order.heads = vec![HeadId(0), HeadId(0)]);
    assert!(twice.contains("order of heads"), "{twice}");
}
