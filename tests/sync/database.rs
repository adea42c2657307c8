//! A server over PostgreSQL sends corrections on by itself, also after it was killed.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::desk::{WHSEC, policy, secretive};
use super::folder;
use super::receiver::{Receiver, Says};
use super::support::{Home, postgres};
use super::webhook;

const LONG: Duration = Duration::from_secs(60);

/// The server; it ends with the test.
struct Server {
    child: Child,
    url: String,
    token: String,
}

impl Server {
    fn start(home: &Home, database: &str) -> Self {
        let token = home.path("token");
        let first = token.to_string_lossy().into_owned();
        let args = ["--store", database, "serve", "--listen", "127.0.0.1:0", "--json"];
        let mut command = home.command(&args);
        command.args(["--policy", "policy.toml", "--first-token", &first]);
        command.env("LABELS_SECRET", WHSEC).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let said: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
        let token = std::fs::read_to_string(token).unwrap().trim().to_owned();
        Self { child, url: said["listening"].as_str().unwrap().to_owned(), token }
    }

    async fn post(&self, http: &reqwest::Client, path: &str, body: &Value) -> Value {
        let url = format!("{}{path}", self.url);
        let answer = http.post(url).bearer_auth(&self.token).json(body).send().await.unwrap();
        let (status, said) = (answer.status(), answer.json().await.unwrap());
        assert_eq!(status, 200, "{said}");
        said
    }

    async fn rejects(&self, http: &reqwest::Client, id: &str) {
        self.post(http, "/v1/decisions", &secretive(id)).await;
        let verdict = json!({"request_id": uuid::Uuid::now_v7().to_string(), "verdict": "reject",
            "tags": ["tone"], "grace_ms": 0});
        self.post(http, &format!("/v1/items/{id}/reviews"), &verdict).await;
    }

    /// End it as an operator does.
    fn end(mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        assert!(self.child.wait().unwrap().success());
    }

    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The ids of all whole lines, also while the server writes (the manifest follows the lines).
fn written(out: &Path) -> Vec<String> {
    let names = std::fs::read_dir(out).into_iter().flatten().map(|f| f.unwrap().path());
    let mut names: Vec<_> = names.filter(|p| p.extension().is_some_and(|e| e == "jsonl")).collect();
    names.sort();
    let texts = names.iter().map(|name| std::fs::read_to_string(name).unwrap());
    let lines: String = texts.collect();
    let whole = lines.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let parsed = whole.lines().map(|l| serde_json::from_str::<Value>(l).unwrap());
    parsed.map(|l| l["id"].as_str().unwrap().to_owned()).collect()
}

/// Wait until the folder holds these.
async fn holds(out: &Path, ids: &[&str]) {
    let looking = async {
        loop {
            let told = written(out);
            if told == ids {
                return;
            }
            assert!(told.len() <= ids.len(), "{told:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(LONG, looking).await.expect("they are all in the folder");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_over_a_database_keeps_its_backends_up_to_date() {
    let name = "a_server_over_a_database_keeps_its_backends_up_to_date";
    let Some(database) = postgres::database(name) else { return };
    let (heard, mut hears) = tokio::sync::mpsc::unbounded_channel();
    let receiver = Receiver::start(move |came, _| {
        let _ = heard.send(came.json());
        Says::plain(200, "")
    })
    .await;
    let home = Home::new();
    let out = home.path("out");
    let backends = webhook::backend(&receiver.url("/in")) + &folder::backend(&out, "");
    home.write("policy.toml", &policy(&backends));
    // A provider that another test of this process has installed is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder().no_proxy().timeout(LONG).build().unwrap();
    let mut server = Server::start(&home, &database.url());
    server.rejects(&http, "a-1").await;
    let event = tokio::time::timeout(LONG, hears.recv()).await.expect("nothing arrives");
    assert_eq!(event.unwrap()["data"]["id"], "a-1");
    holds(&out, &["a-1"]).await;
    // What is recorded and not yet sent when the server dies is sent by the next.
    server.rejects(&http, "a-2").await;
    server.kill();
    let server = Server::start(&home, &database.url());
    holds(&out, &["a-1", "a-2"]).await;
    server.rejects(&http, "a-3").await;
    holds(&out, &["a-1", "a-2", "a-3"]).await;
    let mut told: Vec<(Value, Value)> = Vec::new();
    while told.last().is_none_or(|(id, _)| id != "a-3") {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let came = receiver.came();
        told = came
            .iter()
            .map(webhook::verified)
            .map(|e| (e["data"]["id"].clone(), e["id"].clone()))
            .collect();
    }
    // At least once each, in order, under one name however often.
    told.dedup();
    let ids: Vec<&Value> = told.iter().map(|(id, _)| id).collect();
    assert_eq!(ids, ["a-1", "a-2", "a-3"]);
    server.end();
    let kept = folder::lines(&out);
    assert_eq!(kept.len(), 3);
    for (line, seq) in kept.iter().zip(1..) {
        assert_eq!((&line["seq"], &line["input"]["ssn"]), (&json!(seq), &json!("[redacted]")));
    }
    let report = home.json(&["--store", &database.url(), "audit", "verify", "--json"]);
    assert_eq!(report["ok"], true);
}
