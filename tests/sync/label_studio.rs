//! Label Studio, there and back: against the stand-in always, against a real server where
//! `OVERRULE_TEST_LABEL_STUDIO` names one (`tests/run --label-studio` starts it).

use overrule::desk::{Local, OpenOptions};
use overrule::protocol::{Command, LeaseAsk};
use serde_json::{Value, json};

use super::desk::{admitted, once, policy, secretive, stands, sync};
use super::receiver::Receiver;
use super::stand_in::{LEGACY, PERSONAL, StandIn};
use super::support::{Home, lines};

/// A Label Studio somewhere, spoken to as its own people do.
struct Studio {
    url: String,
    token: String,
    project: String,
}

impl Studio {
    async fn call(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        // A client wants to be told whose cryptography it is to use.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::new();
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut call = client
            .request(method, format!("{}{path}", self.url))
            .header("authorization", format!("Token {}", self.token));
        if !body.is_null() {
            call = call.json(&body);
        }
        let answer = call.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap_or(Value::Null))
    }

    /// The tasks of the project, by the decision they are about, oldest first.
    async fn tasks(&self, id: &str) -> Vec<Value> {
        let path = format!("/api/projects/?title={}", self.project.replace(' ', "%20"));
        let (_, found) = self.call("GET", &path, Value::Null).await;
        let project = found["results"][0]["id"].as_u64().unwrap();
        let query = json!({ "filters": { "conjunction": "and", "items": [
            { "filter": "filter:tasks:data.overrule_id", "operator": "equal", "type": "String",
              "value": id },
        ]}});
        let client = reqwest::Url::parse_with_params(
            &format!("{}/api/tasks/", self.url),
            [
                ("project", project.to_string().as_str()),
                ("page", "1"),
                ("page_size", "50"),
                ("fields", "all"),
                ("query", &query.to_string()),
            ],
        );
        let path = client.unwrap().to_string().split_off(self.url.len());
        let (_, listed) = self.call("GET", &path, Value::Null).await;
        let mut tasks = listed["tasks"].as_array().cloned().unwrap_or_default();
        tasks.sort_by_key(|t| t["id"].as_u64());
        tasks
    }

    async fn annotate(&self, id: &str, user: u64, results: &[(&str, &str, &str)]) {
        let results: Vec<Value> = results
            .iter()
            .map(|(control, kind, value)| {
                let key = if *kind == "choices" { "choices" } else { "text" };
                json!({
                    "id": format!("r-{control}"), "from_name": control, "to_name": "proposal",
                    "type": kind, "value": { key: [value] },
                })
            })
            .collect();
        let task = self.tasks(id).await.pop().unwrap()["id"].as_u64().unwrap();
        let path = format!("/api/tasks/{task}/annotations/");
        let body = json!({ "result": results, "completed_by": user });
        let (status, said) = self.call("POST", &path, body).await;
        assert_eq!(status, 201, "{said}");
    }
}

fn backend(studio: &Studio) -> String {
    format!(
        r#"
[sync.labels]
kind = "label_studio"
url = "{}"
secret_env = "LABELS_TOKEN"
project = "{}"
queues = ["level1"]
pull = true
private = true
[sync.labels.reviewers]
"bo@bank.example" = "robert"
"#,
        studio.url, studio.project
    )
}

fn verdict(annotation: &Value) -> &Value {
    let results = annotation["result"].as_array().unwrap();
    let one = results.iter().find(|r| r["from_name"] == "verdict").unwrap();
    &one["value"]["choices"][0]
}

