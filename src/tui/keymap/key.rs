//! One key press: read from a file, from the terminal, and written back for people.

use std::fmt;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use crate::tui::problem::nearest;

/// A key with its modifiers, in one normal form however the terminal reports it:
/// Shift is part of a letter (`G`, never `Shift-g`), and what every terminal sends as the same
/// byte is the same key (`Ctrl-i` is `Tab`, `Ctrl-m` is `Enter`, `Ctrl-[` is `Esc`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    code: KeyCode,
    modifiers: KeyModifiers,
}

/// Why a word is not a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("no key is written here; write one like \"a\", \"Ctrl-d\" or \"g g\"")]
    Empty,
    #[error("'{0}' is not a key")]
    Unknown(String),
    #[error("'{0}' is not a modifier; there are Ctrl, Alt and Shift")]
    Modifier(String),
    #[error("terminals send '{0}' without the Shift, so it cannot be told from '{1}'")]
    Shifted(String, String),
}

impl KeyError {
    /// What was probably meant: the nearest name, or the same key as this app writes it.
    pub fn nearest(&self) -> Option<String> {
        match self {
            Self::Empty => None,
            Self::Shifted(_, plain) => Some(plain.clone()),
            Self::Modifier(word) => Some(match word.to_ascii_lowercase().as_str() {
                "c" | "control" => "Ctrl".to_owned(),
                "m" | "a" | "meta" | "option" => "Alt".to_owned(),
                "s" => "Shift".to_owned(),
                _ => return nearest(word, ["Ctrl", "Alt", "Shift"]),
            }),
            // As vim and Emacs write keys: <C-x>, <CR>, ^X.
            Self::Unknown(word) => {
                let inner = word.strip_prefix('<').and_then(|w| w.strip_suffix('>'));
                let caret = word.strip_prefix('^').map(|w| format!("Ctrl-{}", w.to_lowercase()));
                let other = inner.map(|w| match w.to_ascii_lowercase().as_str() {
                    "cr" | "return" => "Enter".to_owned(),
                    "bs" => "Backspace".to_owned(),
                    "del" => "Delete".to_owned(),
                    _ => {
                        let w = w.replacen("C-", "Ctrl-", 1).replacen("S-", "Shift-", 1);
                        w.replacen("M-", "Alt-", 1).replacen("A-", "Alt-", 1)
                    }
                });
                let same = caret.or(other).and_then(|w| Key::parse(&w).ok()).map(|k| k.to_string());
                same.or_else(|| match word.to_ascii_lowercase().as_str() {
                    "return" => Some("Enter".to_owned()),
                    "escape" => Some("Esc".to_owned()),
                    _ => nearest(word, NAMED.iter().map(|(name, _)| *name)),
                })
            }
        }
    }
}

/// Names of keys that are not one character, as written in files and shown to people.
const NAMED: &[(&str, KeyCode)] = &[
    ("Space", KeyCode::Char(' ')),
    ("Enter", KeyCode::Enter),
    ("Esc", KeyCode::Esc),
    ("Tab", KeyCode::Tab),
    ("Backspace", KeyCode::Backspace),
    ("Delete", KeyCode::Delete),
    ("Insert", KeyCode::Insert),
    ("Up", KeyCode::Up),
    ("Down", KeyCode::Down),
    ("Left", KeyCode::Left),
    ("Right", KeyCode::Right),
    ("Home", KeyCode::Home),
    ("End", KeyCode::End),
    ("PageUp", KeyCode::PageUp),
    ("PageDown", KeyCode::PageDown),
];

impl Key {
    /// The key in its normal form.
    pub fn new(code: KeyCode, modifiers: KeyModifiers) -> Self {
        let known = KeyModifiers::CONTROL | KeyModifiers::ALT | KeyModifiers::SHIFT;
        let mut modifiers = modifiers & known;
        let ctrl = modifiers.contains(KeyModifiers::CONTROL);
        let code = match code {
            KeyCode::BackTab => {
                modifiers.insert(KeyModifiers::SHIFT);
                KeyCode::Tab
            }
            KeyCode::Char('\t') => KeyCode::Tab,
            KeyCode::Char('\r' | '\n') => KeyCode::Enter,
            // A terminal without the kitty protocol cannot send these apart.
            KeyCode::Char(c) if ctrl && matches!(c, 'i' | 'I' | 'm' | 'M' | '[') => {
                modifiers.remove(KeyModifiers::CONTROL | KeyModifiers::SHIFT);
                match c {
                    'i' | 'I' => KeyCode::Tab,
                    'm' | 'M' => KeyCode::Enter,
                    _ => KeyCode::Esc,
                }
            }
            KeyCode::Char(c) => {
                let shift = modifiers.contains(KeyModifiers::SHIFT);
                modifiers.remove(KeyModifiers::SHIFT);
                KeyCode::Char(match (ctrl, shift) {
                    (true, _) => c.to_ascii_lowercase(),
                    (false, true) => one_upper(c),
                    (false, false) => c,
                })
            }
            other => other,
        };
        Self { code, modifiers }
    }

