//! The project: found by its title, made at the first push, never changed after that.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};

use super::client::{Client, Stop, encoded};
use super::config::{CONTROLS, OBJECT, labeling_config};
use super::shape::MODEL_VERSION;

/// Who is looked up in one page.
const PEOPLE: usize = 1_000;

impl Client<'_> {
    /// Our own account.
    pub(super) async fn me(&mut self) -> Result<u64, Stop> {
        let who = self.call(Method::GET, "/api/current-user/whoami", None).await?;
        who.get("id").and_then(Value::as_u64).ok_or_else(|| {
            Stop::Later("this is no Label Studio: it does not say who we are".to_owned(), None)
        })
    }

    /// The project's number.
    pub(super) async fn project(&mut self) -> Result<u64, Stop> {
        let title = self.sender.place.backend.project.clone().unwrap_or_default();
        let path = format!("/api/projects/?page_size=100&title={}", encoded(&title));
        let found = self.call(Method::GET, &path, None).await?;
        let results = found.get("results").and_then(Value::as_array);
        // The filter finds titles that contain it.
        let called = |p: &&Value| p.get("title").and_then(Value::as_str) == Some(title.as_str());
        let number = |p: &Value| p.get("id").and_then(Value::as_u64);
        let mut ours: Vec<u64> =
            results.into_iter().flatten().filter(called).filter_map(number).collect();
        ours.sort_unstable();
        match ours.as_slice() {
            [] => self.make(&title).await,
            [one] => self.fits(*one).await.map(|()| *one),
            _ => Err(Stop::Later(
                format!(
                    "Label Studio has {} projects called {title:?}: rename all but one",
                    ours.len()
                ),
                None,
            )),
        }
    }

    async fn make(&mut self, title: &str) -> Result<u64, Stop> {
        let body = json!({
            "title": title,
            "description": "Decisions and corrections of overrule",
            "label_config": labeling_config(self.sender.tags),
            "maximum_annotations": 1,
            "show_collab_predictions": true,
            "model_version": MODEL_VERSION,
        });
        let made = self.call(Method::POST, "/api/projects/", Some(&body)).await?;
        made.get("id").and_then(Value::as_u64).ok_or_else(|| {
            Stop::Later("Label Studio made a project without a number".to_owned(), None)
        })
    }

    /// Does a project that somebody set up have our controls? What names others is taken there,
    /// and shown to nobody.
    async fn fits(&mut self, project: u64) -> Result<(), Stop> {
        let path = format!("/api/projects/{project}/");
        let said = self.call(Method::GET, &path, None).await?;
        let parsed = said.get("parsed_label_config").cloned().unwrap_or_default();
        let missing: Vec<&str> = CONTROLS
            .into_iter()
            .filter(|control| {
                let to = parsed.get(control).and_then(|c| c.get("to_name"));
                let to = to.and_then(Value::as_array);
                !to.is_some_and(|to| to.iter().any(|t| t.as_str() == Some(OBJECT)))
            })
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        let name = &self.sender.place.backend.name;
        Err(Stop::Later(
            format!(
                "the project's labeling config has no {} for {OBJECT}: overrule sync config {name} \
                 prints one that has",
                missing.join(", ")
            ),
            None,
        ))
    }

    /// E-mail and user name of every account.
    pub(super) async fn people(&mut self) -> Result<BTreeMap<u64, Vec<String>>, Stop> {
        let path = format!("/api/users/?page_size={PEOPLE}");
        let said = self.call(Method::GET, &path, None).await?;
        let list = said.as_array().or_else(|| said.get("results").and_then(Value::as_array));
        let person = |p: &Value| {
            let text = |key: &str| {
                let text = p.get(key).and_then(Value::as_str).unwrap_or_default();
                Some(text.to_owned()).filter(|t| !t.is_empty())
            };
            let names = [text("email"), text("username")].into_iter().flatten().collect();
            Some((p.get("id")?.as_u64()?, names))
        };
        Ok(list.into_iter().flatten().filter_map(person).collect())
    }
}
