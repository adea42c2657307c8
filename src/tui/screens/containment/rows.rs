//! Every kind of row: a line or two in the list, and what is said of it at the foot.

use ratatui::text::{Line, Span};

use super::{canaries, state_look};
use crate::domain::{ControlScope, Timestamp};
use crate::protocol::{
    BreakerView, BudgetView, FreezeView, IncidentView, LimitView, OutgoingView, SwitchState,
    SwitchView,
};
use crate::text::{Clean, many, pad, pad_left, time};
use crate::tui::app::{ControlRow, people};
use crate::tui::keymap::Action;
use crate::tui::screens::paint::{Ui, count, fit, selected, two};
use crate::tui::theme::Role;

/// What stands above the first row of a kind.
pub fn heading(ui: &Ui<'_, '_>, row: &ControlRow<'_>, cols: usize) -> Line<'static> {
    let (left, right) = match row {
        ControlRow::Switch(_) if cols >= 56 => {
            (" AUTOMATION", format!("{}{}", columns(cols).head(), "  "))
        }
        ControlRow::Switch(_) => (" AUTOMATION", String::new()),
        ControlRow::Incident(_) => (" INCIDENTS", String::new()),
        ControlRow::Canary(_) => (" CANARIES", String::new()),
        ControlRow::Freeze(_) => (" FREEZES", String::new()),
        ControlRow::Breaker(_) => (" BREAKERS", String::new()),
        ControlRow::Limit(_) => (" RATE LIMITS", String::new()),
        ControlRow::Budget(_) => (" WHAT PEOPLE CAN DO", String::new()),
        ControlRow::Outgoing(_) => (" DID NOT GO OUT", String::new()),
    };
    two(vec![ui.span(Role::Heading, left)], vec![ui.span(Role::Dim, right)], cols)
}

/// The row in the list.
pub fn lines(
    ui: &Ui<'_, '_>,
    row: &ControlRow<'_>,
    n: usize,
    rows: &[ControlRow<'_>],
    here: bool,
    cols: usize,
) -> Vec<Line<'static>> {
    let lines = match row {
        ControlRow::Switch(s) => vec![switch(ui, s, &branch(rows, n), here, cols)],
        ControlRow::Incident(i) => vec![incident(ui, i, here, cols)],
        ControlRow::Canary(c) => canaries::lines(ui, c, here, cols),
        ControlRow::Freeze(f) => vec![freeze(ui, f, here, cols)],
        ControlRow::Breaker(b) => vec![breaker(ui, b, here, cols)],
        ControlRow::Limit(l) => vec![limit(ui, l, here, cols)],
        ControlRow::Budget(b) => vec![budget(ui, b, here, cols)],
        ControlRow::Outgoing(o) => vec![outgoing(ui, o, here, cols)],
    };
    lines.into_iter().map(|line| selected(ui, line, here, cols)).collect()
}

/// The cursor's sign.
pub fn mark(ui: &Ui<'_, '_>, here: bool) -> Span<'static> {
    if here { ui.span(Role::Accent, "▸ ") } else { Span::raw("  ") }
}

/// How long ago on the desk's clock, in at most four cells.
pub fn since(ui: &Ui<'_, '_>, at: Timestamp) -> String {
    time::short(ui.state.desk_now().duration_since(at))
}