    /// The key of a terminal event; `None` for a release, which is never a command, and for keys
    /// that are only modifiers or that no keymap can name.
    pub fn from_event(event: &KeyEvent) -> Option<Self> {
        if event.kind == KeyEventKind::Release {
            return None;
        }
        let nameable = match event.code {
            KeyCode::Char(_) | KeyCode::BackTab | KeyCode::F(_) => true,
            code => NAMED.iter().any(|(_, c)| *c == code),
        };
        nameable.then(|| Self::new(event.code, event.modifiers))
    }

    /// Reads one key: `a`, `G`, `Ctrl-d`, `Alt-x`, `Shift-Tab`, `Space`, `F1`. Names of keys and
    /// modifiers may be written in any case; a character is itself.
    ///
    /// # Errors
    ///
    /// [`KeyError`] names the part that was not understood.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let mut modifiers = KeyModifiers::NONE;
        let mut rest = text;
        // Written as vim does.
        if text.starts_with('<') && text.len() > 1 {
            return Err(KeyError::Unknown(text.to_owned()));
        }
        // The last character may itself be `-`, so a modifier needs something after its dash.
        while let Some((word, after)) =
            rest.split_once('-').filter(|(w, a)| !w.is_empty() && !a.is_empty())
        {
            modifiers |= match word.to_ascii_lowercase().as_str() {
                "ctrl" => KeyModifiers::CONTROL,
                "alt" => KeyModifiers::ALT,
                "shift" => KeyModifiers::SHIFT,
                _ => return Err(KeyError::Modifier(word.to_owned())),
            };
            rest = after;
        }
        let code = code(rest).ok_or_else(|| match rest {
            "" => KeyError::Empty,
            _ => KeyError::Unknown(text.to_owned()),
        })?;
        let key = Self::new(code, modifiers);
        let shifted = matches!(code, KeyCode::Char(c) if c.is_uppercase())
            || modifiers.contains(KeyModifiers::SHIFT);
        if modifiers.contains(KeyModifiers::CONTROL) && shifted && matches!(code, KeyCode::Char(_))
        {
            return Err(KeyError::Shifted(text.to_owned(), key.to_string()));
        }
        Ok(key)
    }

    /// Reads a sequence of keys parted by blanks: `g g`, `Space K`.
    ///
    /// # Errors
    ///
    /// [`KeyError`] of the first key not understood; an empty text is [`KeyError::Empty`].
    pub fn parse_sequence(text: &str) -> Result<Vec<Self>, KeyError> {
        // A lone blank in quotes can only mean the space bar.
        if text == " " {
            return Ok(vec![Self::new(KeyCode::Char(' '), KeyModifiers::NONE)]);
        }
        let keys = text.split_whitespace().map(Self::parse).collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() { Err(KeyError::Empty) } else { Ok(keys) }
    }

    /// Pressed without Ctrl or Alt, so that a slip of the hand or a paste can send it.
    pub fn is_bare(self) -> bool {
        !self.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT)
    }

    /// The character it types into a field, if it types one.
    pub fn typed(self) -> Option<char> {
        match self.code {
            KeyCode::Char(c) if self.is_bare() => Some(c),
            _ => None,
        }
    }

    /// The key code, as the terminal names it.
    pub fn code(self) -> KeyCode {
        self.code
    }

    /// Modifiers left after normalising.
    pub fn modifiers(self) -> KeyModifiers {
        self.modifiers
    }
}

/// The capital of a letter where it is one character; `ß` stays.
fn one_upper(c: char) -> char {
    let mut upper = c.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(u), None) => u,
        _ => c,
    }
}

fn code(word: &str) -> Option<KeyCode> {
    let mut chars = word.chars();
    if let (Some(c), None) = (chars.next(), chars.next()) {
        return (!c.is_control() && !c.is_whitespace()).then_some(KeyCode::Char(c));
    }
    if let Some((_, code)) = NAMED.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)) {
        return Some(*code);
    }
    let number = word.strip_prefix(['F', 'f'])?.parse::<u8>().ok()?;
    (1..=24).contains(&number).then_some(KeyCode::F(number))
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (modifier, name) in [
            (KeyModifiers::CONTROL, "Ctrl-"),
            (KeyModifiers::ALT, "Alt-"),
            (KeyModifiers::SHIFT, "Shift-"),
        ] {
            if self.modifiers.contains(modifier) {
                f.write_str(name)?;
            }
        }
        match (self.code, NAMED.iter().find(|(_, code)| *code == self.code)) {
            (_, Some((name, _))) => f.write_str(name),
            (KeyCode::Char(c), None) => write!(f, "{c}"),
            (KeyCode::F(n), None) => write!(f, "F{n}"),
            (other, None) => write!(f, "{other}"),
        }
    }
}

/// A sequence as written in keymap files: `Space K`.
pub fn show_sequence(keys: &[Key]) -> String {
    keys.iter().map(Key::to_string).collect::<Vec<_>>().join(" ")
}
