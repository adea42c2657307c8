//! Rows changed by hand, one column after the other: every one is noticed, with exit 4.

use rusqlite::Connection;

use super::bench::{Bench, POLICY, record};

/// A store where everything has happened that leaves a row.
fn lived() -> Bench {
    let bench = Bench::new();
    let policy = POLICY.replace(
        "[queues.level2]",
        "[queues.blind]\ntitle = \"Own answer first\"\nlevel = 1\nblind = 1.0\n[queues.level2]",
    );
    let policy = policy.replacen(
        "[[route]]",
        "[[route]]\nid = \"odd\"\nwhen = 'business_impact == 5.0'\nto = \"blind\"\n[[route]]",
        1,
    );
    bench.write("policy.toml", &policy);
    let mut broken = record("q-1", 0.9, 2.0);
    broken["confidence"] = serde_json::json!(1.7);
    let mut tagged = record("a-4", 0.95, 2.0);
    tagged["tags"] = serde_json::json!(["vip"]);
    bench.admit(&[
        record("a-1", 0.5, 2.0),
        record("a-2", 0.5, 2.0),
        record("a-3", 0.5, 9.0),
        tagged,
        record("a-5", 0.5, 5.0),
        record("a-6", 0.5, 2.0),
        record("a-7", 0.5, 2.0),
        record("a-8", 0.9, 2.0),
        broken,
    ]);
    bench.run(&["reviewer", "add", "ann", "--level", "2"]);
    bench.run(&["reviewer", "add", "bob", "--level", "1"]);
    bench.run(&["reviewer", "disable", "bob"]);
    bench.json(&["decide", "a-1", "accept", "--as", "ann"]);
    bench.json(&["decide", "a-2", "reject", "--tag", "factual_error", "--note", "no"]);
    bench.json(&["decide", "a-3", "accept", "--as", "ann"]);
    bench.json(&["answer", "a-5", "--action", "approve"]);
    bench.json(&["decide", "a-5", "accept"]);
    bench.json(&["decide", "a-6", "accept", "--grace", "1h"]);
    bench.json(&["undo", "a-6"]);
    bench.json(&["decide", "a-7", "edit", "--action", "refer", "--note", "n"]);
    let repaired = bench.write("repaired.json", &record("q-1", 0.9, 2.0).to_string());
    bench.json(&["decide", "q-1", "edit", "--output", repaired.to_str().unwrap()]);
    bench.json(&["decide", "a-6", "reject", "--tag", "factual_error"]);
    bench.json(&["audit", "erase", "a-6", "--reason", "request 118", "--yes"]);
    bench.json(&["token", "create", "--for", "ann", "--scope", "review"]);
    bench.json(&["token", "create", "--for", "model-a", "--scope", "ingest"]);
    let gone = bench.json(&["token", "create", "--for", "model-b", "--scope", "ingest"]);
    bench.json(&["token", "revoke", gone["id"].as_str().unwrap()]);
    bench.json(&["kill", "--scope", "domain=loan", "--reason", "drifts"]);
    bench.json(&["kill", "--scope", "model=pre@3.0", "--reason", "old"]);
    bench.json(&["resume", "--scope", "domain=loan", "--reason", "looked at"]);
    bench
}

/// Each token's row under a name: ann's, the service's, and the revoked one's.
const TOKENS: [(&str, &str); 3] = [
    ("ann's", "key LIKE 'token/%' AND json_extract(CAST(value AS TEXT), '$.for') = 'ann'"),
    (
        "the service's",
        "key LIKE 'token/%' AND json_extract(CAST(value AS TEXT), '$.for') = 'model-a'",
    ),
    (
        "the revoked",
        "key LIKE 'token/%' AND json_extract(CAST(value AS TEXT), '$.for') = 'model-b'",
    ),
];