/// The branches of the tree before a switch's name.
fn branch(rows: &[ControlRow<'_>], n: usize) -> String {
    let depth = |n: usize| match rows.get(n) {
        Some(ControlRow::Switch(s)) => usize::from(s.depth.min(8)),
        _ => 0,
    };
    let own = depth(n);
    // Whether another one of this depth follows before the tree goes further up.
    let follows = |level: usize| {
        (n + 1..rows.len()).map(depth).take_while(|d| *d >= level).any(|d| d == level)
    };
    let mut text = String::new();
    for level in 1..own {
        text.push_str(if follows(level) { "│ " } else { "  " });
    }
    if own > 0 {
        text.push_str(if follows(own) { "├ " } else { "└ " });
    }
    text
}

struct Columns {
    state: usize,
    since: usize,
    by: usize,
    rate: usize,
    waiting: usize,
}

fn columns(cols: usize) -> Columns {
    Columns {
        // Wide enough for `■ killed → last-good`.
        state: if cols >= 62 { 20 } else { 17 },
        since: 6,
        by: if cols >= 70 { 11 } else { 0 },
        rate: if cols >= 48 { 7 } else { 0 },
        waiting: if cols >= 56 { 9 } else { 0 },
    }
}

impl Columns {
    fn head(&self) -> String {
        let mut text = format!("{}  ", pad("state", self.state));
        text.push_str(&pad_left("since", self.since));
        if self.by > 0 {
            text.push_str(&format!("  {}", pad("by", self.by - 2)));
        }
        text.push_str(&pad_left("per h", self.rate));
        text.push_str(&pad_left("waiting", self.waiting));
        text
    }

    fn taken(&self) -> usize {
        self.state + 2 + self.since + self.by + self.rate + self.waiting + 2
    }
}

/// `domain=loan` as the tree says it: its kind is plain from where it stands.
fn short(scope: &ControlScope) -> String {
    match scope {
        ControlScope::All => "all".to_owned(),
        ControlScope::Domain(name) => name.clone(),
        ControlScope::Model { name, version: None } => name.clone(),
        ControlScope::Model { name, version: Some(version) } => format!("{name}@{version}"),
        ControlScope::Action(_) | ControlScope::Cohort { .. } => scope.to_string(),
    }
}

fn switch(
    ui: &Ui<'_, '_>,
    switch: &SwitchView,
    branch: &str,
    here: bool,
    cols: usize,
) -> Line<'static> {
    let widths = columns(cols);
    let (role, sign) = match switch.under {
        None => state_look(switch.state),
        Some(_) => (Role::Dim, "┊"),
    };
    let mut left = vec![mark(ui, here), ui.span(Role::Border, branch.to_owned())];
    let look = if switch.state == SwitchState::On { Role::Text } else { Role::Strong };
    left.extend(ui.one(look, &short(&switch.scope)));
    // Who, when and how stands once, at what makes it so.
    let told = switch.under.is_none();
    let mode = switch.mode.as_ref().map_or_else(String::new, |m| format!(" → {}", m.as_str()));
    let narrow = cols < 56;
    let word = match switch.under {
        None => format!("{sign} {}{mode}", switch.state.as_str()),
        Some(_) => format!("{sign} {} above", switch.state.as_str()),
    };
    let mut right = vec![ui.span(role, if narrow { word } else { pad(&word, widths.state) })];
    let age = switch.at.filter(|_| told).map(|at| since(ui, at)).unwrap_or_default();
    if !narrow {
        right.push(Span::raw("  "));
    }
    right.push(ui.span(Role::Dim, pad_left(&age, widths.since)));
    if widths.by > 0 {
        let by = switch.by.as_deref().filter(|_| told);
        let by = Clean::line_first(by.unwrap_or(""), 40);
        right.push(ui.span(Role::Dim, format!("  {}", pad(by.as_str(), widths.by - 2))));
    }
    if widths.rate > 0 {
        let rate = switch.per_hour.map_or_else(|| "–".to_owned(), |n| format!("{n:.0}"));
        right.push(ui.span(Role::Text, pad_left(&rate, widths.rate)));
    }
    if widths.waiting > 0 {
        right.push(ui.span(Role::Text, pad_left(&count(switch.in_flight), widths.waiting)));
    }
    right.push(Span::raw(if narrow { " " } else { "  " }));
    let left = fit(left, cols.saturating_sub(if narrow { 18 } else { widths.taken() }).max(10));
    two(left, right, cols)
}

/// `open`, `acknowledged`, `resolved` with a sign.
fn incident_state(state: &str) -> (Role, &'static str) {
    match state {
        "open" => (Role::Danger, "▲"),
        "acknowledged" => (Role::Warn, "◐"),
        _ => (Role::Dim, "✓"),
    }
}

/// A slice in JSON as `model m@1`.
pub fn slice(value: &serde_json::Value) -> String {
    match value.as_object().and_then(|o| o.iter().next()) {
        Some((dimension, name)) => {
            let name = name.as_str().map_or_else(|| name.to_string(), str::to_owned);
            format!("{dimension} {name}")
        }
        None => "all decisions".to_owned(),
    }
}

fn incident(ui: &Ui<'_, '_>, incident: &IncidentView, here: bool, cols: usize) -> Line<'static> {
    let (role, sign) = incident_state(&incident.state);
    let mut left = vec![mark(ui, here), ui.span(role, format!("{sign} "))];
    left.extend(ui.one(role, &incident.state));
    left.push(ui.span(Role::Dim, format!(" {} ", since(ui, incident.opened_at))));
    left.extend(ui.one(Role::Strong, &incident.kind.replace('-', " ")));
    left.push(ui.span(Role::Dim, "  "));
    left.extend(ui.one(Role::Text, &slice(&incident.slice)));
    let right = vec![ui.span(Role::Dim, format!("#{} ", Clean::line_first(&incident.id, 20)))];
    two(left, right, cols)
}

