//! Keys, tables and layers.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use proptest::prelude::*;

use super::*;

fn key(text: &str) -> Key {
    Key::parse(text).unwrap()
}

fn keys(text: &str) -> Vec<Key> {
    Key::parse_sequence(text).unwrap()
}

/// What a whole sequence does, fed key by key.
fn press(keymap: &Keymap, context: Context, sequence: &str) -> Feed {
    let sequence = keys(sequence);
    let (last, before) = sequence.split_last().unwrap();
    for (n, k) in before.iter().enumerate() {
        let feed = keymap.feed(context, &before[..n], *k);
        if !matches!(feed, Feed::Pending(_)) {
            return Feed::None;
        }
    }
    keymap.feed(context, before, *last)
}

fn user(text: &str) -> (Keymap, Vec<String>) {
    let (keymap, problems) = Keymap::load("default", Some(("keys.toml", text)));
    (keymap, problems.iter().map(ToString::to_string).collect())
}

#[test]
fn shipped_keymaps_have_no_faults() {
    for (name, _) in PRESETS {
        let (_, problems) = Keymap::load(name, None);
        let shown: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(shown, Vec::<String>::new(), "{name}");
    }
}

#[test]
fn the_documented_keys_are_the_default_keys() {
    let keymap = Keymap::default();
    for (context, sequence, action) in [
        (Context::Queue, "a", Action::Accept),
        (Context::Queue, "e", Action::Edit),
        (Context::Queue, "r", Action::Reject),
        (Context::Queue, "x", Action::Escalate),
        (Context::Queue, "s", Action::Skip),
        (Context::Queue, "u", Action::Undo),
        (Context::Queue, "m", Action::Mark),
        (Context::Queue, "i", Action::Guideline),
        (Context::Queue, "Enter", Action::Open),
        (Context::Queue, "Esc", Action::Back),
        (Context::Queue, "Tab", Action::PaneNext),
        (Context::Queue, "j", Action::Down),
        (Context::Queue, "k", Action::Up),
        (Context::Queue, "Down", Action::Down),
        (Context::Queue, "Up", Action::Up),
        (Context::Queue, "g g", Action::Top),
        (Context::Queue, "G", Action::Bottom),
        (Context::Queue, "Ctrl-d", Action::HalfPageDown),
        (Context::Queue, "Ctrl-u", Action::HalfPageUp),
        (Context::Queue, "/", Action::Filter),
        (Context::Queue, "n", Action::NextMatch),
        (Context::Queue, "N", Action::PrevMatch),
        (Context::Queue, "E", Action::ExternalEditor),
        (Context::Queue, "y", Action::CopyId),
        (Context::Queue, "v", Action::RawView),
        (Context::Queue, ".", Action::RepeatReason),
        (Context::Queue, "1", Action::ViewQueue),
        (Context::Queue, "2", Action::ViewSignals),
        (Context::Queue, "3", Action::ViewContainment),
        (Context::Queue, "4", Action::ViewAudit),
        (Context::Queue, "5", Action::ViewLearning),
        (Context::Queue, "6", Action::ViewPolicy),
        (Context::Queue, "?", Action::Help),
        (Context::Queue, ":", Action::Palette),
        (Context::Queue, "Space K", Action::Kill),
        (Context::Queue, "q", Action::Quit),
        (Context::Queue, "Ctrl-z", Action::Suspend),
        (Context::Editor, "Ctrl-s", Action::Submit),
    ] {
        assert_eq!(press(&keymap, context, sequence), Feed::Action(action), "{sequence}");
        if context == Context::Queue {
            assert_eq!(press(&keymap, Context::Item, sequence), Feed::Action(action), "{sequence}");
        }
    }
}

#[test]
fn every_action_has_a_key_somewhere_and_works_where_it_is_bound() {
    for (name, _) in PRESETS {
        let (keymap, _) = Keymap::load(name, None);
        for action in Action::ALL {
            let bound: Vec<Context> = Context::ALL
                .iter()
                .copied()
                .filter(|c| !keymap.keys_for(*c, *action).is_empty())
                .collect();
            assert!(!bound.is_empty(), "{name}: {} has no key", action.id());
            for context in bound {
                assert!(action.may_stand_in(context), "{name}: {} in {context:?}", action.id());
            }
        }
    }
}

#[test]
fn actions_are_told_apart_and_explained() {
    for (n, action) in Action::ALL.iter().enumerate() {
        assert_eq!(Action::from_id(action.id()), Some(*action));
        assert!(!Action::ALL[..n].iter().any(|a| a.id() == action.id()), "{}", action.id());
        assert!(action.help().ends_with('.') && !action.title().is_empty());
        assert!(!action.info().contexts.is_empty());
    }
    for context in Context::ALL {
        assert_eq!(Context::from_id(context.id()), Some(*context));
    }
    assert_eq!(Action::from_id("none"), None);
}

