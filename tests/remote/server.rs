//! The real server as a process of its own, and tokens for it.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use serde_json::Value;

use super::support::Home;

/// A running server; it ends with the test.
pub struct Server {
    child: Child,
    /// `127.0.0.1:PORT`
    pub at: String,
}

impl Server {
    /// Serve the home's store; `at` names an address (port 0: any).
    pub fn start(home: &Home, at: &str) -> Self {
        Self::with(home, at, &[])
    }

    /// The same with more said to `serve`.
    pub fn with(home: &Home, at: &str, args: &[&str]) -> Self {
        let mut command = home.command(&["serve", "--listen", at, "--json"]);
        command.args(args);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let said: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
        let url = said["listening"].as_str().unwrap();
        let at = url.split_once("://").unwrap().1.to_owned();
        Self { child, at }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.at)
    }

    /// End it as by the strong signal; the address to start it at again.
    pub fn kill(mut self) -> String {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        std::mem::take(&mut self.at)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A token that reviews in this name.
pub fn token(home: &Home, name: &str) -> String {
    let made = home.json(&["token", "create", "--for", name, "--scope", "review", "--json"]);
    made["token"].as_str().unwrap().to_owned()
}
