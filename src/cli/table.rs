//! Rows of words and numbers in columns that fit the terminal. Cells are clean and without colour;
//! the tone of a column is put on after it is measured.

use super::out::{Out, Tone};
use crate::text::{truncate, width};

/// How a column is shown.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    pub title: &'static str,
    pub right: bool,
    pub tone: Option<Tone>,
}

/// A column of words.
pub const fn words(title: &'static str) -> Column {
    Column { title, right: false, tone: None }
}

/// A column of numbers.
pub const fn numbers(title: &'static str) -> Column {
    Column { title, right: true, tone: None }
}

/// A column that matters less.
pub const fn dim(title: &'static str) -> Column {
    Column { title, right: false, tone: Some(Tone::Dim) }
}

/// The rows as lines. Two spaces part the columns; on a terminal the last column is cut to fit.
pub fn lines(out: &Out, columns: &[Column], rows: &[Vec<String>]) -> Vec<String> {
    let widths: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(i, column)| {
            rows.iter()
                .filter_map(|row| row.get(i))
                .map(|cell| width(cell))
                .chain([width(column.title)])
                .max()
                .unwrap_or(0)
        })
        .collect();
    let room = out.columns();
    let draw = |row: &mut dyn Iterator<Item = &str>, tone: Option<Tone>| {
        let mut line = String::new();
        let mut used = 0;
        let last = columns.len().saturating_sub(1);
        for (i, ((cell, column), cells)) in row.zip(columns).zip(&widths).enumerate() {
            if i > 0 {
                line.push_str("  ");
                used += 2;
            }
            let cell = match room {
                Some(room) if i == last => truncate(cell, room.saturating_sub(used).max(8)),
                _ => cell.to_owned(),
            };
            let pad = " ".repeat(cells.saturating_sub(width(&cell)));
            let shown = match tone.or(column.tone) {
                Some(tone) if !cell.is_empty() => out.tone(tone, &cell),
                _ => cell,
            };
            if column.right {
                line.push_str(&pad);
                line.push_str(&shown);
            } else {
                line.push_str(&shown);
                if i < last {
                    line.push_str(&pad);
                }
            }
            used += cells;
        }
        line.trim_end().to_owned()
    };
    let mut lines = vec![draw(&mut columns.iter().map(|c| c.title), Some(Tone::Dim))];
    lines.extend(rows.iter().map(|row| draw(&mut row.iter().map(String::as_str), None)));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_numbers_stand_right() {
        let out = Out::new(false, false);
        let rows = vec![
            vec!["a".to_owned(), "7".to_owned(), "wide 漢字".to_owned()],
            vec!["long".to_owned(), "10".to_owned(), "x".to_owned()],
        ];
        let lines = lines(&out, &[words("id"), numbers("n"), words("what")], &rows);
        assert_eq!(lines, ["id     n  what", "a      7  wide 漢字", "long  10  x"]);
    }
}