#[test]
fn stopping_and_bulk_verdicts_need_more_than_one_bare_key() {
    for (name, _) in PRESETS {
        let (keymap, _) = Keymap::load(name, None);
        for context in Context::ALL {
            for binding in keymap.bindings(*context) {
                if binding.action.danger() == Danger::Destructive {
                    assert!(binding.keys.len() > 1 || !binding.keys[0].is_bare());
                }
            }
        }
    }
    assert_eq!(Action::Kill.danger(), Danger::Destructive);
    assert_eq!(Action::Accept.danger(), Danger::Decides);
}

#[test]
fn letters_are_text_while_typing_and_nothing_while_asked() {
    for (name, _) in PRESETS {
        let (keymap, _) = Keymap::load(name, None);
        for context in Context::ALL.iter().copied() {
            if !context.is_typing() && context != Context::Modal {
                continue;
            }
            for letter in ('a'..='z').chain('A'..='Z').chain('0'..='9').chain([' ', ':', '?']) {
                let key = Key::new(KeyCode::Char(letter), KeyModifiers::NONE);
                assert_eq!(
                    keymap.feed(context, &[], key),
                    Feed::None,
                    "{name} {context:?} {letter}"
                );
            }
        }
    }
}

#[test]
fn the_kill_switch_can_be_reached_from_every_view() {
    let keymap = Keymap::default();
    for context in Context::ALL.iter().filter(|c| Action::Kill.works_in(**c)) {
        assert_eq!(press(&keymap, *context, "Space K"), Feed::Action(Action::Kill));
    }
}

#[test]
fn a_sequence_waits_and_says_what_may_follow() {
    let keymap = Keymap::default();
    let Feed::Pending(next) = keymap.feed(Context::Queue, &[], key("Space")) else { panic!() };
    assert_eq!(
        next,
        [
            (key("a"), "accept marked"),
            (key("r"), "reject marked"),
            (key("l"), "take along"),
            (key("t"), "take lease back"),
            (key("K"), "kill switch"),
        ]
    );
    // A wrong key ends the sequence and does nothing, whatever it does alone.
    assert_eq!(keymap.feed(Context::Queue, &[key("g")], key("a")), Feed::None);
    assert_eq!(keymap.feed(Context::Queue, &[key("g"), key("g")], key("g")), Feed::None);
}

#[test]
fn the_users_keys_come_first_and_unbind() {
    let (keymap, problems) = user("[review]\n\"A\" = \"item.accept\"\n\"x\" = \"none\"\n");
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!(keymap.keys_for(Context::Item, Action::Accept), ["A", "a"]);
    assert_eq!(press(&keymap, Context::Queue, "x"), Feed::None);
    assert_eq!(press(&keymap, Context::Queue, "A"), Feed::Action(Action::Accept));
    assert_eq!(keymap.keys_for(Context::Queue, Action::Answer), Vec::<String>::new());
}

#[test]
fn a_nearer_table_wins_without_touching_the_others() {
    let (keymap, problems) = user("[queue]\n\"n\" = \"item.skip\"\n[audit]\n\"/\" = \"none\"\n");
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!(press(&keymap, Context::Queue, "n"), Feed::Action(Action::Skip));
    assert_eq!(press(&keymap, Context::Item, "n"), Feed::Action(Action::NextMatch));
    assert_eq!(press(&keymap, Context::Audit, "/"), Feed::None);
    assert_eq!(press(&keymap, Context::Queue, "/"), Feed::Action(Action::Filter));
}

#[test]
fn a_freed_key_can_start_a_sequence_in_any_order_of_lines() {
    let (keymap, problems) =
        user("[review]\n\"s s\" = \"item.skip\"\n\"s\" = \"none\"\n\"u u\" = \"item.undo\"\n");
    assert_eq!(
        problems,
        ["keys.toml:4:1: 'u u' can never be reached: 'u' acts first (item.undo in [review]) \
          ('u u' stays unbound)"]
    );
    assert_eq!(press(&keymap, Context::Queue, "s s"), Feed::Action(Action::Skip));
    assert_eq!(press(&keymap, Context::Queue, "u"), Feed::Action(Action::Undo));
}

#[test]
fn no_key_may_hide_the_kill_switch_by_accident() {
    let (keymap, problems) = user("[queue]\n\"Space\" = \"move.page-down\"\n");
    assert_eq!(
        problems,
        [
            "keys.toml:2:1: 'Space' is the start of 'Space K' (kill.open in [global]), which it would \
          hide ('Space' stays unbound)"
        ]
    );
    assert_eq!(press(&keymap, Context::Queue, "Space K"), Feed::Action(Action::Kill));
}

