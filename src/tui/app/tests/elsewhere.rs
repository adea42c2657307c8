//! A desk that is elsewhere: out of reach, back again, verdicts that wait and what becomes of them.

use super::*;
use crate::domain::Clash;
use crate::protocol::{Arrived, Fate, OutboxView};

/// The desk goes out of reach, and the app hears of it.
fn away(rig: &mut Rig) {
    let now = rig.now;
    rig.desk.inside().outbox = Some(OutboxView {
        offline_since: Some(now),
        why: Some("https://desk.example cannot be reached: no answer in time".into()),
        ..OutboxView::default()
    });
    hear(rig);
}

fn hear(rig: &mut Rig) {
    rig.pass(300);
    rig.tell(What::Changed(crate::protocol::Change { head: 1, generation: 1 }));
    rig.pass(300);
}

/// The desk is back and has answered this.
fn back(rig: &mut Rig, fate: Fate) {
    let arrived =
        Arrived { number: 7, item: "lap-2001".into(), verdict: VerdictKind::Accept, fate };
    rig.desk.inside().outbox = Some(OutboxView { arrived: vec![arrived], ..OutboxView::default() });
    hear(rig);
    // Until the desk knows that it was shown, headers bring it again.
    assert_eq!(shown(rig), [7]);
    hear(rig);
    rig.desk.inside().outbox = Some(OutboxView::default());
    hear(rig);
    assert_eq!(shown(rig), [7], "once");
}

/// Which fates the desk is told were shown.
fn shown(rig: &Rig) -> Vec<u64> {
    let numbers = rig.effects.iter().filter_map(|effect| match effect {
        Effect::Shown(numbers) => Some(numbers.clone()),
        _ => None,
    });
    numbers.flatten().collect()
}

#[test]
fn a_verdict_given_offline_is_shown_as_not_yet_sent_and_can_be_taken_back() {
    let mut rig = Rig::stocked();
    away(&mut rig);
    assert!(rig.screen().contains("▲ offline"), "{}", rig.screen());
    assert!(rig.screen().contains("cannot be reached"), "{}", rig.screen());
    rig.press("Esc a");
    hear(&mut rig);
    assert!(rig.screen().contains("1 not yet sent"), "{}", rig.screen());
    assert_ne!(rig.shown(), Some("lap-2001"), "it goes on to the next");
    assert!(rig.state.list.find("lap-2001").is_some(), "the row stays, marked");

    // Nothing decides it twice, and nothing goes to it by itself.
    rig.press("g g");
    rig.pass(500);
    assert_eq!(rig.shown(), Some("lap-2001"));
    assert!(rig.screen().contains("accepted here, not yet sent"), "{}", rig.screen());
    let reviews = |rig: &Rig| {
        rig.desk.inside().said.iter().filter(|c| matches!(c, Command::Review(_))).count()
    };
    let before = reviews(&rig);
    rig.press("a");
    assert_eq!(reviews(&rig), before);
    assert!(rig.screen().contains("is accepted here already"), "{}", rig.screen());

    rig.press("Esc u");
    let undone = rig
        .desk
        .inside()
        .said
        .iter()
        .any(|c| matches!(c, Command::Undo { item } if item == "lap-2001"));
    assert!(undone, "u takes back what waits");
}

#[test]
fn what_became_of_it_is_told_once_the_desk_is_back() {
    let refused = Refused::new(Why::Policy, "a rejection needs a reason");
    let clash = Clash {
        reviews: vec!["r-1".into(), "r-2".into()],
        people: vec!["ben".into(), "ann".into()],
    };
    for (fate, said) in [
        (Fate::Applied, "sent: accepted lap-2001"),
        (Fate::Clash(clash), "ben decided lap-2001 too, while you accepted it offline"),
        (Fate::Refused(refused), "lap-2001, which you accepted offline, was refused"),
    ] {
        let mut rig = Rig::stocked();
        away(&mut rig);
        rig.press("Esc a");
        hear(&mut rig);
        back(&mut rig, fate);
        let screen = rig.screen();
        assert!(screen.contains(said), "{screen}");
        assert!(!screen.contains("not yet sent") && !screen.contains("▲ offline"), "{screen}");
        assert_eq!(rig.state.unsent(), []);
    }
}

