//! What changed between two texts, word by word.

use std::ops::Range;

use similar::{Algorithm, DiffOp, capture_diff_slices};
use unicode_segmentation::UnicodeSegmentation;

use super::{Clean, SegmentKind};

/// Words (runs of blanks and signs count too) on a side up to which words are compared: the work
/// grows with the square of what differs, and a frame waits for it.
pub const MOST_WORDS: usize = 4_000;
/// Lines on a side up to which lines are compared; beyond, the whole text counts as changed.
pub const MOST_LINES: usize = 4_000;

/// What became of a piece of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChunkKind {
    Same,
    Added,
    Removed,
}

/// A piece of text and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    pub kind: ChunkKind,
    pub text: Clean,
}

/// What was compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiffUnit {
    Words,
    /// One text has more than [`MOST_WORDS`] words.
    Lines,
    /// One text has more than [`MOST_LINES`] lines: nothing was compared.
    Whole,
}

/// The way from one text to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diff {
    /// In reading order; where both, what was removed stands before what was added.
    /// Same and removed chunks give the old text, same and added ones the new.
    pub chunks: Vec<Chunk>,
    /// Say so on screen where it is not words.
    pub unit: DiffUnit,
}

impl Diff {
    /// Nothing was added or removed.
    pub fn is_same(&self) -> bool {
        self.chunks.iter().all(|c| c.kind == ChunkKind::Same)
    }
}

/// Compares two texts by words, very long ones by lines. A change that spans several words
/// stays together, and a token for a hidden character is never cut.
pub fn diff(old: &Clean, new: &Clean) -> Diff {
    let (mut from, mut to) = (words(old), words(new));
    let mut unit = DiffUnit::Words;
    if from.len().max(to.len()) > MOST_WORDS {
        (from, to) = (lines(old), lines(new));
        unit = DiffUnit::Lines;
    }
    if from.len().max(to.len()) > MOST_LINES {
        (from, to) = (whole(old), whole(new));
        unit = DiffUnit::Whole;
    }
    let changes = changes(old, new, &from, &to);
    let mut chunks = Vec::new();
    let (mut old_at, mut new_at) = (0, 0);
    let mut push = |kind, text: &Clean, range: Range<usize>| {
        if !range.is_empty() {
            chunks.push(Chunk { kind, text: text.slice(range) });
        }
    };
    for (removed, added) in changes {
        push(ChunkKind::Same, new, new_at..added.start);
        (old_at, new_at) = (removed.end, added.end);
        push(ChunkKind::Removed, old, removed);
        push(ChunkKind::Added, new, added);
    }
    debug_assert_eq!(old.as_str().len() - old_at, new.as_str().len() - new_at);
    push(ChunkKind::Same, new, new_at..new.as_str().len());
    Diff { chunks, unit }
}

/// The changed places, as byte ranges of both texts. Changes with only blanks between them are
/// one: "red car" to "blue bike" is one change, not two around a blank.
fn changes(
    old: &Clean,
    new: &Clean,
    from: &[Range<usize>],
    to: &[Range<usize>],
) -> Vec<(Range<usize>, Range<usize>)> {
    let pieces = |text: &'_ Clean, ranges: &[Range<usize>]| -> Vec<String> {
        let text = text.as_str();
        ranges.iter().map(|r| text.get(r.clone()).unwrap_or_default().to_owned()).collect()
    };
    let ops = capture_diff_slices(Algorithm::Myers, &pieces(old, from), &pieces(new, to));
    let mut changes: Vec<(Range<usize>, Range<usize>)> = Vec::new();
    for op in ops.iter().filter(|op| !matches!(op, DiffOp::Equal { .. })) {
        let removed = bytes(from, op.old_range(), old);
        let added = bytes(to, op.new_range(), new);
        if let Some((last_removed, last_added)) = changes.last_mut() {
            let between = new.as_str().get(last_added.end..added.start).unwrap_or_default();
            if between.chars().all(|c| c == ' ') {
                last_removed.end = removed.end;
                last_added.end = added.end;
                continue;
            }
        }
        changes.push((removed, added));
    }
    changes
}

/// The bytes a run of pieces covers; an empty run lies before the piece it points at.
fn bytes(pieces: &[Range<usize>], run: Range<usize>, text: &Clean) -> Range<usize> {
    let all = text.as_str().len();
    let start = pieces.get(run.start).map_or(all, |p| p.start);
    let end = if run.is_empty() { start } else { pieces.get(run.end).map_or(all, |p| p.start) };
    start..end
}

