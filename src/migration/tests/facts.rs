//! Sessions that begin from what earlier ones have left, and mailboxes that a person has to see to.

use std::sync::Arc;

use super::desk::{A, B, Desk, HEAD};
use super::plans::{at, fleet, percent, plain};
use crate::fleet::{ClusterId, Home, MailboxId};
use crate::migration::message::{
    CORE_VERSION, ClustersSoFar, Command, EffectId, Event, Facts, Fault, FullOf, Limit, Milestone, Next, Order, Start,
    WavesSoFar,
};
use crate::migration::plan::{Go, ShareMilestone, Wave};
use crate::migration::{Migration, Phase};
use crate::units::{Share, Span};

#[test]
fn a_new_session_goes_on_from_facts() {
    let mut fleet = fleet(&[(0, 10); 4]);
    fleet.home[0] = Home::cluster(A);
    let mut plan = plain(1);
    plan.copy.purge_after = Some(crate::units::Span::from_secs(100));
    plan.order.excluded = vec![MailboxId(1)];
    let aside = |row| (MailboxId(row), Fault::Permanent);
    let facts = Facts {
        fleet: Arc::new(fleet),
        set_aside: vec![aside(1), aside(2), aside(2)],
        attempts: vec![(MailboxId(3), 2)],
        unpurged: vec![(MailboxId(0), at(-50))],
        kept: Vec::new(),
        open: vec![A, B],
        waves: None,
        clusters: ClustersSoFar::default(),
    };
    let mut desk = Desk::started(plan, facts);
    assert_eq!((desk.machine.left(HEAD), desk.machine.set_aside(HEAD)), (1, 1), "excluded counts before set aside");
    desk.sample(1, 10);
    let attempt =
        desk.said.iter().find_map(|c| if let Command::StartCopy { attempt, .. } = c { Some(*attempt) } else { None });
    assert_eq!(attempt, Some(3));
    let effect = desk.started_copies()[0];
    desk.tell(60, Event::Wake);
    assert!(
        desk.said.iter().any(|c| matches!(c, Command::Purge { batch, .. } if batch.mailboxes() == [MailboxId(0)])),
        "{:?}",
        desk.said
    );
    desk.tell(61, Event::CopyFailed { effect, fault: Fault::Transient });
    assert_eq!(desk.machine.set_aside(HEAD), 2, "the third failure is the last one");
    let late = EffectId::new(0, 7, 0);
    desk.tell(62, Event::SwitchEnded { effect: late });
    assert!(desk.said.is_empty(), "an effect of another session");
}

/// A machine whose plan waits for persons, all done and purged but for what is set aside: of three mailboxes the first, which
/// cannot be read, and the last, which no cluster can ever take.
fn all_but_set_aside() -> Desk {
    let mut plan = plain(1);
    plan.copy.purge_after = Some(Span::from_secs(60));
    plan.attempts.wait_for_person = true;
    let mut desk = Desk::with(plan, &[(0, 100), (0, 100), (0, 1_000_000)]);
    desk.sample(1, 10);
    let effects = desk.started_copies();
    desk.tell(2, Event::CopyFailed { effect: effects[0], fault: Fault::Permanent });
    desk.copied(3, effects[1], Limit::Own);
    let switch = effects[1];
    desk.tell(4, Event::SwitchEnded { effect: switch });
    assert_eq!((desk.machine.left(HEAD), desk.machine.set_aside(HEAD)), (0, 2));
    assert_eq!(desk.audited(5), Next::Wait { until: at(120), why: crate::migration::message::Reason::Purge });
    assert!(
        desk.announced(Milestone::HeadEmptied { head: HEAD, set_aside: 2 }) && desk.announced(Milestone::AllEmptied)
    );
    assert_ne!(desk.purged(120), Next::Finished);
    assert!(!desk.announced(Milestone::HeadPurged { head: HEAD }) && !desk.announced(Milestone::Decommissioned));
    desk
}

impl Desk {
    fn audited(&mut self, second: i64) -> Next {
        self.tell(second, Event::HeadAudited { head: HEAD, users_left: 0, folders_left: 0 })
    }

