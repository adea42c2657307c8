//! A review's row: words in columns, the text in a body of the trail.

use serde::Deserialize;
use serde_json::Value;

use super::{count, damaged, time};
use crate::domain::{Review, Verdict, VerdictKind};
use crate::store::StoreError;

/// What a review's body holds: the texts of a verdict. Other members are not looked at.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Text {
    output: Option<Value>,
    action: Option<String>,
    label: Option<String>,
    tags: Vec<String>,
    note: Option<String>,
    to: Option<String>,
}

/// A verdict by its word.
pub(in crate::store) fn kind(word: &str) -> Result<VerdictKind, StoreError> {
    [VerdictKind::Accept, VerdictKind::Edit, VerdictKind::Reject, VerdictKind::Escalate]
        .into_iter()
        .find(|k| k.as_str() == word)
        .ok_or_else(|| damaged("a verdict"))
}

/// A review's row with its item's id and its text, as read.
pub(in crate::store) struct Stored {
    pub(in crate::store) request_id: String,
    pub(in crate::store) item: String,
    pub(in crate::store) reviewer: String,
    pub(in crate::store) level: u8,
    pub(in crate::store) queue: String,
    pub(in crate::store) revision: i64,
    pub(in crate::store) verdict: String,
    pub(in crate::store) at: i64,
    pub(in crate::store) signature: Option<String>,
    pub(in crate::store) undone: bool,
    pub(in crate::store) reversal: bool,
    pub(in crate::store) agreed: Option<bool>,
    /// `None`: erased, or the verdict says nothing but its kind.
    pub(in crate::store) body: Option<Vec<u8>>,
}

impl Stored {
    /// What it means.
    pub(in crate::store) fn decode(self) -> Result<Review, StoreError> {
        let text: Text = match self.body {
            Some(bytes) => {
                serde_json::from_slice(&bytes).map_err(|_| damaged("a review's text"))?
            }
            None => Text::default(),
        };
        Ok(Review {
            verdict: Verdict {
                verdict: kind(&self.verdict)?,
                output: text.output,
                action: text.action,
                label: text.label,
                tags: text.tags,
                note: text.note,
                to: text.to,
            },
            request_id: self.request_id,
            item: self.item,
            reviewer: self.reviewer,
            level: self.level,
            queue: self.queue,
            revision: count(self.revision),
            at: time(self.at)?,
            signature: self.signature,
            undone: self.undone,
            reversal: self.reversal,
            agreed: self.agreed,
        })
    }
}

/// A review whose text would be nowhere is refused; `bodies`: how many texts its entry has.
pub(in crate::store) fn text_is_kept(review: &Review, bodies: usize) -> Result<(), StoreError> {
    match bodies == 0 && review.verdict != Verdict::plain(review.verdict.verdict) {
        true => Err(StoreError::Missing(format!("text of review {}", review.request_id))),
        false => Ok(()),
    }
}
