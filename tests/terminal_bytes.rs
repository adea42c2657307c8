//! What reaches the terminal, byte by byte: attributes survive without colour, and no text acts.
//! Its own program, for the colour switch of crossterm is global.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use overrule::text::{Clean, wrap};
use overrule::tui::theme::{Background, Depth, Role, Terminal as Screen, Theme};
use proptest::prelude::*;
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use ratatui::{Terminal, TerminalOptions, Viewport};

/// The bytes of one frame of 60×4.
fn frame(lines: Vec<Line<'_>>) -> String {
    let mut bytes = Vec::new();
    let viewport = Viewport::Fixed(Rect::new(0, 0, 60, 4));
    let backend = CrosstermBackend::new(&mut bytes);
    let mut terminal = Terminal::with_options(backend, TerminalOptions { viewport }).unwrap();
    terminal.draw(|frame| frame.render_widget(Paragraph::new(lines), frame.area())).unwrap();
    drop(terminal);
    String::from_utf8(bytes).unwrap()
}

/// Takes escape sequences `ESC [ digits ; letter` apart from text.
fn split(bytes: &str) -> (Vec<&str>, String) {
    let (mut sequences, mut text, mut rest) = (Vec::new(), String::new(), bytes);
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        text.push_str(before);
        let end = after.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(after.len() - 1) + 1;
        sequences.push(&after[..end]);
        rest = &after[end..];
    }
    text.push_str(rest);
    (sequences, text)
}

/// An SGR sequence without numbers, or with zeros only.
fn is_reset(sequence: &str) -> bool {
    sequence
        .strip_prefix('[')
        .and_then(|s| s.strip_suffix('m'))
        .is_some_and(|numbers| numbers.chars().all(|c| matches!(c, ';' | '0')))
}

#[test]
fn attributes_survive_without_colour() {
    // As crossterm does when NO_COLOR is set.
    crossterm::style::force_color_output(false);
    let screen = Screen { depth: Depth::Mono, background: Background::Dark };
    let (theme, _) = Theme::load("auto", None, screen);
    for role in Role::ALL {
        let style = theme.style(*role);
        let bytes = frame(vec![Line::styled("word", style)]);
        let (before, _) = bytes.split_once("word").unwrap();
        let (sequences, _) = split(before);
        for (modifier, code) in [
            (Modifier::BOLD, "[1m"),
            (Modifier::DIM, "[2m"),
            (Modifier::ITALIC, "[3m"),
            (Modifier::UNDERLINED, "[4m"),
            (Modifier::REVERSED, "[7m"),
            (Modifier::CROSSED_OUT, "[9m"),
        ] {
            if style.add_modifier.contains(modifier) {
                // A colour, even the default one, would come out as a reset behind the attribute.
                let on = sequences.iter().rposition(|s| *s == code);
                let reset = sequences.iter().rposition(|s| is_reset(s));
                assert!(on.is_some() && on > reset, "{role:?} {modifier:?}: {before:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn foreign_text_never_acts(raw in prop_oneof![
        any::<String>(),
        "[\u{1b}\u{9b}\u{7}\\[\\]0-9;a-mH\u{202a}-\u{202e}\u{2066}-\u{2069}\u{200b}-\u{200f}\u{300}]{0,40}",
    ]) {
        let clean = Clean::new(&raw);
        let text = clean.as_str();
        let lines: Vec<Line> = wrap(text, 60)
            .take(4)
            .map(|line| {
                let pieces = clean.segments_in(line);
                Line::from_iter(pieces.map(|(_, piece)| Span::styled(piece, Style::default())))
            })
            .collect();
        let bytes = frame(lines);
        let (sequences, shown) = split(&bytes);
        for sequence in sequences {
            let ours = sequence.starts_with('[')
                && sequence.ends_with(['m', 'H', 'l', 'h', 'J', 'K'])
                && !sequence[1..sequence.len() - 1].contains(|c: char| !"0123456789;?".contains(c));
            prop_assert!(ours, "{sequence:?}");
        }
        for c in shown.chars() {
            prop_assert!(!c.is_control(), "{c:?}");
            let hides = matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}'
                | '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{FEFF}');
            prop_assert!(!hides, "{c:?}");
        }
    }
}
