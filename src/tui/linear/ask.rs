//! The questions: which one the app's state asks for, how it is put, which words answer it.

use super::PLACE;
use crate::tui::app::{Field, KillField, MODES, MoveField, Overlay, State};
use crate::tui::keymap::Action;

/// What the next line answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    Command,
    Tags,
    Note,
    Label,
    Queue,
    MoveNote,
    /// The new text, line by line; these came so far.
    Text(Vec<String>),
    TextAction,
    Blind,
    BlindNote,
    Count,
    Quit,
    Find,
    Pick,
    KillScope,
    KillMode,
    KillVersion,
    KillReason,
    KillWord,
    SureSince,
    SureWords,
    Sure,
}

/// The question the open sheet asks, going on from the last one where it fits.
pub fn wanted(state: &State, last: &Ask) -> Ask {
    match state.overlays.last() {
        None => Ask::Command,
        Some(Overlay::Reason(form)) => match form.field {
            Field::Tags => Ask::Tags,
            Field::Note => Ask::Note,
            Field::Label => Ask::Label,
        },
        Some(Overlay::Move(form)) => match form.field {
            MoveField::Queue => Ask::Queue,
            MoveField::Note => Ask::MoveNote,
        },
        Some(Overlay::Edit(_)) => match last {
            Ask::Text(_) | Ask::TextAction => last.clone(),
            _ => Ask::Text(Vec::new()),
        },
        Some(Overlay::Blind(form)) if form.in_note => Ask::BlindNote,
        Some(Overlay::Blind(_)) => Ask::Blind,
        Some(Overlay::Bulk(_)) => Ask::Count,
        Some(Overlay::Quit) => Ask::Quit,
        Some(Overlay::Filter(_)) => Ask::Find,
        Some(Overlay::Queues(_)) => Ask::Pick,
        Some(Overlay::Kill(form)) => match form.field {
            KillField::Scope => Ask::KillScope,
            KillField::Mode => Ask::KillMode,
            KillField::Version => Ask::KillVersion,
            KillField::Reason => Ask::KillReason,
            KillField::Word => Ask::KillWord,
        },
        Some(Overlay::Sure(form)) => match (form.in_since, form.act.asks()) {
            (true, _) => Ask::SureSince,
            (false, Some(_)) => Ask::SureWords,
            (false, None) => Ask::Sure,
        },
        // Pages are told and closed at once; help and palette are words here.
        Some(
            Overlay::Page(_)
            | Overlay::Help(_)
            | Overlay::Palette(_)
            | Overlay::Look(_)
            | Overlay::Incident(_),
        ) => Ask::Command,
    }
}

