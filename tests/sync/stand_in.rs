//! A stand-in for Label Studio that keeps to what was recorded of the real one (1.23): its answers
//! have the shapes seen there, and it refuses what was refused there.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Map, Value, json};

use super::receiver::{Came, Receiver, Says};

pub const LEGACY: &str = "0123456789abcdef0123456789abcdef01234567";
pub const PERSONAL: &str = "eyJhbGciOiJIUzI1NiJ9.eyJ0b2tlbl90eXBlIjoicmVmcmVzaCJ9.c2lnbmF0dXJl";

#[derive(Default)]
struct Server {
    projects: Vec<Value>,
    tasks: BTreeMap<u64, Value>,
    annotations: u64,
    unique: Vec<String>,
    users: Vec<Value>,
    /// How many access tokens were given; only the last one is taken.
    access: u64,
    /// Stands for the time: rises with every change.
    clock: u64,
}

#[derive(Clone)]
pub struct StandIn(Arc<Mutex<Server>>);

impl StandIn {
    pub async fn start() -> (Receiver, Self) {
        let server = Self(Arc::default());
        server.user("desk@bank.example", "desk");
        let serving = server.clone();
        let receiver = Receiver::start(move |came, _| serving.answer(came)).await;
        (receiver, server)
    }

    pub fn user(&self, email: &str, name: &str) -> u64 {
        let mut server = self.0.lock().unwrap();
        let id = server.users.len() as u64 + 1;
        server.users.push(json!({ "id": id, "email": email, "username": name }));
        id
    }

    /// Access tokens given so far are good no more.
    pub fn expire(&self) {
        self.0.lock().unwrap().access += 1000;
    }

    fn answer(&self, came: &Came) -> Says {
        let mut server = self.0.lock().unwrap();
        let (path, query) = came.path.split_once('?').unwrap_or((&came.path, ""));
        let body: Value = serde_json::from_slice(&came.body).unwrap_or(Value::Null);
        if path == "/api/token/refresh" {
            assert!(came.header("authorization").is_none());
            if body["refresh"] != PERSONAL {
                return fault(401, "Token is invalid");
            }
            server.access += 1;
            return says(200, &json!({ "access": format!("a.b.{}", server.access) }));
        }
        let access = format!("Bearer a.b.{}", server.access);
        match came.header("authorization") {
            Some(said) if said == format!("Token {LEGACY}") || said == access => {}
            _ => return fault(401, "Authentication credentials were not provided."),
        }
        let query: BTreeMap<String, String> = reqwest::Url::parse(&format!("http://x/?{query}"))
            .unwrap()
            .query_pairs()
            .into_owned()
            .collect();
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        match (came.method.as_str(), parts.as_slice()) {
            ("GET", ["api", "current-user", "whoami"]) => says(200, &server.users[0]),
            ("GET", ["api", "users"]) => says(200, &json!(server.users)),
            ("GET", ["api", "projects"]) => {
                let of = |p: &&Value| p["title"].as_str().unwrap().contains(&query["title"]);
                let found: Vec<&Value> = server.projects.iter().filter(of).collect();
                says(200, &json!({ "count": found.len(), "next": null, "results": found }))
            }
            ("POST", ["api", "projects"]) => server.make(&body),
            ("GET", ["api", "projects", id]) => match server.project(id) {
                Some(project) => says(200, project),
                None => fault(404, "No Project matches the given query."),
            },
            ("POST", ["api", "projects", id, "import"]) => {
                assert_eq!(query["return_task_ids"], "true");
                server.import(id, &body)
            }
            ("GET", ["api", "tasks"]) => server.list(&query),
            ("DELETE", ["api", "tasks", id]) => match server.tasks.remove(&id.parse().unwrap()) {
                Some(_) => Says::plain(204, ""),
                None => fault(404, "No Task matches the given query."),
            },
            ("GET", ["api", "tasks", id, "annotations"]) => {
                says(200, &server.tasks[&id.parse().unwrap()]["annotations"])
            }
            ("POST", ["api", "tasks", id, "annotations"]) => {
                server.annotate(id.parse().unwrap(), &body)
            }
            ("PATCH", ["api", "annotations", id]) => server.amend(id.parse().unwrap(), &body),
            other => panic!("the contract knows no {other:?}"),
        }
    }
}

impl Server {
    fn now(&mut self) -> String {
        self.clock += 1;
        format!("2026-11-22T12:{:02}:{:02}.000000Z", self.clock / 60 % 60, self.clock % 60)
    }

    fn project(&self, id: &str) -> Option<&Value> {
        self.projects.iter().find(|p| p["id"].as_u64() == id.parse().ok())
    }

    fn make(&mut self, body: &Value) -> Says {
        let title = body["title"].as_str().unwrap();
        assert!((3..=50).contains(&title.chars().count()));
        let config = body["label_config"].as_str().unwrap();
        assert!(config.starts_with("<View>") && config.trim_end().ends_with("</View>"));
        let mut parsed = Map::new();
        for part in config.split(" name=\"").skip(1) {
            let (name, rest) = part.split_once('"').unwrap();
            if let Some(to) = rest.strip_prefix(" toName=\"") {
                let to = to.split('"').next().unwrap();
                parsed.insert(name.to_owned(), json!({ "to_name": [to] }));
            }
        }
        let mut project = body.clone();
        project["id"] = json!(self.projects.len() + 2);
        project["parsed_label_config"] = Value::Object(parsed);
        self.projects.push(project.clone());
        says(201, &project)
    }

