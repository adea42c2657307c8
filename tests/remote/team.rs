//! A team at one server: who may take what, how much, who is where, and what is taken back.

use serde_json::{Value, json};

use super::server::{Server, token};
use super::support::terminal::Terminal;
use super::support::{Home, lines, record};

const POLICY: &str = r#"
policy = "team"
[control]
grace = "1s"
human_queue = "level1"
[queues.level1]
title = "First look"
level = 1
sla = "30m"
[queues.french]
title = "In French"
level = 1
skills = ["french"]
[queues.few]
title = "A few at a time"
level = 1
capacity = 2
[[route]]
id = "in-french"
when = '"french" in tags'
to = "french"
[[route]]
id = "few-at-a-time"
when = '"few" in tags'
to = "few"
[default]
to = "level1"
"#;

/// A served desk with two French items, three of which one person may hold two, and one more.
struct Team {
    home: Home,
    server: Server,
    client: reqwest::Client,
    runtime: tokio::runtime::Runtime,
}

impl Team {
    fn new() -> Self {
        let home = Home::new();
        home.write("policy.toml", POLICY);
        let tagged = |id: &str, tag: &str| {
            let mut one = record(id);
            one["tags"] = json!([tag]);
            one
        };
        let records = [
            tagged("f1", "french"),
            tagged("f2", "french"),
            tagged("n1", "few"),
            tagged("n2", "few"),
            tagged("n3", "few"),
            record("d1"),
        ];
        home.write("records.jsonl", &lines(&records));
        home.ok(&["ingest", "records.jsonl", "--policy", "policy.toml"]);
        home.ok(&["reviewer", "add", "ann", "--level", "1"]);
        home.ok(&["reviewer", "add", "fay", "--level", "1", "--skill", "french"]);
        let server = Server::start(&home, "127.0.0.1:0");
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { home, server, client, runtime }
    }

    fn post(&self, token: &str, path: &str, body: &Value) -> (u16, Value) {
        let url = format!("{}{path}", self.server.url());
        self.said(self.client.post(url).bearer_auth(token).json(body))
    }

    fn get(&self, token: &str, path: &str) -> (u16, Value) {
        self.said(self.client.get(format!("{}{path}", self.server.url())).bearer_auth(token))
    }

    fn said(&self, request: reqwest::RequestBuilder) -> (u16, Value) {
        self.runtime.block_on(async {
            let answer = request.send().await.unwrap();
            let status = answer.status().as_u16();
            (status, answer.json().await.unwrap_or(Value::Null))
        })
    }

    /// Take items; their ids, or the status and the words.
    fn take(&self, token: &str, ask: &Value) -> Result<Vec<String>, (u16, String)> {
        let (status, told) = self.post(token, "/v1/leases", ask);
        if status != 200 {
            return Err((status, told["detail"].as_str().unwrap_or_default().to_owned()));
        }
        let leases = told["leases"].as_array().unwrap();
        Ok(leases.iter().map(|l| l["item"].as_str().unwrap().to_owned()).collect())
    }

    /// A command over the server, as its token's owner: exit code, stdout and stderr.
    fn command(&self, token: &str, args: &[&str]) -> (i32, String) {
        let url = self.server.url();
        let mut command = self.home.command(&[&["--store", &url], args].concat());
        let out = command.env("OVERRULE_TOKEN", token).output().unwrap();
        let told = [out.stdout, out.stderr].map(|t| String::from_utf8(t).unwrap()).concat();
        (out.status.code().unwrap(), told)
    }
}

#[test]
fn a_queue_that_asks_for_a_skill_gives_to_nobody_else() {
    let team = Team::new();
    let (ann, fay) = (token(&team.home, "ann"), token(&team.home, "fay"));
    let no = "ann has not the skill french that french asks for".to_owned();
    assert_eq!(team.take(&ann, &json!({"queue": "french"})), Err((403, no.clone())));
    assert_eq!(team.take(&ann, &json!({"item": "f1"})), Err((403, no)));
    // Whatever is next is never of that queue for her, and always there for who can.
    let rest = team.take(&ann, &json!({"count": 6})).unwrap();
    assert!(!rest.contains(&"f1".to_owned()) && !rest.contains(&"f2".to_owned()), "{rest:?}");
    let french = team.take(&fay, &json!({"queue": "french", "count": 3})).unwrap();
    assert_eq!(french, ["f1", "f2"]);
    // A verdict on it is refused, too, and the attempt is in the trail.
    let (code, told) = team.command(&ann, &["decide", "f1", "accept"]);
    assert_eq!(code, 3, "{told}");
    let log = team.home.ok(&["audit", "log", "--json", "--limit", "1000"]);
    assert!(log.contains("has not the skill french"), "{log}");
}

