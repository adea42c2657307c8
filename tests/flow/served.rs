//! A desk that is served, and a client of it.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::Value;

use super::support::{Home, lines};

pub struct Desk {
    pub home: Home,
    /// `127.0.0.1:PORT`
    pub at: String,
    child: Child,
}

impl Desk {
    /// A fresh desk with this policy (`None`: the default), served.
    pub fn start(policy: Option<&str>) -> Self {
        let home = Home::new();
        let mut args = vec!["ingest", "-"];
        let file = policy.map(|text| home.write("policy.toml", text));
        let name = file.map(|f| f.to_string_lossy().into_owned());
        if let Some(name) = &name {
            args.extend(["--policy", name]);
        }
        let out = home.command(&args).stdin(Stdio::null()).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let (child, at) = serve(&home, "127.0.0.1:0");
        Self { home, at, child }
    }

    /// Kill the server as by the strong signal, and serve the same store at the same address.
    pub fn restart(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        (self.child, self.at) = serve(&self.home, &self.at);
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.at)
    }

    /// A token of root (or, for `ingest` alone, of a service).
    pub fn token(&self, scopes: &[&str]) -> String {
        let name = if scopes == ["ingest"] { "model-service" } else { "root" };
        self.token_for(name, scopes)["token"].as_str().unwrap().to_owned()
    }

    pub fn token_for(&self, name: &str, scopes: &[&str]) -> Value {
        let mut args = vec!["token", "create", "--for", name, "--json"];
        for scope in scopes {
            args.extend(["--scope", scope]);
        }
        self.home.json(&args)
    }

    pub fn ingest(&self, records: &[Value]) {
        let file = self.home.write("records.jsonl", &lines(records));
        self.home.ok(&["ingest", &file.to_string_lossy()]);
    }

    pub fn ask(&self, method: Method, path: &str, token: &str) -> RequestBuilder {
        client().request(method, self.url(path)).bearer_auth(token)
    }

    pub async fn get(&self, path: &str, token: &str) -> (u16, Value) {
        said(self.ask(Method::GET, path, token).send().await.unwrap()).await
    }

    pub async fn post(&self, path: &str, token: &str, body: &Value) -> (u16, Value) {
        said(self.ask(Method::POST, path, token).json(body).send().await.unwrap()).await
    }
}

/// A client that nothing of this machine's set-up touches.
pub fn client() -> Client {
    // Another test may have chosen already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().no_proxy().build().unwrap()
}

/// Status and JSON; a text where it is none.
pub async fn said(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

fn serve(home: &Home, at: &str) -> (Child, String) {
    let mut command = home.command(&["serve", "--listen", at, "--json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let said: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
    let url = said["listening"].as_str().unwrap();
    let at = url.strip_prefix("http://").unwrap().to_owned();
    (child, at)
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
