//! Whoever changes a row of the database by hand is found out by `audit verify`.

use overrule::desk::{DatabaseOptions, Local};
use overrule::domain::{TokenScope, Verdict, VerdictKind};
use overrule::protocol::{Answer, Command, KillMode, Line, ReviewRequest, TokenAsk};
use serde_json::{Value, json};

use crate::support::{Home, postgres, record};

/// What an intruder does, and what takes it back.
const CHANGES: &[(&str, &str)] = &[
    (
        "UPDATE decisions SET reason = reason || '!' WHERE id = 'd1'",
        "UPDATE decisions SET reason = left(reason, -1) WHERE id = 'd1'",
    ),
    (
        "UPDATE decisions SET confidence = confidence + 0.01 WHERE id = 'd2'",
        "UPDATE decisions SET confidence = 0.71 WHERE id = 'd2'",
    ),
    (
        "UPDATE items SET revision = revision + 1 WHERE n = (SELECT n FROM decisions WHERE id = 'd1')",
        "UPDATE items SET revision = revision - 1 WHERE n = (SELECT n FROM decisions WHERE id = 'd1')",
    ),
    (
        "UPDATE reviews SET verdict = 'reject' WHERE reviewer = 'root'",
        "UPDATE reviews SET verdict = 'accept' WHERE reviewer = 'root'",
    ),
    ("UPDATE reviews SET reviewer = 'eve'", "UPDATE reviews SET reviewer = 'root'"),
    (
        "UPDATE bodies SET value = value || 'x'::bytea WHERE entry = 3 AND slot = 0",
        "UPDATE bodies SET value = substring(value FROM 1 FOR length(value) - 1)
             WHERE entry = 3 AND slot = 0",
    ),
    ("UPDATE shapes SET outcome = 'block'", "UPDATE shapes SET outcome = 'review'"),
    (
        "UPDATE reviewers SET row = replace(row, '\"level\":3', '\"level\":2')",
        "UPDATE reviewers SET row = replace(row, '\"level\":2', '\"level\":3')",
    ),
    ("UPDATE state SET decisions = decisions + 1", "UPDATE state SET decisions = decisions - 1"),
    (
        "UPDATE state SET generation = generation + 1",
        "UPDATE state SET generation = generation - 1",
    ),
    (
        "UPDATE state SET generation = generation - 1",
        "UPDATE state SET generation = generation + 1",
    ),
    (
        "UPDATE states SET value = convert_to(replace(convert_from(value, 'UTF8'),
             '\"scopes\":[\"review\"]', '\"scopes\":[\"admin\"]'), 'UTF8') WHERE key LIKE 'token/%'",
        "UPDATE states SET value = convert_to(replace(convert_from(value, 'UTF8'),
             '\"scopes\":[\"admin\"]', '\"scopes\":[\"review\"]'), 'UTF8') WHERE key LIKE 'token/%'",
    ),
    (
        "UPDATE states SET value = convert_to(replace(convert_from(value, 'UTF8'),
             '\"expires_at\":\"2', '\"expires_at\":\"3'), 'UTF8') WHERE key LIKE 'token/%'",
        "UPDATE states SET value = convert_to(replace(convert_from(value, 'UTF8'),
             '\"expires_at\":\"3', '\"expires_at\":\"2'), 'UTF8') WHERE key LIKE 'token/%'",
    ),
    (
        "UPDATE states SET value = convert_to(replace(convert_from(value, 'UTF8'),
             '\"revoked_at\"', '\"evoked_at\"'), 'UTF8') WHERE key LIKE 'token/%'",
        "UPDATE states SET value = convert_to(replace(convert_from(value, 'UTF8'),
             '\"evoked_at\"', '\"revoked_at\"'), 'UTF8') WHERE key LIKE 'token/%'",
    ),
    (
        "INSERT INTO states (key, version, value) SELECT 'token/00112233445566ff', 1,
             convert_to(regexp_replace(convert_from(value, 'UTF8'), '\"id\":\"[0-9a-f]{16}\"',
             '\"id\":\"00112233445566ff\"'), 'UTF8') FROM states WHERE key LIKE 'token/%' LIMIT 1",
        "DELETE FROM states WHERE key = 'token/00112233445566ff'",
    ),
    (
        "UPDATE states SET value = convert_to(replace(convert_from(value, 'UTF8'),
             'domain=loan', 'domain=spam'), 'UTF8') WHERE key = 'control'",
        "UPDATE states SET value = convert_to(replace(convert_from(value, 'UTF8'),
             'domain=spam', 'domain=loan'), 'UTF8') WHERE key = 'control'",
    ),
    (
        "UPDATE states SET key = 'contro' WHERE key = 'control'",
        "UPDATE states SET key = 'control' WHERE key = 'contro'",
    ),
    (
        "ALTER TABLE log DISABLE TRIGGER ALL;
         UPDATE log SET bytes = bytes || ' '::bytea WHERE idx = 4",
        "UPDATE log SET bytes = substring(bytes FROM 1 FOR length(bytes) - 1) WHERE idx = 4",
    ),
    (
        "UPDATE log SET item = NULL WHERE idx = (SELECT max(entry) FROM reviews)",
        "UPDATE log SET item = (SELECT n FROM decisions WHERE id = 'd3')
             WHERE idx = (SELECT max(entry) FROM reviews)",
    ),
    (
        "UPDATE log SET item = (SELECT n FROM decisions WHERE id = 'd2')
             WHERE idx = (SELECT max(entry) FROM reviews)",
        "UPDATE log SET item = (SELECT n FROM decisions WHERE id = 'd3')
             WHERE idx = (SELECT max(entry) FROM reviews)",
    ),
    (
        "CREATE TABLE gone AS SELECT * FROM log WHERE idx = 4; DELETE FROM log WHERE idx = 4",
        "INSERT INTO log SELECT * FROM gone; DROP TABLE gone",
    ),
];

