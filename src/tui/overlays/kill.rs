//! The kill switch: what, how, why, and the word that does it.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::{faults, field, first_shown, height, input, padded};
use crate::tui::app::{KillField, KillForm, MODES, people};
use crate::tui::keymap::Action;
use crate::tui::screens::{Ui, cells, centred, fit, wrapped_ours};
use crate::tui::theme::Role;

pub fn draw(ui: &mut Ui<'_, '_>, area: Rect, form: &KillForm) {
    let cols = usize::from(area.width.min(84).saturating_sub(4));
    let room = usize::from(area.height).saturating_sub(2);
    let hints = [
        (Action::Submit, if form.field == KillField::Word { "stop it" } else { "go on" }),
        (Action::PaneNext, "next field"),
        (Action::Down, "choose"),
        (Action::Back, "back"),
    ];
    // At the foot what must be seen: the word, what is wrong, the keys.
    let target = form.target().ok();
    let mut foot = word(ui, form, target.as_ref().map(|t| t.word()), cols);
    if let Some(text) = &form.fault {
        foot.extend(faults(ui, text, cols));
    }
    foot.push(Line::from(ui.hints_in(&hints, cols)));
    let mut lines = vec![scope(ui, form, cols)];
    let fixed = foot.len() + 2 + usize::from(form.mode == 2);
    let mut free = room.saturating_sub(fixed);
    // A short screen shows the choices only while they are chosen from.
    if form.field == KillField::Scope {
        let shown = choices(ui, form, free.saturating_sub(1).min(6), cols);
        free = free.saturating_sub(shown.len());
        lines.extend(shown);
    }
    lines.push(modes(ui, form, cols));
    if form.mode == 2 {
        let label = label(cols, "version");
        lines.push(field(ui, &label, &form.version, form.field == KillField::Version, cols));
    }
    let asked = form.field == KillField::Reason || form.reason.said().is_some();
    if asked || free > 1 {
        let label = label(cols, "reason");
        lines.push(field(ui, &label, &form.reason, form.field == KillField::Reason, cols));
        free = free.saturating_sub(1);
    }
    lines.extend(what_happens(ui, form, cols, free));
    lines.extend(foot);
    let at = centred(area, 84, height(lines.len()));
    let title = vec![ui.span(Role::Danger, "STOP automation")];
    let inside = padded(ui.boxed(at, title));
    ui.put_lines(inside, &lines, lines.len().saturating_sub(usize::from(inside.height)));
}

/// A field's name, in a column as wide as the screen can spare.
fn label(cols: usize, name: &str) -> String {
    crate::text::pad(name, if cols < 50 { 8 } else { 9 })
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
    let line = field(
        ui,
        &label(cols, "scope"),
        &form.scope,
        here,
        cols - if fits { taken + 2 } else { 0 },
    );
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
            let mark = if here {
                ui.span(Role::Accent, "         ▸ ")
            } else {
                Span::raw("           ")
            };
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
    let mut line =
        vec![mark, ui.span(if focus { Role::Text } else { Role::Dim }, label(cols, "mode"))];
    for (n, (name, _)) in MODES.iter().enumerate() {
        let air = if cols < 50 { "" } else { " " };
        if n == form.mode {
            line.push(ui.span(Role::Marked, format!("[{name}]{air}")));
        } else {
            line.push(ui.span(Role::Dim, format!(" {name} {air}")));
        }
    }
    Line::from(fit(line, cols))
}

/// What comes of it, and how it is taken back: in at most `most` lines, whole or not at all.
fn what_happens(ui: &Ui<'_, '_>, form: &KillForm, cols: usize, most: usize) -> Vec<Line<'static>> {
    let (_, does) = MODES.get(form.mode).copied().unwrap_or(("", ""));
    let needs = form
        .target()
        .ok()
        .and_then(|t| ui.state.containment.switch(&t).map(|s| s.resume_needs))
        .filter(|n| *n > 0)
        .or_else(|| ui.state.policy.as_ref().map(|p| p.resume).filter(|n| *n > 0));
    let restart = needs.map_or_else(String::new, |n| format!(" · {} restart it", people(n)));
    let version = if form.mode == 2 { " (empty: the last one in use)" } else { "" };
    let texts = [
        format!("{does}{version} from the next decision on{restart}"),
        format!("{does}{restart}"),
        does.to_owned(),
    ];
    texts
        .iter()
        .map(|text| wrapped_ours(ui.theme, Role::Dim, text, cols.saturating_sub(2), "  "))
        .find(|lines| lines.len() <= most)
        .unwrap_or_default()
}

/// The word to type and the line it is typed on: one under the other where the screen is narrow.
fn word(ui: &Ui<'_, '_>, form: &KillForm, word: Option<&str>, cols: usize) -> Vec<Line<'static>> {
    let focus = form.field == KillField::Word;
    let role = if focus { Role::Text } else { Role::Dim };
    let mark = if focus { ui.span(Role::Accent, "▸ ") } else { Span::raw("  ") };
    let Some(word) = word else {
        return vec![Line::from(vec![mark, ui.span(Role::Dim, "choose what to stop first")])];
    };
    let mut ask = vec![ui.span(role, "type ")];
    ask.extend(ui.one(Role::Strong, word));
    ask.push(ui.span(role, " to stop it: "));
    let room = cols.saturating_sub(cells(&ask) + 2);
    if room > cells(&ui.one(Role::Text, word)).min(24) {
        let mut line = [vec![mark], ask].concat();
        line.extend(input(ui, &form.word, focus, room));
        return vec![Line::from(fit(line, cols))];
    }
    let mut line = vec![mark];
    line.extend(input(ui, &form.word, focus, cols.saturating_sub(2)));
    ask.insert(0, Span::raw("  "));
    vec![Line::from(fit(ask, cols)), Line::from(fit(line, cols))]
}
