//! The list: windows of a long queue, a cursor that stays on its item, filters, views.

use super::*;
use crate::tui::fake::{loan, support};

/// A queue of `n`, due a minute apart.
fn long(n: usize) -> FakeDesk {
    let desk = FakeDesk::empty();
    for i in 0..n {
        desk.add(loan(&format!("i{i:05}"), 0.7, 8.0), 600 + i as i64 * 60);
    }
    desk
}

#[test]
fn the_end_and_the_start_of_a_long_queue_are_one_key_away() {
    let mut rig = Rig::new(long(2000), 120, 30);
    assert!(rig.state.list.rows.len() < 200, "a window, not the queue");
    rig.press("G");
    assert_eq!(rig.selected(), Some("i01999"));
    assert!(rig.screen().contains("i01999"), "{}", rig.screen());
    assert!(rig.state.list.rows.len() < 400);
    rig.press("k k");
    assert_eq!(rig.selected(), Some("i01997"));
    for _ in 0..40 {
        rig.press("Ctrl-u");
    }
    rig.press("g g");
    assert_eq!(rig.selected(), Some("i00000"));
}

#[test]
fn walking_down_a_long_queue_meets_every_row_once() {
    let mut rig = Rig::new(long(260), 120, 30);
    for i in 0..260 {
        assert_eq!(rig.selected(), Some(format!("i{i:05}").as_str()));
        assert!(rig.state.list.rows.len() <= 260, "{}", rig.state.list.rows.len());
        rig.press("j");
    }
    for i in (0..260).rev() {
        assert_eq!(rig.selected(), Some(format!("i{i:05}").as_str()));
        rig.press("k");
    }
}

#[test]
fn rows_that_arrive_above_do_not_move_the_cursor() {
    let mut rig = Rig::new(long(100), 120, 30);
    rig.press("j j j j j");
    let line = |rig: &Rig| rig.screen().lines().position(|l| l.starts_with('▸'));
    let (selected, before) = (rig.selected().map(str::to_owned), line(&rig));
    for n in 0..3 {
        rig.desk.add(support(&format!("new{n}"), 0.5), n);
    }
    rig.change();
    assert_eq!(rig.selected().map(str::to_owned), selected);
    assert_eq!(line(&rig), before, "{}", rig.screen());
    assert!(rig.screen().contains("+3 new"), "{}", rig.screen());
    rig.press("g g");
    assert_eq!(rig.selected(), Some("new0"));
    assert!(!rig.screen().contains("new  "), "looked at: {}", rig.screen());
}

#[test]
fn an_item_that_others_settled_makes_room_for_its_neighbour() {
    let desk = long(10);
    desk.lease_to("i00001", "bob");
    let mut rig = Rig::new(desk, 120, 30);
    rig.press("j");
    rig.pass(300);
    assert_eq!(rig.shown(), Some("i00001"));
    rig.desk.inside().items.remove("i00001");
    rig.change();
    assert_eq!(rig.selected(), Some("i00002"));
    assert_eq!(rig.shown(), Some("i00002"));
}

#[test]
fn filters_narrow_and_esc_widens() {
    let mut rig = Rig::stocked();
    rig.press("/").type_text("domain:medical");
    rig.press("Enter");
    assert_eq!(rig.state.list.rows.len(), 1);
    assert_eq!(rig.shown(), Some("hrt-cl007"));
    assert!(rig.screen().contains("/domain:medical 1"), "{}", rig.screen());
    rig.press("Esc");
    assert_eq!(rig.state.list.rows.len(), 13);
    rig.press("/").type_text("level:x");
    rig.press("Enter");
    assert!(rig.screen().contains("level: takes a number, not 'x'"), "{}", rig.screen());
    rig.press("Esc");
    rig.press("/").type_text("polluted");
    rig.press("Enter");
    assert!(rig.state.list.rows.iter().all(|r| r.domain == "support_qa"));
    let found = rig.state.list.rows.len();
    assert!(
        found < 13 && rig.screen().contains(&format!("/polluted {found} ")),
        "{}",
        rig.screen()
    );
    rig.press("n");
    assert_eq!(rig.selected(), Some("exq-0200"));
    // What I decided, settled ones too.
    rig.press("Esc a");
    rig.pass(6000);
    rig.press("/").type_text("by:me");
    rig.press("Enter");
    assert_eq!(rig.state.list.rows.len(), 1);
    assert_eq!(rig.state.list.rows[0].state, ItemState::Settled);
}

