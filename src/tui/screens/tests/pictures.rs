//! Every screen and overlay as text, at three sizes, with a fixed clock.

use super::*;
use crate::tui::app::What;

/// Plays `keys` (words for keys, `"…"` for text) at every size and keeps what the screen shows.
fn picture(name: &str, keys: &str) {
    picture_of(name, FakeDesk::stocked, keys);
}

fn picture_of(name: &str, desk: impl Fn() -> FakeDesk, keys: &str) {
    for (columns, rows) in SIZES {
        let mut rig = Rig::new(desk(), columns, rows);
        play(&mut rig, keys);
        insta::assert_snapshot!(format!("{name}_{columns}x{rows}"), rig.screen());
    }
}

fn play(rig: &mut Rig, keys: &str) {
    for (n, part) in keys.split('"').enumerate() {
        if n % 2 == 1 {
            rig.type_text(part);
        } else {
            rig.press(part);
        }
    }
    rig.pass(300);
}

#[test]
fn queue_and_item() {
    picture("queue", "");
    picture("item_open", "Tab");
    picture("text_item", "j");
    picture("accepted", "a");
    picture("marked", "m m");
    picture("sequence", "Space");
}

#[test]
fn items_of_every_kind() {
    picture("broken", "/\"queue:dataops\" Enter");
    picture("blind", "/\"2044\" Enter");
    picture("hides", "/\"mod-0900\" Enter");
    picture("two_stages", "/\"domain:medical\" Enter");
    let leased = || {
        let desk = FakeDesk::stocked();
        desk.lease_to("lap-2001", "bob");
        desk
    };
    picture_of("leased_to_bob", leased, "k k");
}

#[test]
fn nothing_to_do() {
    picture_of("empty", FakeDesk::empty, "");
    picture("no_match", "/\"no such thing\" Enter");
}

#[test]
fn sheets() {
    picture("reject", "r f b");
    picture("reject_wants_note", "r p Enter");
    picture("move", "x");
    picture("edit_text", "j e \"Please note: \"");
    picture("edit_json", "e Right \"x\"");
    picture("edit_schema", "e Down End Left Left \"x\"");
    picture("repair", "/\"queue:dataops\" Enter e");
    picture("why_edited", "j e \"New. \" Ctrl-s");
    picture("bulk", "m m m a");
    picture("blind_answer", "/\"2044\" Enter A Down");
    picture("filter", "/\"domain:loan tag:\" Enter");
    picture("queues", "Q");
    picture("palette", ":\"view\"");
    picture("help", "?");
    picture("help_filtered", "? / \"draft\"");
    picture("guideline", "i");
    picture("code_points", "/\"mod-0900\" Enter v");
    picture("quit", "a q");
}

#[test]
fn views() {
    picture("signals", "2");
    picture("signals_drift", "2 Tab j");
    picture("signals_calibration", "2 Tab Tab");
    picture("signals_service", "2 Tab Tab Tab");
    picture("signals_by_model", "2 s w");
    picture("signals_slice", "2 j j j Enter");
    picture("distribution", "2 Tab Enter j");
    picture("look", "2 Tab Enter Enter");
    picture("containment", "3");
    picture("containment_killed", "3 j j");
    picture("containment_incident", "3 Tab");
    picture("containment_canary", "3 Tab Tab");
    picture("containment_end", "3 G");
    picture("incident", "3 Tab Enter");
    picture("audit", "a 4 V");
    picture("audit_unfolded", "a 4 Enter");
    picture("policy", "6");
    for (columns, rows) in SIZES {
        let mut rig = Rig::new(FakeDesk::stocked(), columns, rows);
        play(&mut rig, "r f b Enter");
        play(&mut rig, "e \"Better. \" Ctrl-s t Enter");
        rig.pass(8000);
        play(&mut rig, "5 Enter");
        insta::assert_snapshot!(format!("learning_{columns}x{rows}"), rig.screen());
    }
}

#[test]
fn stopping() {
    picture("kill", "Space K");
    picture("kill_typed", "Space K Down Enter \"mortgage\"");
    picture("kill_last_good", "Space K Tab Right Right Tab \"3.0\" Tab \"too many refusals\"");
    picture("kill_wrong_word", "Space K Enter \"loan\" Enter");
    picture("kill_done", "Space K Enter \"mortgage-preapproval\" Enter");
    picture("resume", "3 j j R");
    picture("requeue", "3 j j Q Tab Enter");
    picture("resolve", "3 Tab r");
    for (columns, rows) in SIZES {
        let mut rig = Rig::new(FakeDesk::stocked(), columns, rows);
        rig.hold = true;
        play(&mut rig, "Space K Enter \"mortgage-preapproval\" Enter");
        rig.pass(2100);
        insta::assert_snapshot!(format!("kill_waits_{columns}x{rows}"), rig.screen());
    }
}

#[test]
fn nothing_is_read() {
    for (columns, rows) in SIZES {
        let mut rig = Rig::new(FakeDesk::stocked(), columns, rows);
        rig.hold = true;
        play(&mut rig, "2");
        insta::assert_snapshot!(format!("signals_first_{columns}x{rows}"), rig.screen());
        play(&mut rig, "3");
        insta::assert_snapshot!(format!("containment_first_{columns}x{rows}"), rig.screen());
    }
    let refused = || {
        let desk = FakeDesk::stocked();
        let why = crate::protocol::Refused::new(
            crate::protocol::Why::Unavailable,
            "the desk does not measure signals yet",
        );
        desk.inside().unmeasured =
            Some(why.hint("set a reference: overrule signals reference set"));
        desk
    };
    picture_of("signals_refused", refused, "2");
    picture_of("containment_refused", refused, "3");
}

#[test]
fn trouble_in_sight() {
    let desk = || {
        let desk = FakeDesk::stocked();
        {
            let mut inside = desk.inside();
            inside.automation = "killed model=mortgage-preapproval@3.1".into();
            inside.drift = vec!["loan obligation".into(), "loan income".into()];
            inside.items.get_mut("lap-2001").unwrap().frozen_by = Some("f-7".into());
        }
        desk
    };
    picture_of("frozen", desk, "");
}

#[test]
fn cards() {
    for (columns, rows) in SIZES {
        let rig = Rig::with(FakeDesk::stocked(), columns, rows, |s| s.hint = true);
        insta::assert_snapshot!(format!("first_minute_{columns}x{rows}"), rig.screen());
    }
    let mut rig = Rig::stocked();
    rig.resize(39, 9);
    insta::assert_snapshot!("too_small", rig.screen());
    let mut rig = Rig::stocked();
    let refused = crate::protocol::Refused::new(
        crate::protocol::Why::Unavailable,
        "the store /desk.db cannot be read: no space left",
    )
    .hint("free some space; nothing acknowledged is lost");
    rig.tell(What::Resized(120, 36));
    rig.desk.inside().refuse.push_back(refused);
    rig.press("a");
    insta::assert_snapshot!("refused", rig.screen());
}
