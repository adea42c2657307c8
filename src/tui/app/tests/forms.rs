//! Sheets over the item: reject, move, flag, bulk, blind, help, palette, pages.

use super::*;

#[test]
fn a_reject_takes_tags_by_letter_a_note_and_the_right_answer() {
    let mut rig = Rig::stocked();
    rig.press("r");
    let screen = rig.screen();
    assert!(screen.contains("reject lap-2001"), "{screen}");
    assert!(screen.contains("f factual error"), "{screen}");
    assert!(screen.contains("p policy violation* ▲ freezes similar, goes to level3"), "{screen}");
    rig.press("f b f b Tab").type_text("income is not verified");
    rig.press("Tab").type_text("deny");
    rig.press("Enter");
    let review = reviews(&rig).remove(0);
    assert_eq!(review.verdict.tags, ["bias"; 0]);
    assert_eq!(review.verdict.note.as_deref(), Some("income is not verified"));
    assert_eq!(review.verdict.label.as_deref(), Some("deny"));
    assert_eq!(rig.shown(), Some("exq-0114"));
}

#[test]
fn a_tag_that_wants_a_note_gets_one() {
    let mut rig = Rig::stocked();
    rig.press("r p Enter");
    assert_eq!(reviews(&rig), []);
    assert!(rig.screen().contains("policy_violation needs a note"), "{}", rig.screen());
    rig.type_text("against rule 4").press("Enter");
    assert_eq!(reviews(&rig)[0].verdict.tags, ["policy_violation"]);
    // The same reason again, by one key and a look.
    rig.press(".");
    assert!(rig.screen().contains("against rule 4"), "{}", rig.screen());
    rig.press("Enter");
    let second = &reviews(&rig)[1];
    assert_eq!(second.item, "exq-0114");
    assert_eq!(second.verdict.note.as_deref(), Some("against rule 4"));
}

#[test]
fn esc_keeps_the_draft_of_a_reject() {
    let mut rig = Rig::stocked();
    rig.press("r f Tab").type_text("half a though");
    rig.press("Esc");
    assert!(rig.state.overlays.is_empty());
    let draft = rig.desk.inside().drafts[&("lap-2001".into(), "ann".into())].clone();
    assert_eq!(draft.tags, ["factual_error"]);
    assert_eq!(draft.note.as_deref(), Some("half a though"));
    rig.press("r");
    assert!(rig.screen().contains("half a though"), "{}", rig.screen());
}

#[test]
fn a_half_filled_reject_is_kept_at_a_pause_and_at_the_end() {
    let mut rig = Rig::stocked();
    let kept =
        |rig: &Rig| rig.desk.inside().drafts.get(&("lap-2001".into(), "ann".into())).cloned();
    rig.press("r f");
    assert_eq!(kept(&rig), None);
    rig.pass(1000);
    assert_eq!(kept(&rig).unwrap().tags, ["factual_error"]);
    rig.press("Tab").type_text("half");
    rig.tell(What::Stop);
    assert_eq!(kept(&rig).unwrap().note.as_deref(), Some("half"));
    assert_eq!(rig.effects.last(), Some(&Effect::Quit));
}

#[test]
fn a_move_picks_the_queue_above_first() {
    let mut rig = Rig::stocked();
    rig.press("x");
    assert!(rig.screen().contains("▸ level2"), "{}", rig.screen());
    rig.press("Tab").type_text("needs an expert");
    rig.press("Enter");
    let review = reviews(&rig).remove(0);
    assert_eq!(review.verdict.to.as_deref(), Some("level2"));
    assert_eq!(review.verdict.note.as_deref(), Some("needs an expert"));
    assert!(rig.screen().contains("moved lap-2001 to level2"), "{}", rig.screen());
    rig.press("x").type_text("nowhere");
    rig.press("Enter");
    assert!(rig.screen().contains("no queue is called nowhere"), "{}", rig.screen());
}

#[test]
fn a_draft_travels_with_an_escalation() {
    let mut rig = Rig::stocked();
    rig.press("s");
    rig.press("e").type_text("Draft. ");
    rig.press("Esc x");
    assert!(rig.screen().contains("your draft travels along"), "{}", rig.screen());
    rig.press("Enter");
    let output = reviews(&rig)[0].verdict.output.clone().unwrap();
    assert!(output.as_str().unwrap().starts_with("Draft. If you think"), "{output}");
}

#[test]
fn marked_items_are_decided_after_a_typed_count_and_taken_back_together() {
    let mut rig = Rig::stocked();
    rig.press("m m m");
    assert!(rig.screen().contains("3 marked"), "{}", rig.screen());
    rig.press("a");
    let screen = rig.screen();
    assert!(screen.contains("accept 3 marked items"), "{screen}");
    assert!(screen.contains("2  loan · approve"), "{screen}");
    rig.press("Enter");
    assert!(rig.screen().contains("type 3 to accept them all"), "{}", rig.screen());
    rig.type_text("2").press("Enter");
    assert_eq!(reviews(&rig), []);
    rig.press("Backspace").type_text("3").press("Enter");
    let sent = reviews(&rig);
    assert_eq!(sent.len(), 3);
    let mut ids: Vec<_> = sent.iter().map(|r| r.request_id.clone()).collect();
    ids.dedup();
    assert_eq!(ids.len(), 3, "one review each");
    assert!(rig.screen().contains("accepted 3 items"), "{}", rig.screen());
    assert!(rig.state.marks.is_empty());
    rig.press("u");
    for id in ["lap-2001", "exq-0114", "lap-1664"] {
        assert_eq!(state_of(&rig, id), ItemState::Waiting, "{id}");
    }
}

