//! One line of typing: a text and a cursor that moves by graphemes.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use unicode_segmentation::UnicodeSegmentation;

/// Longest line a person can type here, in bytes; what goes beyond is not taken.
const MOST: usize = 4096;

/// A single-line field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    text: String,
    /// Byte offset of the cursor, always at a grapheme's start or the end.
    cursor: usize,
}

impl Line {
    /// A field that already holds `text`, cursor at its end.
    pub fn with(text: &str) -> Self {
        let mut line = Self::default();
        line.insert(text);
        line
    }

    /// What was typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What was typed without blanks around it; `None` when nothing is left.
    pub fn said(&self) -> Option<String> {
        let said = self.text.trim();
        (!said.is_empty()).then(|| said.to_owned())
    }

    /// The text before the cursor and after it.
    pub fn parts(&self) -> (&str, &str) {
        self.text.split_at_checked(self.cursor).unwrap_or((&self.text, ""))
    }

    /// Types `text` at the cursor: line breaks become blanks, what cannot be seen is left out.
    pub fn insert(&mut self, text: &str) {
        for c in text.chars() {
            let c = if matches!(c, '\n' | '\r' | '\t') { ' ' } else { c };
            if hidden(c) || self.text.len() + c.len_utf8() > MOST {
                continue;
            }
            self.text.insert(self.cursor, c);
            self.cursor += c.len_utf8();
        }
    }

    /// Everything gone.
    pub fn clear(&mut self) {
        self.text.clear();
        self.cursor = 0;
    }

    /// A key in this field; `true` when it changed the text.
    pub fn key(&mut self, key: &KeyEvent) -> bool {
        let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
        let before = self.text.len();
        match key.code {
            KeyCode::Char('a') if ctrl => self.cursor = 0,
            KeyCode::Char('e') if ctrl => self.cursor = self.text.len(),
            KeyCode::Char('b') if ctrl => self.cursor = self.left(),
            KeyCode::Char('f') if ctrl => self.cursor = self.right(),
            KeyCode::Char('u') if ctrl => self.cut(0, self.cursor),
            KeyCode::Char('k') if ctrl => self.cut(self.cursor, self.text.len()),
            KeyCode::Char('w') if ctrl => self.cut(self.word_left(), self.cursor),
            KeyCode::Char('h') if ctrl => self.cut(self.left(), self.cursor),
            KeyCode::Char('d') if ctrl => self.cut(self.cursor, self.right()),
            KeyCode::Char(c) if !ctrl && !key.modifiers.contains(KeyModifiers::ALT) => {
                self.insert(c.encode_utf8(&mut [0; 4]));
            }
            KeyCode::Backspace => self.cut(self.left(), self.cursor),
            KeyCode::Delete => self.cut(self.cursor, self.right()),
            KeyCode::Left => self.cursor = self.left(),
            KeyCode::Right => self.cursor = self.right(),
            KeyCode::Home => self.cursor = 0,
            KeyCode::End => self.cursor = self.text.len(),
            _ => {}
        }
        self.text.len() != before
    }

    fn cut(&mut self, from: usize, to: usize) {
        if from < to && self.text.get(from..to).is_some() {
            self.text.replace_range(from..to, "");
            self.cursor = from;
        }
    }

    fn left(&self) -> usize {
        self.parts().0.grapheme_indices(true).next_back().map_or(0, |(i, _)| i)
    }

    fn right(&self) -> usize {
        let (_, after) = self.parts();
        self.cursor + after.graphemes(true).next().map_or(0, str::len)
    }

    fn word_left(&self) -> usize {
        let before = self.parts().0.trim_end();
        before.rfind(char::is_whitespace).map_or(0, |i| {
            i + before.get(i..).and_then(|s| s.chars().next()).map_or(0, char::len_utf8)
        })
    }
}

/// Characters nobody types on purpose and nobody can see: controls and directional overrides.
pub(super) fn hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(line: &mut Line, code: KeyCode) {
        line.key(&KeyEvent::new(code, KeyModifiers::NONE));
    }

    #[test]
    fn typing_moves_and_cuts_by_graphemes() {
        let mut line = Line::with("né👩‍🔬x");
        press(&mut line, KeyCode::Left);
        press(&mut line, KeyCode::Backspace);
        assert_eq!(line.text(), "néx");
        assert_eq!(line.parts(), ("né", "x"));
        press(&mut line, KeyCode::Home);
        press(&mut line, KeyCode::Delete);
        assert_eq!(line.parts(), ("", "éx"));
        line.key(&KeyEvent::new(KeyCode::Char('k'), KeyModifiers::CONTROL));
        assert_eq!(line.said(), None);
    }

    #[test]
    fn a_word_goes_at_once_and_line_breaks_become_blanks() {
        let mut line = Line::with("states\nsomething untrue");
        line.key(&KeyEvent::new(KeyCode::Char('w'), KeyModifiers::CONTROL));
        assert_eq!(line.text(), "states something ");
        line.insert("\u{1b}[2J\u{202e}");
        assert_eq!(line.text(), "states something [2J");
        let mut long = Line::default();
        long.insert(&"ü".repeat(5000));
        assert_eq!(long.text().len(), MOST);
    }
}
