//! What tests through the front door share: a temporary home, the binary, a real terminal.
#![allow(dead_code, reason = "each test binary uses its own part of this")]

#[cfg(unix)]
pub mod postgres;
pub mod terminal;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

/// The binary under test.
pub fn binary() -> &'static str {
    env!("CARGO_BIN_EXE_overrule")
}

/// The optional data folder beside the repository; `None`, said aloud, where it is not there.
pub fn shared(what: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared").join(what);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: ../shared/{what} is not here");
    None
}

/// A home of its own: store, configuration and data in a folder that goes away.
pub struct Home {
    pub dir: tempfile::TempDir,
}

impl Home {
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn store(&self) -> PathBuf {
        self.path("desk.db")
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).unwrap();
        }
        std::fs::write(&path, text).unwrap();
        path
    }

    /// The environment of every run: nothing of the person who runs the tests leaks in.
    pub fn env(&self) -> Vec<(String, String)> {
        let home = self.dir.path().to_string_lossy().into_owned();
        [
            ("HOME", home.clone()),
            ("XDG_CONFIG_HOME", format!("{home}/config")),
            ("XDG_DATA_HOME", format!("{home}/data")),
            ("XDG_STATE_HOME", format!("{home}/state")),
            ("XDG_CACHE_HOME", format!("{home}/cache")),
            ("OVERRULE_STORE", self.store().to_string_lossy().into_owned()),
            ("USER", "root".into()),
            ("LANG", "C.UTF-8".into()),
            ("PATH", std::env::var("PATH").unwrap_or_default()),
        ]
        .into_iter()
        .map(|(k, v)| (k.to_owned(), v))
        .collect()
    }

    /// A command of the binary in this home.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.env_clear().envs(self.env()).args(args).current_dir(self.dir.path());
        command
    }

    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Run, demand exit code 0, return stdout.
    pub fn ok(&self, args: &[&str]) -> String {
        self.exits(args, 0).0
    }

    /// Run, demand this exit code, return stdout and stderr.
    pub fn exits(&self, args: &[&str], code: i32) -> (String, String) {
        let out = self.run(args);
        let stdout = String::from_utf8_lossy(&out.stdout).into_owned();
        let stderr = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(
            out.status.code(),
            Some(code),
            "{args:?}\n--- stdout\n{stdout}\n--- stderr\n{stderr}"
        );
        (stdout, stderr)
    }

    pub fn json(&self, args: &[&str]) -> Value {
        let text = self.ok(args);
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{args:?}: {e}\n{text}"))
    }
}

/// A plain record that the shipped default sends to level 1: unsure, high impact.
pub fn record(id: &str) -> Value {
    json!({
        "id": id,
        "domain": "loan",
        "model": { "name": "mortgage-preapproval", "version": "3.1" },
        "cohort": "white",
        "action": "approve",
        "input": { "income_thousands": 53, "loan_thousands": 138, "obligation_ratio_pct": 40 },
        "output": { "decision": "approve", "p_deny": 0.29 },
        "rationale": "Towards 'deny': unverified income.",
        "confidence": 0.71,
        "ensemble": [{ "name": "logreg", "score": 0.74 }, { "name": "forest", "score": 0.68 }],
        "business_impact": 8,
        "scope": "lending/mortgage"
    })
}

/// JSON Lines of records.
pub fn lines(records: &[Value]) -> String {
    records.iter().map(|r| format!("{r}\n")).collect()
}
