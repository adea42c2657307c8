//! The last line: the keys that work here, and the verdicts that can be taken back.

use jiff::SignedDuration;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::containment::offer;
use super::paint::{Ui, cells, fit, two};
use crate::tui::app::Countdown;
use crate::tui::app::signals::Part;
use crate::tui::app::toast::Tone;
use crate::tui::app::verdict::{past, said};
use crate::tui::keymap::{Action, Context, show_sequence};
use crate::tui::theme::Role;

pub fn draw(ui: &mut Ui<'_, '_>, area: Rect) {
    let cols = usize::from(area.width);
    let right = pending(ui);
    let room = cols.saturating_sub(cells(&right) + 3);
    let mut left = vec![Span::raw(" ")];
    left.extend(if ui.state.keys.pending.is_empty() { hints(ui, room) } else { sequence(ui) });
    let mut right = right;
    if !right.is_empty() {
        right.push(Span::raw(" "));
    }
    let line = two(left, right, cols);
    ui.put(area, 0, &line);
}

/// Which actions are hinted at, most wanted first, by context.
fn wanted(ui: &Ui<'_, '_>) -> Vec<(Action, &'static str)> {
    use Action as A;
    let state = ui.state;
    if !state.overlays.is_empty() {
        // An overlay tells its own keys.
        return vec![(A::Help, "help")]
            .into_iter()
            .filter(|_| state.context().is_typing())
            .collect();
    }
    let views: &[(Action, &str)] = &[(A::Palette, "command"), (A::Help, "help")];
    let own: &[(Action, &str)] = match state.context() {
        Context::Queue | Context::Item => {
            let blind = state.item().is_some_and(|v| v.blind);
            let broken = state.item().is_some_and(|v| v.kind == crate::domain::Kind::Quarantine);
            if state.shown.is_none() {
                &[
                    (A::PickQueue, "queues"),
                    (A::Filter, "filter"),
                    (A::Undo, "undo"),
                    (A::ViewAudit, "audit"),
                    (A::Quit, "quit"),
                ]
            } else if !state.marks.is_empty() {
                &[
                    (A::Accept, "accept marked"),
                    (A::Reject, "reject marked"),
                    (A::Escalate, "move marked"),
                    (A::Mark, "mark"),
                    (A::Back, "unmark all"),
                ]
            } else if blind {
                &[
                    (A::Answer, "answer"),
                    (A::Escalate, "escalate"),
                    (A::Skip, "skip"),
                    (A::Undo, "undo"),
                    (A::Filter, "filter"),
                ]
            } else if broken {
                &[
                    (A::Edit, "repair"),
                    (A::Reject, "reject"),
                    (A::Escalate, "move"),
                    (A::Skip, "skip"),
                    (A::Undo, "undo"),
                    (A::Filter, "filter"),
                ]
            } else {
                &[
                    (A::Accept, "accept"),
                    (A::Edit, "edit"),
                    (A::Reject, "reject"),
                    (A::Escalate, "escalate"),
                    (A::Skip, "skip"),
                    (A::Undo, "undo"),
                    (A::Filter, "filter"),
                ]
            }
        }
        Context::Audit => &[
            (A::VerifyAudit, "verify"),
            (A::PaneNext, "this item / all"),
            (A::Filter, "item"),
            (A::Open, "unfold"),
            (A::CopyId, "copy id"),
            (A::ViewQueue, "queue"),
        ],
        Context::Learning => &[
            (A::Open, "unfold"),
            (A::CopyId, "copy id"),
            (A::Flag, "flag"),
            (A::ViewQueue, "queue"),
        ],
        Context::Signals if state.signals.opened.is_some() => &[
            (A::Open, "decision"),
            (A::Back, "back"),
            (A::Window, "window"),
            (A::KillHere, "stop here"),
            (A::CopyId, "copy id"),
        ],
        Context::Signals => match state.signals.part {
            Part::Overrides | Part::Calibration => &[
                (A::Window, "window"),
                (A::SliceBy, "slice by"),
                (A::Open, "its drift"),
                (A::PaneNext, "next part"),
                (A::KillHere, "stop here"),
            ],
            Part::Drift => &[
                (A::Window, "window"),
                (A::SliceBy, "slice by"),
                (A::Open, "distribution"),
                (A::PaneNext, "next part"),
                (A::KillHere, "stop here"),
                (A::Back, "every model"),
            ],
            Part::Service => {
                &[(A::Window, "window"), (A::Open, "its queue"), (A::PaneNext, "next part")]
            }
        },
        Context::Containment => {
            // What can be done where the cursor is.
            let here = state.containment.here();
            let offers =
                here.iter().flat_map(|row| row.offers().iter().map(|a| (*a, offer(*a, row))));
            let rest = [(A::Kill, "stop"), (A::PaneNext, "next kind"), (A::CopyId, "copy id")];
            return offers.chain(rest).chain(views.iter().copied()).collect();
        }
        _ => &[
            (A::ViewQueue, "queue"),
            (A::ViewAudit, "audit"),
            (A::ViewLearning, "learning"),
            (A::ViewPolicy, "policy"),
        ],
    };
    own.iter().chain(views).copied().collect()
}

