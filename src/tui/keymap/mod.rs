//! Keys: a press goes through the table of its context and comes out as an [`Action`].
//!
//! Hints, help and palette read the same tables back ([`Keymap::keys_for`], [`Keymap::actions`]),
//! so a remapped key is shown everywhere. Tables come from `keymaps/*.toml` and the user's file.
//!
//! ```
//! use overrule::tui::keymap::{Action, Context, Feed, Key, Keymap};
//!
//! let (keymap, problems) = Keymap::load("default", None);
//! assert!(problems.is_empty());
//! let g = Key::parse("g").unwrap();
//! let Feed::Pending(next) = keymap.feed(Context::Queue, &[], g) else { panic!() };
//! assert_eq!(next, [(g, "top")]);
//! assert_eq!(keymap.feed(Context::Queue, &[g], g), Feed::Action(Action::Top));
//! assert_eq!(keymap.keys_for(Context::Queue, Action::Top), ["g g", "Home"]);
//! ```

mod action;
mod context;
mod key;
mod load;
#[cfg(test)]
mod tests;

pub use action::{Action, Danger, Info};
pub use context::Context;
pub use key::{Key, KeyError, show_sequence};
pub use load::{PRESETS, preset};

/// What a key press means, given the keys pressed just before it.
#[derive(Clone, Debug, PartialEq)]
pub enum Feed {
    /// Do this; nothing is pending any more.
    Action(Action),
    /// The start of a sequence: each key that may follow, with what it would do (`…` where still
    /// more keys follow). Keep the pressed keys and feed them with the next one.
    Pending(Vec<(Key, &'static str)>),
    /// Means nothing here. Forget what was pending; where letters are text
    /// ([`Context::is_typing`]), the key belongs to the field.
    None,
}

/// A sequence of keys and what it does.
#[derive(Clone, Debug, PartialEq)]
pub struct Binding {
    pub keys: Vec<Key>,
    pub action: Action,
}

/// For every context, every binding that works there. No sequence is the start of another.
#[derive(Clone, Debug, PartialEq)]
pub struct Keymap {
    /// In the order of [`Context::ALL`].
    tables: Vec<(Context, Vec<Binding>)>,
}

impl Keymap {
    /// What `key` means in `context` after `pending`.
    pub fn feed(&self, context: Context, pending: &[Key], key: Key) -> Feed {
        let mut next: Vec<(Key, &'static str)> = Vec::new();
        for binding in self.bindings(context) {
            let Some(rest) = binding.keys.strip_prefix(pending) else { continue };
            let Some((first, rest)) = rest.split_first() else { continue };
            if *first != key {
                continue;
            }
            let Some((follow, _)) = rest.split_first() else {
                return Feed::Action(binding.action);
            };
            let title = if rest.len() == 1 { binding.action.title() } else { "…" };
            if !next.iter().any(|(k, _)| k == follow) {
                next.push((*follow, title));
            }
        }
        if next.is_empty() { Feed::None } else { Feed::Pending(next) }
    }

    /// Every key sequence that does `action` in `context`, the user's own first.
    pub fn keys_for(&self, context: Context, action: Action) -> Vec<String> {
        self.bindings(context)
            .iter()
            .filter(|b| b.action == action)
            .map(|b| show_sequence(&b.keys))
            .collect()
    }

    /// Every binding that works in `context`, inherited ones included.
    pub fn bindings(&self, context: Context) -> &[Binding] {
        self.tables.iter().find(|(c, _)| *c == context).map_or(&[], |(_, bindings)| bindings)
    }

    /// Every action that means something in `context` with its keys, bound or not: help and
    /// palette. In the order of [`Action::ALL`].
    pub fn actions(&self, context: Context) -> Vec<(Action, Vec<String>)> {
        Action::ALL
            .iter()
            .filter(|a| a.works_in(context))
            .map(|a| (*a, self.keys_for(context, *a)))
            .collect()
    }
}

impl Default for Keymap {
    /// The shipped default keys.
    fn default() -> Self {
        Self::load(load::DEFAULT, None).0
    }
}
