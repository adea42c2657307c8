//! The wire: HTTPS with rustls, no redirects, time-outs, and no way into the network.

use std::error::Error as _;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Client, Url};
use rustls::crypto::ring;
use thiserror::Error;

use super::guard::{Allowed, Forbidden, check};
use super::request::{Request, Response};

/// How long a connection, and a whole exchange, may take.
const CONNECT: Duration = Duration::from_secs(5);
const EXCHANGE: Duration = Duration::from_secs(15);

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Trouble {
    /// It must not be reached.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// It is no address.
    #[error("the address cannot be used: {0}")]
    Address(String),
    /// Nobody answered.
    #[error("{0}")]
    Unreachable(String),
}

/// What carries a request and brings the answer.
pub trait Wire: Send + Sync + 'static {
    /// One exchange.
    fn send<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Response, Trouble>>;
}

/// The real wire.
#[derive(Clone, Debug)]
pub struct Https {
    allowed: Allowed,
    /// Into the world only; names are checked as they are resolved, and no proxy resolves them
    /// out of our sight.
    world: Client,
    /// For addresses that may be private; through the environment's proxy where it names one.
    anywhere: Client,
}

impl Https {
    /// A wire that lets these hosts be private.
    pub fn new(allowed: Allowed) -> Result<Self, Trouble> {
        // Somebody else in this process may have chosen already; that is as good.
        let _ = ring::default_provider().install_default();
        let build = |guarded: bool| {
            let mut builder = Client::builder()
                .redirect(Policy::none())
                .connect_timeout(CONNECT)
                .timeout(EXCHANGE)
                .user_agent(concat!("overrule/", env!("CARGO_PKG_VERSION")));
            if guarded {
                builder = builder.no_proxy().dns_resolver(Arc::new(Guarded));
            }
            builder.build().map_err(|e| Trouble::Address(e.to_string()))
        };
        Ok(Self { allowed, world: build(true)?, anywhere: build(false)? })
    }

    async fn exchange(&self, request: &Request) -> Result<Response, Trouble> {
        let url = Url::parse(request.url.reveal()).map_err(|e| Trouble::Address(e.to_string()))?;
        let host = url.host_str().unwrap_or_default().to_owned();
        let private = request.private || self.allowed.has(&host);
        if !private && let Ok(literal) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
            check(&host, [literal])?;
        }
        let client = if private { &self.anywhere } else { &self.world };
        let mut call = client.request(request.method.clone(), url).body(request.body.clone());
        for (name, value) in &request.headers {
            call = call.header(*name, value.reveal());
        }
        if let Some(within) = request.within {
            call = call.timeout(within);
        }
        let mut answer = call.send().await.map_err(|e| trouble(request, e))?;
        let retry_after = answer.headers().get("retry-after");
        let retry_after = retry_after.and_then(|v| v.to_str().ok()).map(str::to_owned);
        let status = answer.status().as_u16();
        let mut body = Vec::new();
        // The status is the answer; words that do not come are no reason to send again.
        while body.len() < request.keep
            && let Ok(Some(chunk)) = answer.chunk().await
        {
            body.extend_from_slice(&chunk);
        }
        body.truncate(request.keep);
        let body = String::from_utf8_lossy(&body).into_owned();
        Ok(Response { status, retry_after, body })
    }
}

impl Wire for Https {
    fn send<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Response, Trouble>> {
        Box::pin(self.exchange(request))
    }
}

/// What went wrong, in words, without the address (it may be secret).
fn trouble(request: &Request, error: reqwest::Error) -> Trouble {
    let error = error.without_url();
    let mut cause = error.source();
    let mut last = error.to_string();
    while let Some(inner) = cause {
        if let Some(forbidden) = inner.downcast_ref::<Forbidden>() {
            return Trouble::Forbidden(forbidden.clone());
        }
        last = inner.to_string();
        cause = inner.source();
    }
    if error.is_timeout() {
        return Trouble::Unreachable("no answer in time".into());
    }
    if error.is_builder() {
        return Trouble::Address(request.scrub(&last));
    }
    Trouble::Unreachable(format!("no answer: {}", request.scrub(&last)))
}

/// Resolves names, and refuses those that lead into the network.
#[derive(Debug)]
struct Guarded;

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<SocketAddr> =
                tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            check(name.as_str(), found.iter().map(SocketAddr::ip))?;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::request::Secret;
    use super::*;

    async fn told(url: &str) -> String {
        let wire = Https::new(Allowed::default()).unwrap();
        let request = Request::json(Secret::new(url), &serde_json::json!({}), false);
        wire.send(&request).await.unwrap_err().to_string()
    }

    #[tokio::test]
    async fn nothing_inside_is_reached_however_it_is_spelled() {
        for url in [
            "http://127.0.0.1:9/x",
            "http://2130706433:9/",
            "http://0x7f.1:9/",
            "http://[::1]:9/",
            "http://[::ffff:127.0.0.1]:9/",
            "http://169.254.169.254/latest/meta-data",
            "http://localhost:9/",
        ] {
            let why = told(url).await;
            assert!(why.contains("inside the network"), "{url}: {why}");
        }
    }

    #[tokio::test]
    async fn a_refused_connection_does_not_tell_the_address() {
        let wire = Https::new(Allowed::read("127.0.0.1")).unwrap();
        let url = Secret::new("http://127.0.0.1:1/secret-token");
        let request = Request::json(url, &serde_json::json!({}), false);
        let why = wire.send(&request).await.unwrap_err().to_string();
        assert!(why.starts_with("no answer: ") && !why.contains("secret-token"), "{why}");
    }
}