/// How a question is put. Every one but the first also takes `back`.
pub fn question(state: &State, ask: &Ask) -> String {
    match ask {
        Ask::Command => command(state),
        Ask::Tags => {
            let Some(Overlay::Reason(form)) = state.overlays.last() else { return String::new() };
            let tags: Vec<String> = form
                .tags
                .iter()
                .map(|(key, tag)| {
                    let note = if tag.require_note { ", needs a note" } else { "" };
                    let what =
                        tag.consequence.as_ref().map_or_else(String::new, |c| format!(", {c}"));
                    format!("{key} {}{note}{what}", tag.id.replace('_', " "))
                })
                .collect();
            super::clean(&format!("Why? Letters of {}:", tags.join("; ")))
        }
        Ask::Note => "Note:".to_owned(),
        Ask::Label => "What would have been right? Empty if nothing:".to_owned(),
        Ask::Queue => {
            let Some(Overlay::Move(form)) = state.overlays.last() else { return String::new() };
            let matching = form.matching();
            let names: Vec<&str> = matching.iter().map(|q| q.name.as_str()).collect();
            let first = matching.get(form.selected).map_or("", |q| q.name.as_str());
            super::clean(&format!("Move to which queue? {}. Empty is {first}:", names.join(", ")))
        }
        Ask::MoveNote => "Note for those who get it:".to_owned(),
        Ask::Text(_) => {
            "Type the new text, then a line with a single dot. editor opens your own editor:"
                .to_owned()
        }
        Ask::TextAction => {
            let Some(Overlay::Edit(form)) = state.overlays.last() else { return String::new() };
            super::clean(&format!("Action? Empty keeps {}:", form.action.text()))
        }
        Ask::Blind => "What would you do? One action:".to_owned(),
        Ask::BlindNote => "Note:".to_owned(),
        Ask::Count => {
            let Some(Overlay::Bulk(form)) = state.overlays.last() else { return String::new() };
            let kinds: Vec<String> = form
                .summary()
                .iter()
                .map(|(what, n)| format!("{} {what}", crate::text::many(n, "time", "times")))
                .collect();
            super::clean(&format!(
                "{}. {} left out. Type {} to {} them all:",
                kinds.join(", "),
                form.left_out.len(),
                form.rows.len(),
                form.verdict.verb()
            ))
        }
        Ask::KillScope => {
            let Some(Overlay::Kill(form)) = state.overlays.last() else { return String::new() };
            let all: Vec<String> = form.choices.iter().map(ToString::to_string).collect();
            let first = form.scope.text();
            super::clean(&format!("Stop what? {}. Empty is {first}:", all.join(", ")))
        }
        Ask::KillMode => {
            let modes: Vec<String> =
                MODES.iter().map(|(name, does)| format!("{name}, {does}")).collect();
            format!("How? {}. Empty is human:", modes.join("; "))
        }
        Ask::KillVersion => {
            "Which version instead? Empty is the last one in use before:".to_owned()
        }
        Ask::KillReason => "Why? A few words:".to_owned(),
        Ask::KillWord => {
            let Some(Overlay::Kill(form)) = state.overlays.last() else { return String::new() };
            let scope = form.target().ok();
            let rate = scope.as_ref().and_then(|s| state.containment.per_hour(s));
            let rate = rate.map_or_else(String::new, |n| {
                format!("About {n:.0} decisions an hour are meant. ")
            });
            let word = scope.as_ref().map_or("", |s| s.word());
            super::clean(&format!("{rate}Type {word} to stop {}:", form.scope.text()))
        }
        Ask::SureSince => {
            let Some(Overlay::Sure(form)) = state.overlays.last() else { return String::new() };
            super::clean(&format!(
                "{}. {} Since how long ago? Empty is 1h:",
                form.act.title(),
                form.act.effect()
            ))
        }
        Ask::SureWords => {
            let Some(Overlay::Sure(form)) = state.overlays.last() else { return String::new() };
            let what = form.act.asks().unwrap_or("reason");
            super::clean(&format!("{}. {} A {what}, or back:", form.act.title(), form.act.effect()))
        }
        Ask::Sure => {
            let Some(Overlay::Sure(form)) = state.overlays.last() else { return String::new() };
            super::clean(&format!("{}. {} yes or no:", form.act.title(), form.act.effect()))
        }
        Ask::Quit => "Verdicts stand when you quit. Quit? yes or no:".to_owned(),
        Ask::Find => "Filter:".to_owned(),
        Ask::Pick => {
            let names: Vec<String> = match state.overlays.last() {
                Some(Overlay::Queues(picker)) => {
                    picker.queues.iter().map(|q| format!("{} {}", q.name, q.waiting)).collect()
                }
                _ => Vec::new(),
            };
            super::clean(&format!("Which queue? all, {}:", names.join(", ")))
        }
    }
}

fn command(state: &State) -> String {
    let (waiting, late) = state.header.as_ref().map_or((0, 0), |h| {
        (h.queues.iter().map(|q| q.waiting).sum::<u64>(), h.queues.iter().map(|q| q.late).sum())
    });
    let late = if late > 0 { format!(", {late} late") } else { String::new() };
    let words = match state.item() {
        Some(view) if view.blind => "answer, escalate, skip, undo or ?",
        Some(view) if view.kind == crate::domain::Kind::Quarantine => {
            "edit, reject, escalate, skip, undo or ?"
        }
        Some(_) => "accept, edit, reject, escalate, skip, undo or ?",
        None => "undo, refresh, quit or ?",
    };
    format!("[{waiting} wait{late}] {words}:")
}

/// The action a word means: its key, its title, or its id.
pub fn action(state: &State, word: &str) -> Option<Action> {
    let keys = &state.keys.map;
    let lower = word.to_lowercase();
    Action::ALL
        .iter()
        .copied()
        .filter(|a| a.works_in(PLACE))
        .find(|a| keys.keys_for(PLACE, *a).iter().any(|k| k == word))
        .or_else(|| {
            Action::ALL
                .iter()
                .copied()
                .filter(|a| a.works_in(PLACE))
                .find(|a| a.title() == lower || a.id() == lower)
        })
        .or(match lower.as_str() {
            "help" => Some(Action::Help),
            "next" => Some(Action::Down),
            "previous" | "prev" => Some(Action::Up),
            "again" => Some(Action::Redraw),
            _ => None,
        })
}
