//! Which commands open a database, what `doctor` says of it, and that no password is ever told.

use serde_json::{Value, json};

use crate::node::Node;
use crate::support::{Home, lines, postgres, record};

/// Nobody listens there.
const NOWHERE: &str = "postgres://ann:hunter2@127.0.0.1:1/desk";

#[test]
fn only_serve_doctor_and_verify_open_a_database() {
    let home = Home::new();
    home.write("one.jsonl", "");
    for args in [
        &["ingest", "one.jsonl"][..],
        &["queue", "list"],
        &["queue", "show", "a"],
        &["show", "a"],
        &["next"],
        &["decide", "a", "accept"],
        &["undo", "a"],
        &["kill", "--scope", "all", "--reason", "x"],
        &["switch", "list"],
        &["policy", "show"],
        &["learn", "export"],
        &["signals", "show"],
        &["sync", "status"],
        &["watch"],
        &["audit", "log"],
        &["audit", "checkpoint"],
        &["reviewer", "list"],
        &["token", "list"],
    ] {
        for scheme in ["postgres", "postgresql"] {
            let url = NOWHERE.replace("postgres://", &format!("{scheme}://"));
            let args = [&["--store", &url][..], args].concat();
            let (stdout, stderr) = home.exits(&args, 2);
            assert_eq!(stdout, "", "{args:?}");
            assert!(stderr.contains("`serve`, `doctor` and `audit verify` only"), "{stderr}");
            assert!(stderr.contains("overrule serve"), "{stderr}");
            assert!(!stderr.contains("hunter2"), "{stderr}");
        }
    }
    let (_, stderr) = home.exits(&["--store", NOWHERE, "queue", "list", "--json"], 2);
    let told: Value = serde_json::from_str(&stderr).unwrap();
    assert_eq!(told["error"]["kind"], "usage");
    assert!(!stderr.contains("hunter2"));
    let (_, stderr) = home.exits(&["--store", "mysql://u:hunter2@h/d", "queue", "list"], 2);
    assert!(stderr.contains("mysql://") && !stderr.contains("hunter2"), "{stderr}");
}

#[test]
fn a_server_that_is_not_there_is_named_without_the_password() {
    let home = Home::new();
    for (args, code) in
        [(&["doctor"][..], 1), (&["doctor", "--json"], 1), (&["audit", "verify"], 1)]
    {
        let (stdout, stderr) = home.exits(&[&["--store", NOWHERE][..], args].concat(), code);
        let told = stdout + &stderr;
        assert!(told.contains("127.0.0.1"), "{told}");
        assert!(!told.contains("hunter2"), "{told}");
    }
}

#[test]
fn doctor_looks_at_server_settings_and_tables() {
    let Some(database) = postgres::database("doctor_looks_at_server_settings_and_tables") else {
        return;
    };
    let home = Home::new();
    let url = database.url();
    let doctor = |url: &str, code| {
        let (stdout, stderr) = home.exits(&["--store", url, "doctor", "--json"], code);
        assert!(!(stdout.clone() + &stderr).contains(database.password()));
        let told: Value = serde_json::from_str(&stdout).unwrap();
        let checks = told["checks"].as_array().unwrap().clone();
        move |name: &str| {
            let check = checks.iter().find(|c| c["name"] == name);
            let check = check.unwrap_or_else(|| panic!("{name} in {checks:?}"));
            (check["status"].as_str().unwrap().to_owned(), check["message"].to_string())
        }
    };
    // Before anything is made, and looking makes nothing.
    for _ in 0..2 {
        let check = doctor(&url, 0);
        assert_eq!(check("server").0, "ok");
        assert!(
            check("server").1.contains(&format!("/{}", database.name)),
            "{:?}",
            check("server")
        );
        assert_eq!(check("durable").0, "ok");
        assert_eq!(check("tables").0, "warn");
    }
    assert_eq!(database.psql("SELECT count(*) FROM pg_class WHERE relname = 'meta'"), "0\n");
    // Another program's tables.
    database.psql("CREATE TABLE notes(x INT)");
    let check = doctor(&url, 1);
    assert!(check("server").1.contains("another program"), "{:?}", check("server"));
    // A wrong password is refused, and not repeated.
    let wrong = url.replace(database.password(), "hunter3");
    let (stdout, stderr) = home.exits(&["--store", &wrong, "doctor"], 1);
    let told = stdout + &stderr;
    assert!(told.contains("password authentication failed"), "{told}");
    assert!(!told.contains("hunter3"), "{told}");
}

#[test]
fn an_erasure_says_what_the_database_still_keeps() {
    let name = "an_erasure_says_what_the_database_still_keeps";
    let Some(database) = postgres::database(name) else { return };
    let home = Home::new();
    let node = Node::start(&home, &database);
    let run = |args: &[&str]| {
        let mut command = home.command(&[&["--store", node.url()], args].concat());
        let out = command.env("OVERRULE_TOKEN", &node.token).output().unwrap();
        let told = [out.stdout, out.stderr].map(|t| String::from_utf8(t).unwrap());
        assert!(out.status.success(), "{args:?}: {told:?}");
        told
    };
    let mut sure = ["d-1", "d-2"].map(record);
    for one in &mut sure {
        one["confidence"] = json!(0.99);
        one["ensemble"] = json!([]);
        one["business_impact"] = json!(1);
        one["rationale"] = json!("Because of Ada Lovelace.");
    }
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let status = runtime.block_on(async {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let post = client.post(format!("{}/v1/decisions", node.url())).bearer_auth(&node.token);
        let post = post.header("content-type", "application/x-ndjson").body(lines(&sure));
        post.send().await.unwrap().status().as_u16()
    });
    assert_eq!(status, 200);
    let left = || database.psql("SELECT id FROM decisions WHERE reason IS NOT NULL ORDER BY id");
    let bodies = || {
        let found = "SELECT count(*) FROM bodies WHERE position('Lovelace'::bytea IN value) > 0";
        database.psql(found)
    };
    assert_eq!(bodies(), "2\n");
    let [_, told] = run(&["audit", "erase", "d-1", "--reason", "request 118", "--yes"]);
    for word in ["write-ahead log", "archived WAL", "replicas", "base backups", "page versions"] {
        assert!(told.contains(word), "{word} in {told}");
    }
    assert!(!left().contains("d-1"));
    assert_eq!(bodies(), "1\n");
    let erase = ["audit", "erase", "d-2", "--reason", "request 119", "--yes", "--json"];
    let said: Value = serde_json::from_str(&run(&erase)[0]).unwrap();
    assert_eq!((&said["erased"], &said["id"]), (&json!(true), &json!("d-2")));
    let copies = said["copies"].as_array().unwrap();
    assert!(copies.contains(&json!("write-ahead log")), "{said}");
    assert_eq!(bodies(), "0\n");
    node.end();
    // A file keeps none of that.
    let input = home.write("in.jsonl", &lines(&sure));
    home.ok(&["ingest", input.to_str().unwrap()]);
    let said = home.json(&["audit", "erase", "d-1", "--reason", "request 118", "--yes", "--json"]);
    assert_eq!(said["copies"], json!(["exports", "backups", "the file it came from"]));
}
