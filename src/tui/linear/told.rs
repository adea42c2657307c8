//! An item in sentences: the order a listener needs, names before values, no columns.

use serde_json::Value;

use super::{PLACE, clean};
use crate::domain::Kind;
use crate::protocol::ItemView;
use crate::text::{ChunkKind, Clean, Folds, code_points, diff, time, tree};
use crate::tui::app::item::{Hold, Shown};
use crate::tui::app::verdict::past;
use crate::tui::app::{PageKind, State};
use crate::tui::keymap::Action;

/// Characters of one text that are told.
const MOST: usize = 20_000;

/// Everything about an item: the one on show, or any that is looked at.
pub fn item(state: &State, shown: Option<&Shown>, view: &ItemView) -> Vec<String> {
    let mut lines = vec![String::new()];
    let text = |name: &str| view.record.pointer(name).and_then(Value::as_str).unwrap_or_default();
    let mut head = format!("{}. {}", clean(&view.id), clean(text("/domain")));
    if let Some(current) = &view.current {
        head.push_str(&format!(", {}", clean(&current.action)));
    }
    head.push_str(&format!(
        ". By {} {}.",
        clean(text("/model/name")),
        clean(text("/model/version"))
    ));
    if let Some(due) = view.due_at {
        let left = due.duration_since(state.desk_now());
        head.push_str(&match left.is_negative() {
            true => format!(" {} late.", time::short(left)),
            false => format!(" Due in {}.", time::short(left)),
        });
    }
    lines.push(head);
    match shown.map(|shown| &shown.hold) {
        Some(Hold::Theirs) => {
            let who = view.lease.as_ref().map_or("somebody else", |l| l.reviewer.as_str());
            lines.push(format!("It is leased to {}: read only.", clean(who)));
        }
        Some(Hold::Denied(refused) | Hold::Lost(refused)) => lines.push(clean(&refused.message)),
        Some(Hold::Mine { .. } | Hold::Wanted(_) | Hold::Asking(_)) | None => {}
    }
    match view.kind {
        Kind::Quarantine => lines.push("It is a broken record: repair it or reject it.".into()),
        Kind::Retrospective => {
            lines.push("It was done automatically: overruling it is a reversal.".into());
        }
        Kind::Review => {}
    }
    if let Some(unsent) = state.unsent_on(&view.id) {
        lines.push(format!("You {} it here; that is not yet sent.", past(unsent.verdict)));
    }
    if let Some(clash) = &view.clash {
        lines.push(format!(
            "Verdicts of {} clash: another person decides between them.",
            clean(&clash.people.join(" and "))
        ));
    }
    if let Some(id) = &view.frozen_by {
        lines.push(format!("It is held by freeze {}.", clean(id)));
    }
    if view.blind {
        lines.push("It is blind: give your own answer first.".into());
    }
    let hidden = shown.map_or(0, |shown| shown.hidden);
    if hidden > 0 {
        lines.push(format!("Warning: it hides {hidden} characters; code points tells them."));
    }
    lines.push(format!(
        "Why here: {}. Rule {}.",
        clean(&view.route.reason),
        clean(&view.route.rule)
    ));
    for fault in &view.faults {
        lines.push(format!("Fault at {}: {}.", clean(&fault.path), clean(&fault.message)));
    }
    if view.approvals_needed.len() > 1 {
        lines.push(format!("Approvals needed: {}.", clean(&view.approvals_needed.join(", then "))));
    }
    if let Some(why) = &view.covered {
        lines.push(format!("Covered: {}.", clean(why)));
    }
    if view.erased {
        lines.push("Its text has been erased.".into());
        return lines;
    }
    if let Some(input) = view.record.get("input") {
        value(&mut lines, "Context", input);
    }
    for unusual in view.usual.iter().filter(|u| u.unusual.is_some()) {
        lines.push(clean(&format!(
            "Unusual: {} is {} for {}.",
            crate::text::humanise_key(unusual.field.trim_start_matches("input.")),
            unusual.unusual.as_deref().unwrap_or("unusual"),
            unusual.against
        )));
    }
    if let Some(current) = &view.current {
        value(&mut lines, "Proposal", &current.output);
    } else if view.kind == Kind::Quarantine {
        value(&mut lines, "Record", &view.record);
    }
    if let Some(content) = &view.handed_over {
        value(&mut lines, "Handed over", &content.output);
    }
    if let Some(rationale) = view.record.get("rationale") {
        value(&mut lines, "Rationale", rationale);
    }
    if let Some(p) = view.record.get("confidence").and_then(Value::as_f64) {
        lines.push(format!("Confidence {p:.2}."));
    }
    if let Some(members) = view.record.get("ensemble").and_then(Value::as_array) {
        let told: Vec<String> = members
            .iter()
            .filter_map(|m| {
                Some(format!("{} {:.2}", m.get("name")?.as_str()?, m.get("score")?.as_f64()?))
            })
            .collect();
        if !told.is_empty() {
            lines.push(format!("Models: {}.", clean(&told.join(", "))));
        }
    }
    for review in &view.reviews {
        let ago = time::ago(state.desk_now().duration_since(review.at));
        let undone = if review.undone { ", taken back" } else { "" };
        let note = review.verdict.note.as_ref().map_or_else(String::new, |n| format!(": {n}"));
        lines.push(clean(&format!(
            "{} {} it {ago}{undone}{note}.",
            review.reviewer,
            past(review.verdict.verdict)
        )));
    }
    lines
}

