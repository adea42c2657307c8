//! A served database through its front door: a day's work, streams that change nodes, a node that
//! is killed, a database that goes away and comes back.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt as _;
use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::node::Node;
use crate::support::{Home, lines, postgres, record};

/// No test waits longer.
const LONG: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(50);

/// One level, no approvals, and a queue that takes everything.
const POLICY: &str = r#"
policy = "front"
[control]
grace = "0s"
human_queue = "level1"
[queues.level1]
title = "First look"
level = 1
sla = "30m"
[default]
to = "level1"
"#;

fn client() -> Client {
    // A provider that another test of this process has installed is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().no_proxy().timeout(LONG).build().unwrap()
}

/// A node, and somebody who asks it.
struct Door<'a> {
    http: &'a Client,
    node: &'a Node,
}

impl Door<'_> {
    async fn send(&self, method: Method, path: &str, token: &str, body: Body<'_>) -> (u16, String) {
        let url = format!("{}{path}", self.node.url);
        let mut request = self.http.request(method, url).bearer_auth(token);
        match body {
            Body::None => {}
            Body::Json(value) => request = request.json(value),
            Body::Lines(text) => {
                request = request.header("content-type", "application/x-ndjson").body(text);
            }
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    async fn post(&self, path: &str, token: &str, body: &Value) -> (u16, Value) {
        json_of(self.send(Method::POST, path, token, Body::Json(body)).await)
    }

    async fn get(&self, path: &str, token: &str) -> (u16, Value) {
        json_of(self.send(Method::GET, path, token, Body::None).await)
    }

    /// A token for somebody, by a command of the one who has all rights.
    async fn token(&self, name: &str, scope: &str) -> String {
        let command =
            json!({"do": "create_token", "for": name, "scopes": [scope], "lasts_s": 3600});
        let (status, made) = self.post("/v1/desk/commands", &self.node.token, &command).await;
        assert_eq!(status, 200, "{made}");
        made["token"]["token"].as_str().unwrap().to_owned()
    }

    async fn person(&self, name: &str) -> String {
        let add = json!({"do": "add_reviewer", "name": name, "level": 1, "roles": ["reviewer"], "key": null});
        let (status, added) = self.post("/v1/desk/commands", &self.node.token, &add).await;
        assert_eq!(status, 200, "{added}");
        self.token(name, "review").await
    }

    /// The index and entry of each event after `last`, until `enough` have come.
    async fn events(&self, token: &str, last: Option<u64>, enough: usize) -> Vec<(u64, Value)> {
        let url = format!("{}/v1/events?from=0", self.node.url);
        let mut request = self.http.get(url).bearer_auth(token);
        if let Some(last) = last {
            request = request.header("last-event-id", last.to_string());
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let mut stream = Box::pin(answer.bytes_stream());
        let (mut text, mut seen) = (String::new(), Vec::new());
        while seen.len() < enough {
            let Some((frame, rest)) = text.split_once("\n\n") else {
                let piece = tokio::time::timeout(LONG, stream.next()).await.expect("no event");
                text.push_str(std::str::from_utf8(&piece.expect("it goes on").unwrap()).unwrap());
                continue;
            };
            let field = |name: &str| {
                let line = frame.lines().find_map(|line| line.strip_prefix(name));
                line.map(|value| value.trim_start().to_owned())
            };
            if let Some(data) = field("data:") {
                let data: Value = serde_json::from_str(&data).unwrap();
                let index = data["index"].as_u64().unwrap();
                assert_eq!(field("id:"), Some(index.to_string()));
                seen.push((index, data["entry"].clone()));
            }
            text = rest.to_owned();
        }
        seen
    }
}

enum Body<'a> {
    None,
    Json(&'a Value),
    Lines(String),
}

fn json_of((status, text): (u16, String)) -> (u16, Value) {
    (status, serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}")))
}

fn verify(home: &Home, url: &str) -> Value {
    home.json(&["--store", url, "audit", "verify", "--json"])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_at_a_served_database() {
    let Some(database) = postgres::database("a_day_at_a_served_database") else { return };
    let home = Home::new();
    home.write("policy.toml", POLICY);
    let node = Node::with(&home, &database, &["--policy", "policy.toml"]);
    let http = client();
    let door = Door { http: &http, node: &node };
    let (model, ann) = (door.token("loan-model", "ingest").await, door.person("ann").await);

    // One, the same again, another under its name, and many.
    let (status, route) = door.post("/v1/decisions", &model, &record("d-1")).await;
    assert_eq!(
        (status, &route["queue"], &route["duplicate"]),
        (200, &json!("level1"), &json!(false))
    );
    let (_, again) = door.post("/v1/decisions", &model, &record("d-1")).await;
    assert_eq!((&again["duplicate"], &again["reason"]), (&json!(true), &route["reason"]));
    let mut other = record("d-1");
    other["confidence"] = json!(0.9);
    let (status, problem) = door.post("/v1/decisions", &model, &other).await;
    assert_eq!((status, &problem["type"]), (409, &json!("urn:overrule:problem:id_conflict")));
    let mut body = lines(&[record("d-2"), record("d-3")]);
    body.push_str("nonsense\n");
    body.push_str(&lines(&[record("d-1"), record("d-2")]));
    let (status, told) = door.send(Method::POST, "/v1/decisions", &model, Body::Lines(body)).await;
    assert_eq!(status, 200, "{told}");
    let told: Vec<Value> = told.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let said: Vec<&Value> = told.iter().map(|t| t.get("duplicate").unwrap_or(&t["line"])).collect();
    assert_eq!(said, [&json!(false), &json!(false), &json!(3), &json!(true), &json!(true)]);
    assert_eq!(told[2]["error"]["kind"], "invalid_json");

    // Somebody waits for an answer while ann takes the item and gives it, twice by accident.
    let waits =
        http.get(format!("{}/v1/decisions/d-2?wait=50s", node.url)).bearer_auth(&model).send();
    let waits = tokio::spawn(waits);
    let (status, taken) = door.post("/v1/leases", &ann, &json!({"item": "d-2"})).await;
    let lease = &taken["leases"][0];
    assert_eq!((status, &lease["reviewer"]), (200, &json!("ann")), "{taken}");
    let ben = door.person("ben").await;
    let (status, problem) = door.post("/v1/leases", &ben, &json!({"item": "d-2"})).await;
    assert_eq!((status, &problem["holder"]), (409, &json!("ann")));
    let verdict = json!({
        "request_id": uuid::Uuid::now_v7().to_string(), "verdict": "edit", "action": "refer",
        "lease": lease["id"], "revision": lease["view"]["revision"], "seen": lease["view"]["seen"],
        "grace_ms": 0,
    });
    let (status, given) = door.post("/v1/items/d-2/reviews", &ann, &verdict).await;
    assert_eq!((status, &given["state"]), (200, &json!("settled")), "{given}");
    let (_, again) = door.post("/v1/items/d-2/reviews", &ann, &verdict).await;
    assert_eq!((&again["duplicate"], &again["revision"]), (&json!(true), &given["revision"]));
    let view: Value = waits.await.unwrap().unwrap().json().await.unwrap();
    assert_eq!((&view["settled"], &view["result"]["action"]), (&json!(true), &json!("refer")));

    // The log as it grew, each entry once: three admitted, one verdict.
    let audit = door.token("root", "audit").await;
    let (_, page) = door.get("/v1/audit/entries?from=0&limit=500", &audit).await;
    let entries = page["entries"].as_array().unwrap();
    let events = door.events(&audit, None, entries.len()).await;
    for (entry, (index, event)) in entries.iter().zip(&events) {
        assert_eq!((&entry["index"], &entry["entry"]), (&json!(index), event));
    }
    let kinds = |kind: &str| events.iter().filter(|(_, e)| e["t"] == kind).count();
    assert_eq!((kinds("admit"), kinds("settle")), (3, 1));

    node.end();
    let report = verify(&home, &database.url());
    assert_eq!((&report["ok"], &report["faults"]), (&json!(true), &json!([])));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_goes_on_at_the_other_node() {
    let Some(database) = postgres::database("a_stream_goes_on_at_the_other_node") else { return };
    let home = Home::new();
    let http = client();
    let nodes = [Node::start(&home, &database), Node::start(&home, &database)];
    let doors = nodes.each_ref().map(|node| Door { http: &http, node });
    let (model, audit) =
        (doors[0].token("m", "ingest").await, doors[1].token("root", "audit").await);
    // Both nodes take decisions all the while.
    let writers: Vec<_> = nodes
        .iter()
        .enumerate()
        .flat_map(|(at, node)| (0..4).map(move |n| (at, n, node.url.clone())))
        .map(|(at, n, url)| {
            let (http, model) = (http.clone(), model.clone());
            tokio::spawn(async move {
                for i in 0..60 {
                    let body = record(&format!("s-{at}-{n}-{i}"));
                    let sent = http.post(format!("{url}/v1/decisions")).bearer_auth(&model);
                    assert_eq!(sent.json(&body).send().await.unwrap().status(), 200);
                }
            })
        })
        .collect();
    // One reader follows the log, a few events here, a few there.
    let mut seen: Vec<(u64, Value)> = Vec::new();
    let mut round = 0;
    while seen.iter().filter(|(_, e)| e["t"] == "admit").count() < 480 {
        let last = seen.last().map(|(index, _)| *index);
        // Entries that are not admissions come too; never more is asked for than will come.
        let left = 480 - seen.iter().filter(|(_, e)| e["t"] == "admit").count();
        let some = left.min(7 + round % 5 * 11);
        seen.extend(doors[round % 2].events(&audit, last, some).await);
        round += 1;
    }
    for writer in writers {
        writer.await.unwrap();
    }
    assert!(round > 10, "{round}");
    let indexes: Vec<u64> = seen.iter().map(|(index, _)| *index).collect();
    assert_eq!(indexes, (0..seen.len() as u64).collect::<Vec<_>>(), "each once, in order");
    // What came is what is in the log.
    let limit = seen.len();
    let mut page = Vec::new();
    while page.len() < limit {
        let path = format!("/v1/audit/entries?from={}&limit=500", page.len());
        let (status, some) = doors[0].get(&path, &audit).await;
        assert_eq!(status, 200, "{some}");
        page.extend(some["entries"].as_array().unwrap().iter().map(|e| e["entry"].clone()));
    }
    assert!(seen.iter().map(|(_, entry)| entry).eq(&page[..limit]));
    nodes.into_iter().for_each(Node::end);
    assert_eq!(verify(&home, &database.url())["ok"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_under_load_comes_back_with_all_it_acknowledged() {
    let name = "a_server_that_is_killed_under_load_comes_back_with_all_it_acknowledged";
    let Some(database) = postgres::database(name) else { return };
    let home = Home::new();
    let http = client();
    let node = Node::start(&home, &database);
    let door = Door { http: &http, node: &node };
    let (model, ann) = (door.token("m", "ingest").await, door.person("ann").await);
    let (known, decided) = (Arc::new(Mutex::new(BTreeSet::new())), Arc::default());
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..8 {
        let (http, url, model, ann) = (http.clone(), node.url.clone(), model.clone(), ann.clone());
        let known = known.clone();
        let decided: Arc<Mutex<Vec<(String, Value)>>> = Arc::clone(&decided);
        clients.spawn(async move {
            for n in 0.. {
                let id = format!("k-{client}-{n}");
                let sent = http.post(format!("{url}/v1/decisions")).bearer_auth(&model);
                let Ok(answer) = sent.json(&record(&id)).send().await else { return };
                if answer.status() != 200 || answer.bytes().await.is_err() {
                    return;
                }
                known.lock().unwrap().insert(id.clone());
                // Every third is decided, too.
                if n % 3 == 0 {
                    let verdict = json!({"request_id": uuid::Uuid::now_v7().to_string(),
                        "verdict": "accept", "grace_ms": 0});
                    let sent = http.post(format!("{url}/v1/items/{id}/reviews")).bearer_auth(&ann);
                    let Ok(answer) = sent.json(&verdict).send().await else { return };
                    if answer.status() != 200 || answer.bytes().await.is_err() {
                        return;
                    }
                    decided.lock().unwrap().push((id, verdict));
                }
            }
        });
    }
    while known.lock().unwrap().len() < 150 {
        assert!(clients.try_join_next().is_none(), "a client was turned away");
        tokio::time::sleep(LOOK).await;
    }
    node.kill();
    clients.join_all().await;

    let node = Node::start(&home, &database);
    let door = Door { http: &http, node: &node };
    let known = known.lock().unwrap().clone();
    let all: Vec<Value> = known.iter().map(|id| record(id)).collect();
    for some in all.chunks(500) {
        let (status, told) =
            door.send(Method::POST, "/v1/decisions", &model, Body::Lines(lines(some))).await;
        assert_eq!(status, 200);
        for line in told.lines() {
            let route: Value = serde_json::from_str(line).unwrap();
            assert_eq!(route["duplicate"], true, "it was acknowledged: {route}");
        }
    }
    let decided = std::mem::take(&mut *decided.lock().unwrap());
    assert!(decided.len() >= 30, "{}", decided.len());
    for (id, verdict) in decided {
        let path = format!("/v1/items/{id}/reviews");
        let (status, given) = door.post(&path, &ann, &verdict).await;
        assert_eq!((status, &given["duplicate"]), (200, &json!(true)), "{id}: {given}");
    }
    node.end();
    let report = verify(&home, &database.url());
    assert_eq!((&report["ok"], &report["faults"]), (&json!(true), &json!([])));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_goes_away_is_told_and_comes_back() {
    let name = "a_database_that_goes_away_is_told_and_comes_back";
    let Some(cluster) = postgres::own_cluster(name) else { return };
    let cluster = Arc::new(cluster);
    let database = cluster.database();
    let home = Home::new();
    let http = client();
    let node = Node::start(&home, &database);
    let door = Door { http: &http, node: &node };
    let model = door.token("m", "ingest").await;
    let (status, ready) = door.get("/readyz", "").await;
    assert_eq!((status, &ready["status"]), (200, &json!("ready")));
    door.post("/v1/decisions", &model, &record("g-1")).await;
    cluster.stop("immediate");
    let problem = ready_is(&door, 503).await;
    let kinds = ["unconfirmed", "unavailable"].map(|kind| format!("urn:overrule:problem:{kind}"));
    assert!(kinds.iter().any(|kind| problem["type"] == *kind), "{problem}");
    // It stays so, and the process is well; what it cannot make durable it does not take.
    assert_eq!(ready_is(&door, 503).await["status"], 503);
    assert_eq!(door.get("/healthz", "").await.0, 200);
    let (status, problem) = door.post("/v1/decisions", &model, &record("g-2")).await;
    assert_eq!(status, 503, "{problem}");
    assert!(!problem.to_string().contains(database.password()), "{problem}");
    assert!(cluster.restart());
    assert_eq!(ready_is(&door, 200).await["status"], "ready");
    let (status, route) = door.post("/v1/decisions", &model, &record("g-2")).await;
    assert_eq!((status, &route["queue"]), (200, &json!("level1")), "{route}");
    assert_eq!(database.psql("SELECT count(*) FROM decisions"), "2\n");
    node.end();
    assert_eq!(verify(&home, &database.url())["ok"], true);
}

/// Wait until `/readyz` answers this status.
async fn ready_is(door: &Door<'_>, wanted: u16) -> Value {
    let looking = async {
        loop {
            let (status, said) = door.get("/readyz", "").await;
            if status == wanted {
                return said;
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    let found = tokio::time::timeout(LONG, looking).await;
    found.unwrap_or_else(|_| panic!("/readyz never answers {wanted}"))
}