/// What can be done by hand to what a token opens, and to what is stopped.
fn small_states() -> Vec<(String, String)> {
    let mut changes = Vec::new();
    let mut set = |what: String, value: &str, of: &str| {
        // As bytes, as the store keeps it.
        changes.push((
            what,
            format!(
                "UPDATE states SET value = CAST({value} AS BLOB), version = version + 1 WHERE {of}"
            ),
        ));
    };
    for (whose, of) in TOKENS {
        for (what, value) in [
            (
                "scopes widened",
                "json_set(CAST(value AS TEXT), '$.scopes', json('[\"ingest\",\"admin\"]'))",
            ),
            (
                "life prolonged",
                "json_set(CAST(value AS TEXT), '$.expires_at', '2099-01-01T00:00:00Z')",
            ),
            ("owner", "json_set(CAST(value AS TEXT), '$.for', 'root')"),
            ("maker", "json_set(CAST(value AS TEXT), '$.created_by', 'eve')"),
            ("beginning", "json_set(CAST(value AS TEXT), '$.created_at', '2020-01-01T00:00:00Z')"),
            ("secret", "json_set(CAST(value AS TEXT), '$.hash', hex(zeroblob(32)))"),
            ("id", "json_set(CAST(value AS TEXT), '$.id', '00112233445566ff')"),
            ("form", "substr(CAST(value AS TEXT), 2)"),
        ] {
            set(format!("{whose} token's {what}"), value, of);
        }
        set(format!("{whose} token is gone"), "NULL", of);
    }
    set("not revoked".into(), "json_remove(CAST(value AS TEXT), '$.revoked_at')", TOKENS[2].1);
    set(
        "revoked later".into(),
        "json_set(CAST(value AS TEXT), '$.revoked_at', '2099-01-01T00:00:00Z')",
        TOKENS[2].1,
    );
    set(
        "revoked by nobody".into(),
        "json_set(CAST(value AS TEXT), '$.revoked_at', '2020-01-01T00:00:00Z')",
        TOKENS[0].1,
    );
    for (what, value) in [
        ("nothing is stopped", "json_set(CAST(value AS TEXT), '$.switches', json('{}'))"),
        ("one stop less", "json_remove(CAST(value AS TEXT), '$.switches.\"domain=loan\"')"),
        (
            "asked by another, too",
            "json_set(CAST(value AS TEXT), '$.switches.\"domain=loan\".asked[1]', json('{\"by\":\"eve\",\"at\":\"2026-01-01T00:00:00Z\",\"reason\":\"x\"}'))",
        ),
        ("another word", "replace(CAST(value AS TEXT), 'drifts', 'shifts')"),
        ("a version in use", "json_set(CAST(value AS TEXT), '$.versions', json('{\"m\":1}'))"),
        ("unreadable", "'{'"),
    ] {
        set(format!("control: {what}"), value, "key = 'control'");
    }
    changes.push(("control: gone".into(), "DELETE FROM states WHERE key = 'control'".into()));
    changes.push((
        "control: emptied".into(),
        "UPDATE states SET value = NULL WHERE key = 'control'".into(),
    ));
    changes.push((
        "a token from nowhere".into(),
        "INSERT INTO states SELECT 'token/00112233445566ff', 1,
             CAST(json_set(CAST(value AS TEXT), '$.id', '00112233445566ff') AS BLOB)
         FROM states WHERE key LIKE 'token/%' LIMIT 1"
            .into(),
    ));
    for by in ["generation + 1", "generation - 1", "0"] {
        changes.push((format!("generation: {by}"), format!("UPDATE state SET generation = {by}")));
    }
    changes
}

/// A second store: one that is put in the place of the first and verified.
struct Copy<'b> {
    bench: &'b Bench,
    good: Vec<u8>,
}

impl Copy<'_> {
    /// The store as it was, changed by these statements, verified: exit code and first fault.
    fn verified(&self, sql: &str) -> (i32, String) {
        for beside in ["desk.db-wal", "desk.db-shm"] {
            let _ = std::fs::remove_file(self.bench.path(beside));
        }
        std::fs::write(self.bench.store(), &self.good).unwrap();
        let conn = Connection::open(self.bench.store()).unwrap();
        conn.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
        conn.execute_batch(sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
        drop(conn);
        let ran = self.bench.run(&["audit", "verify", "--json"]);
        let report = serde_json::from_str(&ran.out).unwrap_or(serde_json::Value::Null);
        (ran.code, report["faults"][0].as_str().unwrap_or(&ran.err).to_owned())
    }
}

