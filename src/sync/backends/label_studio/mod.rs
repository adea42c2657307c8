//! Label Studio: items that wait are tasks with a prediction, corrections are annotations, and
//! annotations of registered reviewers come back as their verdicts.
//!
//! Nothing is remembered on our side but a cursor: which task is whose is looked up in the project
//! (its import knows no idempotency), and an annotation carries a `unique_id` made of the
//! decision's id, so that a second one is refused there. A task never changes: an item that moved
//! on is a new task, so that an annotation is always of what its author saw.

mod client;
pub(super) mod config;
mod project;
mod shape;
mod tasks;

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::Value;

use super::syncer::blocking;
use super::{Delivered, Load, Sender};
use crate::desk::Local;
use crate::desk::backends::{Annotated, Cargo};
use crate::domain::Correction;
use crate::protocol::Refused;
pub(super) use client::encoded;
use client::{Client, Stop};
use shape::Task;

/// How many pages of annotated tasks are read in one go.
const PAGES: usize = 20;
/// How far back the next look begins: what was saved late may bear an earlier time.
const OVERLAP: jiff::SignedDuration = jiff::SignedDuration::from_secs(10);

/// Push a batch.
pub(super) async fn deliver(sender: &Sender<'_>, loads: &[Load]) -> Delivered {
    let mut done = Delivered::default();
    let mut client = Client::new(sender);
    if let Err(stop) = push(&mut client, loads, &mut done).await {
        done.later = Some(match stop {
            Stop::Later(why, after) => (why, after),
            Stop::Refused(why) => (why, None),
        });
    }
    done
}

async fn push(client: &mut Client<'_>, loads: &[Load], done: &mut Delivered) -> Result<(), Stop> {
    let origin = client.sender.origin;
    let mut wanted: Vec<(&Load, String)> = Vec::new();
    for load in loads {
        match &load.cargo {
            Cargo::Gone => done.gone.push(load.parcel.key.clone()),
            Cargo::Item(item) => wanted.push((load, shape::key(origin, &item.id))),
            Cargo::Correction { correction, .. } => {
                wanted.push((load, shape::key(origin, &correction.id)));
            }
        }
    }
    if wanted.is_empty() {
        return Ok(());
    }
    let me = client.me().await?;
    let project = client.project().await?;
    let keys: Vec<&str> = wanted.iter().map(|(_, key)| key.as_str()).collect();
    let mut tasks = client.find(project, &keys).await?;
    client.import_missing(project, &wanted, &mut tasks, done).await?;
    for (load, key) in &wanted {
        let row = load.parcel.key.clone();
        if done.refused.iter().any(|(refused, _)| *refused == row) {
            continue;
        }
        let of = tasks.get(key).map(Vec::as_slice).unwrap_or_default();
        let result = match &load.cargo {
            Cargo::Item(item) => client.withdraw_older(of, item.revision).await,
            Cargo::Correction { correction, .. } => client.correct(me, of, correction).await,
            Cargo::Gone => Ok(()),
        };
        match result {
            Ok(()) => done.sent.push(row),
            Err(Stop::Refused(why)) => done.refused.push((row, why)),
            Err(later) => return Err(later),
        }
    }
    Ok(())
}

/// Look for annotations since the last time, and take them in. What goes wrong over there is
/// written down and makes it `false`; `Err` is trouble of our own.
pub(super) async fn pull(sender: &Sender<'_>, desk: &Local) -> Result<bool, Refused> {
    let name = sender.place.backend.name.clone();
    let mut client = Client::new(sender);
    let (local, of) = (desk.clone(), name.clone());
    let (mut cursor, _) = blocking(move || local.pull_cursor(&of)).await?;
    let mut people = None;
    for _ in 0..PAGES {
        let page = match look(&mut client, cursor.as_deref(), &mut people).await {
            Ok(page) => page,
            Err(Stop::Later(why, _) | Stop::Refused(why)) => {
                let desk = desk.clone();
                blocking(move || desk.not_pulled(&name, &why)).await?;
                return Ok(false);
            }
        };
        let Page { annotated, last, full } = page;
        cursor = last.or(cursor);
        let (local, backend, kept) = (desk.clone(), sender.place.backend.clone(), back(&cursor));
        blocking(move || local.pulled(&backend, &annotated, kept)).await?;
        if !full {
            break;
        }
    }
    Ok(true)
}

