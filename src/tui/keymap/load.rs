//! Keymap files: shipped defaults, a named preset over them, the user's file over both.
//!
//! Every bad line is reported with its place and left out; all other lines work.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::{Action, Binding, Context, Danger, Key, Keymap, show_sequence};
use crate::tui::problem::{Problem, Source, kind, nearest};

/// The preset under all others.
pub(super) const DEFAULT: &str = "default";

/// The word that unbinds a key.
const NONE: &str = "none";

/// Shipped keymaps: name and text.
pub const PRESETS: &[(&str, &str)] = &[
    (DEFAULT, include_str!("../../../keymaps/default.toml")),
    ("vim", include_str!("../../../keymaps/vim.toml")),
    ("emacs", include_str!("../../../keymaps/emacs.toml")),
];

/// The text of a shipped keymap.
pub fn preset(name: &str) -> Option<&'static str> {
    PRESETS.iter().find(|(n, _)| *n == name).map(|(_, text)| *text)
}

/// A line of a keymap file that was understood.
struct Entry {
    context: Context,
    keys: Vec<Key>,
    /// `None` unbinds.
    action: Option<Action>,
    span: Range<usize>,
}

/// A binding of one table, before tables inherit.
#[derive(Clone)]
struct Own {
    context: Context,
    keys: Vec<Key>,
    /// `None` hides an inherited binding.
    action: Option<Action>,
    /// Later layers and earlier lines come first in hints.
    rank: (std::cmp::Reverse<usize>, usize),
}

impl Keymap {
    /// Lays `preset` over the default keys and `user_file` (its name and text) over both.
    ///
    /// It always gives a keymap that works: what is wrong is left out and reported, all at once,
    /// each with file, line, column, what is wrong, the nearest name and what is used instead.
    pub fn load(preset: &str, user_file: Option<(&str, &str)>) -> (Self, Vec<Problem>) {
        let mut problems = Vec::new();
        let mut layers = Layers::default();
        if let Some(text) = self::preset(DEFAULT) {
            layers.lay(Source { file: "keymaps/default.toml", text }, &mut problems);
        }
        if preset != DEFAULT {
            match self::preset(preset) {
                Some(text) => {
                    let file = format!("keymaps/{preset}.toml");
                    layers.lay(Source { file: &file, text }, &mut problems);
                }
                None => problems.push(Problem {
                    file: "keymap".to_owned(),
                    line: 0,
                    column: 0,
                    message: format!("no keymap is called '{preset}'"),
                    nearest: nearest(preset, PRESETS.iter().map(|(name, _)| *name)),
                    instead: "the default keys are used".to_owned(),
                }),
            }
        }
        if let Some((file, text)) = user_file {
            layers.lay(Source { file, text }, &mut problems);
        }
        layers.keep_ways_out(user_file.map_or("keymap", |(file, _)| file), &mut problems);
        (layers.into_keymap(), problems)
    }
}

/// The tables as laid so far.
#[derive(Default)]
struct Layers {
    own: Vec<Own>,
    count: usize,
}

impl Layers {
    /// Lays one file over what is there.
    fn lay(&mut self, source: Source<'_>, problems: &mut Vec<Problem>) {
        let before = problems.len();
        let entries = self.read(source, problems);
        self.count += 1;
        // Unbinding first, so that a key can be freed and used anew in any order of lines.
        for (line, entry) in entries.iter().enumerate().filter(|(_, e)| e.action.is_none()) {
            self.set(entry, line);
        }
        let mut taken: Vec<&Entry> = Vec::new();
        for (line, entry) in entries.iter().enumerate() {
            let Some(action) = entry.action else { continue };
            match self.fault(entry, action, &taken) {
                Some(message) => {
                    let instead = self.instead(entry);
                    problems.push(source.problem(&entry.span, message, None, instead));
                }
                None => {
                    self.set(entry, line);
                    taken.push(entry);
                }
            }
        }
        if let Some(new) = problems.get_mut(before..) {
            new.sort_by_key(|p| (p.line, p.column));
        }
    }