    fn import(&mut self, project: &str, body: &Value) -> Says {
        let project = self.project(project).unwrap().clone();
        let tasks = body.as_array().unwrap();
        if tasks.is_empty() {
            return fault(400, "load_tasks: No tasks added");
        }
        let config = project["label_config"].as_str().unwrap();
        let wanted: Vec<&str> =
            config.split("value=\"$").skip(1).map(|p| p.split('"').next().unwrap()).collect();
        let lacks = |t: &Value| wanted.iter().any(|w| t["data"].get(w).is_none());
        if tasks.iter().any(lacks) {
            return fault(400, "Validation error");
        }
        let mut ids = Vec::new();
        for task in tasks {
            for prediction in task["predictions"].as_array().unwrap() {
                assert_eq!(prediction["model_version"], project["model_version"]);
                check(&project, &prediction["result"]);
            }
            let id = self.tasks.keys().next_back().map_or(1, |last| last + 1);
            let now = self.now();
            self.tasks.insert(
                id,
                json!({
                    "id": id, "data": task["data"], "annotations": [], "updated_at": now,
                    "predictions": task["predictions"], "project": project["id"],
                }),
            );
            ids.push(id);
        }
        says(201, &json!({ "task_count": ids.len(), "task_ids": ids }))
    }

    fn annotate(&mut self, task: u64, body: &Value) -> Says {
        if !self.tasks.contains_key(&task) {
            return fault(404, "No Task matches the given query.");
        }
        if let Some(unique) = body["unique_id"].as_str() {
            assert_eq!(unique.len(), 36, "a UUID");
            if self.unique.iter().any(|u| u == unique) {
                return fault(409, "Annotation with this unique id already exists");
            }
            self.unique.push(unique.to_owned());
        }
        check(&self.projects[0], &body["result"]);
        self.annotations += 1;
        // (The unique id is not told.)
        let annotation = json!({
            "id": self.annotations, "result": body["result"], "was_cancelled": false,
            "completed_by": body.get("completed_by").cloned().unwrap_or(json!(1)),
            "ground_truth": body["ground_truth"].as_bool().unwrap_or(false),
        });
        let now = self.now();
        let of = self.tasks.get_mut(&task).unwrap();
        of["annotations"].as_array_mut().unwrap().push(annotation.clone());
        of["updated_at"] = json!(now);
        says(201, &annotation)
    }

    fn amend(&mut self, id: u64, body: &Value) -> Says {
        let now = self.now();
        for task in self.tasks.values_mut() {
            for one in task["annotations"].as_array_mut().unwrap() {
                if one["id"] == id {
                    one["result"] = body["result"].clone();
                    let answer = one.clone();
                    task["updated_at"] = json!(now);
                    return says(200, &answer);
                }
            }
        }
        fault(404, "No Annotation matches the given query.")
    }

    fn list(&self, query: &BTreeMap<String, String>) -> Says {
        assert_eq!((query["page"].as_str(), query["fields"].as_str()), ("1", "all"));
        let asked: Value = serde_json::from_str(&query["query"]).unwrap();
        let items = asked["filters"]["items"].as_array().unwrap();
        for item in items.iter().filter(|i| i["type"] == "Datetime") {
            // Seen: a time without a fraction is answered 500.
            let text = item["value"].as_str().unwrap();
            if text.len() != 27 || text.as_bytes()[19] != b'.' {
                return fault(500, "time data does not match format '%Y-%m-%dT%H:%M:%S.%fZ'");
            }
        }
        let any = asked["filters"]["conjunction"] == "or";
        let holds = |task: &Value, item: &Value| {
            let field = item["filter"].as_str().unwrap().strip_prefix("filter:tasks:").unwrap();
            match (field, item["operator"].as_str().unwrap()) {
                ("updated_at", "greater") => {
                    let at = |v: &Value| v.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
                    at(&task["updated_at"]) > at(&item["value"])
                }
                ("total_annotations", "greater") => {
                    task["annotations"].as_array().unwrap().len() as u64
                        > item["value"].as_u64().unwrap()
                }
                (field, "equal") => {
                    task["data"][field.strip_prefix("data.").unwrap()] == item["value"]
                }
                other => panic!("the contract knows no filter {other:?}"),
            }
        };
        let mut found: Vec<&Value> = self
            .tasks
            .values()
            .filter(|t| t["project"].as_u64() == query["project"].parse().ok())
            .filter(|t| match any {
                true => items.iter().any(|i| holds(t, i)),
                false => items.iter().all(|i| holds(t, i)),
            })
            .collect();
        if asked["ordering"] == json!(["tasks:updated_at"]) {
            found.sort_by_key(|t| t["updated_at"].as_str().unwrap().to_owned());
        }
        let total = found.len();
        found.truncate(query["page_size"].parse().unwrap());
        says(200, &json!({ "total": total, "tasks": found }))
    }
}

/// Every result names a control of the project and the object it belongs to.
fn check(project: &Value, results: &Value) {
    for one in results.as_array().unwrap() {
        let control = &project["parsed_label_config"][one["from_name"].as_str().unwrap()];
        assert_eq!(control["to_name"][0], one["to_name"], "{one}");
        let value = match one["type"].as_str().unwrap() {
            "choices" => &one["value"]["choices"],
            "textarea" => &one["value"]["text"],
            other => panic!("{other}"),
        };
        assert!(value.as_array().unwrap().iter().all(Value::is_string), "{one}");
    }
}

fn says(status: u16, body: &Value) -> Says {
    Says::plain(status, &body.to_string()).with("content-type", "application/json")
}

fn fault(status: u16, detail: &str) -> Says {
    says(
        status,
        &json!({
            "id": "5f0c8b1e", "status_code": status, "version": "1.23.2", "detail": detail,
            "exc_info": null,
        }),
    )
}