    /// Takes a sample when the grace is over, and ends the purge that is asked for then.
    fn purged(&mut self, second: i64) -> Next {
        self.sample(second, 10);
        let purge = self.said.iter().find(|command| matches!(command, Command::Purge { .. })).map(Command::effect);
        self.tell(second + 1, Event::PurgeEnded { effect: purge.expect("a purge") })
    }
}

#[test]
fn it_is_not_over_before_a_person_has_seen_to_what_was_set_aside() {
    let mut desk = all_but_set_aside();
    desk.fill(199, A, 200);
    desk.sample(199, 10);
    desk.order(200, Order::Retry(MailboxId(0)));
    let effect = desk.started_copies()[0];
    desk.copied(201, effect, Limit::Own);
    desk.tell(202, Event::SwitchEnded { effect });
    assert_ne!(desk.audited(203), Next::Finished);
    // The one that no cluster can take is nobody's to help in this session.
    assert_eq!(desk.purged(300), Next::Finished);
    assert!(desk.announced(Milestone::HeadPurged { head: HEAD }) && !desk.announced(Milestone::Decommissioned));
    desk.tell(302, Event::MailboxGone { mailbox: MailboxId(2) });
    assert!(desk.announced(Milestone::Decommissioned), "{:?}", desk.said);
}

#[test]
fn a_mailbox_that_was_set_aside_and_is_deleted_is_waited_for_no_longer() {
    let mut desk = all_but_set_aside();
    assert_eq!(desk.tell(200, Event::MailboxGone { mailbox: MailboxId(0) }), Next::Finished);
    assert!(desk.announced(Milestone::HeadPurged { head: HEAD }) && !desk.announced(Milestone::Decommissioned));
}

#[test]
fn who_was_deleted_before_the_start_is_not_waited_for() {
    let mut plan = plain(1);
    plan.attempts.wait_for_person = true;
    let facts = |fault| Facts {
        fleet: Arc::new(fleet(&[(0, 100)])),
        set_aside: vec![(MailboxId(0), fault)],
        ..Facts::default()
    };
    assert_eq!(Desk::started(plan.clone(), facts(Fault::Gone)).audited(1), Next::Finished);
    assert_ne!(Desk::started(plan, facts(Fault::Permanent)).audited(1), Next::Finished);
}

#[test]
fn who_was_deleted_before_the_start_has_left_as_who_is_deleted_later() {
    let mut plan = plain(1);
    let share = |share| Milestone::ShareMoved { share };
    let head_share = Milestone::HeadShareMoved { head: HEAD, share: percent(50) };
    let asked = [(Some(HEAD), percent(50)), (None, percent(50)), (None, Share::ONE)];
    plan.milestones = asked.map(|(head, share)| ShareMilestone { head, share }).to_vec();
    // Two of four are deleted: by an earlier session's word, or in this one.
    let set_aside = vec![(MailboxId(1), Fault::Gone), (MailboxId(3), Fault::Gone), (MailboxId(3), Fault::Gone)];
    let facts = Facts { fleet: Arc::new(fleet(&[(0, 100); 4])), open: vec![A, B], set_aside, ..Facts::default() };
    let mut desk = Desk { said: Vec::new(), ..Desk::started(plan.clone(), facts.clone()) };
    assert_eq!((desk.machine.left(HEAD), desk.machine.set_aside(HEAD)), (2, 0));
    assert_eq!(desk.machine.phase(MailboxId(1)), Some(Phase::Gone));
    let first = Desk::first_words(plan.clone(), facts);
    assert!(first.contains(&head_share) && first.contains(&share(percent(50))), "{first:?}");
    let mut later = Desk::with(plan.clone(), &[(0, 100); 4]);
    later.tell(1, Event::MailboxGone { mailbox: MailboxId(1) });
    later.tell(1, Event::MailboxGone { mailbox: MailboxId(3) });
    assert!(later.announced(head_share) && later.announced(share(percent(50))), "{:?}", later.said);
    for desk in [&mut desk, &mut later] {
        desk.sample(2, 10);
        for effect in desk.started_copies() {
            desk.copied(3, effect, Limit::Own);
            desk.tell(4, Event::SwitchEnded { effect });
        }
        assert!(desk.announced(share(Share::ONE)), "{:?}", desk.said);
        desk.audited(5);
        assert!(desk.announced(Milestone::HeadEmptied { head: HEAD, set_aside: 0 }));
    }
}