fn words(text: &Clean) -> Vec<Range<usize>> {
    let mut at = 0;
    let mut words = Vec::new();
    for (kind, piece) in text.segments() {
        let start = at;
        at += piece.len();
        match kind {
            SegmentKind::Text => words.extend(
                piece.split_word_bound_indices().map(|(i, w)| start + i..start + i + w.len()),
            ),
            SegmentKind::Hidden | SegmentKind::Notice => words.push(start..at),
        }
    }
    words
}

fn lines(text: &Clean) -> Vec<Range<usize>> {
    let mut at = 0;
    text.as_str()
        .split_inclusive('\n')
        .map(|line| {
            at += line.len();
            at - line.len()..at
        })
        .collect()
}

fn whole(text: &Clean) -> Vec<Range<usize>> {
    std::iter::once(0..text.as_str().len()).filter(|r| !r.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(old: &str, new: &str) -> Diff {
        diff(&Clean::new(old), &Clean::new(new))
    }

    fn shown(diff: &Diff) -> String {
        let show = |chunk: &Chunk| match chunk.kind {
            ChunkKind::Same => chunk.text.to_string(),
            ChunkKind::Added => format!("{{+{}+}}", chunk.text),
            ChunkKind::Removed => format!("[-{}-]", chunk.text),
        };
        diff.chunks.iter().map(show).collect()
    }

    #[test]
    fn words_change_not_letters() {
        let diff = of("The loan was denied today.", "The loan was approved today.");
        assert_eq!(shown(&diff), "The loan was [-denied-]{+approved+} today.");
        assert_eq!(diff.unit, DiffUnit::Words);
    }

    #[test]
    fn neighbouring_changes_stay_together() {
        let diff = of("a red car here", "a blue bike here");
        assert_eq!(shown(&diff), "a [-red car-]{+blue bike+} here");
    }

    #[test]
    fn equal_texts_are_the_same() {
        assert!(of("one two", "one two").is_same());
        assert!(of("", "").chunks.is_empty());
        assert_eq!(shown(&of("", "new")), "{+new+}");
        assert_eq!(shown(&of("old", "")), "[-old-]");
    }

    #[test]
    fn a_hidden_character_is_a_change_one_can_see() {
        let diff = of("pay now", "pay\u{202E} now");
        assert_eq!(shown(&diff), "pay{+<U+202E>+} now");
        assert_eq!(diff.chunks[1].text.hidden(), 1);
        let diff = of("\u{202E}", "\u{202D}");
        assert_eq!(shown(&diff), "[-<U+202E>-]{+<U+202D>+}");
    }

    #[test]
    fn long_texts_are_compared_by_lines_then_not_at_all() {
        let line = "word ".repeat(20) + "\n";
        let old = line.repeat(150);
        let mut new = old.clone();
        new.push_str("last\n");
        let by_lines = of(&old, &new);
        assert_eq!(by_lines.unit, DiffUnit::Lines);
        assert_eq!(by_lines.chunks.len(), 2);
        assert_eq!(by_lines.chunks[1].text.as_str(), "last\n");

        let old = "x\n".repeat(MOST_LINES + 1);
        let whole = of(&old, "y");
        assert_eq!(whole.unit, DiffUnit::Whole);
        let kinds: Vec<_> = whole.chunks.iter().map(|c| c.kind).collect();
        assert_eq!(kinds, [ChunkKind::Removed, ChunkKind::Added]);
    }

    proptest! {
        #[test]
        fn chunks_give_both_texts_back(
            old in "[ab \\n\u{202E}é👩]{0,30}",
            new in "[ab \\n\u{202E}é👩]{0,30}",
        ) {
            let (old, new) = (Clean::new(&old), Clean::new(&new));
            let diff = diff(&old, &new);
            let join = |without: ChunkKind| -> String {
                let kept = diff.chunks.iter().filter(|c| c.kind != without);
                kept.map(|c| c.text.to_string()).collect()
            };
            prop_assert_eq!(join(ChunkKind::Added), old.as_str());
            prop_assert_eq!(join(ChunkKind::Removed), new.as_str());
            prop_assert_eq!(diff.is_same(), old == new);
        }
    }
}