#[test]
fn there_is_always_a_way_out() {
    let (keymap, problems) =
        user("[typing]\n\"Esc\" = \"none\"\n[global]\n\":\" = \"none\"\n\"Space K\" = \"none\"\n");
    for context in Context::ALL {
        assert!(!keymap.keys_for(*context, Action::Back).is_empty(), "{context:?}");
    }
    assert_eq!(keymap.keys_for(Context::Queue, Action::Palette), [":"]);
    assert_eq!(
        problems,
        [
            "keys.toml: no key does app.palette in [global] (':' does it)",
            "keys.toml: no key does nav.back in [typing] ('Esc' does it)",
        ]
    );
}

#[test]
fn all_faults_are_told_at_once_and_the_rest_works() {
    let (keymap, problems) = user(concat!(
        "\"a\" = \"item.edit\"\n",
        "[quue]\n\"a\" = \"item.edit\"\n",
        "[queue]\n\"a\" = \"item.acept\"\n\"Hyper-x\" = \"item.skip\"\n\"b\" = 7\n",
        "\"t\" = \"item.skip\"\n",
    ));
    assert_eq!(
        problems,
        [
            "keys.toml:1:1: 'a' stands in no table; keys belong under one, as in [global] \
             (it is left out)",
            "keys.toml:2:2: no context is called 'quue'; did you mean 'queue'? \
             (its keys are left out)",
            "keys.toml:5:7: no action is called 'item.acept'; did you mean 'item.accept'? \
             ('a' stays item.accept)",
            "keys.toml:6:1: 'Hyper' is not a modifier; there are Ctrl, Alt and Shift \
             (this line is left out)",
            "keys.toml:7:7: 'b' needs the name of an action in quotes, not an integer \
             ('b' stays unbound)",
        ]
    );
    assert_eq!(press(&keymap, Context::Queue, "t"), Feed::Action(Action::Skip));
    assert_eq!(press(&keymap, Context::Queue, "a"), Feed::Action(Action::Accept));
}

#[test]
fn an_unknown_preset_gives_the_default_keys() {
    let (keymap, problems) = Keymap::load("emcas", None);
    assert_eq!(keymap, Keymap::default());
    assert_eq!(
        problems[0].to_string(),
        "keymap: no keymap is called 'emcas'; did you mean 'emacs'? (the default keys are used)"
    );
}

#[test]
fn presets_change_what_they_say() {
    let (vim, _) = Keymap::load("vim", None);
    assert_eq!(press(&vim, Context::Queue, "y y"), Feed::Action(Action::CopyId));
    assert_eq!(press(&vim, Context::Signals, "y"), Feed::Action(Action::CopyId));
    let (emacs, _) = Keymap::load("emacs", None);
    assert_eq!(press(&emacs, Context::Editor, "Ctrl-x Ctrl-s"), Feed::Action(Action::Submit));
    assert_eq!(press(&emacs, Context::Editor, "Ctrl-s"), Feed::None);
    assert_eq!(emacs.keys_for(Context::Queue, Action::Down), ["Ctrl-n", "j", "Down"]);
}

#[test]
fn one_key_however_the_terminal_reports_it() {
    let event = |code, modifiers| Key::from_event(&KeyEvent::new(code, modifiers)).unwrap();
    let none = KeyModifiers::NONE;
    let (ctrl, shift) = (KeyModifiers::CONTROL, KeyModifiers::SHIFT);
    assert_eq!(event(KeyCode::Char('G'), shift), key("G"));
    assert_eq!(event(KeyCode::Char('G'), none), key("G"));
    assert_eq!(event(KeyCode::Char('g'), shift), key("G"));
    assert_eq!(event(KeyCode::Char('?'), shift), key("?"));
    assert_eq!(event(KeyCode::BackTab, shift), key("Shift-Tab"));
    assert_eq!(event(KeyCode::BackTab, none), key("Shift-Tab"));
    assert_eq!(event(KeyCode::Char('D'), ctrl | shift), key("Ctrl-d"));
    assert_eq!(event(KeyCode::Char(' '), none), key("Space"));
    assert_eq!(event(KeyCode::Char('i'), ctrl), key("Tab"));
    assert_eq!(event(KeyCode::Char('m'), ctrl), key("Enter"));
    assert_eq!(event(KeyCode::Char('['), ctrl), key("Esc"));
    assert_eq!(event(KeyCode::Char('ß'), shift), key("ß"));
    let release = KeyEvent::new_with_kind(KeyCode::Char('a'), none, KeyEventKind::Release);
    assert_eq!(Key::from_event(&release), None);
    let repeat = KeyEvent::new_with_kind(KeyCode::Char('a'), none, KeyEventKind::Repeat);
    assert_eq!(Key::from_event(&repeat), Some(key("a")));
    assert_eq!(Key::from_event(&KeyEvent::new(KeyCode::CapsLock, none)), None);
}