fn freeze(ui: &Ui<'_, '_>, freeze: &FreezeView, here: bool, cols: usize) -> Line<'static> {
    let mut left = vec![mark(ui, here), ui.span(Role::Warn, "◌ ")];
    left.extend(ui.one(Role::Strong, &freeze.domain));
    left.push(ui.span(Role::Dim, " · "));
    left.extend(ui.one(Role::Strong, &freeze.action));
    if let Some(cohort) = &freeze.cohort {
        left.push(ui.span(Role::Dim, " · "));
        left.extend(ui.one(Role::Text, cohort));
    }
    left.push(ui.span(Role::Dim, format!("  {} held", count(freeze.held))));
    let right = vec![ui.span(Role::Dim, format!("{} ", since(ui, freeze.at)))];
    two(left, right, cols)
}

fn breaker(ui: &Ui<'_, '_>, breaker: &BreakerView, here: bool, cols: usize) -> Line<'static> {
    let (role, sign) = match breaker.state.as_str() {
        "closed" => (Role::StateOn, "●"),
        "half_open" => (Role::StateLimited, "◐"),
        "open" => (Role::StatePaused, "◌"),
        _ => (Role::Dim, "○"),
    };
    let mut left = vec![mark(ui, here)];
    left.push(ui.span(role, format!("{sign} ")));
    left.extend(ui.one(role, &pad(&breaker.state.replace('_', " "), 10)));
    left.extend(ui.one(Role::Text, &breaker.model));
    left.push(ui.span(Role::Dim, " in "));
    left.extend(ui.one(Role::Text, &breaker.domain));
    let mut right = Vec::new();
    if let Some(retry) = breaker.retry_at {
        let left = retry.duration_since(ui.state.desk_now());
        right.push(ui.span(Role::Dim, format!("trickle in {}  ", time::left(left))));
    }
    right.push(ui.span(Role::Dim, format!("{} ", since(ui, breaker.since))));
    two(left, right, cols)
}

fn limit(ui: &Ui<'_, '_>, limit: &LimitView, here: bool, cols: usize) -> Line<'static> {
    let tight = limit.effective < limit.per_minute;
    let mut left = vec![mark(ui, here)];
    left.extend(ui.one(Role::Text, &limit.name));
    left.push(
        ui.span(Role::Dim, format!("  {}  ", Clean::line_first(&limit.scope.to_string(), 80))),
    );
    let role = if tight { Role::StateLimited } else { Role::Text };
    let sign = if tight { "◐ " } else { "" };
    left.push(ui.span(role, format!("{sign}{:.0}/min", limit.effective)));
    if tight {
        left.push(ui.span(Role::Dim, format!(" of {:.0}", limit.per_minute)));
    }
    let right = vec![ui.span(Role::Dim, format!("{} to people ", count(limit.turned_away)))];
    two(left, right, cols)
}

fn budget(ui: &Ui<'_, '_>, budget: &BudgetView, here: bool, cols: usize) -> Line<'static> {
    let over = budget.per_hour.is_some_and(|can| budget.arrivals as f64 > can);
    let mut left = vec![mark(ui, here)];
    left.extend(ui.one(Role::Text, &budget.queue));
    let can = budget.per_hour.map_or_else(|| "not measured".to_owned(), |n| format!("{n:.0}/h"));
    let role = if over { Role::Warn } else { Role::Text };
    let sign = if over { "▲ " } else { "" };
    left.push(ui.span(role, format!("  {sign}{}/h arrive", count(budget.arrivals))));
    left.push(ui.span(Role::Dim, format!(", can do {can}")));
    let mut right = Vec::new();
    if let Some(breach) = budget.breach_at {
        let left = breach.duration_since(ui.state.desk_now());
        right.push(ui.span(Role::DueSoon, format!("late in {} ", time::left(left))));
    }
    two(left, right, cols)
}

fn outgoing(ui: &Ui<'_, '_>, out: &OutgoingView, here: bool, cols: usize) -> Line<'static> {
    let (role, sign) = match out.state.as_str() {
        "dead" => (Role::Danger, "✗"),
        "held" => (Role::Warn, "◌"),
        _ => (Role::Dim, "○"),
    };
    let mut left = vec![mark(ui, here), ui.span(role, format!("{sign} "))];
    left.extend(ui.one(role, &pad(&out.state, 8)));
    left.extend(ui.one(Role::Text, &out.kind));
    left.push(ui.span(Role::Dim, " to "));
    left.extend(ui.one(Role::Text, &out.to));
    left.push(ui.span(Role::Dim, "  "));
    left.extend(ui.one(Role::Dim, &out.item));
    let tried = match out.attempts {
        0 => String::new(),
        n => format!("{n} tries "),
    };
    two(left, vec![ui.span(Role::Dim, tried)], cols)
}