/// The tables whose every column is compared, and what is excepted with the reason.
const TABLES: &[&str] =
    &["decisions", "shapes", "reviews", "answers", "corrections", "reviewers", "policies"];

#[test]
fn every_column_of_every_row_that_was_changed_by_hand_is_found() {
    let bench = lived();
    assert_eq!(bench.run(&["audit", "verify"]).code, 0, "{:?}", bench.run(&["audit", "verify"]));
    let conn = Connection::open(bench.store()).unwrap();
    conn.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let mut changes: Vec<(String, String)> = Vec::new();
    for table in TABLES {
        let mut columns = conn.prepare(&format!("PRAGMA table_info({table})")).unwrap();
        let columns: Vec<(String, String, bool)> = columns
            .query_map((), |r| Ok((r.get(1)?, r.get(2)?, r.get(3)?)))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        // `answers` has no rowid.
        let key = if *table == "answers" { "request_id" } else { "rowid" };
        let rows: Vec<String> = conn
            .prepare(&format!("SELECT quote({key}) FROM {table} ORDER BY 1"))
            .unwrap()
            .query_map((), |r| r.get(0))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        assert!(!rows.is_empty(), "{table} has a row to change");
        for (column, kind, _) in &columns {
            let other = match kind.as_str() {
                "TEXT" => format!("coalesce({column}, '') || 'x'"),
                // Keys are taken.
                "INTEGER" if ["n", "k", "number"].contains(&column.as_str()) => {
                    format!("{column} + 1000")
                }
                "INTEGER" if ["undone", "reversal", "agreed"].contains(&column.as_str()) => {
                    format!("coalesce({column}, 0) = 0")
                }
                "INTEGER" => format!("coalesce({column}, 0) + 17"),
                "REAL" => format!("coalesce({column}, 0) + 0.015625"),
                "BLOB" => "randomblob(32)".to_owned(),
                other => panic!("{table}.{column} is {other}"),
            };
            // A few rows of each table; all of those that are few.
            for row in rows.iter().step_by(rows.len().div_ceil(4)) {
                // An erased decision keeps no salt, so what its entry does not say cannot be
                // compared; the test below says what can.
                let of = match *table {
                    "decisions" => "AND id <> 'a-6'".to_owned(),
                    "reviews" => "AND item <> (SELECT n FROM decisions WHERE id = 'a-6')".into(),
                    "shapes" => "AND k IN (SELECT shape FROM decisions WHERE id <> 'a-6')".into(),
                    _ => String::new(),
                };
                let at = format!("WHERE {key} = {row} {of}");
                let there: i64 = conn
                    .query_row(&format!("SELECT count(*) FROM {table} {at}"), (), |r| r.get(0))
                    .unwrap();
                if there == 1 {
                    changes.push((
                        format!("{table}.{column} of row {row}"),
                        format!("UPDATE {table} SET {column} = {other} {at}"),
                    ));
                }
            }
        }
        // A row that goes (a shape that no decision has any more is nobody's).
        let of = match *table {
            "shapes" => "AND k IN (SELECT shape FROM decisions)",
            _ => "",
        };
        for row in rows.iter().step_by(rows.len().div_ceil(3)) {
            let there: i64 = conn
                .query_row(
                    &format!("SELECT count(*) FROM {table} WHERE {key} = {row} {of}"),
                    (),
                    |r| r.get(0),
                )
                .unwrap();
            if there == 0 {
                continue;
            }
            changes.push((
                format!("{table} without row {row}"),
                format!("DELETE FROM {table} WHERE {key} = {row}"),
            ));
        }
    }
    let meaning: &[(&str, &str)] = &[
        (
            "approvals",
            "UPDATE shapes SET route = json_set(route, '$.approvals', json('[\"level2\"]')) WHERE route LIKE '%level2%'",
        ),
        (
            "outcome",
            "UPDATE shapes SET route = json_set(route, '$.outcome', 'block') WHERE json_extract(route, '$.outcome') = 'auto'",
        ),
        ("matched", "UPDATE shapes SET route = json_set(route, '$.matched', json('[\"x\"]'))"),
        ("policy", "UPDATE shapes SET route = json_set(route, '$.policy', 'none')"),
        ("cohort", "UPDATE decisions SET cohort = '{\"race\":\"white\"}' WHERE id = 'a-1'"),
        ("tags", "UPDATE decisions SET tags = '[\"poor\"]' WHERE id = 'a-4'"),
        ("no tags", "UPDATE decisions SET tags = NULL WHERE id = 'a-4'"),
        ("facts", "UPDATE decisions SET rest = '{\"seen\":7}' WHERE id = 'a-1'"),
        ("reason", "UPDATE decisions SET reason = NULL WHERE id = 'a-1'"),
        ("confidence", "UPDATE decisions SET confidence = NULL WHERE id = 'a-1'"),
        ("the broken record again", "UPDATE decisions SET raw = NULL WHERE id = 'q-1'"),
        ("no edit", "UPDATE reviews SET verdict = 'accept' WHERE verdict = 'edit'"),
        ("an undone verdict", "UPDATE reviews SET undone = 1 - undone WHERE undone = 1"),
        ("an own answer", "UPDATE answers SET agreed = 1 - agreed"),
        (
            "an admin",
            "UPDATE reviewers SET row = json_set(row, '$.roles', json('[\"admin\"]')) WHERE name = 'ann'",
        ),
        ("a level", "UPDATE reviewers SET row = json_set(row, '$.level', 3) WHERE name = 'ann'"),
        (
            "enabled",
            "UPDATE reviewers SET row = json_set(row, '$.disabled', json('false')) WHERE name = 'bob'",
        ),
        (
            "a key",
            "UPDATE reviewers SET row = json_set(row, '$.key', 'ssh-ed25519 AAAA') WHERE name = 'ann'",
        ),
        (
            "a new person",
            "INSERT INTO reviewers VALUES ('eve', 1, '{\"name\":\"eve\",\"level\":3,\"roles\":[\"admin\"],\"version\":1}')",
        ),
        ("no policy", "UPDATE state SET policy = NULL"),
        (
            "another policy",
            "INSERT INTO policies SELECT 'sha256:00', name, source, schemas FROM policies; UPDATE state SET policy = 'sha256:00'",
        ),
        ("laxer policy", "UPDATE policies SET source = replace(source, '0.60', '0.10')"),
        ("a schema", "UPDATE policies SET schemas = '{\"loan\":{\"input\":{},\"output\":null}}'"),
        (
            "an entry about nothing",
            "DROP TRIGGER log_no_update; UPDATE log SET item = NULL
                 WHERE idx = (SELECT max(idx) FROM log WHERE item IS NOT NULL)",
        ),
        (
            "an entry about another",
            "DROP TRIGGER log_no_update; UPDATE log SET item = (SELECT n FROM decisions WHERE id = 'a-4')
                 WHERE idx = (SELECT max(idx) FROM log WHERE item IS NOT NULL)",
        ),
        (
            "an admission that is filed",
            "DROP TRIGGER log_no_update; UPDATE log SET item = idx
                 WHERE idx = (SELECT n FROM decisions WHERE id = 'a-4')",
        ),
        ("more decisions", "UPDATE state SET decisions = decisions + 1"),
        ("fewer automatic", "UPDATE state SET automatic = automatic - 1"),
        (
            "a new review",
            "INSERT INTO reviews SELECT 'r-9', item, entry, reviewer, level, queue, revision, verdict, tags, at, signature, undone, reversal, agreed FROM reviews LIMIT 1",
        ),
        (
            "a review of nothing",
            "INSERT INTO reviews SELECT 'r-9', item, 0, reviewer, level, queue, revision, verdict, tags, at, signature, undone, reversal, agreed FROM reviews LIMIT 1",
        ),
        (
            "a new answer",
            "INSERT INTO answers SELECT item, 'eve', 'r-9', entry, agreed FROM answers LIMIT 1",
        ),
        (
            "a new correction",
            "INSERT INTO corrections(item, request_id, at) SELECT item, 'r-9', at FROM corrections LIMIT 1",
        ),
        ("corrections swapped", "UPDATE corrections SET number = number + 100"),
        (
            "a new decision",
            "INSERT INTO decisions SELECT 0, 'new', content, shape, at, due, confidence, impact, reason, cohort, tags, rest, raw FROM decisions WHERE id = 'a-1'",
        ),
        (
            "a decision from nowhere",
            "INSERT INTO decisions SELECT 999, 'new', content, shape, at, due, confidence, impact, reason, cohort, tags, rest, raw FROM decisions WHERE id = 'a-1'",
        ),
        ("erased: its time", "UPDATE decisions SET at = at + 1 WHERE id = 'a-6'"),
        ("erased: its id", "UPDATE decisions SET id = 'a-x' WHERE id = 'a-6'"),
        ("erased: its reason", "UPDATE decisions SET reason = 'because' WHERE id = 'a-6'"),
        (
            "erased: its cohort",
            "UPDATE decisions SET cohort = '{\"race\":\"white\"}' WHERE id = 'a-6'",
        ),
        (
            "erased: its verdict",
            "UPDATE reviews SET verdict = 'edit' WHERE verdict = 'reject' AND item = (SELECT n FROM decisions WHERE id = 'a-6')",
        ),
        (
            "erased: its reviewer",
            "UPDATE reviews SET reviewer = 'eve' WHERE item = (SELECT n FROM decisions WHERE id = 'a-6')",
        ),
        (
            "erased: its review's time",
            "UPDATE reviews SET at = at + 1 WHERE item = (SELECT n FROM decisions WHERE id = 'a-6')",
        ),
        (
            "erased: its tags",
            "UPDATE reviews SET tags = '[\"factual_error\"]' WHERE item = (SELECT n FROM decisions WHERE id = 'a-6')",
        ),
    ];
    changes.extend(meaning.iter().map(|(what, sql)| ((*what).to_owned(), (*sql).to_owned())));
    changes.extend(small_states());
    drop(conn);
    let copy = Copy { bench: &bench, good: std::fs::read(bench.store()).unwrap() };
    assert_eq!(copy.verified("SELECT 1").0, 0, "the copy is sound");
    let mut missed = Vec::new();
    for (what, sql) in &changes {
        let (code, fault) = copy.verified(sql);
        if code != 4 || !fault.contains("entr") {
            missed.push(format!("{what}: exit {code}: {fault}"));
        }
    }
    assert!(changes.len() > 150, "{}", changes.len());
    assert!(missed.is_empty(), "{} of {}:\n{}", missed.len(), changes.len(), missed.join("\n"));
}

