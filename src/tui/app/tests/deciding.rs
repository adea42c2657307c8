//! Accept, undo, refusals, bursts: what reaches the desk, and what stands on the screen.

use super::*;

#[test]
fn the_most_urgent_free_item_is_shown_and_leased() {
    let rig = Rig::stocked();
    assert_eq!(rig.shown(), Some("lap-2001"));
    let inside = rig.desk.inside();
    assert_eq!(inside.items["lap-2001"].lease.as_ref().unwrap().reviewer, "ann");
    drop(inside);
    assert!(rig.screen().contains("leased to you, 5m left"), "{}", rig.screen());
}
