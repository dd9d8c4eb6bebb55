use std::fs;

use tempfile::TempDir;

use super::*;

/// A front end whose commands are shell scripts that know the user as `$1` and keep what they need in their folder.
struct Fake {
    folder: TempDir,
}

impl Fake {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    fn script(&self, name: &str, text: &str) -> Vec<String> {
        let path = self.folder.path().join(name);
        fs::write(&path, format!("cd {}\n{text}\n", self.folder.path().display())).expect("a script");
        ["sh", path.to_str().expect("a path"), "{user}"].map(str::to_owned).to_vec()
    }

    fn machine(&self, kick: &str, who: &str, deliveries: &str) -> FrontEnd {
        FrontEnd {
            name: "mail-1".to_owned(),
            flush: Some(self.script("flush", "echo \"$1\" >> flushed")),
            kick: vec![self.script("kick", kick)],
            who: Some(self.script("who", who)),
            deliveries: Some(self.script("deliveries", deliveries)),
        }
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }
}

/// Enough for a script on a machine that has much else to do.
fn enough() -> Span {
    Span::from_secs(30)
}

fn named(mut machine: FrontEnd, name: &str) -> FrontEnd {
    name.clone_into(&mut machine.name);
    machine
}

#[test]
fn without_front_ends_everything_is_acknowledged_at_once() {
    let fronts = FrontEnds::new(&[], enough());
    fronts.flush("bob").expect("nobody to ask");
    assert_eq!(fronts.sessions("bob"), Ok(0));
    assert_eq!(fronts.deliveries("bob"), Ok(0));
    fronts.quiet("bob", Span::ZERO).expect("nobody to wait for");
}

#[test]
fn a_command_that_a_front_end_does_not_have_is_acknowledged() {
    let bare = FrontEnd { name: "bare".to_owned(), flush: None, kick: Vec::new(), who: None, deliveries: None };
    FrontEnds::new(&[bare], enough()).quiet("bob", Span::ZERO).expect("nothing to do");
}

#[test]
fn every_front_end_is_asked_and_a_user_name_is_one_argument() {
    let (one, two) = (Fake::new(), Fake::new());
    let machines = [one.machine("", "", ""), two.machine("", "", "")];
    FrontEnds::new(&machines, enough()).flush("o'brien $(touch x); rm -r *").expect("both acknowledge");
    for fake in [one, two] {
        assert_eq!(fake.read("flushed"), "o'brien $(touch x); rm -r *\n");
    }
}

#[test]
fn every_front_end_that_fails_is_named_with_what_it_said() {
    let (good, bad, slow) = (Fake::new(), Fake::new(), Fake::new());
    let machines = [
        named(good.machine("", "", ""), "good"),
        named(bad.machine("echo no such socket >&2; exit 75", "", ""), "bad"),
        named(slow.machine("echo waiting >&2; sleep 60", "", ""), "slow"),
    ];
    let error = FrontEnds::new(&machines, Span::from_secs(3)).kick("bob").expect_err("two do not acknowledge");
    assert_eq!(
        error.to_string(),
        "front end \"bad\": kick: ended with status 75: no such socket; \
         front end \"slow\": kick: had not ended after 3 s and was killed: waiting"
    );
}

#[test]
fn nobody_to_kick_is_no_failure_but_an_unknown_list_of_sessions_is() {
    let fake = Fake::new();
    let fronts = FrontEnds::new(&[fake.machine("echo no users kicked; exit 68", "exit 68", "")], enough());
    fronts.kick("bob").expect("nobody is there");
    assert!(fronts.sessions("bob").is_err());
}

#[test]
fn sessions_are_counted_on_all_front_ends_without_header_and_blank_lines() {
    let (table, flow) = (Fake::new(), Fake::new());
    let machines = [
        table.machine("", "printf 'username  proto pid ip\\n\\nbob  imap 7 (::1)\\nbob  imap 8 (::1)\\n'", ""),
        flow.machine("", "echo 'username=bob service=imap pid=9 ip=::1'", "echo 12 DATA; echo 13 RCPT TO bob"),
    ];
    let fronts = FrontEnds::new(&machines, enough());
    assert_eq!(fronts.sessions("bob"), Ok(3));
    assert_eq!(fronts.deliveries("bob"), Ok(2));
    assert_eq!(session_lines("username service pid\n"), 0);
    assert_eq!(session_lines("username service pid\nusername imap 9\n"), 1);
}

#[test]
fn a_user_is_kicked_until_the_sessions_are_gone() {
    let fake = Fake::new();
    let who = "test $(wc -l < kicks) -ge 3 || echo bob imap";
    let fronts = FrontEnds::new(&[fake.machine("echo \"$1\" >> kicks", who, "")], enough());
    fronts.quiet("bob", Span::from_secs(20)).expect("quiet after three kicks");
    assert_eq!(fake.read("kicks"), "bob\nbob\nbob\n");
}

/// What went by an answer from before the hold may show only after the flush that makes everybody ask anew.
#[test]
fn a_session_that_begins_late_is_found_after_a_second_flush() {
    let fake = Fake::new();
    let who = "test -e kicked || ! test -e flushed || echo bob imap";
    let fronts = FrontEnds::new(&[fake.machine("echo \"$1\" >> kicked", who, "")], enough());
    fronts.quiet("bob", Span::from_secs(20)).expect("quiet after a kick");
    assert_eq!(fake.read("kicked"), "bob\n");
}

#[test]
fn a_session_that_stays_is_still_busy_after_the_limit() {
    let fake = Fake::new();
    let fronts = FrontEnds::new(&[fake.machine("", "echo bob imap; echo bob pop3", "echo DATA")], enough());
    let error = fronts.quiet("bob", Span::from_secs_f64(0.5)).expect_err("it stays");
    assert_eq!(error, FrontError::StillBusy { sessions: 2, deliveries: 1 });
}

