//! A desk that is served, and how to speak to it.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;

use crate::support::Home;

pub struct Served {
    pub home: Home,
    pub child: Child,
    pub url: String,
    pub http: Client,
}

/// An answer as tests look at it.
#[derive(Debug)]
pub struct Told {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl Told {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {}", self.text))
    }

    /// The answer is this status, and (for a refusal) a problem of this kind.
    #[track_caller]
    pub fn is(&self, status: u16, kind: &str) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        let json = self.json();
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.text);
        assert_eq!(json["type"], format!("urn:overrule:problem:{kind}"), "{json}");
        assert_eq!(json["status"], status);
        assert_eq!(json["request_id"], self.header("x-request-id"));
        assert!(!json["detail"].as_str().unwrap().is_empty());
        json
    }

    #[track_caller]
    pub fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        self.json()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|v| v.to_str().unwrap()).unwrap_or_default()
    }
}

impl Served {
    pub fn start() -> Self {
        Self::with(Home::new(), &[])
    }

    pub fn with(home: Home, args: &[&str]) -> Self {
        Self::at("127.0.0.1:0", home, args)
    }

    pub fn at(listen: &str, home: Home, args: &[&str]) -> Self {
        let mut command = home.command(&["serve", "--listen", listen, "--json"]);
        command.args(args).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).expect("one line when it is ready");
        let url = ready["listening"].as_str().unwrap().to_owned();
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = Client::builder().no_proxy().build().unwrap();
        Self { home, child, url, http }
    }

    pub fn token(&self, name: &str, scopes: &[&str]) -> String {
        self.made(name, scopes)["token"].as_str().unwrap().to_owned()
    }

    pub fn made(&self, name: &str, scopes: &[&str]) -> Value {
        let mut args = vec!["token", "create", "--json", "--for", name];
        for scope in scopes {
            args.extend(["--scope", scope]);
        }
        self.home.json(&args)
    }

    pub fn person(&self, name: &str, level: &str) -> String {
        self.home.ok(&["reviewer", "add", name, "--level", level]);
        self.token(name, &["review"])
    }

    pub fn request(&self, method: Method, path: &str, token: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        if token.is_empty() { request } else { request.bearer_auth(token) }
    }

    pub async fn get(&self, path: &str, token: &str) -> Told {
        told(self.request(Method::GET, path, token)).await
    }

    pub async fn post(&self, path: &str, token: &str, body: &Value) -> Told {
        told(self.request(Method::POST, path, token).json(body)).await
    }

    pub async fn send(&self, path: &str, token: &str, kind: &str, body: &str) -> Told {
        let request = self.request(Method::POST, path, token).header("content-type", kind);
        told(request.body(body.to_owned())).await
    }

    pub fn signal(&self, name: &str) {
        let done = std::process::Command::new("kill")
            .args([name, &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(done.success());
    }

    /// Every id in the queue, by the command line.
    pub fn waiting(&self) -> std::collections::BTreeSet<String> {
        let list = self.home.json(&["queue", "list", "--json", "--limit", "100000"]);
        let items = list["items"].as_array().unwrap();
        items.iter().map(|i| i["id"].as_str().unwrap().to_owned()).collect()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub async fn told(request: RequestBuilder) -> Told {
    let answer = request.send().await.unwrap();
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    Told { status, headers, text: answer.text().await.unwrap() }
}