#[test]
fn the_row_and_its_entry_are_named() {
    let bench = lived();
    let conn = Connection::open(bench.store()).unwrap();
    conn.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let n: i64 =
        conn.query_row("SELECT n FROM decisions WHERE id = 'a-1'", (), |r| r.get(0)).unwrap();
    drop(conn);
    let copy = Copy { bench: &bench, good: std::fs::read(bench.store()).unwrap() };
    let (code, fault) = copy.verified("UPDATE decisions SET impact = 1 WHERE id = 'a-1'");
    assert_eq!(code, 4);
    assert_eq!(
        fault,
        format!(
            "entry {n}: the decision \"a-1\" has been changed: its row is not the one it was given"
        )
    );
    let (_, fault) = copy.verified("UPDATE reviewers SET version = 9 WHERE name = 'bob'");
    assert!(fault.contains("the reviewer \"bob\" has another version in its row"), "{fault}");
    let (_, fault) = copy.verified("UPDATE state SET policy = NULL");
    assert!(fault.contains("the store says the policy none is in force"), "{fault}");
    let of = TOKENS[0].1;
    let (_, fault) = copy.verified(&format!(
        "UPDATE states SET value = CAST(json_set(CAST(value AS TEXT), '$.scopes',
             json('[\"admin\"]')) AS BLOB) WHERE {of}"
    ));
    assert!(fault.contains("has another list of scopes in its row"), "{fault}");
    let (_, fault) = copy.verified("UPDATE state SET generation = 7");
    assert!(fault.contains("the store says the control generation is 7, the log 3"), "{fault}");
}
