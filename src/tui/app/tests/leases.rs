//! Leases: taken when shown, kept while at work, lost, held by others.

use super::*;
use crate::protocol::LeaseView;

#[test]
fn the_most_urgent_free_item_is_shown_and_leased() {
    let rig = Rig::stocked();
    assert_eq!(rig.shown(), Some("lap-2001"));
    assert_eq!(rig.desk.inside().items["lap-2001"].lease.as_ref().unwrap().reviewer, "ann");
    assert!(rig.screen().contains("leased to you, 5m left"), "{}", rig.screen());

    let desk = FakeDesk::stocked();
    desk.lease_to("lap-2001", "bob");
    let rig = Rig::new(desk, 120, 36);
    assert_eq!(rig.shown(), Some("exq-0114"), "what others hold is stepped over");
    assert!(rig.screen().contains("· bob"), "{}", rig.screen());
}

#[test]
fn moving_away_gives_back_and_passing_over_takes_nothing() {
    let mut rig = Rig::stocked();
    rig.press("j");
    rig.pass(300);
    let inside = rig.desk.inside();
    assert!(inside.items["lap-2001"].lease.is_none());
    assert_eq!(inside.items["exq-0114"].lease.as_ref().unwrap().reviewer, "ann");
    drop(inside);
    let leases = |rig: &Rig| {
        rig.desk.inside().said.iter().filter(|c| matches!(c, Command::Lease(_))).count()
    };
    let before = leases(&rig);
    // Faster than the cursor rests.
    for _ in 0..5 {
        rig.pass(30);
        let j = crossterm::event::KeyEvent::from(crossterm::event::KeyCode::Char('j'));
        rig.tell(What::Key(j));
    }
    assert_eq!(leases(&rig), before);
    rig.pass(500);
    assert_eq!(leases(&rig), before + 1);
}

#[test]
fn the_heartbeat_keeps_a_lease_while_somebody_works_and_not_after() {
    let mut rig = Rig::stocked();
    let left = |rig: &Rig| {
        let inside = rig.desk.inside();
        inside.items["lap-2001"]
            .lease
            .as_ref()
            .map(|l| l.until.duration_since(inside.now).as_secs())
    };
    for _ in 0..10 {
        rig.pass(60_000);
        rig.press("i Esc");
    }
    assert!(left(&rig).unwrap() > 260, "{:?}", left(&rig));
    // Away: it runs down, visibly, and is said to be lost.
    rig.pass(4 * 60_000);
    let then = left(&rig).unwrap();
    assert!(then < 300, "{then}");
    rig.pass(then * 1000 + 5_000);
    assert!(rig.screen().contains("lease lost"), "{}", rig.screen());
    // Any key takes it again, and the verdict is possible.
    rig.press("k");
    assert!(left(&rig).unwrap() > 290);
    rig.press("a");
    assert_eq!(rig.desk.verdicts().len(), 1);
}

#[test]
fn a_lost_lease_refuses_the_verdict_and_says_who_holds_it() {
    let mut rig = Rig::stocked();
    // Taken back behind our back, and given to bob.
    rig.desk.lease_to("lap-2001", "bob");
    rig.press("a");
    assert_eq!(rig.desk.verdicts(), []);
    assert!(rig.toasts().contains("lap-2001 is leased to bob"), "{}", rig.toasts());

    // Told by the heartbeat.
    let mut rig = Rig::stocked();
    rig.desk.lease_to("lap-2001", "bob");
    rig.pass(31_000);
    assert!(rig.screen().contains("leased to bob"), "{}", rig.screen());
    rig.press("a");
    assert_eq!(reviews(&rig), []);
    assert!(rig.toasts().contains("leased to bob"), "{}", rig.toasts());
}

#[test]
fn a_draft_survives_a_lost_lease() {
    let mut rig = Rig::stocked();
    rig.state.list.select("exq-0114");
    rig.press("j k");
    rig.pass(400);
    rig.press("e").type_text("Careful: ");
    rig.desk.lease_to("exq-0114", "bob");
    rig.press("Ctrl-s f Enter");
    assert!(rig.toasts().contains("your draft is kept"), "{}", rig.toasts());
    let draft = rig.desk.inside().drafts[&("exq-0114".into(), "ann".into())].clone();
    assert!(draft.output.unwrap().starts_with("Careful: If you think"));
}

#[test]
fn the_queue_is_not_called_empty_while_items_are_only_leased() {
    let desk = FakeDesk::empty();
    let mut rig = Rig::new(desk, 120, 36);
    assert!(rig.screen().contains("nothing waits here"), "{}", rig.screen());
    // The desk leaves leased ones out of a page that asks for free ones: counters tell.
    rig.desk.add(crate::tui::fake::loan("x", 0.7, 8.0), 600);
    rig.desk.lease_to("x", "bob");
    rig.change();
    assert!(rig.screen().contains("· bob"), "{}", rig.screen());
    rig.press("/").type_text("nothing like this");
    rig.press("Enter");
    assert!(rig.screen().contains("nothing matches nothing like this"), "{}", rig.screen());
}

#[test]
fn who_reads_what_another_holds_is_told_and_takes_it_when_free() {
    let desk = FakeDesk::stocked();
    desk.lease_to("exq-0114", "bob");
    let mut rig = Rig::new(desk, 120, 36);
    rig.press("j");
    rig.pass(300);
    assert_eq!(rig.shown(), Some("exq-0114"));
    assert!(rig.screen().contains("leased to bob, 4m left · read only"), "{}", rig.screen());
    rig.desk.inside().items.get_mut("exq-0114").unwrap().lease = None;
    rig.change();
    rig.pass(500);
    let holder: Option<LeaseView> = rig.desk.inside().items["exq-0114"].lease.clone();
    assert_eq!(holder.unwrap().reviewer, "ann");
}

#[test]
fn a_hand_over_to_another_editor_counts_as_work() {
    let mut rig = Rig::stocked();
    rig.press("E");
    assert!(matches!(rig.effects.last(), Some(Effect::Edit { suffix: ".json", .. })));
    rig.pass(20 * 60_000);
    let inside = rig.desk.inside();
    let lease = inside.items["lap-2001"].lease.as_ref().unwrap();
    assert!(lease.until > inside.now, "kept for twenty minutes");
}

#[test]
fn items_of_a_higher_level_are_read_and_stepped_over() {
    let desk = FakeDesk::empty();
    desk.add(
        crate::tui::fake::with(crate::tui::fake::loan("high", 0.7, 9.0), |i| {
            i.queue = "level2".into()
        }),
        60,
    );
    desk.add(crate::tui::fake::loan("mine", 0.7, 9.0), 600);
    let mut rig = Rig::new(desk, 120, 36);
    assert_eq!(rig.shown(), Some("mine"));
    rig.press("a");
    assert_eq!(rig.shown(), Some("high"), "nothing else is left to look at");
}
