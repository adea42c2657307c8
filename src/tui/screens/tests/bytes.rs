//! Hostile texts everywhere a text can come from, painted by the real backend: the bytes that
//! leave are our own escape sequences and text that can be seen.

use std::io::Write;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use ratatui::{TerminalOptions, Viewport};

use super::*;
use crate::domain::{Fault, FaultKind};
use crate::tui::app::What;
use crate::tui::fake::{Held, loan, support};
use crate::tui::screens::{Cache, draw};

#[derive(Clone, Default)]
struct Wire(Arc<Mutex<Vec<u8>>>);

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The bytes of one whole frame of what the rig shows.
fn wire(rig: &Rig, depth: Depth) -> Vec<u8> {
    let (columns, rows) = rig.state.size;
    let wire = Wire::default();
    let viewport = Viewport::Fixed(Rect::new(0, 0, columns, rows));
    let backend = CrosstermBackend::new(wire.clone());
    let mut terminal = Terminal::with_options(backend, TerminalOptions { viewport }).unwrap();
    let theme = theme(depth);
    terminal
        .draw(|frame| {
            draw(frame, &rig.state, &theme, &mut Cache::default());
        })
        .unwrap();
    drop(terminal);
    wire.0.lock().unwrap().clone()
}

/// The text that is left when our own sequences are taken away; fails on any other one.
fn text_of(bytes: &[u8]) -> Result<String, String> {
    let mut rest = std::str::from_utf8(bytes).map_err(|e| e.to_string())?;
    let mut text = String::new();
    while let Some(c) = rest.chars().next() {
        if c != '\u{1b}' {
            text.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        }
        // Colours and attributes (m), the cursor's place (H), showing and hiding it (?25h, ?25l).
        let after = rest[1..].strip_prefix('[').ok_or("an escape that is no CSI")?;
        let end = after.find(|c: char| c.is_ascii_alphabetic()).ok_or("a CSI without an end")?;
        let (body, last) = (&after[..end], &after[end..=end]);
        let plain = body.chars().all(|c| c.is_ascii_digit() || c == ';');
        let ours = match last {
            "m" | "H" => plain,
            "h" | "l" => body == "?25",
            _ => false,
        };
        if !ours {
            return Err(format!("not ours: CSI {body}{last}"));
        }
        rest = &after[end + 1..];
    }
    Ok(text)
}

/// Nothing that moves, hides, reorders or names a thing by what cannot be seen.
fn harmless(text: &str) -> Result<(), String> {
    for c in text.chars() {
        let bad = c.is_control()
            || matches!(c, '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}'
                | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{E0000}'..='\u{E007F}' | '\u{AD}');
        if bad {
            return Err(format!("U+{:04X} reached the terminal", u32::from(c)));
        }
    }
    Ok(())
}

/// A desk where every text of every kind is this one.
fn hostile_desk(text: &str) -> FakeDesk {
    let desk = FakeDesk::empty();
    let poison = |mut held: Held| {
        let record = held.record.as_object_mut().unwrap();
        for field in ["domain", "action", "rationale"] {
            record.insert(field.into(), text.into());
        }
        record.insert("model".into(), serde_json::json!({"name": text, "version": text}));
        record.insert("cohort".into(), serde_json::json!({text: text}));
        record
            .insert("input".into(), serde_json::json!({text: text, "list": [text, {text: text}]}));
        record.insert("ensemble".into(), serde_json::json!([{"name": text, "score": 0.5}]));
        record.insert(text.into(), text.into());
        held.reason = text.into();
        held.rule = text.into();
        held.frozen_by = Some(text.into());
        held
    };
    let mut plain = poison(support("plain", 0.5));
    plain.record["output"] = text.into();
    desk.add(plain, 300);
    let mut json = poison(loan("json", 0.5, 5.0));
    json.record["output"] = serde_json::json!({text: text, "decision": text});
    desk.add(json, 400);
    let mut id = poison(support("x", 0.5));
    id.item.id = format!("id{text}").chars().take(60).collect();
    desk.add(id, 500);
    let mut broken = poison(crate::tui::fake::broken("broken"));
    broken.faults.push(Fault { path: text.into(), kind: FaultKind::Schema, message: text.into() });
    desk.add(broken, 600);
    {
        let mut inside = desk.inside();
        inside.automation = text.into();
        inside.drift = vec![text.into()];
        inside.poison = Some(text.into());
        for queue in &mut inside.queues {
            queue.title = text.into();
        }
        inside.log.push(serde_json::json!({"t": text, "id": text, "by": text, "d": {text: text}}));
    }
    desk
}

/// Every screen and sheet with this text everywhere.
fn every_screen(text: &str, most: usize) -> Result<(), String> {
    let walks = [
        "",
        "Tab",
        "j",
        "j Tab",
        "j j",
        "j j j",
        "e",
        "j e",
        "j j j e",
        "r",
        "x",
        "A",
        "i",
        "v",
        "4 Enter",
        "6",
        "2",
        "2 Tab",
        "2 Tab Enter",
        "2 Tab Enter Enter",
        "2 j Enter",
        "3",
        "3 G",
        "3 Tab",
        "3 Tab Enter",
        "3 Tab r",
        "3 j j R",
        "Space K",
        "3 Space K",
        "Q",
        "m m a",
        "a",
        "a q",
        "a 5",
    ];
    for walk in walks.iter().take(most) {
        let mut rig = Rig::new(hostile_desk(text), 120, 40);
        rig.press(walk);
        rig.pass(400);
        rig.tell(What::Paste(text.to_owned()));
        let refused = crate::protocol::Refused::new(crate::protocol::Why::Stale, text).hint(text);
        rig.desk.inside().refuse.push_back(refused);
        let sent = text_of(&wire(&rig, Depth::True)).map_err(|e| format!("{walk}: {e}"))?;
        harmless(&sent).map_err(|e| format!("{walk}: {e}"))?;
    }
    Ok(())
}

#[test]
fn hostile_texts_leave_nothing_but_our_own_sequences() {
    for text in [
        "\u{1b}[2J\u{1b}]0;owned\u{7}\u{1b}]52;c;cm0gLXJm\u{7}",
        "\u{9b}31m red \u{9d}0;x\u{9c}",
        "pay \u{202E}lived\u{202C} \u{2067}to\u{2069} me",
        "a\u{200B}b\u{FEFF}c\u{2060}d\u{AD}e",
        "tag\u{E0041}\u{E0042}\u{E007F}",
        "line\u{2028}sep\u{2029}arated\r\n\tand\rback\u{8}",
        "z\u{300}\u{301}\u{302}\u{303}\u{304}\u{305}\u{306}\u{307}\u{308}\u{309}",
        "👩‍🔬 日本語 مرحبا",
    ] {
        every_screen(text, usize::MAX).unwrap();
    }
}

#[test]
fn attributes_survive_without_colour() {
    let rig = Rig::new(FakeDesk::stocked(), 100, 24);
    let bytes = wire(&rig, Depth::Mono);
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.contains("\u{1b}[1m"), "bold is left");
    // An empty colour is a reset, and would erase the attribute before it.
    assert!(!text.contains("\u{1b}[m"), "no empty sequence");
    assert!(!text.contains("38;") && !text.contains("48;"), "no colour");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_harmless(text in any::<String>(), walk in 1_usize..=9) {
        every_screen(&text, walk).map_err(TestCaseError::fail)?;
    }
}
