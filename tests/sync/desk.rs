//! A desk whose policy has backends.

use serde_json::{Value, json};

use super::support::{Home, lines, record};

pub const WHSEC: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A policy that sends everything to level 1, and these backends.
pub fn policy(backends: &str) -> String {
    format!(
        r#"
policy = "labels"
[queues.level1]
level = 1
[[route]]
id = "all"
when = 'confidence >= 0'
to = "level1"
[default]
to = "level1"
[[tag]]
id = "factual_error"
title = "States something untrue"
[[tag]]
id = "tone"
title = "Wrong <tone>"
[redact]
paths = ["input.ssn"]
{backends}
"#
    )
}

/// A record with something in it that must not leave.
pub fn secretive(id: &str) -> Value {
    let mut one = record(id);
    one["input"]["ssn"] = json!("123-45-6789");
    one
}

/// Admit records of these ids under a policy with these backends.
pub fn admitted(home: &Home, backends: &str, ids: &[&str]) {
    let policy = home.write("policy.toml", &policy(backends));
    let records: Vec<Value> = ids.iter().map(|id| secretive(id)).collect();
    let input = home.write("in.jsonl", &lines(&records));
    home.ok(&["ingest", "--policy", policy.to_str().unwrap(), input.to_str().unwrap()]);
}

/// `overrule sync --json …`: exit code, what it said, stderr.
pub fn sync(home: &Home, args: &[&str], env: &[(&str, &str)]) -> (Option<i32>, Value, String) {
    let mut command = home.command(&[&["sync", "--json"], args].concat());
    let out = command.envs(env.iter().copied()).output().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    let value = serde_json::from_str(&text).unwrap_or(Value::Null);
    (out.status.code(), value, String::from_utf8(out.stderr).unwrap())
}

/// `sync --once` that must go well; how many rows arrived.
pub fn once(home: &Home, env: &[(&str, &str)]) -> u64 {
    let (code, said, stderr) = sync(home, &["--once"], env);
    assert_eq!(code, Some(0), "{said}\n{stderr}");
    said["sent"].as_u64().unwrap()
}

/// How the backend of this name stands.
pub fn stands(home: &Home, name: &str) -> Value {
    let (_, status, stderr) = sync(home, &["status"], &[]);
    let backends = status["backends"].as_array().unwrap_or_else(|| panic!("{status}\n{stderr}"));
    backends.iter().find(|b| b["name"] == name).unwrap().clone()
}
