//! What the context of an evaluation says of the decision that is asked about.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::NoFlag;
use crate::domain::Decision;

/// What the context says of the decision that is asked about.
#[derive(Debug, Default)]
pub(in crate::server) struct Asked {
    pub(super) key: Option<String>,
    domain: Option<String>,
    model: Option<String>,
    pub(super) version: Option<String>,
    action: Option<String>,
    cohort: BTreeMap<String, String>,
}

impl Asked {
    /// From an evaluation context; what is not known here is left alone.
    pub(in crate::server) fn read(context: Map<String, Value>) -> Result<Self, NoFlag> {
        let text = |name: &str| match context.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(NoFlag::new("INVALID_CONTEXT", format!("`{name}` is no text"))),
        };
        let cohort = match context.get("cohort") {
            None | Some(Value::Null) => BTreeMap::new(),
            Some(Value::String(group)) => BTreeMap::from([("cohort".to_owned(), group.clone())]),
            Some(Value::Object(groups)) => groups
                .iter()
                .filter_map(|(name, group)| Some((name.clone(), group.as_str()?.to_owned())))
                .collect(),
            Some(_) => {
                return Err(NoFlag::new("INVALID_CONTEXT", "`cohort` is neither text nor object"));
            }
        };
        Ok(Self {
            key: text("targetingKey")?.filter(|key| !key.is_empty()),
            domain: text("domain")?,
            model: text("model")?,
            version: text("version")?,
            action: text("action")?,
            cohort,
        })
    }

    /// Everything that is read of a context, as one word: other words, perhaps other answers.
    pub(in crate::server) fn word(&self) -> String {
        let Self { key, domain, model, version, action, cohort } = self;
        json!([key, domain, model, version, action, cohort]).to_string()
    }

    /// A decision with what is said of it and nothing else.
    pub(super) fn decision(&self, domain: Option<&str>, model: Option<&str>) -> Option<Decision> {
        self.decision_of(domain, model, self.version.as_deref())
    }

    /// The same of another version.
    pub(super) fn decision_of(
        &self,
        domain: Option<&str>,
        model: Option<&str>,
        version: Option<&str>,
    ) -> Option<Decision> {
        let domain = domain.or(self.domain.as_deref()).unwrap_or_default();
        let model = model.or(self.model.as_deref()).unwrap_or_default();
        let mut d: Decision = serde_json::from_value(json!({
            "id": self.key.as_deref().unwrap_or_default(), "domain": domain,
            "action": self.action.as_deref().unwrap_or_default(),
            "model": { "name": model, "version": version.unwrap_or_default() },
            "confidence": 0.0, "business_impact": 0.0, "input": {}, "output": "",
        }))
        .ok()?;
        d.cohort.clone_from(&self.cohort);
        Some(d)
    }
}
