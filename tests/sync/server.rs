//! Another desk's server: corrections arrive once, a later one takes the place of an earlier one,
//! and its export hands them on with where they come from.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use serde_json::{Value, json};

use super::desk::{admitted, once, stands, sync};
use super::support::Home;

/// A server over the home's store, until it is dropped.
struct Server {
    process: Child,
    url: String,
}

impl Server {
    fn start(home: &Home) -> Self {
        let mut process = home
            .command(&["serve", "--json", "--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut first).unwrap();
        let said: Value = serde_json::from_str(&first).unwrap();
        Self { process, url: said["listening"].as_str().unwrap().to_owned() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn exported(home: &Home, more: &[&str]) -> Vec<Value> {
    let text = home.ok(&[&["learn", "export"], more].concat());
    text.lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

#[test]
fn corrections_arrive_at_another_desk_once_and_are_handed_on() {
    let centre = Home::new();
    let token = centre.json(&["token", "create", "--for", "branch", "--scope", "ingest", "--json"]);
    let token = token["token"].as_str().unwrap();
    let server = Server::start(&centre);
    let branch = Home::new();
    let backend = format!(
        "[sync.centre]\nkind = \"overrule\"\nurl = \"{}\"\nsecret_env = \"TOKEN\"\nprivate = true\n",
        server.url
    );
    admitted(&branch, &backend, &["a-1", "a-2"]);
    branch.ok(&["decide", "a-1", "reject", "--tag", "tone"]);
    branch.ok(&["decide", "a-2", "edit", "--action", "deny"]);

    // A token that is none is trouble of the set-up: nothing is lost, nothing is shown.
    let (code, _, _) = sync(&branch, &["--once"], &[("TOKEN", "ovr_wrong")]);
    assert_eq!(code, Some(1));
    let status = stands(&branch, "centre");
    assert_eq!((&status["failing"], &status["to_send"]), (&json!(true), &json!(2)));
    assert!(!status.to_string().contains("ovr_wrong"), "{status}");
    let env = [("TOKEN", token)];
    let (_, said, stderr) = sync(&branch, &["--once", "--to", "centre"], &env);
    assert_eq!(said["sent"], 2, "{said} {stderr}");
    branch.ok(&["flag", "a-1", "--tag", "tone", "--note", "right after all"]);
    branch.ok(&["decide", "a-1", "accept"]);
    assert_eq!(once(&branch, &env), 1);
    assert_eq!(once(&branch, &env), 0);

    let mut lines = exported(&centre, &[]);
    lines.sort_by_key(|l| l["id"].to_string());
    let told: Vec<(&Value, &Value)> = lines.iter().map(|l| (&l["id"], &l["verdict"])).collect();
    assert_eq!(told, [(&json!("a-1"), &json!("accept")), (&json!("a-2"), &json!("edit"))]);
    let own = exported(&branch, &[]);
    assert!(lines.iter().all(|l| l["origin"].as_str().unwrap().starts_with("overrule.local/")));
    assert!(own.iter().all(|l| l.get("origin").is_none()));
    assert_eq!(lines[1]["corrected"], own[1]["corrected"]);
    assert_eq!(lines[1]["input"]["ssn"], "[redacted]");

    // The same lines again, an older one, and what is no correction.
    let mut older = lines[0].clone();
    older["seq"] = json!(1);
    let body = format!("{}\n{older}\nnonsense\n{{\"id\":\"x\"}}\n", lines[1]);
    let client = client();
    let post = |token: &str, body: String| {
        client
            .post(format!("{}/v1/corrections", server.url))
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/x-ndjson")
            .body(body)
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let said: Value =
        runtime.block_on(async { post(token, body).send().await.unwrap().json().await.unwrap() });
    assert_eq!(
        (&said["new"], &said["updated"], &said["duplicates"]),
        (&json!(0), &json!(0), &json!(2))
    );
    let refused: Vec<&Value> =
        said["refused"].as_array().unwrap().iter().map(|r| &r["line"]).collect();
    assert_eq!(refused, [3, 4]);
    // Who may only review may not.
    let reviewer =
        centre.json(&["token", "create", "--for", "root", "--scope", "review", "--json"]);
    let status = runtime.block_on(async {
        post(reviewer["token"].as_str().unwrap(), String::new()).send().await.unwrap().status()
    });
    assert_eq!(status, 403);
    drop(server);
    assert_eq!(exported(&centre, &[]).len(), 2);
    centre.ok(&["audit", "verify"]);

    // Argilla's shape is one array.
    let text = centre.ok(&["learn", "export", "--format", "argilla"]);
    let records: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(records.as_array().unwrap().len(), 2);
    let id = records[0]["id"].as_str().unwrap();
    assert!(id.starts_with("overrule.local/"), "{id}");
}

#[test]
fn a_server_tells_what_waits_as_its_own_machine_does() {
    let home = Home::new();
    // Nobody has set the variable: what is for there waits.
    let backend = "[sync.centre]\nkind = \"overrule\"\nurl = \"https://desk.example\"\nsecret_env = \"TOKEN\"\n";
    admitted(&home, backend, &["a-1", "a-2"]);
    home.ok(&["decide", "a-1", "reject", "--tag", "tone"]);
    let here = stands(&home, "centre");
    assert_eq!((&here["to_send"], &here["sent"]), (&json!(1), &json!(0)));

    let server = Server::start(&home);
    let made = |scope: &str| {
        let made = home.json(&["token", "create", "--for", "root", "--scope", scope, "--json"]);
        made["token"].as_str().unwrap().to_owned()
    };
    let there = |token: &str, args: &[&str]| {
        let mut command = home.command(&[&["sync", "status"], args].concat());
        let command = command.env("OVERRULE_STORE", &server.url).env("OVERRULE_TOKEN", token);
        let out = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (out.status.code(), text(out.stdout), text(out.stderr))
    };
    let review = made("review");
    let (code, said, stderr) = there(&review, &["--json"]);
    assert_eq!(code, Some(0), "{stderr}");
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["backends"], json!([here]));
    assert_eq!(
        (&said["waiting"], &said["dead"], &said["unready"]),
        (&json!(1), &json!(0), &json!({}))
    );
    let (code, said, _) = there(&review, &[]);
    assert!(code == Some(0) && said.contains("1 waiting") && said.contains("centre"), "{said}");
    let (code, _, stderr) = there(&made("ingest"), &[]);
    assert_eq!(code, Some(3), "{stderr}");
    assert!(stderr.contains("takes the scope review"), "{stderr}");
}

fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}