#[test]
fn a_row_that_was_changed_by_hand_is_found() {
    let Some(database) = postgres::database("a_row_that_was_changed_by_hand_is_found") else {
        return;
    };
    let home = Home::new();
    // Where the commands look for the log's key.
    let keys = home.path("data/overrule");
    std::fs::create_dir_all(&keys).unwrap();
    let desk = Local::open_database(DatabaseOptions::new(database.url(), "root", &keys)).unwrap();
    let lines = (1..=300)
        .map(|n| Line {
            source: "test".into(),
            line: n,
            bytes: record(&format!("d{n}")).to_string().into_bytes(),
        })
        .collect();
    desk.execute_blocking("root", Command::Admit { lines }).unwrap();
    for n in 1..=3 {
        let request = ReviewRequest {
            request_id: uuid::Uuid::now_v7().to_string(),
            item: format!("d{n}"),
            verdict: Verdict::plain(VerdictKind::Accept),
            lease: None,
            revision: None,
            seen: None,
            signature: None,
            grace_ms: 0,
            offline: None,
        };
        desk.execute_blocking("root", Command::Review(Box::new(request))).unwrap();
    }
    for revoked in [false, true] {
        let ask =
            TokenAsk { name: "root".into(), scopes: vec![TokenScope::Review], lasts_s: 86_400 };
        let Answer::Token(made) = desk.execute_blocking("root", Command::CreateToken(ask)).unwrap()
        else {
            panic!("no token");
        };
        if revoked {
            let id = made.kept.id.clone();
            desk.execute_blocking("root", Command::RevokeToken { id }).unwrap();
        }
    }
    let stop = Command::Kill {
        scope: "domain=loan".parse().unwrap(),
        mode: KillMode::Human,
        reason: "drifts".into(),
    };
    desk.execute_blocking("root", stop).unwrap();
    desk.close().unwrap();

    let url = database.url();
    // What it says, and with which code.
    let verify = || {
        let out = home.run(&["--store", &url, "audit", "verify", "--json"]);
        let told = String::from_utf8_lossy(&out.stdout).into_owned();
        let all = told.clone() + &String::from_utf8_lossy(&out.stderr);
        assert!(!all.contains(database.password()), "{all}");
        (out.status.code(), serde_json::from_str::<Value>(&told).unwrap_or(Value::Null))
    };
    let sound = verify();
    assert_eq!((sound.0, &sound.1["ok"]), (Some(0), &Value::Bool(true)));
    assert_eq!((&sound.1["first_bad"], &sound.1["faults"]), (&Value::Null, &json!([])));
    assert!(sound.1["entries"].as_u64().unwrap() >= 305);
    let mut unseen = Vec::new();
    for (change, undo) in CHANGES {
        database.psql(change);
        let (code, report) = verify();
        if code != Some(4) || report["ok"] != false || report["faults"] == json!([]) {
            unseen.push((change, code, report));
        }
        database.psql(undo);
        assert_eq!(verify(), sound, "looking, and {undo}, left everything as it was");
    }
    assert!(unseen.is_empty(), "{unseen:#?}");
}