#[test]
fn a_token_that_is_revoked_meanwhile_is_told_with_what_to_do() {
    let mut rig = Rig::stocked();
    away(&mut rig);
    rig.press("Esc a");
    hear(&mut rig);
    {
        let mut inside = rig.desk.inside();
        let outbox = inside.outbox.as_mut().unwrap();
        outbox.why = Some("the desk does not take this token: it was revoked".into());
        outbox.hint = Some("an admin makes one (overrule token create --for NAME)".into());
    }
    hear(&mut rig);
    let screen = rig.screen();
    assert!(screen.contains("does not take this token: it was revoked"), "{screen}");
    assert!(screen.contains("an admin makes one"), "{screen}");
    assert!(screen.contains("▲ offline") && screen.contains("1 not yet sent"), "{screen}");
}

#[test]
fn a_lease_that_nobody_keeps_warns_before_it_runs_out() {
    let mut rig = Rig::stocked();
    let left = |rig: &Rig| {
        let inside = rig.desk.inside();
        let lease = inside.items["lap-2001"].lease.clone().unwrap();
        lease.until.duration_since(inside.now).as_secs()
    };
    rig.pass(4 * 60_000);
    assert!(!rig.screen().contains("your lease runs out"), "{}", rig.screen());
    rig.pass((left(&rig) - 40) * 1000);
    assert!(rig.screen().contains("▲ your lease runs out in 4"), "{}", rig.screen());
    // Any key keeps it.
    rig.press("i Esc");
    assert!(left(&rig) > 290);
    assert!(!rig.screen().contains("your lease runs out"), "{}", rig.screen());
}

#[test]
fn marked_items_are_taken_along_and_decided_while_the_desk_is_away() {
    let mut rig = Rig::stocked();
    let first: Vec<String> = rig.state.list.rows.iter().take(3).map(|r| r.id.clone()).collect();
    rig.press("m m m Space l");
    rig.pass(500);
    for id in &first {
        let lease = rig.desk.inside().items[id].lease.clone();
        assert_eq!(lease.unwrap().reviewer, "ann", "{id}");
    }
    assert!(rig.state.marks.is_empty());
    assert!(rig.screen().contains("along"), "{}", rig.screen());
}

#[test]
fn an_admin_takes_a_lease_back_after_a_question() {
    let desk = FakeDesk::stocked();
    desk.lease_to("lap-2001", "bob");
    let mut rig = Rig::new(desk, 120, 36);
    rig.press("g g");
    rig.pass(500);
    assert_eq!(rig.shown(), Some("lap-2001"));
    rig.press("Space t");
    assert!(rig.screen().contains("take lap-2001 back"), "{}", rig.screen());
    let taken =
        |rig: &Rig| rig.desk.inside().said.iter().any(|c| matches!(c, Command::TakeBack { .. }));
    assert!(!taken(&rig));
    rig.press("Enter");
    assert!(taken(&rig));
}

#[test]
fn what_asks_for_a_skill_is_stepped_over_by_who_lacks_it() {
    let mut rig = Rig::stocked();
    let before = rig.shown().map(str::to_owned);
    for queue in &mut rig.desk.inside().queues {
        if queue.name == "level1" {
            queue.skills = vec!["mortgage".into()];
        }
    }
    hear(&mut rig);
    rig.press("s");
    rig.pass(500);
    let row = rig.state.list.find(rig.shown().unwrap()).unwrap().clone();
    assert!(row.queue != "level1" || rig.shown() == before.as_deref(), "{row:?}");
}
