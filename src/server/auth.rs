//! Who asks, and what their token may do: the only way from a handler to the desk.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};

use super::problem::Problem;
use super::state::Served;
use crate::authority::scope;
use crate::desk::{Identity, Local, Unknown};
use crate::domain::TokenScope;
use crate::protocol::{Answer, Command, Desk as _, Query, Refused, Reply, Why};

/// Somebody whose token this desk knows.
pub struct Caller {
    served: Served,
    identity: Identity,
    from: IpAddr,
}

impl Caller {
    /// In whose name the request is.
    pub fn name(&self) -> &str {
        &self.identity.name
    }

    /// What the token may be used for.
    pub fn scopes(&self) -> &[TokenScope] {
        &self.identity.scopes
    }

    /// Where the request comes from.
    pub fn from(&self) -> IpAddr {
        self.from
    }

    /// Do something, if token and reviewer may. What is answered is durable.
    pub async fn execute(&self, command: Command) -> Result<Answer, Problem> {
        scope::may_do(self.scopes(), command.act())?;
        Ok(self.served.desk().execute(self.name(), command).await?)
    }

    /// Ask something, if token and reviewer may.
    pub async fn ask(&self, query: Query) -> Result<Reply, Problem> {
        scope::may_ask(self.scopes(), &query)?;
        Ok(self.served.desk().ask(self.name(), query).await?)
    }

    /// The desk, for what is neither a command nor a query, if the token has one of these scopes;
    /// `what` says what for.
    pub async fn desk(&self, scopes: &[TokenScope], what: &str) -> Result<&Local, Problem> {
        scope::check(self.scopes(), scopes, what)?;
        Ok(self.served.desk())
    }
}

impl FromRequestParts<Served> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, served: &Served) -> Result<Self, Problem> {
        let from = address(parts, served);
        let token = bearer(&parts.headers).ok_or_else(|| unknown(Unknown::Missing))?.to_owned();
        let desk = served.desk().clone();
        let found = blocking(move || desk.authenticate(&token)).await?;
        let identity = found.map_err(unknown)?;
        Ok(Self { served: served.clone(), identity, from })
    }
}

/// The token of the request, if it brought one.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Nobody we know.
fn unknown(why: Unknown) -> Problem {
    let problem = Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", why.to_string());
    match why {
        Unknown::Missing => problem
            .hint("send the header: Authorization: Bearer ovr_…")
            .challenge("Bearer realm=\"overrule\""),
        Unknown::Invalid | Unknown::Expired | Unknown::Revoked => problem
            .hint("an admin makes another one: overrule token create --for NAME --scope SCOPE")
            .challenge("Bearer realm=\"overrule\", error=\"invalid_token\""),
    }
}

/// Who is at the other end: the connection's peer, or whom the proxy names. The last address is
/// the one our own proxy wrote; those before it are whatever the client claimed.
pub(super) fn address(parts: &Parts, served: &Served) -> IpAddr {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let named = served.behind_proxy().then(|| forwarded(&parts.headers)).flatten();
    named.or(peer).unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)).to_canonical()
}

fn forwarded(headers: &HeaderMap) -> Option<IpAddr> {
    let last = headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
    last.rsplit(',').next()?.trim().parse().ok()
}

/// Run on a thread that may block.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refused> + Send + 'static,
) -> Result<T, Refused> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|e| {
        Err(Refused::new(Why::Internal, format!("a task of the server failed: {e}"))
            .hint("this is a defect; nothing unacknowledged was done"))
    })
}
