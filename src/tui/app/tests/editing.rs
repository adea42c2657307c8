//! The editor: text, JSON, repairs, the reviewer's own editor, hidden characters.

use serde_json::json;

use super::*;

fn on(id: &str) -> Rig {
    let mut rig = Rig::stocked();
    rig.state.list.select(id);
    rig.press("j k");
    rig.pass(400);
    assert_eq!(rig.shown(), Some(id));
    rig
}

#[test]
fn an_edit_shows_what_changes_and_asks_why() {
    let mut rig = on("exq-0114");
    rig.press("e");
    assert!(rig.screen().contains("nothing is changed yet"), "{}", rig.screen());
    rig.press("Ctrl-s");
    assert!(rig.screen().contains("nothing is changed yet; Esc closes"), "{}", rig.screen());
    rig.type_text("Please note: ");
    let screen = rig.screen();
    assert_eq!(screen.matches("Please note: If you think").count(), 2, "text and diff: {screen}");
    rig.press("Ctrl-s");
    assert!(rig.screen().contains("why was it edited?"), "{}", rig.screen());
    rig.press("f Enter");
    let review = reviews(&rig).remove(0);
    assert_eq!(review.verdict.verdict, VerdictKind::Edit);
    assert_eq!(review.verdict.tags, ["factual_error"]);
    assert_eq!(review.verdict.action, None);
    let output = review.verdict.output.unwrap();
    assert!(output.as_str().unwrap().starts_with("Please note: If you think you own"));
    assert!(rig.screen().contains("edited exq-0114"), "{}", rig.screen());
}

#[test]
fn the_draft_is_kept_at_every_pause_and_comes_back() {
    let mut rig = on("exq-0114");
    rig.press("e").type_text("One. ");
    rig.pass(1000);
    let kept =
        |rig: &Rig| rig.desk.inside().drafts.get(&("exq-0114".into(), "ann".into())).cloned();
    assert!(kept(&rig).unwrap().output.unwrap().starts_with("One. If you"));
    rig.type_text("Two. ").press("Esc");
    assert!(kept(&rig).unwrap().output.unwrap().starts_with("One. Two. If you"));
    // Another session of the same reviewer.
    let desk = FakeDesk::stocked();
    desk.inside().drafts = rig.desk.inside().drafts.clone();
    let mut again = Rig::new(desk, 120, 36);
    again.press("s e");
    assert!(again.screen().contains("One. Two. If you"), "{}", again.screen());
    assert!(again.screen().contains("your draft is back"), "{}", again.screen());
}

#[test]
fn json_is_checked_while_it_is_typed() {
    let mut rig = on("lap-1664");
    rig.press("e");
    assert!(rig.screen().contains("\"decision\": \"approve\""), "{}", rig.screen());
    // `{` then a stray letter.
    rig.press("Right").type_text("x");
    assert!(rig.screen().contains("line 1, column 2"), "{}", rig.screen());
    assert!(rig.styled().contains("⟦input.fault⟧"), "{}", rig.styled());
    rig.press("Ctrl-s");
    assert!(rig.screen().contains("this is not JSON yet"), "{}", rig.screen());
    rig.press("Backspace");
    assert!(!rig.screen().contains("line 1, column 2"), "{}", rig.screen());
    // Valid JSON that the schema refuses.
    rig.press(
        "Down End Left Left Backspace Backspace Backspace Backspace Backspace Backspace Backspace",
    );
    rig.type_text("maybe");
    rig.pass(300);
    let screen = rig.screen();
    assert!(screen.contains("is not one of approve"), "{screen}");
    rig.press("Ctrl-s");
    assert!(rig.screen().contains("the schema does not hold"), "{}", rig.screen());
    for _ in 0..5 {
        rig.press("Backspace");
    }
    rig.type_text("deny");
    rig.pass(300);
    assert!(!rig.screen().contains("is not one of"), "{}", rig.screen());
    rig.press("Tab").press("Ctrl-u").type_text("deny").press("Ctrl-s");
    rig.press("w Enter");
    let review = reviews(&rig).remove(0);
    assert_eq!(review.verdict.output, Some(json!({"decision": "deny", "p_deny": 0.29})));
    assert_eq!(review.verdict.action.as_deref(), Some("deny"));
}

