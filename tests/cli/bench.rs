//! A place to try the binary in: its own home, its own store, nothing from the environment.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use assert_cmd::cargo::cargo_bin;
use serde_json::{Value, json};

/// A folder with a store that may not exist yet.
pub struct Bench {
    folder: tempfile::TempDir,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// Two levels, no chance: what a test decides must not depend on a draw.
pub const POLICY: &str = r#"
policy = "bench"
[params]
low = 0.60
[control]
grace = "5s"
[queues.level1]
title = "First look"
level = 1
sla = "30m"
escalates_to = "level2"
[queues.level2]
title = "Second look"
level = 2
[[route]]
id = "unsure"
when = 'confidence < params.low'
to = "level1"
[default]
to = "auto"
expect = 'confidence >= params.low'
[[require]]
id = "second-pair-of-eyes"
when = 'business_impact >= 8.0'
approvals = ["level1", "level2"]
[[tag]]
id = "factual_error"
title = "States something untrue"
key = "f"
[[tag]]
id = "wrong_action"
title = "Should have done something else"
key = "w"
require_note = true
"#;

impl Bench {
    /// A fresh home with the policy above beside it; no store yet.
    pub fn new() -> Self {
        let bench = Self { folder: tempfile::tempdir().unwrap() };
        bench.write("policy.toml", POLICY);
        bench
    }

    /// A bench whose store has these decisions in it.
    pub fn with(records: &[Value]) -> Self {
        let bench = Self::new();
        bench.admit(records);
        bench
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn store(&self) -> PathBuf {
        self.path("desk.db")
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// The binary with nothing of this machine's environment but the path.
    pub fn command(&self, args: &[&str]) -> std::process::Command {
        let mut command = std::process::Command::new(cargo_bin("overrule"));
        let home = self.folder.path();
        command
            .args(args)
            .current_dir(home)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", home)
            .env("OVERRULE_STORE", self.store())
            .stdin(Stdio::null());
        command
    }

    /// Run it and wait.
    pub fn run(&self, args: &[&str]) -> Ran {
        Ran::of(self.command(args).output().unwrap())
    }

    /// Run it with this on standard input.
    pub fn pipe(&self, args: &[&str], input: &str) -> Ran {
        use std::io::Write as _;
        let mut child = self
            .command(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_owned();
        let writer = std::thread::spawn(move || {
            let _ = stdin.write_all(input.as_bytes());
        });
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        Ran::of(output)
    }

    /// Run it, expect success, and read its one JSON value.
    pub fn json(&self, args: &[&str]) -> Value {
        let ran = self.run(&[args, &["--json"]].concat());
        assert_eq!(ran.code, 0, "{args:?}: {ran:?}");
        serde_json::from_str(&ran.out).unwrap_or_else(|e| panic!("{args:?}: {e}: {ran:?}"))
    }

    /// Run it, expect this exit code, and read the error.
    pub fn error(&self, code: i32, args: &[&str]) -> Value {
        let ran = self.run(&[args, &["--json"]].concat());
        assert_eq!(ran.code, code, "{args:?}: {ran:?}");
        ran.error()
    }

    /// Admit records under the bench's policy.
    pub fn admit(&self, records: &[Value]) -> Vec<Value> {
        let ran = self.pipe(&["ingest", "-", "--policy", "policy.toml", "--json"], &lines(records));
        assert_eq!(ran.code, 0, "{ran:?}");
        ran.lines()
    }

    /// Every byte of the store: the file and what SQLite keeps beside it.
    pub fn bytes(&self) -> Vec<u8> {
        let mut all = Vec::new();
        for entry in std::fs::read_dir(self.folder.path()).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if name.starts_with("desk.db") {
                all.extend(std::fs::read(path).unwrap());
            }
        }
        all
    }
}

impl Ran {
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Standard output as JSON Lines.
    pub fn lines(&self) -> Vec<Value> {
        self.out.lines().map(|l| serde_json::from_str(l).unwrap()).collect()
    }

    /// The JSON error: the last line of standard error.
    pub fn error(&self) -> Value {
        let last = self.err.lines().last().unwrap_or_else(|| panic!("no error: {self:?}"));
        let value: Value = serde_json::from_str(last).unwrap_or_else(|e| panic!("{e}: {self:?}"));
        let error = value["error"].clone();
        assert!(error["kind"].is_string() && error["message"].is_string(), "{self:?}");
        error
    }
}

/// A decision a policy can route.
pub fn record(id: &str, confidence: f64, impact: f64) -> Value {
    json!({
        "id": id,
        "domain": "loan",
        "action": "approve",
        "model": {"name": "pre", "version": "3.1"},
        "confidence": confidence,
        "business_impact": impact,
        "input": {"income_thousands": 53, "applicant": "Ada"},
        "output": "Approve the loan.",
        "rationale": "Income covers the rate.",
        "cohort": {"race": "black"},
        "occurred_at": "2026-05-04T09:00:00Z",
    })
}

/// Records as JSON Lines.
pub fn lines(records: &[Value]) -> String {
    records.iter().map(|r| format!("{r}\n")).collect()
}

/// Real data, where this checkout stands beside it.
pub fn shared(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(name);
    path.exists().then_some(path)
}

/// Does this appear in those bytes?
pub fn contains(bytes: &[u8], needle: &str) -> bool {
    bytes.windows(needle.len()).any(|w| w == needle.as_bytes())
}
