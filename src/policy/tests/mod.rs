//! Tests of the room as a whole: files in, routes out.

mod broken;
mod data;
mod expect;
mod explain;
mod record;
mod route;
mod shipped;
mod trial;

use serde_json::{Value, json};

use super::*;
use crate::domain::Facts;

/// A decision that offends nobody, with `change` laid over it.
pub(super) fn decision(change: Value) -> Decision {
    let mut base = json!({
        "id": "d-1", "domain": "loan", "action": "approve",
        "model": {"name": "m", "version": "1"},
        "confidence": 0.95, "business_impact": 2, "input": {}, "output": "yes",
    });
    if let (Value::Object(base), Value::Object(change)) = (&mut base, change) {
        base.extend(change);
    }
    serde_json::from_value(base).unwrap()
}

pub(super) fn facts() -> Facts {
    let now = "2026-11-20T09:00:00Z".parse().unwrap();
    Facts {
        cohort_seen: Some(1000),
        model_age_days: Some(100.0),
        arrival_rate_z: Some(0.0),
        ..Facts::at(now, 0)
    }
}

pub(super) fn load(source: &str) -> Policy {
    Policy::load(source, "p.toml", &Schemas::default()).unwrap_or_else(|d| panic!("{d}"))
}

/// Everything found in a file, one line each.
pub(super) fn findings(source: &str) -> Vec<String> {
    let found = match Policy::load(source, "p.toml", &Schemas::default()) {
        Ok(policy) => policy.warnings().clone(),
        Err(found) => found,
    };
    found.iter().map(ToString::to_string).collect()
}