/// The whole way: `ann` and `bo` are accounts there, `eve` is nobody here.
async fn there_and_back(studio: &Studio, token: &str, [ann, bo, eve]: [u64; 3]) {
    let env = [("LABELS_TOKEN", token)];
    let home = Home::new();
    let ids = ["a-1", "a-2", "a-3", "a-4", "a-5", "a-6"];
    admitted(&home, &backend(studio), &ids);
    home.ok(&["reviewer", "add", "ann", "--level", "1", "--role", "reviewer"]);
    home.ok(&["reviewer", "add", "robert", "--level", "1", "--role", "reviewer"]);

    // What waits is there as a task with what the model proposes; the second time changes nothing.
    assert_eq!(once(&home, &env), 6);
    assert_eq!(once(&home, &env), 0);
    for id in ids {
        let tasks = studio.tasks(id).await;
        assert_eq!(tasks.len(), 1, "{id}");
        let (task, data) = (&tasks[0], &tasks[0]["data"]);
        assert_eq!((&data["action"], &data["overrule_revision"]), (&json!("approve"), &json!(0)));
        assert!(data["input"].as_str().unwrap().contains("[redacted]"));
        assert!(!task.to_string().contains("123-45-6789"));
        let prediction = &task["predictions"][0];
        assert_eq!((verdict(prediction), &prediction["score"]), (&json!("accept"), &json!(0.71)));
    }

    // What is corrected at the desk is an annotation there, once.
    home.ok(&["decide", "a-1", "reject", "--tag", "tone", "--note", "curt", "--label", "deny"]);
    assert_eq!(once(&home, &env), 1);
    assert_eq!(once(&home, &env), 0);
    let task = studio.tasks("a-1").await.remove(0);
    let annotations = task["annotations"].as_array().unwrap();
    assert_eq!(annotations.len(), 1);
    assert_eq!(verdict(&annotations[0]), "reject");
    assert!(annotations[0]["result"].to_string().contains("curt"));

    // What people say there are their verdicts here; nobody is made up, and what somebody holds
    // stays theirs.
    studio.annotate("a-2", ann, &[("verdict", "choices", "accept")]).await;
    let output = r#"{"decision":"deny","p_deny":0.8}"#;
    let edit = [
        ("verdict", "choices", "edit"),
        ("action", "textarea", "deny"),
        ("output", "textarea", output),
        ("tags", "choices", "factual_error"),
    ];
    studio.annotate("a-3", bo, &edit).await;
    studio.annotate("a-4", eve, &[("verdict", "choices", "accept")]).await;
    let store = home.store();
    let held = tokio::task::spawn_blocking(move || {
        let desk = Local::open(OpenOptions::new(store, "root")).unwrap();
        let ask = LeaseAsk { item: Some("a-5".into()), ..LeaseAsk::default() };
        desk.execute_blocking("root", Command::Lease(ask)).unwrap();
    });
    held.await.unwrap();
    studio.annotate("a-5", ann, &[("verdict", "choices", "accept")]).await;
    let bad = [("verdict", "choices", "edit"), ("output", "textarea", "not json")];
    studio.annotate("a-6", ann, &bad).await;
    let pulled = || sync(&home, &["--once"], &env);
    let (code, said, stderr) = pulled();
    assert_eq!(code, Some(0), "{said}\n{stderr}");
    let shown = |id: &str| {
        let view = home.json(&["show", id, "--json"]);
        let by = view["reviews"].as_array().unwrap().first().map(|r| r["reviewer"].clone());
        (view["state"].clone(), by.unwrap_or_default(), view)
    };
    assert_eq!(shown("a-2").0, "settled");
    assert_eq!(shown("a-2").1, "ann");
    let (state, by, view) = shown("a-3");
    assert_eq!((state, by), (json!("settled"), json!("robert")));
    assert_eq!(view["reviews"][0]["output"], json!({"decision": "deny", "p_deny": 0.8}));
    assert_eq!(view["reviews"][0]["tags"], json!(["factual_error"]));
    for id in ["a-4", "a-5", "a-6"] {
        assert_eq!(shown(id).0, "waiting", "{id}");
    }
    let status = stands(&home, "labels");
    assert_eq!((&status["taken"], &status["unmapped"]), (&json!(2), &json!(["eve@bank.example"])));
    let conflicts: Vec<(&str, &str, &str)> = status["conflicts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| ["item", "account", "why"].map(|k| c[k].as_str().unwrap()).into())
        .collect();
    assert_eq!(conflicts.len(), 2, "{status}");
    assert_eq!((conflicts[0].0, conflicts[0].1), ("a-5", "ann@bank.example"));
    assert!(conflicts[0].2.contains("root"), "{conflicts:?}");
    assert_eq!(conflicts[1].0, "a-6");
    assert!(conflicts[1].2.starts_with("its output is no JSON"), "{conflicts:?}");
    // Read again, they are the same verdicts.
    assert_eq!(pulled().0, Some(0));
    assert_eq!(stands(&home, "labels")["taken"], 2);
    assert_eq!(stands(&home, "labels")["conflicts"].as_array().unwrap().len(), 2);
    // bo's correction is the desk's too, beside bo's own.
    let task = studio.tasks("a-3").await.remove(0);
    let said: Vec<&Value> = task["annotations"].as_array().unwrap().iter().map(verdict).collect();
    assert_eq!(said, ["edit", "edit"]);

    // A reversal changes the annotation that is there; what moves on is a new task.
    home.ok(&["flag", "a-1", "--tag", "tone", "--note", "it was right"]);
    let tasks = studio.tasks("a-1").await.len();
    assert_eq!(once(&home, &env), 1);
    assert_eq!(studio.tasks("a-1").await.len(), tasks + 1);
    home.ok(&["decide", "a-1", "accept"]);
    assert_eq!(once(&home, &env), 1);
    let all: Vec<Value> = studio
        .tasks("a-1")
        .await
        .iter()
        .flat_map(|t| t["annotations"].as_array().unwrap().clone())
        .collect();
    assert_eq!(all.iter().map(verdict).collect::<Vec<_>>(), ["accept"]);
    home.ok(&["audit", "verify"]);
}

async fn stand_in() -> (Receiver, StandIn, Studio, [u64; 3]) {
    let (receiver, server) = StandIn::start().await;
    let people = ["ann", "bo", "eve"].map(|n| server.user(&format!("{n}@bank.example"), n));
    let studio = Studio {
        url: receiver.url(""),
        token: LEGACY.to_owned(),
        project: "Loan labels".to_owned(),
    };
    (receiver, server, studio, people)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stand_in_with_a_legacy_token() {
    let (_receiver, _, studio, people) = stand_in().await;
    there_and_back(&studio, LEGACY, people).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stand_in_with_a_personal_access_token() {
    let (receiver, server, studio, people) = stand_in().await;
    there_and_back(&studio, PERSONAL, people).await;
    let refreshed = receiver.came().iter().filter(|c| c.path == "/api/token/refresh").count();
    assert!(refreshed >= 2, "{refreshed}");
    server.expire();
    // One that is wrong is trouble of the set-up, and stands nowhere.
    let home = Home::new();
    admitted(&home, &backend(&studio), &["b-1"]);
    let wrong = [("LABELS_TOKEN", "aaa.bbb.ccc")];
    let (code, _, stderr) = sync(&home, &["--once"], &wrong);
    assert_eq!(code, Some(1));
    let status = stands(&home, "labels");
    assert!(status["error"].as_str().unwrap().contains("Token is invalid"), "{status}");
    assert!(!stderr.contains("aaa.bbb") && !status.to_string().contains("aaa.bbb"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blind_item_is_not_there_before_it_is_decided() {
    let (receiver, _, studio, _) = stand_in().await;
    let env = [("LABELS_TOKEN", LEGACY)];
    let home = Home::new();
    let policy = policy(&backend(&studio)).replacen("level = 1", "level = 1\nblind = 1.0", 1);
    let policy = home.write("policy.toml", &policy);
    let input = home.write("in.jsonl", &lines(&[secretive("a-1"), secretive("a-2")]));
    home.ok(&["ingest", "--policy", policy.to_str().unwrap(), input.to_str().unwrap()]);
    let nothing_there = || {
        let came = receiver.came();
        let told = came.iter().filter(|c| String::from_utf8_lossy(&c.body).contains("a-1")).count();
        assert_eq!(told, 0, "{:?}", came.iter().map(|c| &c.path).collect::<Vec<_>>());
    };
    assert_eq!(once(&home, &env), 0);
    nothing_there();
    let status = stands(&home, "labels");
    assert_eq!((&status["blind"], &status["to_send"]), (&json!(["level1"]), &json!(0)));
    let (_, told) = home.exits(&["sync", "status"], 0);
    assert!(told.contains("labels: blind items of level1 are not sent while they wait"), "{told}");
    // Not after the own answer either: the second pair of eyes would see it.
    home.ok(&["answer", "a-1", "--action", "approve"]);
    assert_eq!(once(&home, &env), 0);
    nothing_there();
    home.ok(&["decide", "a-1", "reject", "--tag", "tone", "--label", "deny"]);
    assert_eq!(once(&home, &env), 1);
    let tasks = studio.tasks("a-1").await;
    assert_eq!(tasks.len(), 1);
    assert_eq!(verdict(&tasks[0]["annotations"][0]), "reject");
    assert!(studio.tasks("a-2").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_real_server() {
    let Ok(url) = std::env::var("OVERRULE_TEST_LABEL_STUDIO") else {
        eprintln!("skipped: OVERRULE_TEST_LABEL_STUDIO names no Label Studio");
        return;
    };
    let token = std::env::var("OVERRULE_TEST_LABEL_STUDIO_TOKEN").unwrap();
    let unique = uuid::Uuid::now_v7().to_string();
    let mut studio = Studio { url, token: token.clone(), project: format!("legacy {unique}") };
    let mut people = Vec::new();
    for name in ["ann", "bo", "eve"] {
        let email = format!("{name}@bank.example");
        let (_, users) = studio.call("GET", "/api/users/", Value::Null).await;
        let there = users.as_array().unwrap().iter().find(|u| u["email"] == email).cloned();
        let user = match there {
            Some(user) => user,
            None => {
                let body = json!({ "email": email, "username": name, "password": "Very-long-1" });
                studio.call("POST", "/api/users/", body).await.1
            }
        };
        people.push(user["id"].as_u64().unwrap());
    }
    let people: [u64; 3] = people.try_into().unwrap();
    there_and_back(&studio, &token, people).await;
    let (status, made) = studio.call("POST", "/api/token/", json!({})).await;
    assert!(status < 300, "{made}");
    studio.project = format!("personal {unique}");
    there_and_back(&studio, made["token"].as_str().unwrap(), people).await;
    // An account has one at a time: the next run wants one of its own.
    let (status, said) =
        studio.call("POST", "/api/token/blacklist/", json!({ "refresh": made["token"] })).await;
    assert!(status < 300, "{said}");
}

#[test]
fn the_labeling_config_is_printed_from_the_taxonomy() {
    let home = Home::new();
    let studio =
        Studio { url: "https://l.example".into(), token: String::new(), project: "Loans".into() };
    admitted(&home, &backend(&studio), &[]);
    let xml = home.ok(&["sync", "config", "labels"]);
    assert!(xml.starts_with("<View>"), "{xml}");
    assert!(xml.contains(r#"<Choice value="tone" hint="Wrong &lt;tone&gt;"/>"#), "{xml}");
    let (_, stderr) = home.exits(&["sync", "config", "label"], 2);
    assert!(stderr.contains("no [sync.label]") && stderr.contains("it has labels"), "{stderr}");
}
