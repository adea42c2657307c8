//! What the model saw: names aligned, numbers right-aligned, long texts in full below their name.

use ratatui::text::{Line, Span};
use serde_json::Value;

use super::paint::{cells, clean, span, wrapped};
use super::usual;
use crate::protocol::UsualView;
use crate::text::{Clean, Folds, NodeKind, Tree, pad, pad_left, tree, width};
use crate::tui::theme::{Role, Theme};

/// Rows shown while the context is folded.
const FOLDED: usize = 6;
/// Lines of one long text shown while the context is folded.
const FOLDED_TEXT: usize = 12;
/// Characters of one text that are laid out.
const MOST: usize = 40_000;

/// The rows of `input`. Of a folded one, what is unusual is shown wherever it stands.
pub fn lines(
    theme: &Theme,
    input: &Value,
    usual: &[UsualView],
    cols: usize,
    full: bool,
) -> Vec<Line<'static>> {
    let odd = !full && usual.iter().any(|u| u.unusual.is_some());
    let most = if full || odd { 2000 } else { FOLDED };
    let mut rows = tree(input, &Folds::default(), most);
    if odd {
        fold(&mut rows, usual);
    }
    let names = rows.nodes.iter().map(|n| n.depth * 2 + width(n.key.as_str()));
    let name = names.max().unwrap_or(0).min(cols / 2).min(26);
    let numbers = rows.nodes.iter().filter(|n| n.kind == NodeKind::Number);
    let number = numbers.map(|n| width(n.value.as_str())).max().unwrap_or(0).min(14);
    let room = cols.saturating_sub(name + 4);
    let bins = usual::widest(usual);
    let mut lines = Vec::new();
    for node in &rows.nodes {
        let label = format!("{}{}", "  ".repeat(node.depth), node.key);
        let raw = input.pointer(&node.pointer).and_then(Value::as_str);
        // Long texts are read, not looked up: in full, below their name.
        if let Some(text) = raw.filter(|t| width(t) > room || t.contains('\n')) {
            lines.push(Line::from(span(theme, Role::Dim, format!("  {label}"))));
            let text = Clean::first(text.trim_end(), MOST);
            let mut body = wrapped(theme, Role::Text, &text, cols.saturating_sub(4).max(8));
            let more = body.len().saturating_sub(FOLDED_TEXT);
            if !full && more > 2 {
                body.truncate(FOLDED_TEXT);
                body.push(vec![span(theme, Role::Dim, format!("… {more} more lines  (Tab)"))]);
            }
            for spans in body {
                lines.push(Line::from([vec![Span::raw("    ")], spans].concat()));
            }
            continue;
        }
        let mut line = vec![span(theme, Role::Dim, format!("  {}  ", pad(&label, name)))];
        match node.kind {
            NodeKind::Number => {
                line.push(span(theme, Role::Text, pad_left(node.value.as_str(), number)));
                if let Some(usual) = usual::of(usual, &node.pointer) {
                    line.push(Span::raw("  "));
                    line.extend(usual::beside(
                        theme,
                        usual,
                        bins,
                        cols.saturating_sub(cells(&line)),
                    ));
                }
            }
            NodeKind::Null => line.push(span(theme, Role::Dim, "–")),
            _ if node.folded.is_some() => line.extend(clean(theme, Role::Dim, &node.value)),
            _ => line.extend(clean(theme, Role::Text, &node.value)),
        }
        lines.push(Line::from(line));
    }
    if rows.more > 0 {
        lines.push(Line::from(span(theme, Role::Dim, format!("  {} more  (Tab)", rows.more))));
    }
    lines
}

/// Folds to the first rows, but for the unusual ones, which stay.
fn fold(rows: &mut Tree, usual: &[UsualView]) {
    let odd = |pointer: &str| usual::of(usual, pointer).is_some_and(|u| u.unusual.is_some());
    let all = rows.nodes.len() + rows.more;
    let unusual = rows.nodes.iter().filter(|n| odd(&n.pointer)).count();
    let mut plain = FOLDED.saturating_sub(unusual);
    rows.nodes.retain(|node| {
        if odd(&node.pointer) {
            return true;
        }
        let keep = plain > 0;
        plain = plain.saturating_sub(1);
        keep
    });
    rows.more = all - rows.nodes.len();
}