/// A value under its name: a text as it is, an object field by field.
fn value(lines: &mut Vec<String>, name: &str, value: &Value) {
    match value {
        Value::String(text) => {
            lines.push(format!("{name}:"));
            lines.extend(Clean::first(text, MOST).as_str().lines().map(str::to_owned));
        }
        other => {
            lines.push(format!("{name}:"));
            let rows = tree(other, &Folds::new(8), 400);
            for node in &rows.nodes {
                // Long texts are told in full; rows cap theirs.
                let text = other.pointer(&node.pointer).and_then(Value::as_str);
                let told = text.map_or_else(
                    || node.value.to_string(),
                    |t| Clean::line_first(t, MOST).to_string(),
                );
                let under = "  ".repeat(node.depth);
                lines.push(format!("{under}{}: {told}", node.key));
            }
            if rows.more > 0 {
                lines.push(format!("and {} more", rows.more));
            }
        }
    }
}

/// Why there is nothing to decide.
pub fn nothing(state: &State) -> String {
    if !state.list.loaded {
        return "Reading the queue.".to_owned();
    }
    let leased: u64 = state.header.iter().flat_map(|h| &h.queues).map(|q| q.held_by_others).sum();
    if leased > 0 {
        return format!("Nothing is free; {leased} are leased to others. I look again by myself.");
    }
    if !state.list.filter_text.is_empty() {
        return format!("Nothing matches {}.", clean(&state.list.filter_text));
    }
    "Nothing waits. New items are told when they come.".to_owned()
}

/// What can be said.
pub fn help(state: &State) -> Vec<String> {
    let mut lines = vec!["Say a word or press its key, then Enter:".to_owned()];
    for (action, keys) in state.keys.map.actions(PLACE) {
        // What only a screen has is left out.
        if matches!(action, Action::Redraw | Action::Palette | Action::PaneNext | Action::PanePrev)
        {
            continue;
        }
        let key = keys.first().map_or("", String::as_str);
        lines.push(format!("{}, {key}: {}", action.title(), action.help()));
    }
    lines.extend(super::figures::WORDS.map(str::to_owned));
    lines.push("An empty line tells the item again. back leaves a question.".to_owned());
    lines
}

/// A page, in lines.
pub fn page(kind: &PageKind) -> Vec<String> {
    match kind {
        PageKind::Guideline { about, text } => {
            let mut lines = vec![format!("What to check for {}:", clean(about))];
            lines.extend(Clean::first(text, MOST).as_str().lines().map(str::to_owned));
            lines
        }
        PageKind::CodePoints { texts, .. } => {
            let mut lines = Vec::new();
            for (path, text) in texts {
                for point in code_points(text, MOST).rows.iter().filter(|p| p.hidden) {
                    lines.push(format!(
                        "{}: {} {} at byte {}",
                        clean(path),
                        point.code(),
                        point.what,
                        point.offset
                    ));
                }
            }
            if lines.is_empty() {
                lines.push("Nothing is hidden.".to_owned());
            }
            lines
        }
    }
}

/// What an edit changes: only the pieces that went and came.
pub fn changes(old: &str, new: &str) -> Vec<String> {
    let found = diff(&Clean::first(old, MOST), &Clean::first(new, MOST));
    if found.is_same() {
        return vec!["Nothing is changed.".to_owned()];
    }
    found
        .chunks
        .iter()
        .filter_map(|chunk| match chunk.kind {
            ChunkKind::Same => None,
            ChunkKind::Added => {
                Some(format!("Added: {}", chunk.text.as_str().replace('\n', " / ")))
            }
            ChunkKind::Removed => {
                Some(format!("Removed: {}", chunk.text.as_str().replace('\n', " / ")))
            }
        })
        .collect()
}