#[test]
fn only_deliveries_of_a_look_after_a_flush_are_waited_for() {
    let fake = Fake::new();
    // Another number at each look: a server on which something is always under way.
    let busy = "echo x >> looks; echo $(wc -l < looks) DATA; test $(wc -l < looks) -ge 3 || echo 1 RCPT";
    FrontEnds::new(&[fake.machine("", "", busy)], enough()).quiet("bob", Span::from_secs(20)).expect("1 has ended");
    // Two more after the second flush.
    assert_eq!((fake.read("looks").lines().count(), fake.read("flushed").as_str()), (5, "bob\n"));
}

#[test]
fn a_list_too_long_to_be_read_is_still_busy() {
    let fake = Fake::new();
    let fronts = FrontEnds::new(&[fake.machine("", "", "seq 1000000 1030000")], enough());
    assert!(matches!(fronts.quiet("bob", Span::ZERO), Err(FrontError::StillBusy { sessions: 0, .. })));
    let cut = |text: &str, cut| under_way(&Output { text: text.to_owned(), cut });
    let open = still_open(vec![cut("7 DATA", false)], &[cut("1 DATA", true)]);
    assert_eq!(open[0].keys().copied().collect::<Vec<_>>(), [Delivery::Process(7), Delivery::Unseen]);
    let open = still_open(open, &[cut("8 DATA", false)]);
    assert_eq!(open[0].keys().copied().collect::<Vec<_>>(), [Delivery::Process(8)]);
}

#[test]
fn a_delivery_has_ended_when_its_process_begins_another() {
    let look = |line: &str| vec![under_way(&Output { text: format!("7 lmtp [::1 {line}]"), cut: false })];
    for (lines, open) in [
        (["RCPT TO a", "RCPT TO b", "RCPT TO a"], 1),
        (["MAIL FROM x", "RCPT TO b", "DATA"], 1),
        (["RCPT TO a", "DATA", "DATA b"], 1),
        (["DATA", "DATA", "DATA"], 1),
        (["DATA", "MAIL FROM x", "DATA"], 0),
        (["RCPT TO a", "DATA", "RCPT TO a"], 0),
    ] {
        let [first, second, third] = lines.map(look);
        let still = still_open(still_open(first, &second), &third);
        assert_eq!(still[0].len(), open, "{lines:?}");
    }
}

#[test]
fn a_name_that_a_command_would_take_for_something_else_is_refused() {
    let fake = Fake::new();
    let fronts = FrontEnds::new(&[fake.machine("", "", "")], enough());
    for name in ["", "-A", "a\nb", "a\0b"] {
        assert!(matches!(fronts.flush(name), Err(FrontError::Name { .. })), "{name:?}");
    }
    assert_eq!(fake.read("flushed"), "");
    fronts.flush("12345").expect("no doveadm here");
    let doveadm = FrontEnd::dovecot("mail-1", &["/usr/bin/doveadm".to_owned()]);
    let fronts = FrontEnds::new(&[doveadm], enough());
    for name in ["b*", "b?b", "12345", "10.0.0.1", "10.0.0.0/8", "::1", "fe80::a"] {
        assert!(matches!(fronts.sessions(name), Err(FrontError::Name { .. })), "{name:?}");
    }
    for name in ["bob@example.org", "1234a", "beef", "a.b"] {
        assert_eq!(mistakable(name, Way { doveadm: true, shell: true }), None, "{name:?}");
    }
}

#[test]
fn a_name_is_not_given_to_a_shell_that_would_read_it() {
    let argv = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    for name in ["a;b", "$(reboot)", "a b", "a'b", "a|b", "`a`", "a>b", "~root", "a\\b"] {
        for words in [&["/usr/bin/ssh", "mail-1", "doveadm", "kick", "{user}"][..], &["sh", "-c", "kick {user}"]] {
            assert!(filled(&argv(words), name).is_err(), "{name:?} {words:?}");
        }
        let safe = filled(&argv(&["sh", "-c", "kick \"$1\"", "sh", "{user}"]), name).expect("an argument is safe");
        assert_eq!(safe[4], name);
    }
    assert!(filled(&argv(&["ssh", "mail-1", "list-all"]), "a;b").is_ok(), "it is not passed");
}

#[test]
fn a_session_is_kicked_once_and_again_only_when_it_stays_or_another_comes() {
    let mut kicks = Kicks::default();
    let at = |seconds: f64| Duration::from_secs_f64(seconds);
    let due: Vec<bool> =
        [(0, 0.0), (2, 0.1), (2, 0.2), (1, 0.3), (2, 0.4), (2, 1.0), (2, 2.5), (2, 2.6), (0, 2.7), (1, 2.8)]
            .into_iter()
            .map(|(sessions, seconds)| kicks.are_due(sessions, at(seconds)))
            .collect();
    assert_eq!(due, [false, true, false, false, true, false, true, false, false, true]);
}

#[test]
fn a_session_that_shows_behind_the_fence_is_ended() {
    let fake = Fake::new();
    let fronts =
        FrontEnds::new(&[fake.machine("echo \"$1\" >> kicked", "test -e kicked || echo bob imap", "")], enough());
    fronts.no_session("bob", Span::from_secs(20)).expect("gone after a kick");
    assert_eq!(fake.read("kicked"), "bob\n");
    let stays = Fake::new();
    let fronts = FrontEnds::new(&[stays.machine("", "echo bob imap", "")], enough());
    let busy = FrontError::StillBusy { sessions: 1, deliveries: 0 };
    assert_eq!(fronts.no_session("bob", Span::from_secs_f64(0.3)), Err(busy));
}