fn hints(ui: &Ui<'_, '_>, room: usize) -> Vec<Span<'static>> {
    let mut wanted = wanted(ui);
    // Help is the hint that leads to all others: it stays longest.
    loop {
        let spans = ui.hints(&wanted);
        if cells(&spans) <= room || wanted.len() <= 1 {
            return spans;
        }
        wanted.remove(wanted.len() - 2);
    }
}

/// The keys that may follow a begun sequence.
fn sequence(ui: &Ui<'_, '_>) -> Vec<Span<'static>> {
    let keys = &ui.state.keys;
    let mut spans =
        vec![ui.span(Role::Key, show_sequence(&keys.pending)), ui.span(Role::Dim, " …  ")];
    for (key, title) in &keys.next {
        spans.push(ui.span(Role::Key, key.to_string()));
        spans.push(ui.span(Role::KeyLabel, format!(" {title}  ")));
    }
    spans
}

/// `accepted exq-0114  4s u`, or what is being saved.
fn pending(ui: &mut Ui<'_, '_>) -> Vec<Span<'static>> {
    let state = ui.state;
    if let Some(order) = state.control.ordered.first() {
        let waited = state.now.duration_since(order.since).as_secs();
        ui.painted.counts(Countdown::Seconds);
        let mut spans = vec![ui.span(Role::Danger, "■ ")];
        spans.extend(fit(ui.one(Role::Strong, &order.doing), 44));
        let text = if waited < 1 { "…".to_owned() } else { format!(", no answer for {waited}s") };
        spans.push(ui.span(Role::Warn, text));
        return spans;
    }
    if let Some(sent) = state.verdicts.unanswered().last() {
        let signing = state.verdicts.outbox.front().is_some_and(|o| o.sign);
        let verb = if signing { "waiting for your signature on " } else { "saving " };
        let mut spans = vec![ui.span(Role::Dim, verb)];
        spans.extend(ui.one(Role::Dim, &sent.item));
        return spans;
    }
    let live = state.verdicts.pending.iter().filter(|p| p.until > state.now);
    let Some(last) = live.max_by_key(|p| p.until) else { return Vec::new() };
    ui.painted.counts(Countdown::Seconds);
    let left = last.until.duration_since(state.now);
    // The last part of a second still counts: never "0s" while it can be taken back.
    let seconds = left.saturating_add(SignedDuration::from_millis(999)).as_secs().max(0);
    let batch: Vec<_> =
        state.verdicts.pending.iter().filter(|p| p.sent.batch == last.sent.batch).collect();
    let what = match batch.len() {
        0 | 1 => said(&last.sent),
        n => format!("{} {n} items", past(last.sent.kind)),
    };
    let role = match last.sent.kind {
        crate::domain::VerdictKind::Accept => Role::Accepted,
        crate::domain::VerdictKind::Edit => Role::Edited,
        crate::domain::VerdictKind::Reject => Role::Rejected,
        crate::domain::VerdictKind::Escalate => Role::Escalated,
    };
    let mut spans = fit(ui.one(role, &what), 40);
    spans.push(ui.span(Role::Strong, format!("  {seconds}s ")));
    let key = state.keys.map.keys_for(Context::Queue, Action::Undo).into_iter().next();
    spans.push(ui.span(Role::Key, key.unwrap_or_default()));
    spans
}

/// News, in lines just above the footer.
pub fn toasts(ui: &mut Ui<'_, '_>, body: Rect) {
    let most = usize::from(body.height).min(3);
    let mut lines = Vec::new();
    for toast in ui.state.toasts.iter().rev().take(most).rev() {
        let (role, sign) = match toast.tone {
            Tone::Info => (Role::Text, "· "),
            Tone::Good => (Role::Ok, "✓ "),
            Tone::Warn => (Role::Warn, "▲ "),
            Tone::Bad => (Role::Danger, "▲ "),
        };
        let mut spans = vec![Span::raw(" "), ui.span(role, sign)];
        spans.extend(ui.one(role, &toast.text));
        if let Some(hint) = &toast.hint {
            spans.push(ui.span(Role::Dim, " · "));
            spans.extend(ui.one(Role::Dim, hint));
        }
        // A narrow screen gives the hint lines of its own rather than none.
        lines.extend(broken(spans, usize::from(body.width)));
    }
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX).min(body.height.saturating_sub(1));
    if height == 0 {
        return;
    }
    let area = Rect { y: body.bottom() - height, height, ..body };
    ui.clear(area);
    let skip = lines.len().saturating_sub(usize::from(height));
    ui.put_lines(area, &lines, skip);
}

/// Spans broken into lines of `cols` cells.
fn broken(spans: Vec<Span<'static>>, cols: usize) -> Vec<Line<'static>> {
    if cells(&spans) <= cols {
        return vec![Line::from(spans)];
    }
    let (mut lines, mut line, mut used) = (Vec::new(), Vec::new(), 0);
    for span in spans {
        for word in span.content.split_inclusive(' ') {
            let w = crate::text::width(word);
            if used + w > cols && used > 0 {
                lines.push(Line::from(std::mem::take(&mut line)));
                line.push(Span::raw("   "));
                used = 3;
            }
            used += w;
            line.push(Span::styled(word.to_owned(), span.style));
        }
    }
    lines.push(Line::from(line));
    lines
}
