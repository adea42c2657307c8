//! A key press becomes an action, or text. Repeat, bursts and pastes never decide.

use std::sync::Arc;

use crossterm::event::{KeyEvent, KeyEventKind};
use jiff::SignedDuration;

use super::toast::Tone;
use super::{Effect, State};
use crate::domain::Timestamp;
use crate::tui::keymap::{Action, Danger, Feed, Key, Keymap};

/// Two different decision keys this close together were not typed by a person.
const BURST: SignedDuration = SignedDuration::from_millis(30);
/// The same decision key this soon again is a key held down (the slowest usual repeat is 15 a second).
const REPEAT: SignedDuration = SignedDuration::from_millis(80);
/// A person who hesitates inside a sequence is shown what may follow.
pub const HESITATES: SignedDuration = SignedDuration::from_millis(250);

/// Keys pressed so far.
#[derive(Debug)]
pub struct Keys {
    pub map: Arc<Keymap>,
    /// The start of a sequence.
    pub pending: Vec<Key>,
    /// What may follow it.
    pub next: Vec<(Key, &'static str)>,
    /// When the last of `pending` was pressed.
    pub since: Timestamp,
    /// The last decision key, and whether it sent a verdict.
    decided: Option<(Timestamp, Action, bool)>,
}

impl Keys {
    pub(super) fn new(map: Arc<Keymap>) -> Self {
        Self {
            map,
            pending: Vec::new(),
            next: Vec::new(),
            since: Timestamp::UNIX_EPOCH,
            decided: None,
        }
    }

    fn clear(&mut self) {
        self.pending.clear();
        self.next.clear();
    }
}

impl State {
    pub(super) fn key(&mut self, event: &KeyEvent) -> Vec<Effect> {
        let Some(key) = Key::from_event(event) else { return Vec::new() };
        let mut effects = self.woke_up();
        self.active = self.now;
        if self.hint {
            self.hint = false;
            self.dirty = true;
        }
        let context = self.context();
        match self.keys.map.feed(context, &self.keys.pending, key) {
            Feed::Action(action) => {
                self.close_sequence();
                effects.extend(self.guarded(action, event.kind));
            }
            Feed::Pending(next) => {
                self.keys.pending.push(key);
                self.keys.next = next;
                self.keys.since = self.now;
                // Painted when the person hesitates, see `State::wake`.
            }
            Feed::None => {
                let sequence = !self.keys.pending.is_empty();
                self.close_sequence();
                if context.is_typing() && !sequence {
                    effects.extend(self.typed(event));
                }
            }
        }
        effects
    }

    fn close_sequence(&mut self) {
        if !self.keys.pending.is_empty() {
            self.keys.clear();
            self.dirty = true;
        }
    }

    /// Acts, unless this is a decision no person made.
    fn guarded(&mut self, action: Action, kind: KeyEventKind) -> Vec<Effect> {
        if action.danger() == Danger::Plain {
            return self.act(action);
        }
        if kind == KeyEventKind::Repeat {
            return Vec::new();
        }
        if let Some((at, last, sent)) = self.keys.decided {
            let passed = self.now.duration_since(at);
            if last == action && passed < REPEAT {
                self.keys.decided = Some((self.now, action, sent));
                return Vec::new();
            }
            if last != action && passed < BURST {
                self.keys.decided = Some((self.now, action, false));
                let hint = "press one key at a time".to_owned();
                self.toast_hint(
                    Tone::Warn,
                    "several decision keys at once: taken for a paste, nothing is decided",
                    Some(hint),
                );
                return if sent { self.undo() } else { Vec::new() };
            }
        }
        let before = self.verdicts.unanswered().count();
        let effects = self.act(action);
        let sent = self.verdicts.unanswered().count() > before;
        self.keys.decided = Some((self.now, action, sent));
        effects
    }

    /// Pasted text goes into a field that is open, and nowhere else.
    pub(super) fn paste(&mut self, text: &str) -> Vec<Effect> {
        self.active = self.now;
        self.hint = false;
        self.close_sequence();
        if self.context().is_typing() {
            return self.pasted(text);
        }
        self.toast(Tone::Info, "pasted text decides nothing; open a field first");
        Vec::new()
    }
}