    /// The lines of a file that can be understood, in order; the others become problems.
    fn read(&self, source: Source<'_>, problems: &mut Vec<Problem>) -> Vec<Entry> {
        let (root, errors) = DeTable::parse_recoverable(source.text);
        for error in &errors {
            problems.push(source.syntax(error, "this line is left out"));
        }
        let mut entries = Vec::new();
        for (name, value) in root.get_ref() {
            let word = name.get_ref().as_ref();
            let DeValue::Table(table) = value.get_ref() else {
                let message =
                    format!("'{word}' stands in no table; keys belong under one, as in [global]");
                problems.push(source.problem(&name.span(), message, None, "it is left out"));
                continue;
            };
            let Some(context) = Context::from_id(word) else {
                problems.push(source.problem(
                    &name.span(),
                    format!("no context is called '{word}'"),
                    nearest(word, Context::ALL.iter().map(|c| c.id())),
                    "its keys are left out",
                ));
                continue;
            };
            for (key, value) in table {
                let line = Line {
                    context,
                    key: key.get_ref(),
                    key_span: key.span(),
                    value: value.get_ref(),
                    value_span: value.span(),
                };
                match self.entry(source, &line) {
                    Ok(entry) => entries.push(entry),
                    Err(problem) => problems.push(*problem),
                }
            }
        }
        entries.sort_by_key(|e| e.span.start);
        entries
    }

    fn entry(&self, source: Source<'_>, line: &Line<'_>) -> Result<Entry, Box<Problem>> {
        let keys = Key::parse_sequence(line.key).map_err(|error| {
            let near = error.nearest();
            source.problem(&line.key_span, error.to_string(), near, "this line is left out")
        })?;
        let mut entry =
            Entry { context: line.context, keys, action: None, span: line.key_span.clone() };
        let DeValue::String(word) = line.value else {
            let message = format!(
                "'{}' needs the name of an action in quotes, not {}",
                line.key,
                kind(line.value)
            );
            return Err(Box::new(source.problem(
                &line.value_span,
                message,
                None,
                self.instead(&entry),
            )));
        };
        if word != NONE {
            let Some(action) = Action::from_id(word) else {
                return Err(Box::new(source.problem(
                    &line.value_span,
                    format!("no action is called '{word}'"),
                    nearest(word, Action::ALL.iter().map(|a| a.id()).chain([NONE])),
                    self.instead(&entry),
                )));
            };
            entry.action = Some(action);
        }
        Ok(entry)
    }

    /// Why an entry cannot stand, seen with the others of its file and with what lies below.
    fn fault(&self, entry: &Entry, action: Action, taken: &[&Entry]) -> Option<String> {
        let keys = show_sequence(&entry.keys);
        if !action.may_stand_in(entry.context) {
            return Some(format!("{} means nothing in [{}]", action.id(), entry.context.id()));
        }
        if action.danger() == Danger::Destructive
            && let [key] = entry.keys.as_slice()
            && key.is_bare()
        {
            return Some(format!(
                "{} is too dangerous for the single key '{keys}'; use a sequence such as 'Space {keys}'",
                action.id()
            ));
        }
        if taken.iter().any(|t| t.context == entry.context && t.keys == entry.keys) {
            return Some(format!("'{keys}' is bound twice in [{}]", entry.context.id()));
        }
        self.own
            .iter()
            .filter(|own| own.action.is_some() && related(own.context, entry.context))
            .filter(|own| !self.unbound_for(own, entry.context))
            .find_map(|own| {
                let other = show_sequence(&own.keys);
                let what = own.action.map_or(NONE, Action::id);
                let table = own.context.id();
                if own.keys.len() > entry.keys.len() && own.keys.starts_with(&entry.keys) {
                    Some(format!(
                        "'{keys}' is the start of '{other}' ({what} in [{table}]), which it would hide"
                    ))
                } else if own.keys.len() < entry.keys.len() && entry.keys.starts_with(&own.keys) {
                    Some(format!(
                        "'{keys}' can never be reached: '{other}' acts first ({what} in [{table}])"
                    ))
                } else {
                    None
                }
            })
    }

