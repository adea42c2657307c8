//! Looks by role: the selection, danger, and what is left of them without colour.

use super::*;
use crate::tui::theme::{Background, Terminal, Theme};

fn styled(depth: Depth, keys: &str) -> String {
    let mut rig = Rig::new(FakeDesk::stocked(), 100, 24);
    rig.wear(theme(depth));
    rig.press(keys);
    rig.paint();
    rig.styled()
}

#[test]
fn selection_and_lateness_by_role() {
    insta::assert_snapshot!("styled_queue", styled(Depth::True, "j"));
    insta::assert_snapshot!("styled_danger", styled(Depth::True, "r p Enter"));
    insta::assert_snapshot!("styled_marked", styled(Depth::True, "m"));
}

/// The figures and the switches in every kind of look: role by role, dark, light, without colour.
#[test]
fn trouble_by_role() {
    for (name, keys) in [("signals", "2"), ("containment", "3 j j"), ("kill", "Space K")] {
        for (look, depth, background) in [
            ("dark", Depth::True, Background::Dark),
            ("light", Depth::True, Background::Light),
            ("mono", Depth::Mono, Background::Dark),
        ] {
            let mut rig = Rig::new(FakeDesk::stocked(), 80, 24);
            let terminal = Terminal { depth, background };
            rig.wear(Theme::load("auto", None, terminal).0);
            rig.press(keys);
            rig.paint();
            insta::assert_snapshot!(format!("styled_{name}_{look}"), rig.styled());
        }
    }
}

#[test]
fn without_colour_attributes_and_words_are_left() {
    let screen = styled(Depth::Mono, "j");
    insta::assert_snapshot!("styled_mono", screen);
    let mut rig = Rig::new(FakeDesk::stocked(), 100, 24);
    rig.wear(theme(Depth::Mono));
    rig.press("r p Enter");
    let buffer = rig.buffer();
    for cell in &buffer.content {
        assert_eq!(cell.fg, ratatui::style::Color::Reset);
        assert_eq!(cell.bg, ratatui::style::Color::Reset);
    }
}
