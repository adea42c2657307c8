//! Untrusted text made safe to show, measured and compared. Pure.
//!
//! Whatever a model, a caller or another reviewer wrote becomes a [`Clean`] before a screen sees
//! it: what wants to hide is shown, what would move the cursor is a picture of itself.
//!
//! ```
//! use overrule::text::{Clean, SegmentKind};
//!
//! let clean = Clean::new("pay \u{202E}lived\u{202C} now");
//! assert_eq!(clean.as_str(), "pay <U+202E>lived<U+202C> now");
//! assert_eq!(clean.hidden(), 2);
//! assert_eq!(clean.segments().nth(1), Some((SegmentKind::Hidden, "<U+202E>")));
//! ```

mod character;
mod clean;
mod code_points;
mod diff;
mod export;
mod many;
mod retry_after;
#[cfg(test)]
mod tests;
pub mod time;
mod tree;
mod width;
mod wrap;

pub use clean::{Clean, MOST_MARKS, MOST_SCRIPT_MARKS, Segment, SegmentKind, TAB};
pub use code_points::{CodePoint, CodePoints, code_points};
pub use diff::{Chunk, ChunkKind, Diff, DiffUnit, MOST_LINES, MOST_WORDS, diff};
pub use export::inert_json;
pub use many::many;
pub use retry_after::retry_after;
pub use tree::{Folds, Node, NodeKind, Tree, humanise_key, tree};
pub use width::{pad, pad_left, truncate, width};
pub use wrap::{Wrap, WrapCache, wrap};
