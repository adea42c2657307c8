//! Who asks, and what their token may do: the only way from a handler to the desk.
//!
//! Every attempt that is refused here, for want of a token or a scope, is in the trail; what the desk
//! refuses it puts there itself.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};

use super::problem::Problem;
use super::state::Served;
use crate::authority::{self, scope};
use crate::desk::{Denial, Identity, Local, Turned, Unknown};
use crate::domain::TokenScope;
use crate::protocol::{Act, Answer, Command, Query, Refused, Reply, Why};

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
        let act = command.act();
        let allowed = scope::may_do(self.scopes(), act);
        self.checked(allowed, authority::name(act), &command.about()).await?;
        let desk = self.served.desk();
        let mut done = desk.execute_under(&self.identity, self.from, command).await;
        if let Ok(Answer::Admitted(answers)) = &mut done {
            *answers = desk.told_to(&self.identity, std::mem::take(answers)).await;
        }
        Ok(done?)
    }

    /// Ask something, if token and reviewer may.
    pub async fn ask(&self, query: Query) -> Result<Reply, Problem> {
        self.checked(scope::may_ask(self.scopes(), &query), "ask", query.word()).await?;
        Ok(self.served.desk().ask_under(&self.identity, self.from, query).await?)
    }

    /// The desk, for what is neither a command nor a query, if the token has one of these scopes;
    /// `what` says what for.
    pub async fn desk(&self, scopes: &[TokenScope], what: &str) -> Result<&Local, Problem> {
        self.checked(scope::check(self.scopes(), scopes, what), what, "").await?;
        let (desk, name) = (self.served.desk().clone(), self.name().to_owned());
        self.checked(blocking(move || desk.may_ask(&name)).await, what, "").await?;
        Ok(self.served.desk())
    }

    /// What is refused before the desk is asked goes into the trail before it is answered.
    async fn checked<T>(
        &self,
        outcome: Result<T, Refused>,
        act: &str,
        what: &str,
    ) -> Result<T, Problem> {
        if let Err(refused) = &outcome
            && refused.kind == Why::Authority
        {
            let denial = Denial {
                who: self.identity.name.clone(),
                token: self.identity.token.clone(),
                act: act.to_owned(),
                what: what.to_owned(),
                why: refused.message.clone(),
            };
            told(&self.served, denial, self.from).await;
        }
        Ok(outcome?)
    }
}

impl FromRequestParts<Served> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, served: &Served) -> Result<Self, Problem> {
        let from = address(parts, served);
        served.limits().address(from)?;
        let identity = authenticated(parts, served, from).await?;
        served.limits().token(&identity.token)?;
        Ok(Self { served: served.clone(), identity, from })
    }
}

/// Somebody who may submit decisions. Their token is known from memory: every commit has the table
/// of tokens as a premise, so that a revoked one admits nothing.
pub(super) struct Submitter(Caller);

impl Submitter {
    pub(super) fn name(&self) -> &str {
        self.0.name()
    }

    pub(super) fn identity(&self) -> Identity {
        self.0.identity.clone()
    }

    /// Why a submission was not taken.
    pub(super) async fn turned(&self, turned: Turned) -> Problem {
        let (served, from) = (&self.0.served, self.0.from);
        match turned {
            Turned::Unknown(why) => refused_token(served, from, why).await,
            Turned::Refused(refused) => {
                let act = authority::name(Act::Admit);
                match self.0.checked::<()>(Err(refused), act, "").await {
                    Err(problem) => problem,
                    Ok(()) => Problem::defect("a refusal was none"),
                }
            }
        }
    }
}

impl FromRequestParts<Served> for Submitter {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, served: &Served) -> Result<Self, Problem> {
        let from = address(parts, served);
        served.limits().address(from)?;
        let known = bearer(&parts.headers).and_then(|t| served.desk().authenticate_from_memory(t));
        let identity = match known {
            Some(identity) => identity,
            None => authenticated(parts, served, from).await?,
        };
        served.limits().token(&identity.token)?;
        let caller = Caller { served: served.clone(), identity, from };
        let may = scope::may_do(caller.scopes(), Act::Admit);
        caller.checked(may, authority::name(Act::Admit), "").await?;
        Ok(Self(caller))
    }
}

/// Whom the token of a request speaks for, by what the store says now.
async fn authenticated(parts: &Parts, served: &Served, from: IpAddr) -> Result<Identity, Problem> {
    let Some(token) = bearer(&parts.headers).map(str::to_owned) else {
        return Err(refused_token(served, from, Unknown::Missing).await);
    };
    let desk = served.desk().clone();
    match blocking(move || desk.authenticate(&token)).await? {
        Ok(identity) => Ok(identity),
        Err(why) => Err(refused_token(served, from, why).await),
    }
}

/// A token that opens nothing: told in the trail, and slowed down.
pub(super) async fn refused_token(served: &Served, from: IpAddr, why: Unknown) -> Problem {
    let denial = Denial { act: "come in".to_owned(), why: why.to_string(), ..Denial::default() };
    told(served, denial, from).await;
    served.limits().failed(from).err().unwrap_or_else(|| unknown(why))
}

async fn told(served: &Served, denial: Denial, from: IpAddr) {
    let desk = served.desk().clone();
    if let Err(refused) = blocking(move || desk.denied(denial, from)).await {
        tracing::error!(why = refused.message, "a refused attempt is not in the trail");
    }
}

/// The token of the request, if it brought one.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Nobody we know.
pub(super) fn unknown(why: Unknown) -> Problem {
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
    let named = served.behind_proxy().then(|| forwarded(&parts.headers)).flatten();
    named.or_else(|| peer(parts)).unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)).to_canonical()
}

/// The other end of the connection.
pub(super) fn peer(parts: &Parts) -> Option<IpAddr> {
    parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip())
}

fn forwarded(headers: &HeaderMap) -> Option<IpAddr> {
    let last = headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
    let last = last.rsplit(',').next()?.trim();
    // Some proxies write the port, too.
    let with_port = || last.parse::<SocketAddr>().map(|address| address.ip());
    last.parse().or_else(|_| with_port()).ok()
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
