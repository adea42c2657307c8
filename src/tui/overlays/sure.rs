//! What will happen, asked once before it does.

use ratatui::layout::Rect;
use ratatui::text::Line;

use super::{faults, field, height, padded};
use crate::protocol::SwitchView;
use crate::tui::app::{ControlAct, SureForm, people};
use crate::tui::keymap::Action;
use crate::tui::screens::{Ui, centred, wrapped_ours};
use crate::tui::theme::Role;

pub fn draw(ui: &mut Ui<'_, '_>, area: Rect, form: &SureForm) {
    let cols = usize::from(area.width.min(76).saturating_sub(4));
    let mut lines = wrapped_ours(ui.theme, Role::Text, form.act.effect(), cols, "");
    if let ControlAct::Resume(scope) = &form.act
        && let Some(switch) = ui.state.containment.switch(scope)
    {
        let text = restart(switch);
        let clean = crate::text::Clean::line_first(&text, 300);
        lines.extend(wrapped_ours(ui.theme, Role::Dim, clean.as_str(), cols, ""));
    }
    if area.height >= 12 {
        lines.push(Line::default());
    }
    if let Some(since) = &form.since {
        lines.push(field(ui, "since    ", since, form.in_since, cols));
    }
    if let Some(label) = form.act.asks() {
        let label = crate::text::pad(label, 9);
        lines.push(field(ui, &label, &form.words, !form.in_since, cols));
    }
    if let Some(text) = &form.fault {
        lines.extend(faults(ui, text, cols));
    } else if area.height >= 12 {
        lines.push(Line::default());
    }
    let mut hints = vec![(Action::Submit, "do it")];
    if form.since.is_some() {
        hints.push((Action::PaneNext, "next field"));
    }
    hints.push((Action::Back, "back"));
    lines.push(Line::from(ui.hints_in(&hints, cols)));
    let at = centred(area, 76, height(lines.len()));
    let title = ui.one(Role::Title, &form.act.title());
    let inside = padded(ui.boxed(at, title));
    ui.put_lines(inside, &lines, lines.len().saturating_sub(usize::from(inside.height)));
}

/// Who has asked so far, and how many it takes.
fn restart(switch: &SwitchView) -> String {
    let needs = match switch.resume_needs {
        0 => String::new(),
        n => format!("It takes {}. ", people(n)),
    };
    match switch.resume_by.is_empty() {
        true => format!("{needs}Nobody has asked so far."),
        false => format!("{needs}Asked so far: {}.", switch.resume_by.join(", ")),
    }
}
