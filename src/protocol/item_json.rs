//! An item as machines read it: the contract's fields first, in its order.

use serde_json::{Map, Value, json};

use super::ItemView;
use crate::domain::Review;

impl ItemView {
    /// `{"id","record","route","state","revision","approvals_needed","reviews","lease",…}`: what
    /// else a view knows follows. Fails only where a value cannot be written as JSON.
    pub fn as_json(&self) -> serde_json::Result<Value> {
        let mut object = match serde_json::to_value(self)? {
            Value::Object(object) => object,
            _ => Map::new(),
        };
        let mut view = Map::new();
        for field in ["id", "record", "route", "state", "revision", "approvals_needed"] {
            view.insert(field.to_owned(), object.remove(field).unwrap_or_default());
        }
        let reviews = self.reviews.iter().map(review_json).collect::<Result<Vec<_>, _>>()?;
        object.remove("reviews");
        view.insert("reviews".to_owned(), Value::Array(reviews));
        view.insert("lease".to_owned(), object.remove("lease").unwrap_or_default());
        if let Some((reviewer, until)) = &self.pending {
            object.insert("pending".to_owned(), json!({"reviewer": reviewer, "until": until}));
        }
        view.extend(object);
        Ok(Value::Object(view))
    }
}

fn review_json(review: &Review) -> serde_json::Result<Value> {
    let verdict = &review.verdict;
    let mut object = json!({
        "reviewer": review.reviewer,
        "level": review.level,
        "verdict": verdict.verdict,
        "tags": verdict.tags,
        "note": verdict.note,
        "output": verdict.output,
        "at": review.at,
        "signed": review.signature.is_some(),
    });
    if let (Value::Object(object), Value::Object(rest)) =
        (&mut object, serde_json::to_value(review)?)
    {
        for (field, value) in rest {
            object.entry(field).or_insert(value);
        }
    }
    Ok(object)
}
