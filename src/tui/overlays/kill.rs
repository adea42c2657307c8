//! The kill switch: what, how, why, and the word that does it.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::{fault, field, first_shown, height, input, padded};
use crate::tui::app::{KillField, KillForm, MODES, people};
use crate::tui::keymap::Action;
use crate::tui::screens::{Ui, cells, centred, fit, wrapped_ours};
use crate::tui::theme::Role;

pub fn draw(ui: &mut Ui<'_, '_>, area: Rect, form: &KillForm) {
    let cols = usize::from(area.width.min(84).saturating_sub(4));
    let room = usize::from(area.height).saturating_sub(2);
    let target = form.target().ok();
    let mut lines = vec![scope(ui, form, cols)];
    let choosing = form.field == KillField::Scope;
    // A short screen shows the choices only while they are chosen from.
    let most = if choosing { room.saturating_sub(5).min(6) } else { 0 };
    lines.extend(choices(ui, form, most, cols));
    lines.push(modes(ui, form, cols));
    let version = form.mode == 2;
    if version {
        let label = "version  ";
        lines.push(field(ui, label, &form.version, form.field == KillField::Version, cols));
    }
    let idle = form.field != KillField::Reason && form.reason.said().is_none();
    let reason = field(ui, "reason   ", &form.reason, form.field == KillField::Reason, cols);
    let says = what_happens(ui, form, cols);
    let word = word(ui, form, target.as_ref().map(|t| t.word()), cols);
    let hints = [
        (Action::Submit, if form.field == KillField::Word { "stop it" } else { "go on" }),
        (Action::PaneNext, "next field"),
        (Action::Down, "choose"),
        (Action::Back, "back"),
    ];
    let hints = Line::from(ui.hints_in(&hints, cols));
    // What must be seen: the scope, the way, the word, what is wrong, the keys.
    let fixed = lines.len() + 2 + usize::from(form.fault.is_some());
    let mut free = room.saturating_sub(fixed);
    if !idle || free > says.len().min(1) {
        lines.push(reason);
        free = free.saturating_sub(1);
    }
    if form.fault.is_none() {
        let told: Vec<_> = says.into_iter().take(free).collect();
        lines.extend(told);
    }
    lines.push(word);
    if let Some(text) = &form.fault {
        lines.push(fault(ui, text));
    }
    lines.push(hints);
    let at = centred(area, 84, height(lines.len()));
    let title = vec![ui.span(Role::Danger, "STOP automation")];
    let inside = padded(ui.boxed(at, title));
    ui.put_lines(inside, &lines, lines.len().saturating_sub(usize::from(inside.height)));
}

/// The scope in its field, with what it would stop.
fn scope(ui: &Ui<'_, '_>, form: &KillForm, cols: usize) -> Line<'static> {
    let here = form.field == KillField::Scope;
    let rate = form.target().ok().and_then(|t| ui.state.containment.per_hour(&t));
    let told = match rate {
        Some(rate) => {
            let where_to = match form.mode {
                0 => "go to people",
                1 => "are blocked",
                _ => "use the version before",
            };
            vec![
                ui.span(Role::Warn, format!("{rate:.0} decisions/h ")),
                ui.span(Role::Dim, where_to),
            ]
        }
        None => Vec::new(),
    };
    let taken = cells(&told);
    let fits = taken > 0 && cols > taken + 34;
    let line = field(ui, "scope    ", &form.scope, here, cols - if fits { taken + 2 } else { 0 });
    match fits {
        true => crate::tui::screens::two(line.spans, told, cols),
        false => line,
    }
}

fn choices(ui: &Ui<'_, '_>, form: &KillForm, most: usize, cols: usize) -> Vec<Line<'static>> {
    let at = form.chosen();
    let from = first_shown(at.unwrap_or(0), most);
    let shown = form.choices.iter().enumerate().skip(from).take(most);
    shown
        .map(|(n, choice)| {
            let here = Some(n) == at;
            let mark = if here { ui.span(Role::Accent, "         ▸ ") } else { Span::raw("           ") };
            let mut line = vec![mark];
            line.extend(ui.one(if here { Role::Strong } else { Role::Text }, &choice.to_string()));
            if let Some(switch) = ui.state.containment.switch(choice) {
                let (role, sign) = crate::tui::screens::state_look(switch.state);
                line.push(ui.span(role, format!("  {sign} {}", switch.state.as_str())));
            }
            Line::from(fit(line, cols))
        })
        .collect()
}

fn modes(ui: &Ui<'_, '_>, form: &KillForm, cols: usize) -> Line<'static> {
    let focus = form.field == KillField::Mode;
    let mark = if focus { ui.span(Role::Accent, "▸ ") } else { Span::raw("  ") };
    let mut line = vec![mark, ui.span(if focus { Role::Text } else { Role::Dim }, "mode     ")];
    for (n, (name, _)) in MODES.iter().enumerate() {
        if n == form.mode {
            line.push(ui.span(Role::Marked, format!("[{name}]")));
        } else {
            line.push(ui.span(Role::Dim, format!(" {name} ")));
        }
        line.push(Span::raw(" "));
    }
    Line::from(fit(line, cols))
}

/// What comes of it, and how it is taken back.
fn what_happens(ui: &Ui<'_, '_>, form: &KillForm, cols: usize) -> Vec<Line<'static>> {
    let (_, does) = MODES.get(form.mode).copied().unwrap_or(("", ""));
    let needs = form
        .target()
        .ok()
        .and_then(|t| ui.state.containment.switch(&t).map(|s| s.resume_needs))
        .filter(|n| *n > 0)
        .or_else(|| ui.state.policy.as_ref().map(|p| p.resume).filter(|n| *n > 0));
    let restart = needs.map_or_else(String::new, |n| format!("; {} to restart it", people(n)));
    let mut text = format!("{does} from the next decision on{restart}");
    if form.mode == 2 {
        text.push_str("; no version: the last one in use before");
    }
    wrapped_ours(ui.theme, Role::Dim, &text, cols.saturating_sub(2), "  ")
}

fn word(ui: &Ui<'_, '_>, form: &KillForm, word: Option<&str>, cols: usize) -> Line<'static> {
    let focus = form.field == KillField::Word;
    let mark = if focus { ui.span(Role::Accent, "▸ ") } else { Span::raw("  ") };
    let mut line = vec![mark];
    match word {
        Some(word) => {
            line.push(ui.span(if focus { Role::Text } else { Role::Dim }, "type "));
            line.extend(fit(ui.one(Role::Strong, word), (cols / 2).max(8)));
            line.push(ui.span(if focus { Role::Text } else { Role::Dim }, " to stop it: "));
        }
        None => line.push(ui.span(Role::Dim, "choose what to stop first: ")),
    }
    let room = cols.saturating_sub(cells(&line)).max(4);
    line.extend(input(ui, &form.word, focus, room));
    Line::from(fit(line, cols))
}