#[test]
fn bulk_leaves_out_what_it_must_not_decide() {
    let mut rig = Rig::stocked();
    rig.desk.lease_to("exq-0114", "bob");
    rig.change();
    rig.press("M");
    assert_eq!(rig.state.marks.len(), 13);
    rig.press("Space a");
    let screen = rig.screen();
    assert!(screen.contains("accept 10 marked items"), "{screen}");
    assert!(screen.contains("exq-0114: leased to bob"), "{screen}");
    assert!(screen.contains("hp-017: a broken record cannot be accepted"), "{screen}");
    assert!(screen.contains("lap-2044: blind: answer it first"), "{screen}");
    rig.press("Esc r f Enter");
    assert!(rig.screen().contains("reject 11 marked items"), "{}", rig.screen());
    rig.type_text("11").press("Enter");
    assert_eq!(reviews(&rig).len(), 11);
    assert!(reviews(&rig).iter().all(|r| r.verdict.tags == ["factual_error"]));
}

#[test]
fn a_blind_item_asks_first_and_shows_after() {
    let mut rig = Rig::stocked();
    rig.state.list.select("lap-2044");
    rig.press("j k");
    rig.pass(400);
    assert_eq!(rig.shown(), Some("lap-2044"));
    let screen = rig.screen();
    assert!(screen.contains("blind: say what you would do"), "{screen}");
    assert!(!screen.contains("p deny"), "{screen}");
    rig.press("a");
    assert!(rig.screen().contains("your answer on lap-2044"), "{}", rig.screen());
    rig.press("Enter");
    assert!(rig.screen().contains("say what you would have done"), "{}", rig.screen());
    rig.press("Down");
    assert!(rig.screen().contains("▸ action  approve"), "{}", rig.screen());
    rig.press("Enter");
    assert!(rig.desk.inside().said.iter().any(
        |c| matches!(c, Command::AnswerBlind(a) if a.item == "lap-2044" && a.action == "approve")
    ));
    let screen = rig.screen();
    assert!(screen.contains("p deny"), "the proposal is shown now: {screen}");
    rig.press("a");
    assert_eq!(reviews(&rig)[0].item, "lap-2044");
}

#[test]
fn a_settled_decision_is_flagged() {
    let mut rig = Rig::stocked();
    rig.press("F");
    assert!(rig.toasts().contains("under review already"), "{}", rig.toasts());
    rig.press("a");
    rig.pass(6000);
    rig.press("/").type_text("by:me");
    rig.press("Enter");
    rig.pass(300);
    rig.press("F f Enter");
    assert!(rig.toasts().contains("flagged lap-2001"), "{}", rig.toasts());
    assert_eq!(state_of(&rig, "lap-2001"), ItemState::Waiting);
}

#[test]
fn help_lists_the_keys_of_the_place_and_filters() {
    let mut rig = Rig::stocked();
    rig.press("?");
    assert!(rig.screen().contains("keys in the queue"), "{}", rig.screen());
    assert!(rig.screen().contains("Accept the proposal as it is."));
    rig.press("/").type_text("hidden");
    assert!(rig.screen().contains("code points"), "{}", rig.screen());
    assert!(!rig.screen().contains("Accept the proposal"), "{}", rig.screen());
    rig.press("Enter Esc");
    assert!(rig.state.overlays.is_empty());
    // While typing, help has a key that is not a letter.
    rig.press("r F1");
    assert!(rig.screen().contains("keys in the reason sheet"), "{}", rig.screen());
    rig.press("Esc Esc");
    assert!(rig.state.overlays.is_empty());
}

#[test]
fn the_palette_finds_and_runs() {
    let mut rig = Rig::stocked();
    rig.press(":").type_text("polcy");
    assert!(rig.screen().contains("Go to the policy in force."), "{}", rig.screen());
    rig.press("Enter");
    assert_eq!(rig.state.view, View::Policy);
    rig.press("1 :").type_text("accept");
    rig.press("Enter");
    assert_eq!(rig.desk.verdicts().len(), 1, "an action chosen by name acts like its key");
}

#[test]
fn guideline_and_code_points_are_pages() {
    let mut rig = Rig::stocked();
    rig.press("i");
    assert!(rig.screen().contains("Income verified?"), "{}", rig.screen());
    // The key that opened a page closes it, too.
    rig.press("i");
    assert!(rig.state.overlays.is_empty());
    rig.state.list.select("mod-0900");
    rig.press("j k");
    rig.pass(300);
    assert!(rig.screen().contains("hides 3 characters"), "{}", rig.screen());
    rig.press("v");
    let screen = rig.screen();
    assert!(screen.contains("U+202E"), "{screen}");
    assert!(screen.contains("right-to-left override"), "{screen}");
    rig.press("Esc");
    assert!(rig.state.overlays.is_empty());
    rig.press("v v");
    assert!(rig.state.overlays.is_empty());
}

#[test]
fn the_id_is_copied_and_nothing_else() {
    let mut rig = Rig::stocked();
    rig.press("y");
    assert_eq!(rig.effects.last(), Some(&Effect::Copy("lap-2001".into())));
    assert!(rig.toasts().contains("copied lap-2001"));
}

#[test]
fn the_card_of_the_first_minute_goes_with_the_first_key() {
    let mut rig = Rig::with(FakeDesk::stocked(), 120, 36, |s| s.hint = true);
    assert!(rig.screen().contains("these are real keys"), "{}", rig.screen());
    rig.press("j");
    assert!(!rig.screen().contains("these are real keys"));
    assert_eq!(rig.selected(), Some("exq-0114"), "the key did what it does");
}
