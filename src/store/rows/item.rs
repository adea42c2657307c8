//! An item's row: words for its states, and what no index needs.

use serde::{Deserialize, Serialize};

use super::{count, damaged, json, time, unjson};
use crate::domain::{Approval, Item, ItemState, Kind, Pending, Sample};
use crate::store::StoreError;

/// What no index needs.
#[derive(Debug, Serialize, Deserialize)]
struct Rest {
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    required: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    approvals: Vec<Approval>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    content: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pending: Option<Pending>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    sample: Option<Sample>,
}

/// JSON of what no index needs.
pub(in crate::store) fn rest(item: &Item) -> Result<String, StoreError> {
    json(&Rest {
        required: item.required.clone(),
        approvals: item.approvals.clone(),
        content: item.content.clone(),
        pending: item.pending.clone(),
        sample: item.sample.clone(),
    })
}

/// The same without the texts of a pending verdict (they are being erased).
pub(in crate::store) fn without_texts(text: &str) -> Result<String, StoreError> {
    let mut rest: Rest = unjson(text, "an item")?;
    if let Some(pending) = &mut rest.pending {
        let v = &mut pending.verdict;
        (v.output, v.action, v.label, v.note) = (None, None, None, None);
        v.tags.clear();
    }
    json(&rest)
}

/// An item's row, as read.
pub(in crate::store) struct Stored {
    pub(in crate::store) state: String,
    pub(in crate::store) kind: String,
    pub(in crate::store) queue: String,
    pub(in crate::store) revision: i64,
    pub(in crate::store) entered: i64,
    pub(in crate::store) due: Option<i64>,
    pub(in crate::store) priority: i64,
    pub(in crate::store) blind: bool,
    pub(in crate::store) breached: bool,
    pub(in crate::store) rest: String,
}

impl Stored {
    /// What it means.
    pub(in crate::store) fn decode(self, id: &str) -> Result<Item, StoreError> {
        let rest: Rest = unjson(&self.rest, "an item")?;
        Ok(Item {
            id: id.to_owned(),
            kind: kind_of(&self.kind)?,
            state: state_of(&self.state)?,
            queue: self.queue,
            entered_at: time(self.entered)?,
            due_at: self.due.map(time).transpose()?,
            priority: self.priority,
            revision: count(self.revision),
            required: rest.required,
            approvals: rest.approvals,
            content: rest.content,
            pending: rest.pending,
            blind: self.blind,
            sample: rest.sample,
            breached: self.breached,
        })
    }
}

/// A stored state by its word.
pub(in crate::store) fn state_of(word: &str) -> Result<ItemState, StoreError> {
    [ItemState::Waiting, ItemState::Decided, ItemState::AwaitingApproval, ItemState::Settled]
        .into_iter()
        .find(|s| s.as_str() == word)
        .ok_or_else(|| damaged("an item's state"))
}

/// The word of a kind.
pub(in crate::store) fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::Review => "review",
        Kind::Retrospective => "retrospective",
        Kind::Quarantine => "quarantine",
    }
}

fn kind_of(word: &str) -> Result<Kind, StoreError> {
    [Kind::Review, Kind::Retrospective, Kind::Quarantine]
        .into_iter()
        .find(|k| kind_word(*k) == word)
        .ok_or_else(|| damaged("an item's kind"))
}