/// What is said of the row under the cursor: why it is as it is.
pub fn detail(ui: &Ui<'_, '_>, row: &ControlRow<'_>, cols: usize) -> Vec<Line<'static>> {
    let text = match row {
        ControlRow::Switch(s) => switch_detail(s, held_inside(ui, s)),
        ControlRow::Incident(i) => {
            let mut text = i.cause.clone();
            if let Some(by) = &i.acknowledged_by {
                text.push_str(&format!(" · {by} is on it"));
            }
            if let Some(runbook) = &i.runbook {
                text.push_str(&format!(" · runbook {runbook}"));
            }
            text
        }
        ControlRow::Canary(c) => canaries::detail(c),
        ControlRow::Freeze(f) => {
            format!("like {}, frozen by {} (level {}): {}", f.like, f.by, f.level, f.reason)
        }
        ControlRow::Breaker(b) => match &b.cause {
            Some(cause) => format!("tripped by {cause}"),
            None => "has not tripped".to_owned(),
        },
        ControlRow::Limit(_) => "what comes faster goes to people; errors tighten it".to_owned(),
        ControlRow::Budget(b) => {
            let how = match b.overflow.as_str() {
                "sample" => "only a sample goes to people",
                "hold" => "what comes is held back",
                "block" => "what comes is blocked",
                "auto_flagged" => "the least valuable is automatic, with a flag",
                other => other,
            };
            format!("what gives way: {how}; it did {} in the last hour", times(b.gave_way))
        }
        ControlRow::Outgoing(o) => match &o.error {
            Some(error) => format!("{}: {error}", o.key),
            None => format!("{}: held by a switch until automation restarts", o.key),
        },
    };
    let text = Clean::line_first(&text, 400);
    crate::tui::screens::wrapped(ui.theme, Role::Text, &text, cols.saturating_sub(2).max(8))
        .into_iter()
        .take(3)
        .map(|spans| Line::from([vec![Span::raw(" ")], spans].concat()))
        .collect()
}

fn times(n: u64) -> String {
    match n {
        0 => "not once".to_owned(),
        1 => "once".to_owned(),
        n => format!("{} times", count(n)),
    }
}

/// What an action does to this row, in a word or two.
pub fn offer(action: Action, row: &ControlRow<'_>) -> &'static str {
    match (action, row) {
        (Action::Open, ControlRow::Incident(_)) => "timeline",
        (Action::Open, ControlRow::Freeze(_)) => "the corrected decision",
        (Action::Open, ControlRow::Budget(_)) => "its queue",
        (Action::Open, _) => "its decision",
        (Action::ReleaseFreeze, _) => "release",
        (Action::KillHere, ControlRow::Switch(s)) if s.own() == SwitchState::Killed => {
            "stop otherwise"
        }
        (action, _) => action.title(),
    }
}

/// How many scopes inside of this one are not on by themselves.
fn held_inside(ui: &Ui<'_, '_>, switch: &SwitchView) -> usize {
    let Some(view) = &ui.state.containment.seen.view else { return 0 };
    let below = view.switches.iter().skip_while(|s| s.scope != switch.scope).skip(1);
    let inside = below.take_while(|s| s.depth > switch.depth);
    inside.filter(|s| s.under.is_none() && s.state != SwitchState::On).count()
}

fn switch_detail(switch: &SwitchView, held_inside: usize) -> String {
    let mut parts = Vec::new();
    if switch.state == SwitchState::On {
        parts.push(match held_inside {
            0 => format!("automation runs in {}", switch.scope),
            n => format!(
                "automation runs in {}, but for {} inside of it",
                switch.scope,
                many(n, "scope", "scopes")
            ),
        });
    }
    if let Some(reason) = &switch.reason {
        parts.push(reason.clone());
    }
    if let Some(above) = &switch.under {
        parts.insert(0, format!("{} by what is set on {above}", switch.state.as_str()));
    }
    if switch.own() != SwitchState::On {
        let needs = switch.resume_needs;
        match (switch.resume_by.len(), needs) {
            (_, 0) => {}
            (0, needs) => parts.push(format!("{} to restart it", people(needs))),
            (_, needs) => {
                let by = switch.resume_by.join(", ");
                parts.push(format!("{by} asked to restart it; it takes {}", people(needs)));
            }
        }
    }
    if parts.is_empty() {
        parts.push(format!("{} is {}", switch.scope, switch.state.as_str()));
    }
    parts.join(" · ")
}