    /// Whether an inherited binding was unbound on the way down to `context`.
    fn unbound_for(&self, inherited: &Own, context: Context) -> bool {
        context.chain().take_while(|c| *c != inherited.context).any(|c| {
            self.own
                .iter()
                .any(|o| o.context == c && o.action.is_none() && o.keys == inherited.keys)
        })
    }

    /// What a bad line's key does without it.
    fn instead(&self, entry: &Entry) -> String {
        let keys = show_sequence(&entry.keys);
        let table = self.effective(entry.context);
        match table.iter().find(|own| own.keys == entry.keys).and_then(|own| own.action) {
            Some(action) => format!("'{keys}' stays {}", action.id()),
            None => format!("'{keys}' stays unbound"),
        }
    }

    fn set(&mut self, entry: &Entry, line: usize) {
        self.own.retain(|o| o.context != entry.context || o.keys != entry.keys);
        self.own.push(Own {
            context: entry.context,
            keys: entry.keys.clone(),
            action: entry.action,
            rank: (std::cmp::Reverse(self.count), line),
        });
    }

    /// Every binding that works in `context`: its own, then what it inherits and does not replace.
    fn effective(&self, context: Context) -> Vec<Own> {
        let mut table: Vec<Own> = Vec::new();
        let mut chain: Vec<Context> = context.chain().collect();
        chain.reverse();
        for step in chain {
            for own in self.own.iter().filter(|o| o.context == step) {
                // A nearer binding wins over an inherited one it meets on the way.
                table.retain(|o| {
                    let meets = match own.action {
                        Some(_) => o.keys.starts_with(&own.keys) || own.keys.starts_with(&o.keys),
                        None => o.keys == own.keys,
                    };
                    !meets
                });
                if own.action.is_some() {
                    table.push(own.clone());
                }
            }
        }
        // Hints show the user's own keys first, and what is special to this place before the rest.
        table.sort_by_key(|o| {
            (o.rank.0, context.chain().take_while(|c| *c != o.context).count(), o.rank.1)
        });
        table
    }

    /// Puts back the keys without which a person could be caught: a way out of everything, and a
    /// way to the palette, which leads to the kill switch and to quitting.
    fn keep_ways_out(&mut self, file: &str, problems: &mut Vec<Problem>) {
        for context in Context::ALL {
            for (action, key) in [(Action::Back, "Esc"), (Action::Palette, ":")] {
                let has =
                    |action| self.effective(*context).iter().any(|o| o.action == Some(action));
                let missing = match action {
                    Action::Palette => {
                        action.works_in(*context)
                            && !(has(action) || has(Action::Kill) && has(Action::Quit))
                    }
                    _ => !has(action),
                };
                let Ok(keys) = Key::parse_sequence(key) else { continue };
                if !missing {
                    continue;
                }
                let message = format!("no key does {} in [{}]", action.id(), context.id());
                problems.push(Problem {
                    file: file.to_owned(),
                    line: 0,
                    column: 0,
                    message,
                    nearest: None,
                    instead: format!("'{key}' does it"),
                });
                let entry = Entry { context: *context, keys, action: Some(action), span: 0..0 };
                self.set(&entry, usize::MAX);
            }
        }
    }

    fn into_keymap(self) -> Keymap {
        let tables = Context::ALL
            .iter()
            .map(|context| {
                let bindings = self
                    .effective(*context)
                    .into_iter()
                    .filter_map(|o| o.action.map(|action| Binding { keys: o.keys, action }))
                    .collect();
                (*context, bindings)
            })
            .collect();
        Keymap { tables }
    }
}

/// One line of a table, as the TOML reader gives it.
struct Line<'a> {
    context: Context,
    key: &'a str,
    key_span: Range<usize>,
    value: &'a DeValue<'a>,
    value_span: Range<usize>,
}

/// One lies on the other's way up.
fn related(a: Context, b: Context) -> bool {
    a.chain().any(|c| c == b) || b.chain().any(|c| c == a)
}
