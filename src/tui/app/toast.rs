//! Short news above the last line. Toasts never take keys; they go by themselves, or with Esc.

use jiff::SignedDuration;

use super::State;
use crate::domain::Timestamp;
use crate::protocol::Refused;

/// How a toast is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Info,
    Good,
    Warn,
    Bad,
}

/// News.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toast {
    pub tone: Tone,
    /// What happened; may hold foreign text, so the screen cleans it.
    pub text: String,
    /// What to do next.
    pub hint: Option<String>,
    pub until: Timestamp,
}

/// More would hide the work.
const MOST: usize = 3;

impl State {
    pub(super) fn toast(&mut self, tone: Tone, text: impl Into<String>) {
        self.toast_hint(tone, text, None);
    }

    pub(super) fn toast_hint(&mut self, tone: Tone, text: impl Into<String>, hint: Option<String>) {
        let seconds = match tone {
            Tone::Info | Tone::Good => 4,
            Tone::Warn => 7,
            Tone::Bad => 15,
        };
        let until = self.now.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(self.now);
        let toast = Toast { tone, text: text.into(), hint, until };
        // The same news again is the same news, for longer.
        self.toasts.retain(|t| t.text != toast.text);
        self.toasts.push(toast);
        if self.toasts.len() > MOST {
            self.toasts.remove(0);
        }
        self.dirty = true;
    }

    pub(super) fn toast_refused(&mut self, before: &str, refused: &Refused) {
        self.toast_hint(Tone::Bad, format!("{before}{}", refused.message), refused.hint.clone());
    }

    /// Lets go of what has been shown long enough.
    pub(super) fn expire_toasts(&mut self) {
        let (now, before) = (self.now, self.toasts.len());
        self.toasts.retain(|t| t.until > now);
        self.dirty |= self.toasts.len() != before;
    }
}