#[test]
fn a_queue_is_picked_by_name() {
    let mut rig = Rig::stocked();
    rig.press("Q").type_text("data");
    assert!(rig.screen().contains("Broken records"), "{}", rig.screen());
    rig.press("Enter");
    assert_eq!(rig.state.list.rows.len(), 1);
    assert!(rig.screen().contains("dataops ▾"), "{}", rig.screen());
    rig.press("Q Enter");
    assert_eq!(rig.state.queue.as_deref(), Some("dataops"), "it stands on the queue at hand");
    rig.press("Q Up Up Up Up Enter");
    assert_eq!(rig.state.queue, None);
}

#[test]
fn sequences_hint_after_a_hesitation() {
    let mut rig = Rig::stocked();
    rig.press("g");
    assert!(!rig.screen().contains("g …"));
    rig.pass(400);
    assert!(rig.screen().contains("g …  g top"), "{}", rig.screen());
    rig.press("Esc");
    assert!(!rig.screen().contains("g …"), "{}", rig.screen());
}

#[test]
fn nothing_happens_and_nothing_is_painted() {
    let desk = FakeDesk::empty();
    for i in 0..30 {
        desk.add(loan(&format!("i{i}"), 0.7, 8.0), 7000 + i * 7);
    }
    let mut rig = Rig::new(desk, 120, 30);
    rig.pass(65_000);
    let frames = rig.frames;
    // Lease and SLA count in minutes: two minutes are two frames, looking again is none.
    rig.pass(120_000);
    assert_eq!(rig.frames - frames, 2);
    // Nothing on show counts: nothing is painted.
    let mut rig = Rig::new(FakeDesk::empty(), 120, 30);
    rig.pass(1000);
    let frames = rig.frames;
    rig.press("2");
    rig.pass(10 * 60_000);
    assert_eq!(rig.frames, frames + 1);
}

#[test]
fn a_second_that_counts_is_painted_once_a_second() {
    let mut rig = Rig::stocked();
    rig.press("a");
    let frames = rig.frames;
    rig.pass(4000);
    let painted = rig.frames - frames;
    assert!((3..=5).contains(&painted), "{painted}");
}

#[test]
fn views_are_a_number_away_and_q_comes_back() {
    let mut rig = Rig::stocked();
    for (key, expected) in [
        ("2", "override rate, 24h, by cohort"),
        ("3", "AUTOMATION"),
        ("4", "all entries"),
        ("5", "no corrections yet"),
        ("6", "loan-desk"),
    ] {
        rig.press(key);
        assert!(rig.screen().contains(expected), "{key}: {}", rig.screen());
    }
    rig.press("q");
    assert_eq!(rig.state.view, View::Queue);
    rig.press("]");
    assert_eq!(rig.state.view, View::Signals);
    rig.press("[ [");
    assert_eq!(rig.state.view, View::Policy);
}

#[test]
fn the_trail_is_read_by_item_and_verified() {
    let mut rig = Rig::stocked();
    rig.press("a 4");
    assert!(rig.screen().contains("verdict"), "{}", rig.screen());
    rig.press("V");
    assert!(rig.screen().contains("entries verify"), "{}", rig.screen());
    rig.press("Tab");
    assert!(rig.screen().contains("entries of lap-2001  2"), "{}", rig.screen());
    rig.press("Enter");
    assert!(rig.screen().contains("2026-01-05T09:00:00"), "{}", rig.screen());
    rig.press("Esc Esc");
    assert!(rig.screen().contains("all entries"), "{}", rig.screen());
}

#[test]
fn corrections_are_counted_by_tag() {
    let mut rig = Rig::stocked();
    rig.press("r f b Enter");
    rig.press("r f Enter");
    rig.pass(8000);
    rig.press("5");
    let screen = rig.screen();
    assert!(screen.contains("CORRECTIONS 2"), "{screen}");
    assert!(screen.contains("factual_error"), "{screen}");
    assert!(screen.contains("reject 2"), "{screen}");
}

#[test]
fn filters_that_scan_go_on_and_can_be_replaced() {
    let mut rig = Rig::stocked();
    rig.hold = true;
    rig.press("/").type_text("polluted");
    rig.press("Enter");
    rig.press("/");
    rig.press("Ctrl-u").type_text("loan");
    rig.press("Enter");
    assert!(rig.effects.iter().any(|e| matches!(e, Effect::Cancel { .. })), "{:?}", rig.effects);
    rig.let_go();
    assert!(rig.state.list.rows.iter().all(|r| r.domain == "loan"));
    let asked = rig.desk.inside().asked.clone();
    let pages = asked.iter().filter(|q| matches!(q, Query::Page(p) if p.filter.text.is_some()));
    assert_eq!(pages.count(), 2);
}