/// A page of annotated tasks.
struct Page {
    annotated: Vec<Annotated>,
    /// The time of the last task.
    last: Option<String>,
    /// There may be more.
    full: bool,
}

async fn look(
    client: &mut Client<'_>,
    after: Option<&str>,
    people: &mut Option<BTreeMap<u64, Vec<String>>>,
) -> Result<Page, Stop> {
    let me = client.me().await?;
    let project = client.project().await?;
    let (tasks, full) = client.annotated(project, after).await?;
    let mine = format!("{}:", shape::desk(client.sender.origin));
    let mut annotated = Vec::new();
    for task in tasks.iter().filter(|t| t.key().starts_with(&mine)) {
        for one in task.annotations.iter().filter(|a| !a.was_cancelled && !a.is_ours(me)) {
            let Some(by) = one.by() else { continue };
            if people.is_none() {
                *people = Some(client.people().await?);
            }
            let accounts = people.as_ref().and_then(|p| p.get(&by)).cloned();
            let accounts = accounts.unwrap_or_else(|| vec![format!("user {by}")]);
            let address = client.sender.place.address.as_ref().map(|a| a.reveal());
            annotated.push(shape::annotated(address.unwrap_or_default(), task, one, accounts));
        }
    }
    Ok(Page { annotated, last: tasks.last().map(|t| t.updated_at.clone()), full })
}

/// A cursor a little before this one. Label Studio reads times with microseconds and no others.
fn back(cursor: &Option<String>) -> Option<String> {
    let text = cursor.as_ref()?;
    let earlier = text.parse::<jiff::Timestamp>().ok().and_then(|at| at.checked_sub(OVERLAP).ok());
    Some(
        earlier
            .map_or_else(|| text.clone(), |at| at.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()),
    )
}

impl Client<'_> {
    /// Older tasks of an item that nobody has annotated make room for the new one.
    async fn withdraw_older(&mut self, tasks: &[Task], revision: u64) -> Result<(), Stop> {
        let older = |t: &&Task| t.revision().is_some_and(|r| r < revision);
        for task in tasks.iter().filter(older).filter(|t| t.annotations.is_empty()) {
            match self.call(Method::DELETE, &format!("/api/tasks/{}/", task.id), None).await {
                // Somebody was faster.
                Ok(_) | Err(Stop::Refused(_)) => {}
                Err(later) => return Err(later),
            }
        }
        Ok(())
    }

    /// Our annotation on the newest task of a decision says what the correction says.
    async fn correct(
        &mut self,
        me: u64,
        tasks: &[Task],
        correction: &Correction,
    ) -> Result<(), Stop> {
        let origin = self.sender.origin;
        let wanted = shape::annotation(correction, &shape::uuid(&[origin, &correction.id]));
        let ours = tasks.iter().find_map(|t| t.ours(me));
        let Some(task) = tasks.iter().max_by_key(|t| (t.revision(), t.id)) else {
            return Err(Stop::Later("Label Studio did not keep the task".to_owned(), None));
        };
        if let Some(ours) = ours {
            return self.amend(ours, &wanted).await;
        }
        let path = format!("/api/tasks/{}/annotations/", task.id);
        if self.create(&path, &wanted).await?.is_some() {
            return Ok(());
        }
        // It was written by a try whose answer did not come.
        let list = self.call(Method::GET, &path, None).await?;
        let list: Vec<shape::Annotation> = serde_json::from_value(list).unwrap_or_default();
        match list.iter().find(|a| a.is_ours(me)) {
            Some(ours) => self.amend(ours, &wanted).await,
            None => Ok(()),
        }
    }

    async fn amend(&mut self, ours: &shape::Annotation, wanted: &Value) -> Result<(), Stop> {
        if shape::says(ours, wanted) {
            return Ok(());
        }
        let body = serde_json::json!({ "result": wanted.get("result") });
        let path = format!("/api/annotations/{}/", ours.id);
        self.call(Method::PATCH, &path, Some(&body)).await.map(|_| ())
    }
}