#[test]
fn keys_are_written_as_they_are_read() {
    for text in [
        "a",
        "G",
        "ü",
        "-",
        "Ctrl--",
        "Ctrl-d",
        "Alt-x",
        "Ctrl-Alt-x",
        "Shift-Tab",
        "Space",
        "Enter",
        "Esc",
        "F1",
        "F12",
        "PageDown",
        "Alt-<",
        "+",
        "\"",
        "#",
    ] {
        assert_eq!(key(text).to_string(), text);
    }
    for (text, written) in [
        ("ctrl-D", None),
        ("space", Some("Space")),
        ("ENTER", Some("Enter")),
        ("f2", Some("F2")),
        ("Ctrl-i", Some("Tab")),
        ("shift-a", Some("A")),
        ("Ctrl-space", Some("Ctrl-Space")),
    ] {
        assert_eq!(Key::parse(text).ok().map(|k| k.to_string()).as_deref(), written, "{text}");
    }
    assert_eq!(Key::parse_sequence(" "), Ok(keys("Space")));
    assert_eq!(Key::parse_sequence("g  g"), Ok(keys("g g")));
    assert_eq!(show_sequence(&keys("space K")), "Space K");
}

#[test]
fn words_that_are_no_keys_get_a_hint() {
    for (text, nearest) in [
        ("Entr", Some("Enter")),
        ("<C-x>", Some("Ctrl-x")),
        ("<CR>", Some("Enter")),
        ("^X", Some("Ctrl-x")),
        ("C-x", Some("Ctrl")),
        ("M-x", Some("Alt")),
        ("Crtl-x", Some("Ctrl")),
        ("Ctrl-Shift-x", Some("Ctrl-x")),
        ("Ctrl-K", Some("Ctrl-k")),
        ("Return", Some("Enter")),
        ("F99", None),
        ("supercalifragilistic", None),
    ] {
        let error = Key::parse(text).unwrap_err();
        assert_eq!(error.nearest().as_deref(), nearest, "{text}: {error}");
    }
    assert_eq!(Key::parse_sequence(""), Err(KeyError::Empty));
    assert_eq!(Key::parse_sequence("   "), Err(KeyError::Empty));
}

proptest! {
    #[test]
    fn any_key_reads_back(c in any::<char>(), bits in 0_u8..8) {
        prop_assume!(!c.is_control() && (c == ' ' || !c.is_whitespace()));
        let key = Key::new(KeyCode::Char(c), KeyModifiers::from_bits_truncate(bits));
        prop_assert_eq!(Key::new(key.code(), key.modifiers()), key);
        // Ctrl with a capital that has no small form in ASCII cannot be written.
        if !(key.modifiers().contains(KeyModifiers::CONTROL) && c.is_uppercase()) {
            prop_assert_eq!(Key::parse(&key.to_string()), Ok(key));
        }
    }

    #[test]
    fn any_file_gives_a_keymap_with_ways_out(
        lines in prop::collection::vec(
            (
                prop::sample::select(vec!["global", "review", "queue", "typing", "modal", "nope"]),
                "[a-c:gKGx]( [a-cgK])?|Esc|Enter|Space|Space K|Tab|q|nope",
                prop::sample::select(vec![
                    "none", "item.accept", "kill.open", "nav.back", "move.top", "app.palette", "x",
                ]),
            ),
            0..12,
        )
    ) {
        let mut text = String::new();
        for (context, keys, action) in &lines {
            text.push_str(&format!("{context}.\"{keys}\" = \"{action}\"\n"));
        }
        let (keymap, _) = Keymap::load("default", Some(("keys.toml", &text)));
        for context in Context::ALL {
            prop_assert!(!keymap.keys_for(*context, Action::Back).is_empty(), "{context:?}\n{text}");
            let bindings = keymap.bindings(*context);
            for (n, a) in bindings.iter().enumerate() {
                prop_assert_eq!(press(&keymap, *context, &show_sequence(&a.keys)), Feed::Action(a.action));
                for b in &bindings[n + 1..] {
                    prop_assert!(!a.keys.starts_with(&b.keys) && !b.keys.starts_with(&a.keys));
                }
            }
        }
    }
}
