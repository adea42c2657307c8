//! A node: the real binary serving a database, and what is asked of it over HTTP.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use serde_json::{Value, json};

use crate::support::{Home, postgres::Database, record};

/// A process that serves a database.
pub struct Node {
    child: Child,
    pub url: String,
    pub token: String,
}

impl Node {
    /// Serve `database` from this home. The first node of all makes the token that all use.
    pub fn start(home: &Home, database: &Database) -> Self {
        Self::with(home, database, &[])
    }

    /// The same with more said to `serve`.
    pub fn with(home: &Home, database: &Database, more: &[&str]) -> Self {
        let file = home.path("token");
        let url = database.url();
        let mut args = vec!["--store", &url, "serve", "--listen", "127.0.0.1:0", "--json"];
        let first = file.to_string_lossy().into_owned();
        args.extend(["--first-token", &first]);
        args.extend(more);
        let mut command = home.command(&args);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let Ok(said) = serde_json::from_str::<Value>(&line) else {
            let out = child.wait_with_output().unwrap();
            panic!("{line}{}", String::from_utf8_lossy(&out.stderr));
        };
        assert!(!line.contains(database.password()), "{line}");
        let url = said["listening"].as_str().unwrap().to_owned();
        let token = std::fs::read_to_string(&file).unwrap().trim().to_owned();
        Self { child, url, token }
    }

    /// Ask the node's desk to do something; `None`: no answer came, or not that it is done.
    pub async fn execute(&self, client: &reqwest::Client, command: &Value) -> Option<Value> {
        let url = format!("{}/v1/desk/commands", self.url);
        let asked = client.post(url).bearer_auth(&self.token).json(command).send();
        let answer = asked.await.ok()?;
        let ok = answer.status().is_success();
        let body = answer.bytes().await.ok()?;
        assert!(ok || !body.is_empty());
        serde_json::from_slice(&body).ok().filter(|_| ok)
    }

    /// Admit records of these ids; the ids that were acknowledged.
    pub async fn admit(&self, client: &reqwest::Client, ids: &[String]) -> Vec<String> {
        let lines: Vec<Value> = (1..)
            .zip(ids)
            .map(|(line, id)| {
                let bytes = record(id).to_string().into_bytes();
                json!({"source": "test", "line": line, "bytes": bytes})
            })
            .collect();
        let command = json!({"do": "admit", "lines": lines});
        match self.execute(client, &command).await {
            Some(_) => ids.to_vec(),
            None => Vec::new(),
        }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(&self.child)
    }

    /// End it without a warning.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// End it as an operator does.
    pub fn end(mut self) {
        rustix::process::kill_process(self.pid(), rustix::process::Signal::TERM).unwrap();
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