#[test]
fn nobody_takes_more_than_the_cap_over_any_door() {
    let team = Team::new();
    let (ann, fay) = (token(&team.home, "ann"), token(&team.home, "fay"));
    let taken = team.take(&ann, &json!({"queue": "few", "count": 5})).unwrap();
    assert_eq!(taken, ["n1", "n2"], "what there is room for");
    let full = "ann holds 2 items of few; the most is 2".to_owned();
    assert_eq!(team.take(&ann, &json!({"queue": "few"})), Err((422, full.clone())));
    assert_eq!(team.take(&ann, &json!({"item": "n3"})), Err((422, full)));
    assert_eq!(team.take(&ann, &json!({"item": "n2"})), Ok(vec!["n2".to_owned()]), "her own");
    assert_eq!(team.take(&fay, &json!({"queue": "few"})), Ok(vec!["n3".to_owned()]));
    // One decided is one more.
    let (code, told) = team.command(&ann, &["decide", "n1", "accept", "--grace", "0s"]);
    assert_eq!(code, 0, "{told}");
    assert_eq!(team.take(&ann, &json!({"queue": "few"})), Ok(Vec::new()), "nothing is free");
}

#[test]
fn an_admin_takes_a_lease_back_and_its_holder_hears_of_it() {
    let team = Team::new();
    let (ann, fay) = (token(&team.home, "ann"), token(&team.home, "fay"));
    let (status, told) = team.post(&ann, "/v1/leases", &json!({"item": "d1"}));
    assert_eq!(status, 200, "{told}");
    let lease = told["leases"][0].clone();
    let (code, told) = team.command(&fay, &["queue", "take-back", "d1"]);
    assert_eq!(code, 3, "{told}");
    let made =
        team.home.json(&["token", "create", "--scope", "admin", "--scope", "review", "--json"]);
    let admin = made["token"].as_str().unwrap();
    let (code, told) = team.command(admin, &["queue", "take-back", "d1", "--json"]);
    assert_eq!((code, told.trim()), (0, r#"{"id":"d1","from":"ann"}"#));
    assert_eq!(team.take(&fay, &json!({"item": "d1"})), Ok(vec!["d1".to_owned()]));
    // Ann keeps nothing: neither the lease nor a verdict under it.
    let renew = format!("/v1/leases/{}/renew", lease["id"].as_str().unwrap());
    let (status, told) = team.post(&ann, &renew, &json!({}));
    assert_eq!(status, 409, "{told}");
    assert!(told.to_string().contains("fay"), "who holds it is named: {told}");
    let verdict = json!({
        "request_id": uuid::Uuid::now_v7().to_string(), "verdict": "accept",
        "lease": lease["id"], "revision": 0,
    });
    let (status, told) = team.post(&ann, "/v1/items/d1/reviews", &verdict);
    assert_eq!(status, 409, "{told}");
    assert!(told.to_string().contains("fay"), "who holds it is named: {told}");
    let log = team.home.ok(&["audit", "log", "--json", "--limit", "1000"]);
    let back: Vec<&str> = log.lines().filter(|l| l.contains("lease_taken_back")).collect();
    assert_eq!(back.len(), 1, "{log}");
    assert!(back[0].contains(r#""from":"ann""#), "{back:?}");
    team.home.ok(&["audit", "verify"]);
}

#[test]
fn who_has_the_app_open_is_seen_by_others() {
    let team = Team::new();
    let (ann, fay) = (token(&team.home, "ann"), token(&team.home, "fay"));
    // All that she could hold, somebody else does: she only looks.
    let all = team.take(&fay, &json!({"count": 6})).unwrap();
    assert_eq!(all.len(), 5, "{all:?}");
    let people = |queue: &str| {
        let (_, told) = team.get(&fay, "/v1/queues");
        let queues = told["queues"].as_array().unwrap();
        let queue = queues.iter().find(|q| q["name"] == queue).unwrap().clone();
        queue["people"].as_array().cloned().unwrap_or_default()
    };
    assert_eq!(people("level1"), [json!("fay")]);
    let url = team.server.url();
    let env = [("OVERRULE_TOKEN", ann.as_str())];
    let app = Terminal::start_with(&team.home, &["--store", &url, "review"], 120, 36, &env);
    app.shows("with fay");
    for _ in 0..600 {
        if people("level1") == [json!("ann"), json!("fay")] {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert_eq!(people("level1"), [json!("ann"), json!("fay")]);
    assert_eq!(people("french"), [json!("fay")], "a queue that is not hers");
}