#[test]
fn checks_of_an_older_text_are_stale() {
    let mut rig = on("lap-1664");
    rig.press("e");
    rig.hold = true;
    rig.press("Down End Left Left Backspace");
    rig.pass(300);
    rig.type_text("e");
    let held = std::mem::take(&mut rig.held);
    rig.hold = false;
    assert!(!held.is_empty());
    for what in held {
        rig.tell(what);
    }
    let Some(Overlay::Edit(form)) = rig.state.overlays.last() else { panic!() };
    assert_eq!(form.current_faults(), []);
}

#[test]
fn a_broken_record_is_repaired_as_a_whole() {
    let mut rig = on("hp-017");
    rig.press("e");
    assert!(rig.screen().contains("repair hp-017"), "{}", rig.screen());
    assert!(rig.screen().contains("\"confidence\": 1.7"), "{}", rig.screen());
    let Some(Overlay::Edit(form)) = rig.state.overlays.last_mut() else { panic!() };
    let text = form.text().replace("1.7", "0.7");
    rig.tell(What::Edited(Ok(Some(text))));
    rig.press("Ctrl-s");
    let review = reviews(&rig).remove(0);
    assert_eq!(review.verdict.verdict, VerdictKind::Edit);
    let output = review.verdict.output.unwrap();
    assert_eq!(output["confidence"], json!(0.7));
    assert_eq!(output["id"], json!("hp-017"));
}

#[test]
fn hidden_characters_do_not_reach_the_editor() {
    let mut rig = on("exq-0114");
    let text = "ok \u{202E}kcab\u{202C} and \u{1b}[2Jclean";
    let output = json!(text);
    rig.desk.inside().items.get_mut("exq-0114").unwrap().record["output"] = output;
    rig.press("Ctrl-r");
    rig.pass(300);
    rig.press("e");
    let Some(Overlay::Edit(form)) = rig.state.overlays.last() else { panic!() };
    assert_eq!(form.text(), "ok kcab and [2Jclean");
    assert_eq!(form.left_out, 3);
    let screen = rig.screen();
    assert!(screen.contains("3 hidden characters left out"), "{screen}");
    assert!(screen.contains("<U+202E>"), "the diff shows what goes: {screen}");
    rig.tell(What::Paste("new \u{200B}text\r\nline".into()));
    let Some(Overlay::Edit(form)) = rig.state.overlays.last() else { panic!() };
    assert!(form.text().starts_with("new text\nline"), "{:?}", form.text());
}

#[test]
fn the_reviewers_own_editor_hands_back() {
    let mut rig = on("exq-0114");
    rig.press("E");
    assert!(matches!(rig.effects.last(), Some(Effect::Edit { suffix: ".md", .. })));
    rig.tell(What::Edited(Ok(None)));
    assert!(rig.screen().contains("the editor changed nothing"), "{}", rig.screen());
    rig.press("Ctrl-e");
    rig.tell(What::Edited(Err("nano: exit status: 1; the text is as it was".into())));
    assert!(rig.toasts().contains("the text is as it was"), "{}", rig.toasts());
    rig.press("Ctrl-e");
    rig.tell(What::Edited(Ok(Some("A better answer.\n".into()))));
    rig.press("Ctrl-s Enter");
    assert_eq!(reviews(&rig)[0].verdict.output, Some(json!("A better answer.")));
}

#[test]
fn an_item_that_changes_under_the_editor_says_so_and_keeps_the_text() {
    let mut rig = on("exq-0114");
    rig.press("e").type_text("Mine. ");
    rig.desk.inside().items.get_mut("exq-0114").unwrap().item.revision = 4;
    rig.change();
    assert!(rig.screen().contains("has changed since you opened it"), "{}", rig.screen());
    rig.press("Ctrl-s f Enter");
    assert!(rig.toasts().contains("your draft is kept"), "{}", rig.toasts());
    assert_eq!(rig.desk.verdicts(), []);
}

#[test]
fn stopping_in_the_middle_of_an_edit_keeps_the_draft() {
    let mut rig = on("exq-0114");
    rig.press("e").type_text("Unsaved. ");
    rig.tell(What::Stop);
    assert_eq!(rig.effects.last(), Some(&Effect::Quit));
    let draft = rig.desk.inside().drafts[&("exq-0114".into(), "ann".into())].clone();
    assert!(draft.output.unwrap().starts_with("Unsaved. "));
}
