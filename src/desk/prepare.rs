//! A line made ready for routing: parsed, its sameness hash taken, its body committed to. No
//! store, no clock: this is what ingest does on many threads.

use std::sync::Arc;

use hmac::{Hmac, Mac};
use serde_json::Value;
use sha2::Sha256;

use super::salts::Salts;
use crate::audit::{Hash, Salt, commit};
use crate::domain::record::{self, Broken, Intake, Limits, Parsed};
use crate::domain::{Decision, Fault};
use crate::policy::Policy;
use crate::protocol::{Refusal, Refused};
use crate::store::{Body, Columns};

/// The path under which a record's bytes are committed.
pub(super) const RECORD: &str = "record";

/// A line as far as it can be taken without knowing the moment.
pub(super) enum Prepared {
    Blank,
    /// Why, and the bytes to keep.
    Refused(Refusal, Vec<u8>),
    Record(Box<Ready>),
}

/// A record that waits to be routed.
pub(super) struct Ready {
    pub(super) id: String,
    pub(super) content: [u8; 32],
    /// As earlier versions took it, where that differs.
    pub(super) before: Option<[u8; 32]>,
    /// The raw record, then one body a redacted path; each with its commitment.
    pub(super) bodies: Vec<(Body, Hash)>,
    pub(super) shape: Shape,
}

/// Valid in shape, or not.
pub(super) enum Shape {
    Whole(Arc<Decision>),
    Broken {
        faults: Vec<Fault>,
        occurred_at: Option<crate::domain::Timestamp>,
        /// What can be read of it all the same.
        columns: Box<Columns>,
    },
}

impl Ready {
    /// When the model decided, if the record says so.
    pub(super) fn occurred_at(&self) -> Option<crate::domain::Timestamp> {
        match &self.shape {
            Shape::Whole(decision) => decision.occurred_at,
            Shape::Broken { occurred_at, .. } => *occurred_at,
        }
    }

    /// What was read, where it is whole.
    pub(super) fn decision(&self) -> Option<Arc<Decision>> {
        match &self.shape {
            Shape::Whole(decision) => Some(decision.clone()),
            Shape::Broken { .. } => None,
        }
    }

    /// The record's bytes as they came.
    pub(super) fn raw(&self) -> Vec<u8> {
        self.bodies.first().map(|(body, _)| body.value.clone()).unwrap_or_default()
    }
}

/// Parse a line and take the hashes. `key` keys the sameness HMAC; `policy` names redacted paths.
/// The line's own bytes become its first body.
pub(super) fn prepare(
    line: Vec<u8>,
    key: &[u8; 32],
    policy: Option<&Policy>,
    salts: &mut Salts,
) -> Result<Prepared, Refused> {
    let redacts = policy.is_some_and(|p| !p.redact().is_empty());
    let (id, (canonical, as_sent), raw, shape) = match record::parse(&line, &Limits::default()) {
        Intake::Blank => return Ok(Prepared::Blank),
        Intake::Refused(refusal) => {
            let reason = refusal.reason.slug().to_owned();
            return Ok(Prepared::Refused(Refusal { reason, message: refusal.message }, line));
        }
        Intake::Record(parsed) => {
            let raw = if redacts { parsed.raw() } else { Value::Null };
            let Parsed { decision, canonical, as_sent } = *parsed;
            (decision.id.clone(), (canonical, as_sent), raw, Shape::Whole(Arc::new(decision)))
        }
        Intake::Broken(broken) => {
            let Broken { id, canonical, as_sent, raw, faults, occurred_at, .. } = *broken;
            let columns = Box::new(best_effort(&raw));
            (id, (canonical, as_sent), raw, Shape::Broken { faults, occurred_at, columns })
        }
    };
    let content = sameness(key, &canonical)?;
    let before = as_sent.map(|form| sameness(key, &form)).transpose()?;
    let bodies = texts(line, &raw, policy)?
        .into_iter()
        .map(|(path, value)| {
            let salt = salts.next()?;
            let hash = commit(&Salt::from_bytes(salt), &path, &value);
            Ok((Body { path, salt, value }, hash))
        })
        .collect::<Result<_, Refused>>()?;
    Ok(Prepared::Record(Box::new(Ready { id, content, before, bodies, shape })))
}

/// HMAC-SHA-256 of the canonical form under the store's key: decides "same content". Without the
/// key the hash of a short secret could be guessed.
pub(super) fn sameness(key: &[u8; 32], canonical: &[u8]) -> Result<[u8; 32], Refused> {
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(key).map_err(|e| {
        Refused::new(crate::protocol::Why::Internal, format!("the store's key: {e}"))
    })?;
    mac.update(canonical);
    Ok(mac.finalize().into_bytes().into())
}

/// The raw bytes under [`RECORD`], and every redacted value under its own path, so that each can
/// be proved or withheld alone. The line end is no part of the data.
pub(super) fn texts(
    mut line: Vec<u8>,
    raw: &Value,
    policy: Option<&Policy>,
) -> Result<Vec<(String, Vec<u8>)>, Refused> {
    for end in [b'\n', b'\r'] {
        line.pop_if(|last| *last == end);
    }
    let mut all = vec![(RECORD.to_owned(), line)];
    if let Some(policy) = policy {
        for path in policy.redact().paths_in(raw) {
            let Some(value) = at_path(raw, &path) else { continue };
            all.push((format!("{RECORD}:{path}"), super::core::json(value)?));
        }
    }
    // An entry commits to at most 64 bodies; the record itself covers the rest.
    all.truncate(crate::audit::Entry::MAX_COMMITMENTS);
    Ok(all)
}

/// The value at a dotted path.
pub(super) fn at_path<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(value, |at, key| match at {
        Value::Object(map) => map.get(key),
        Value::Array(list) => key.parse::<usize>().ok().and_then(|i| list.get(i)),
        _ => None,
    })
}

/// What lists show of a decision.
pub(super) fn columns(d: &Decision) -> Columns {
    Columns {
        domain: d.domain.clone(),
        action: d.action.clone(),
        model: d.model.name.clone(),
        version: d.model.version.clone(),
        confidence: Some(d.confidence),
        business_impact: Some(d.business_impact),
        cohort: d.cohort.clone(),
        tags: d.tags.clone(),
        level: 0,
    }
}

/// What a broken record still says of itself.
fn best_effort(raw: &Value) -> Columns {
    let text = |v: Option<&Value>| v.and_then(Value::as_str).unwrap_or_default().to_owned();
    let model = raw.get("model");
    Columns {
        domain: text(raw.get("domain")),
        action: text(raw.get("action")),
        model: text(model.and_then(|m| m.get("name"))),
        version: text(model.and_then(|m| m.get("version"))),
        confidence: None,
        business_impact: raw
            .get("business_impact")
            .and_then(Value::as_f64)
            .filter(|i| (0.0..=10.0).contains(i)),
        cohort: raw
            .get("cohort")
            .and_then(Value::as_str)
            .map(|s| [("cohort".to_owned(), s.to_owned())].into())
            .unwrap_or_default(),
        tags: Vec::new(),
        level: 0,
    }
}
