//! An outbox in memory, with what became of each parcel.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use overrule::desk::outbox::{Outbox, Parcel};
use overrule::domain::Timestamp;
use overrule::policy::{Notifier, NotifierKind};
use overrule::protocol::Refused;
use overrule::sync::guard::Allowed;
use overrule::sync::{Courier, Https, Terms};
use serde_json::{Value, json};

/// Where a parcel stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Stands {
    Waiting,
    Done,
    Dead,
}

#[derive(Clone, Debug)]
pub struct Row {
    pub parcel: Parcel,
    pub stands: Stands,
    pub error: String,
}

#[derive(Default)]
pub struct Fake {
    pub rows: Mutex<BTreeMap<u64, Row>>,
    pub notifiers: Mutex<Vec<Notifier>>,
    /// How many parcels were read with what they say.
    pub read: Mutex<usize>,
    turn: Mutex<Option<String>>,
}

impl Fake {
    pub fn put(&self, kind: &str, payload: Value) -> u64 {
        let mut rows = self.rows.lock().unwrap();
        let number = rows.len() as u64 + 1;
        let parcel = Parcel {
            number,
            key: format!("k{number}"),
            kind: kind.to_owned(),
            payload,
            attempts: 0,
            next_at: None,
        };
        rows.insert(number, Row { parcel, stands: Stands::Waiting, error: String::new() });
        number
    }

    /// An alert to the notifier `to` about `key`.
    pub fn alert(&self, to: &str, event: &str, key: &str) -> u64 {
        self.put("notify", alert(to, event, key))
    }

    pub fn row(&self, number: u64) -> Row {
        self.rows.lock().unwrap()[&number].clone()
    }

    pub fn stands(&self, number: u64) -> (Stands, u32) {
        let row = self.row(number);
        (row.stands, row.parcel.attempts)
    }

    /// Put back what was given up.
    pub fn redeliver(&self, number: u64) {
        let mut rows = self.rows.lock().unwrap();
        let row = rows.get_mut(&number).unwrap();
        row.stands = Stands::Waiting;
        row.parcel.next_at = None;
        row.parcel.attempts = 0;
    }

    pub fn take_turn(&self, holder: &str) {
        *self.turn.lock().unwrap() = Some(holder.to_owned());
    }

    pub fn turn_is_free(&self) -> bool {
        self.turn.lock().unwrap().is_none()
    }

    fn change(&self, key: &str, change: impl FnOnce(&mut Row)) {
        let mut rows = self.rows.lock().unwrap();
        change(rows.values_mut().find(|r| r.parcel.key == key).unwrap());
    }
}

impl Outbox for Fake {
    fn origin(&self) -> Result<String, Refused> {
        Ok("overrule.local/test".to_owned())
    }

    fn notifiers(&self) -> Result<Vec<Notifier>, Refused> {
        Ok(self.notifiers.lock().unwrap().clone())
    }

    fn waiting(&self, kind: &str, after: u64, limit: usize) -> Result<Vec<Parcel>, Refused> {
        let rows = self.rows.lock().unwrap();
        let waiting = rows.range(after + 1..).map(|(_, row)| row);
        let waiting = waiting.filter(|r| r.stands == Stands::Waiting && r.parcel.kind == kind);
        let found: Vec<Parcel> = waiting.take(limit).map(|r| r.parcel.clone()).collect();
        *self.read.lock().unwrap() += found.len();
        Ok(found)
    }

    fn bare(&self, kind: &str, after: u64, limit: usize) -> Result<Vec<Parcel>, Refused> {
        let rows = self.rows.lock().unwrap();
        let waiting = rows.range(after + 1..).map(|(_, row)| row);
        let waiting = waiting.filter(|r| r.stands == Stands::Waiting && r.parcel.kind == kind);
        let bare = |r: &Row| Parcel { payload: Value::Null, ..r.parcel.clone() };
        Ok(waiting.take(limit).map(bare).collect())
    }

    fn done(&self, keys: &[&str]) -> Result<(), Refused> {
        keys.iter().for_each(|key| self.change(key, |row| row.stands = Stands::Done));
        Ok(())
    }

    fn tried(&self, key: &str, error: &str, next_at: Option<Timestamp>) -> Result<(), Refused> {
        self.change(key, |row| {
            row.parcel.attempts += 1;
            row.parcel.next_at = next_at;
            row.error = error.to_owned();
            if next_at.is_none() {
                row.stands = Stands::Dead;
            }
        });
        Ok(())
    }

    fn turn(&self, holder: &str, _: Duration) -> Result<bool, Refused> {
        let mut turn = self.turn.lock().unwrap();
        let ours = turn.get_or_insert_with(|| holder.to_owned()) == holder;
        Ok(ours)
    }

    fn end_turn(&self, holder: &str) -> Result<(), Refused> {
        let mut turn = self.turn.lock().unwrap();
        if turn.as_deref() == Some(holder) {
            *turn = None;
        }
        Ok(())
    }
}

pub fn alert(to: &str, event: &str, key: &str) -> Value {
    json!({
        "to": to, "event": event, "dedup_key": key,
        "summary": format!("{key} is over its limit"), "severity": "error",
        "slice": {"model": "m@1"}, "cause": "override_low 0.09 > 0.05, n = 212",
        "incident": "inc-7", "at": "2026-11-22T12:00:00Z",
        "runbook": "https://runbooks.example/override-spike",
    })
}

/// A notifier called `name` whose secret is in the variable of that name.
pub fn notifier(name: &str, kind: NotifierKind) -> Notifier {
    Notifier {
        name: name.to_owned(),
        kind,
        secret_env: Some(name.to_owned()),
        url: None,
        url_env: None,
        channel: None,
        severity: None,
        private: true,
    }
}

pub struct Desk {
    pub outbox: Arc<Fake>,
    pub courier: Courier,
}

/// A courier with a real wire that may reach this machine only where the notifier says so.
pub fn desk(notifiers: Vec<Notifier>, env: &[(&str, &str)]) -> Desk {
    desk_with(notifiers, env, Allowed::default())
}

pub fn desk_with(notifiers: Vec<Notifier>, env: &[(&str, &str)], allowed: Allowed) -> Desk {
    let outbox = Arc::new(Fake::default());
    *outbox.notifiers.lock().unwrap() = notifiers;
    let courier = courier(outbox.clone(), env, allowed, "test");
    Desk { outbox, courier }
}

pub fn courier(outbox: Arc<Fake>, env: &[(&str, &str)], allowed: Allowed, holder: &str) -> Courier {
    let env: HashMap<String, String> =
        env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let terms = Terms {
        env: Arc::new(move |name| env.get(name).cloned()),
        source: "desk-1".to_owned(),
        holder: holder.to_owned(),
        seed: 7,
    };
    Courier::new(outbox, Arc::new(Https::new(allowed).unwrap()), terms)
}

/// Wall time that many seconds into the test.
pub fn at(seconds: f64) -> Timestamp {
    let start: Timestamp = "2026-11-22T12:00:05Z".parse().unwrap();
    start + Duration::from_secs_f64(seconds)
}
