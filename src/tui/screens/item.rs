//! The item: what is proposed, why it is here, on what grounds, what happened to it.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::cache::ItemKey;
use super::document;
use super::paint::{Ui, fit, two};
use crate::domain::Timestamp;
use crate::protocol::{ItemView, Row};
use crate::text::time;
use crate::tui::app::Pane;
use crate::tui::app::item::{Hold, Shown};
use crate::tui::app::verdict::past;
use crate::tui::theme::Role;

pub fn draw(ui: &mut Ui<'_, '_>, area: Rect) {
    if area.is_empty() {
        return;
    }
    let state = ui.state;
    let inner = Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
    let Some(shown) = &state.shown else { return };
    match (&shown.view, &shown.failed) {
        (Some(view), _) => whole(ui, inner, shown, view),
        (None, Some(failed)) => {
            let mut line = vec![ui.span(Role::Danger, "▲ ")];
            line.extend(ui.one(Role::Danger, &failed.message));
            ui.put(inner, 0, &Line::from(line));
            if let Some(hint) = &failed.hint {
                let hint = Line::from(ui.one(Role::Dim, hint));
                ui.put(inner, 1, &hint);
            }
        }
        (None, None) => loading(ui, inner, &shown.id, state.list.find(&shown.id)),
    }
}

/// What the row already tells, while the item is on its way.
fn loading(ui: &mut Ui<'_, '_>, area: Rect, id: &str, row: Option<&Row>) {
    let mut left = ui.one(Role::Dim, id);
    if let Some(row) = row {
        left.push(Span::raw("   "));
        left.extend(ui.one(Role::Strong, &row.domain));
        if let Some(action) = &row.action {
            left.push(ui.span(Role::Strong, " · "));
            left.extend(ui.one(Role::Strong, action));
        }
    }
    let right = row.map(|r| ui.one(Role::Dim, &r.model)).unwrap_or_default();
    let line = two(left, right, usize::from(area.width));
    ui.put(area, 0, &line);
    let wait = Line::from(ui.span(Role::Dim, "…"));
    ui.put(area, 2, &wait);
}

fn whole(ui: &mut Ui<'_, '_>, area: Rect, shown: &Shown, view: &ItemView) {
    let state = ui.state;
    let cols = usize::from(area.width);
    let full = state.pane == Pane::Item && !state.folded;
    let title = document::title(ui.theme, view, cols);
    ui.put(area, 0, &title);
    let mut top = 1;
    for line in banners(ui, shown, view) {
        let line = Line::from(fit(line, cols));
        ui.put(area, top, &line);
        top += 1;
    }
    let body = Rect {
        y: area.y.saturating_add(top).min(area.bottom()),
        height: area.height.saturating_sub(top),
        ..area
    };
    let key = ItemKey {
        id: view.id.clone(),
        version: shown.version,
        cols,
        full,
        minute: state.desk_now().as_second().div_euclid(60),
    };
    let (theme, now) = (ui.theme, state.desk_now());
    let lines = ui.cache.item(key, || document::lines(theme, view, cols, full, now));
    let (count, room) = (lines.len(), usize::from(body.height));
    let skip = shown.scroll.min(count.saturating_sub(room));
    let part: Vec<Line<'static>> = lines.iter().skip(skip).take(room).cloned().collect();
    ui.put_lines(body, &part, 0);
    if ui.state.header.as_ref().is_none_or(|h| h.clock != "record") {
        ui.painted.counts(crate::tui::app::Countdown::Minutes);
    }
    ui.below = count.saturating_sub(skip + room);
    ui.painted.lines = count;
    ui.painted.room = room;
    // A screen too small for the proposal has not shown the item.
    if body.height >= 2 {
        ui.painted.item = Some((view.id.clone(), view.revision));
    }
}