#[test]
fn a_head_on_which_an_earlier_session_has_kept_old_copies_is_not_purged() {
    for kept in [vec![], vec![MailboxId(1)]] {
        let mut fleet = fleet(&[(0, 10), (0, 10)]);
        fleet.home.fill(Home::cluster(A));
        let mut plan = plain(1);
        plan.copy.purge_after = Some(Span::from_secs(100));
        let count = kept.len() as u32;
        let facts = Facts { fleet: Arc::new(fleet), kept, open: vec![A, B], ..Facts::default() };
        let mut desk = Desk::started(plan, facts);
        assert_eq!(desk.machine.kept(HEAD), count);
        desk.sample(1, 10);
        let emptied = Event::HeadAudited { head: HEAD, users_left: 0, folders_left: 0 };
        desk.tell(2, emptied);
        let purged = desk.announced(Milestone::HeadPurged { head: HEAD });
        assert_eq!(purged, count == 0, "{:?}", desk.said);
    }
}

#[test]
fn a_head_with_mailboxes_that_the_plan_leaves_there_cannot_be_given_away() {
    let mut plan = plain(1);
    plan.copy.purge_after = Some(Span::from_secs(60));
    plan.order.excluded = vec![MailboxId(1), MailboxId(1)];
    let mut desk = Desk::with(plan, &[(0, 100), (0, 100)]);
    desk.sample(1, 10);
    let effect = desk.started_copies()[0];
    desk.copied(2, effect, Limit::Own);
    desk.tell(3, Event::SwitchEnded { effect });
    desk.audited(4);
    assert!(desk.announced(Milestone::AllEmptied));
    assert_eq!(desk.purged(120), Next::Finished);
    assert!(desk.announced(Milestone::HeadPurged { head: HEAD }) && !desk.announced(Milestone::Decommissioned));
    assert_eq!(desk.machine.excluded(HEAD), 1);
    desk.tell(122, Event::MailboxGone { mailbox: MailboxId(1) });
    assert!(desk.announced(Milestone::Decommissioned), "{:?}", desk.said);
    assert_eq!(desk.machine.excluded(HEAD), 0);
}

/// Four of ten mailboxes move before a soak of an hour, in a session that is long over when it ends at `moved_at`.
fn of_a_wave(go: Go, so_far: Option<(u8, i64)>, said_go: bool) -> Desk {
    let mut plan = plain(1);
    plan.order.waves = vec![Wave { share: Share::from_ppm(400_000), soak: Span::from_secs(3_600), go }];
    let mut fleet = fleet(&[(0, 100); 10]);
    let moved = if so_far.is_some() { 4 } else { 3 };
    fleet.home[..moved].fill(Home::cluster(A));
    let moved = so_far.map(|(wave, second)| (wave, at(second)));
    let waves = Some(WavesSoFar { mailboxes: 10, over: None, moved, go: said_go });
    let mut desk = Desk::started(plan, Facts { fleet: Arc::new(fleet), open: vec![A, B], waves, ..Facts::default() });
    desk.sample(1, 10);
    desk
}

#[test]
fn a_wave_goes_on_where_the_last_session_ended() {
    let mut desk = of_a_wave(Go::Automatic, None, false);
    assert_eq!(desk.started_copies().len(), 1, "one of four was left of the wave, and no share of what is left");
    let effect = desk.started_copies()[0];
    desk.copied(2, effect, Limit::Own);
    desk.tell(3, Event::SwitchEnded { effect });
    assert!(desk.announced(Milestone::WaveMoved { wave: 0 }), "{:?}", desk.said);
}

