//! What people are told: one notification of the outbox, whatever service carries it.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::request::cut;
use crate::domain::Timestamp;
use crate::policy::AlertSeverity;
use crate::text::Clean;

/// Longest key, in characters: services take 255, and which desk it is comes after it.
const KEY: usize = 240;

/// What happened to the thing that is told of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    #[default]
    Trigger,
    Acknowledge,
    Resolve,
}

impl Event {
    /// As a heading: `Alert`, `Acknowledged`, `Resolved`.
    pub fn title(self) -> &'static str {
        match self {
            Self::Trigger => "Alert",
            Self::Acknowledge => "Acknowledged",
            Self::Resolve => "Resolved",
        }
    }
}

/// A notification as it stands in the outbox.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// The notifier's name.
    pub to: String,
    #[serde(default)]
    pub event: Event,
    /// Rule and subject, never a time: messages of one key are about one thing.
    pub dedup_key: String,
    /// One sentence.
    pub summary: String,
    #[serde(default)]
    pub severity: AlertSeverity,
    /// Where: dimensions and their values, such as `{"model":"m@1"}`.
    #[serde(default, deserialize_with = "slice")]
    pub slice: Map<String, Value>,
    /// The figures behind it.
    #[serde(default)]
    pub cause: Option<String>,
    /// The incident it belongs to. Without one nothing will resolve it.
    #[serde(default)]
    pub incident: Option<String>,
    #[serde(default)]
    pub at: Option<Timestamp>,
    #[serde(default)]
    pub runbook: Option<String>,
}

impl Notice {
    /// The notification in a row's payload; its texts show what is hidden in them, its key fits
    /// every service. `Err`: why it cannot be read.
    pub fn read(payload: &Value) -> Result<Self, String> {
        let raw = Self::deserialize(payload)
            .map_err(|e| format!("the outbox row is no notification: {e}"))?;
        let line = |text: &str, most| cut(Clean::line(text).as_str(), most);
        Ok(Self {
            dedup_key: key(&raw.dedup_key),
            summary: line(&raw.summary, 1000),
            cause: raw.cause.as_deref().map(|c| line(c, 2000)),
            incident: raw.incident.as_deref().map(|i| line(i, 200)),
            runbook: raw.runbook.filter(|r| r.len() <= 1000 && is_web(r)),
            slice: raw.slice.into_iter().take(8).map(|(k, v)| (k, value(&v).into())).collect(),
            to: raw.to,
            event: raw.event,
            severity: raw.severity,
            at: raw.at,
        })
    }

    /// `model m@1, cohort race:black`; empty where it is about everything.
    pub fn place(&self) -> String {
        let parts: Vec<String> = self
            .slice
            .iter()
            .map(|(k, v)| format!("{k} {}", v.as_str().unwrap_or_default()))
            .collect();
        parts.join(", ")
    }
}

/// What a request says besides the notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The same at every try: letters, digits, `_`.
    pub id: String,
    /// Wall time of this try.
    pub now: Timestamp,
    /// Which machine is speaking.
    pub source: String,
    /// Which desk is speaking, in a few letters: two desks may use one key of a service.
    pub desk: String,
}

impl Stamp {
    /// For an outbox row of the desk with this origin.
    pub fn new(origin: &str, key: &str, source: &str, now: Timestamp) -> Self {
        let desk = hex(&Sha256::digest(origin), 4);
        Self { id: Self::id_of(origin, key), now, source: source.to_owned(), desk }
    }

    /// What a notification is about, told apart from what other desks tell of.
    pub fn about(&self, notice: &Notice) -> String {
        format!("{}:{}", notice.dedup_key, self.desk)
    }

    /// The id of an outbox row: the same in every process and at every try, other for every store.
    fn id_of(origin: &str, key: &str) -> String {
        let digest =
            Sha256::new().chain_update(origin).chain_update([0]).chain_update(key).finalize();
        format!("msg_{}", hex(&digest, 16))
    }
}

/// A slice names dimensions; one that does not is about everything.
fn slice<'de, D: Deserializer<'de>>(from: D) -> Result<Map<String, Value>, D::Error> {
    Ok(match Value::deserialize(from)? {
        Value::Object(map) => map,
        _ => Map::new(),
    })
}

/// A key that fits: long ones keep their beginning and end in a hash of the whole.
fn key(raw: &str) -> String {
    let clean = Clean::line(raw).to_string();
    if clean.chars().nth(KEY).is_none() {
        return clean;
    }
    let start: String = clean.chars().take(KEY - 33).collect();
    format!("{start}~{}", hex(&Sha256::digest(raw), 16))
}

fn hex(bytes: &[u8], most: usize) -> String {
    hex::encode(bytes.get(..most).unwrap_or(bytes))
}

fn value(v: &Value) -> String {
    let text = v.as_str().map_or_else(|| v.to_string(), str::to_owned);
    cut(Clean::line(&text).as_str(), 200)
}

fn is_web(address: &str) -> bool {
    (address.starts_with("https://") || address.starts_with("http://"))
        && !address.contains(|c: char| c.is_control() || c.is_whitespace())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use serde_json::json;

    /// An alert with everything in it.
    pub(crate) fn notice(event: &str) -> Notice {
        Notice::read(&payload(event)).unwrap()
    }

    pub(crate) fn payload(event: &str) -> Value {
        json!({
            "to": "ml-ops", "event": event, "dedup_key": "override-spike:model:m@1",
            "summary": "Override rate of m@1 is <12 %> & rising", "severity": "error",
            "slice": {"model": "m@1"}, "cause": "override_low 0.09 > 0.05, n = 212",
            "incident": "inc-7", "at": "2026-11-22T12:00:00Z",
            "runbook": "https://runbooks.example/override-spike",
        })
    }

    pub(crate) fn stamp() -> Stamp {
        Stamp {
            id: "msg_1".into(),
            now: "2026-11-22T12:00:05Z".parse().unwrap(),
            source: "desk-1".into(),
            desk: "d1".into(),
        }
    }

    #[test]
    fn hidden_characters_are_shown_and_long_keys_keep_apart() {
        let mut raw = payload("trigger");
        raw["summary"] = json!("a\u{202e}b\nc");
        raw["runbook"] = json!("javascript:alert(1)");
        raw["dedup_key"] = json!(format!("{}a", "k".repeat(300)));
        let one = Notice::read(&raw).unwrap();
        assert!(!one.summary.contains(['\u{202e}', '\n']), "{}", one.summary);
        assert_eq!(one.runbook, None);
        assert_eq!(one.dedup_key.chars().count(), 240);
        raw["slice"] = json!(null);
        raw["dedup_key"] = json!(format!("{}b", "k".repeat(300)));
        assert_ne!(Notice::read(&raw).unwrap().dedup_key, one.dedup_key);
    }

    #[test]
    fn a_row_that_is_no_notification_says_what_is_missing() {
        let why = Notice::read(&json!({"to": "x"})).unwrap_err();
        assert_eq!(why, "the outbox row is no notification: missing field `dedup_key`");
    }

    #[test]
    fn ids_are_the_same_at_every_try_and_other_for_every_store() {
        let id = Stamp::id_of("overrule.local/a", "reply:x:1");
        assert_eq!(id, Stamp::id_of("overrule.local/a", "reply:x:1"));
        assert_ne!(id, Stamp::id_of("overrule.local/b", "reply:x:1"));
        assert!(id.len() == 36 && !id.contains('.'), "{id}");
    }
}