/// What must be known before anything else is read.
fn banners(ui: &mut Ui<'_, '_>, shown: &Shown, view: &ItemView) -> Vec<Vec<Span<'static>>> {
    let mut lines = Vec::new();
    let hidden = shown.hidden;
    if hidden > 0 {
        let plural = if hidden == 1 { "" } else { "s" };
        let text = format!(" ▲ hides {hidden} character{plural}, shown as <U+…> ");
        let mut line = vec![ui.span(Role::BannerWarn, text), Span::raw(" ")];
        line.extend(ui.hint(crate::tui::keymap::Action::RawView, "code points"));
        lines.push(line);
    }
    if let Some(id) = &view.frozen_by {
        let mut line = vec![ui.span(Role::BannerWarn, " ◌ held by freeze ")];
        line.extend(ui.one(Role::BannerWarn, id));
        line.push(ui.span(Role::BannerWarn, " "));
        line.push(ui.span(Role::Dim, " a person decides it  "));
        line.extend(ui.hint(crate::tui::keymap::Action::ViewContainment, "who froze it, and why"));
        lines.push(line);
    }
    if let Some(unsent) = ui.state.unsent_on(&view.id) {
        let done = past(unsent.verdict);
        let mut line = vec![ui.span(Role::BannerWarn, format!(" ▲ {done} here, not yet sent "))];
        let ago = time::ago(ui.state.now.duration_since(unsent.at));
        line.push(ui.span(Role::Dim, format!(" {ago}  ")));
        line.extend(ui.hint(crate::tui::keymap::Action::Undo, "take back"));
        lines.push(line);
    }
    if let Some(clash) = &view.clash {
        let mut line = vec![ui.span(Role::BannerWarn, " ≠ verdicts clash "), Span::raw(" ")];
        line.extend(ui.one(Role::Warn, &clash.people.join(" and ")));
        line.push(ui.span(
            Role::Dim,
            match clash.lets(&ui.state.me) {
                true => " · you decide between them",
                false => " · somebody else decides between them",
            },
        ));
        lines.push(line);
    }
    match &shown.hold {
        Hold::Mine { until, .. } if runs_out(*until, ui.state.now) => {
            let left = ui.until(*until);
            let text = format!(" ▲ your lease runs out in {left} ");
            let mut line = vec![ui.span(Role::BannerWarn, text)];
            line.push(ui.span(Role::Dim, " any key keeps it"));
            lines.push(line);
        }
        Hold::Lost(refused) => {
            let mut line = vec![ui.span(Role::BannerWarn, " ▲ lease lost "), Span::raw(" ")];
            line.extend(ui.one(Role::Warn, &refused.message));
            if let Some(hint) = &refused.hint {
                line.push(ui.span(Role::Dim, " · "));
                line.extend(ui.one(Role::Dim, hint));
            }
            lines.push(line);
        }
        Hold::Denied(refused) => {
            let mut line = vec![ui.span(Role::Warn, "▲ ")];
            line.extend(ui.one(Role::Warn, &refused.message));
            if let Some(hint) = &refused.hint {
                line.push(ui.span(Role::Dim, " · "));
                line.extend(ui.one(Role::Dim, hint));
            }
            lines.push(line);
        }
        Hold::Theirs => {
            if let Some(lease) = view.lease.as_ref().filter(|l| l.reviewer != ui.state.me) {
                let left = ui.until(lease.until);
                let mut line = vec![ui.span(Role::Warn, "▲ leased to ")];
                line.extend(ui.one(Role::Warn, &lease.reviewer));
                line.push(ui.span(Role::Dim, format!(", {left} left · read only")));
                lines.push(line);
            }
        }
        Hold::Mine { .. } | Hold::Wanted(_) | Hold::Asking(_) => {}
    }
    if let Some((by, until)) = &view.pending {
        let left = ui.until(*until);
        let mut line = vec![ui.span(Role::Dim, "decided by ")];
        line.extend(ui.one(Role::Text, by));
        line.push(ui.span(Role::Dim, format!(", final in {left}")));
        lines.push(line);
    }
    lines
}

/// A lease that nobody kept alive for so long is about to end.
fn runs_out(until: Timestamp, now: Timestamp) -> bool {
    let left = until.duration_since(now).as_secs();
    (0..=60).contains(&left)
}

/// `21 more lines`, for the rule under or over the item.
pub fn more_note(ui: &Ui<'_, '_>) -> Vec<Span<'static>> {
    let text = match ui.below {
        0 => return Vec::new(),
        n if ui.state.size.0 < 60 => format!(" ↓{n} "),
        1 => " ↓ 1 more line ".to_owned(),
        n => format!(" ↓ {n} more lines "),
    };
    vec![ui.span(Role::Dim, text)]
}

/// `leased to you, 4m left`, for the rule between list and item.
pub fn lease_note(ui: &mut Ui<'_, '_>) -> Vec<Span<'static>> {
    let Some(shown) = &ui.state.shown else { return Vec::new() };
    match shown.hold {
        Hold::Mine { until, .. } if until > ui.state.now => {
            let left = ui.until(until);
            vec![ui.span(Role::Dim, format!(" leased to you, {left} left "))]
        }
        _ => Vec::new(),
    }
}
