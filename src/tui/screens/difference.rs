//! A word diff laid out in lines.

use ratatui::text::{Line, Span};

use super::paint::clean;
use crate::text::{ChunkKind, Diff};
use crate::tui::theme::{Role, Theme};

/// A diff as lines of at most `cols` cells: what went struck out, what came underlined.
pub fn diff_lines(theme: &Theme, found: &Diff, cols: usize) -> Vec<Line<'static>> {
    let (mut lines, mut line, mut used) = (Vec::new(), Vec::new(), 0);
    for chunk in &found.chunks {
        let role = match chunk.kind {
            ChunkKind::Same => Role::Text,
            ChunkKind::Added => Role::Added,
            ChunkKind::Removed => Role::Removed,
        };
        for piece in clean(theme, role, &chunk.text) {
            // A hidden character keeps its look, on top of what became of it.
            for (i, part) in piece.content.split('\n').enumerate() {
                if i > 0 {
                    lines.push(Line::from(std::mem::take(&mut line)));
                    used = 0;
                }
                for word in part.split_inclusive(' ') {
                    let mut word = word.to_owned();
                    loop {
                        let w = crate::text::width(&word);
                        if used + crate::text::width(word.trim_end()) <= cols {
                            used += w;
                            line.push(Span::styled(word, piece.style));
                            break;
                        }
                        if used > 0 {
                            lines.push(Line::from(std::mem::take(&mut line)));
                            used = 0;
                            continue;
                        }
                        // A word wider than the line is cut where the line ends.
                        let cut = crate::text::wrap(&word, cols.max(1)).next().map_or(0, |r| r.end);
                        if cut == 0 || cut >= word.len() {
                            line.push(Span::styled(word, piece.style));
                            used = cols;
                            break;
                        }
                        let rest = word.split_off(cut);
                        lines.push(Line::from(Span::styled(word, piece.style)));
                        word = rest;
                    }
                }
            }
        }
    }
    lines.push(Line::from(line));
    lines
}
