//! Tasks: found by the decision they are about, brought in where they are missing, read where
//! somebody annotated them.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};

use super::super::{Delivered, Load};
use super::client::{Client, Stop, encoded};
use super::shape::{self, Task};
use crate::desk::backends::Cargo;

/// How many decisions are looked up in one call: its filter stands in the address.
const LOOKED_UP: usize = 8;
/// Tasks in one page.
const PAGE: usize = 50;

/// Tasks by the decision they are about.
pub(super) type Tasks = BTreeMap<String, Vec<Task>>;

impl Client<'_> {
    /// The tasks of these decisions.
    pub(super) async fn find(&mut self, project: u64, keys: &[&str]) -> Result<Tasks, Stop> {
        let mut found = Tasks::new();
        for some in keys.chunks(LOOKED_UP) {
            let items: Vec<Value> = some
                .iter()
                .map(|key| {
                    json!({
                        "filter": "filter:tasks:data.overrule_key", "operator": "equal",
                        "type": "String", "value": key,
                    })
                })
                .collect();
            let query = json!({ "filters": { "conjunction": "or", "items": items } });
            for task in self.page(project, &query).await? {
                found.entry(task.key().to_owned()).or_default().push(task);
            }
        }
        Ok(found)
    }

    /// Tasks with annotations that changed after then, oldest first, and whether there may be more.
    pub(super) async fn annotated(
        &mut self,
        project: u64,
        after: Option<&str>,
    ) -> Result<(Vec<Task>, bool), Stop> {
        let query = json!({
            "filters": { "conjunction": "and", "items": [
                { "filter": "filter:tasks:updated_at", "operator": "greater", "type": "Datetime",
                  "value": after.unwrap_or("1970-01-01T00:00:00.000000Z") },
                { "filter": "filter:tasks:total_annotations", "operator": "greater",
                  "type": "Number", "value": 0 },
            ]},
            "ordering": ["tasks:updated_at"],
        });
        let tasks = self.page(project, &query).await?;
        let full = tasks.len() >= PAGE;
        Ok((tasks, full))
    }

    async fn page(&mut self, project: u64, query: &Value) -> Result<Vec<Task>, Stop> {
        let path = format!(
            "/api/tasks/?project={project}&page=1&page_size={PAGE}&fields=all&query={}",
            encoded(&query.to_string())
        );
        let said = self.call(Method::GET, &path, None).await?;
        let tasks = said.get("tasks").cloned().unwrap_or(Value::Null);
        serde_json::from_value(tasks).map_err(|e| {
            Stop::Later(format!("Label Studio lists tasks in a shape of its own: {e}"), None)
        })
    }

    /// Bring in what has no task yet, or none of its revision. One that is refused holds up no
    /// other.
    pub(super) async fn import_missing(
        &mut self,
        project: u64,
        wanted: &[(&Load, String)],
        tasks: &mut Tasks,
        done: &mut Delivered,
    ) -> Result<(), Stop> {
        let origin = self.sender.origin;
        let mut missing: Vec<(&str, &str, Value)> = Vec::new();
        for (load, key) in wanted {
            let of = tasks.get(key).map(Vec::as_slice).unwrap_or_default();
            // In one batch a decision comes in once.
            let twice = |revision: Option<u64>| {
                missing.iter().any(|(_, k, task)| {
                    k == key && (revision.is_none() || revision_of(task) == revision)
                })
            };
            let task = match &load.cargo {
                Cargo::Item(item) => {
                    let revision = Some(item.revision);
                    let there = of.iter().any(|t| t.revision() == revision) || twice(revision);
                    (!there).then(|| shape::item_task(origin, item))
                }
                Cargo::Correction { correction, .. } => {
                    let there = !of.is_empty() || twice(None);
                    (!there).then(|| shape::correction_task(origin, correction))
                }
                Cargo::Gone => None,
            };
            if let Some(task) = task {
                missing.push((&load.parcel.key, key, task));
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        match self.import(project, &missing, tasks).await {
            Err(Stop::Refused(_)) if missing.len() > 1 => {}
            Err(Stop::Refused(why)) => {
                done.refused
                    .extend(missing.iter().map(|(row, _, _)| ((*row).to_owned(), why.clone())));
                return Ok(());
            }
            other => return other,
        }
        // One of them is at fault, and all were refused.
        for one in &missing {
            match self.import(project, std::slice::from_ref(one), tasks).await {
                Err(Stop::Refused(why)) => done.refused.push((one.0.to_owned(), why)),
                other => other?,
            }
        }
        Ok(())
    }

    async fn import(
        &mut self,
        project: u64,
        missing: &[(&str, &str, Value)],
        tasks: &mut Tasks,
    ) -> Result<(), Stop> {
        let body: Vec<&Value> = missing.iter().map(|(_, _, task)| task).collect();
        let path = format!("/api/projects/{project}/import?return_task_ids=true");
        let said = self.call(Method::POST, &path, Some(&json!(body))).await?;
        let ids = said.get("task_ids").and_then(Value::as_array).cloned().unwrap_or_default();
        if ids.len() != missing.len() {
            let why = format!("Label Studio took {} tasks of {}", ids.len(), missing.len());
            return Err(Stop::Later(why, None));
        }
        for ((_, key, task), id) in missing.iter().zip(ids) {
            let data = task.get("data").and_then(Value::as_object).cloned().unwrap_or_default();
            let task = Task { id: id.as_u64().unwrap_or_default(), data, ..Task::default() };
            tasks.entry((*key).to_owned()).or_default().push(task);
        }
        Ok(())
    }
}

fn revision_of(task: &Value) -> Option<u64> {
    task.pointer("/data/overrule_revision").and_then(Value::as_u64)
}
