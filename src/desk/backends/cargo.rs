//! What a row of the outbox stands for, read at the moment it is sent: redacted, or gone.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::collect::pushed;
use crate::desk::Local;
use crate::desk::core::{Core, Sight, record_value, refuse};
use crate::desk::outbox::Parcel;
use crate::desk::view::content;
use crate::domain::{Content, Correction, Model};
use crate::policy::Backend;
use crate::protocol::Refused;

/// What goes to a backend.
#[derive(Clone, Debug, PartialEq)]
pub enum Cargo {
    /// A labelled example. Later ones of the same id take the place of earlier ones.
    Correction {
        /// Rises with every correction of this desk.
        seq: u64,
        correction: Box<Correction>,
        /// The trace that the record names (`provenance.trace_id`), where it names one.
        trace: Option<String>,
    },
    /// An item that waits for people.
    Item(Box<ItemCargo>),
    /// Erased, or no longer to be sent.
    Gone,
}

/// An open item as another system's reviewers may see it.
#[derive(Clone, Debug, PartialEq)]
pub struct ItemCargo {
    pub id: String,
    pub domain: String,
    pub model: Model,
    pub cohort: BTreeMap<String, String>,
    pub queue: String,
    /// What a verdict on it names.
    pub revision: u64,
    pub confidence: Option<f64>,
    pub rationale: Option<String>,
    pub input: Map<String, Value>,
    pub current: Content,
}

impl Local {
    /// What these rows stand for now, each in its place.
    pub fn cargo(&self, backend: &Backend, parcels: &[Parcel]) -> Result<Vec<Cargo>, Refused> {
        let sight = self.core.sight()?;
        sight.cover().known("nothing is sent")?;
        parcels.iter().map(|parcel| self.core.cargo(&sight, backend, parcel)).collect()
    }
}

impl Core {
    fn cargo(&self, sight: &Sight, backend: &Backend, parcel: &Parcel) -> Result<Cargo, Refused> {
        match parcel.payload.get("correction").and_then(Value::as_u64) {
            Some(seq) => self.example(sight, seq),
            None => {
                let id = parcel.payload.get("id").and_then(Value::as_str).unwrap_or_default();
                self.open_item(sight, backend, id)
            }
        }
    }

    fn example(&self, sight: &Sight, seq: u64) -> Result<Cargo, Refused> {
        let after = seq.saturating_sub(1);
        let stored = self.store.corrections(None, after, 1).map_err(refuse)?;
        let Some(one) = stored.into_iter().find(|c| c.number == seq) else {
            return Ok(Cargo::Gone);
        };
        let trace = trace(&record_value(one.decision.raw.as_deref()));
        Ok(match self.correction(sight, one)? {
            Some(correction) => Cargo::Correction { seq, correction: Box::new(correction), trace },
            None => Cargo::Gone,
        })
    }

    fn open_item(&self, sight: &Sight, backend: &Backend, id: &str) -> Result<Cargo, Refused> {
        let Some(stored) = self.store.decision(id).map_err(refuse)? else {
            return Ok(Cargo::Gone);
        };
        let Some(item) = stored.item.as_ref().filter(|i| pushed(backend, i)) else {
            return Ok(Cargo::Gone);
        };
        let mut record = record_value(stored.raw.as_deref());
        let reviews = self.store.reviews(id).map_err(refuse)?;
        let cover = sight.cover();
        let Some(mut current) = content(cover, &record, item, &reviews, stored.facts.now) else {
            return Ok(Cargo::Gone);
        };
        cover.record(&mut record);
        cover.output(&mut current.output);
        let input = match record.get_mut("input").map(Value::take) {
            Some(Value::Object(map)) => map,
            _ => Map::new(),
        };
        let rationale = record.get("rationale").and_then(Value::as_str).map(str::to_owned);
        let columns = &stored.columns;
        let mut cohort = columns.cohort.clone();
        cover.cohort(&mut cohort);
        Ok(Cargo::Item(Box::new(ItemCargo {
            id: id.to_owned(),
            domain: columns.domain.clone(),
            model: Model { name: columns.model.clone(), version: columns.version.clone() },
            cohort,
            queue: item.queue.clone(),
            revision: item.revision,
            confidence: columns.confidence,
            rationale,
            input,
            current,
        })))
    }
}

/// The trace that a record belongs to.
fn trace(record: &Value) -> Option<String> {
    record.pointer("/provenance/trace_id").and_then(Value::as_str).map(str::to_owned)
}