#[test]
fn a_soak_outlasts_its_session() {
    let mut desk = of_a_wave(Go::Automatic, Some((0, -600)), false);
    assert_eq!(desk.started_copies().len(), 0, "ten minutes of an hour are over");
    desk.sample(2_999, 10);
    assert_eq!(desk.started_copies().len(), 0);
    desk.fill(2_999, A, 400);
    desk.fill(2_999, B, 0);
    desk.tell(3_000, Event::Wake);
    assert_eq!(desk.machine.copying(HEAD), 2);
    // It was over while nobody looked.
    let desk = of_a_wave(Go::Automatic, Some((0, -7_200)), false);
    assert_eq!(desk.machine.copying(HEAD), 2);
}

#[test]
fn who_has_not_said_go_is_asked_again_and_who_has_is_not() {
    let mut desk = of_a_wave(Go::Operator, Some((0, -7_200)), false);
    assert_eq!(desk.machine.copying(HEAD), 0);
    desk.order(2, Order::Resume);
    desk.sample(3, 10);
    assert_eq!(desk.machine.copying(HEAD), 2);
    assert_eq!(of_a_wave(Go::Operator, Some((0, -7_200)), true).machine.copying(HEAD), 2);
}

/// Where a session sends new accounts as it begins, and which clusters it says have been full.
fn first_intake(clusters: ClustersSoFar) -> (Vec<ClusterId>, Vec<Milestone>) {
    let facts = Facts { fleet: Arc::new(fleet(&[(0, 100); 4])), open: vec![A, B], clusters, ..Facts::default() };
    let start = Start { session: 2, version: CORE_VERSION, plan: Arc::new(plain(1)), facts };
    let mut said = Vec::new();
    Migration::new().step(at(0), &Event::Started(Arc::new(start)), &mut said);
    let intake = |command: &Command| match command {
        Command::SetIntake { cluster, .. } => Some(*cluster),
        _ => None,
    };
    let full = |command: &Command| match command {
        Command::Announce { milestone: milestone @ Milestone::ClusterFull { .. }, .. } => Some(*milestone),
        _ => None,
    };
    (said.iter().filter_map(intake).collect(), said.iter().filter_map(full).collect())
}

#[test]
fn new_accounts_go_nowhere_first_that_is_closed_or_has_been_full() {
    let filled = |clusters: &[ClusterId]| clusters.iter().map(|cluster| (*cluster, FullOf::Inodes)).collect();
    let full = |cluster| Milestone::ClusterFull { cluster, of: FullOf::Inodes };
    let nothing = ClustersSoFar::default;
    let unknown = ClusterId(9);
    let cases = [
        (nothing(), A, vec![]),
        (ClustersSoFar { closed: vec![A], ..nothing() }, B, vec![]),
        (ClustersSoFar { filled: filled(&[A]), ..nothing() }, B, vec![full(A)]),
        // They go on where they went while that is as good as any.
        (ClustersSoFar { intake: Some(B), ..nothing() }, B, vec![]),
        (ClustersSoFar { filled: filled(&[A, B]), intake: Some(B), ..nothing() }, B, vec![full(A), full(B)]),
        (ClustersSoFar { closed: vec![B], intake: Some(B), ..nothing() }, A, vec![]),
        (ClustersSoFar { closed: vec![unknown], filled: filled(&[unknown]), intake: Some(unknown) }, A, vec![]),
    ];
    for (before, cluster, said) in cases {
        assert_eq!(first_intake(before.clone()), (vec![cluster], said), "{before:?}");
    }
}

#[test]
fn what_an_operator_has_closed_stays_so_until_it_is_opened() {
    let clusters = ClustersSoFar { closed: vec![A], ..ClustersSoFar::default() };
    let facts = Facts { fleet: Arc::new(fleet(&[(0, 100); 4])), open: vec![A, B], clusters, ..Facts::default() };
    let mut desk = Desk::started(plain(1), facts);
    let targets = |desk: &Desk| -> Vec<ClusterId> {
        let target = |command: &Command| match command {
            Command::StartCopy { to, .. } => Some(*to),
            _ => None,
        };
        desk.said.iter().filter_map(target).collect()
    };
    desk.sample(1, 10);
    assert_eq!(targets(&desk), [B, B]);
    let effect = desk.started_copies()[0];
    desk.order(2, Order::OpenCluster(A));
    desk.copied(3, effect, Limit::Own);
    assert_eq!(targets(&desk), [A]);
}
