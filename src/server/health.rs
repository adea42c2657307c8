//! Is it there, may it be sent work, and how is it: for load balancers and Prometheus.

use std::time::Duration;

use axum::extract::FromRequestParts as _;
use axum::extract::Request;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::json;

use super::auth::{Caller, blocking, peer};
use super::body::Json;
use super::problem::Problem;
use super::state::Served;
use crate::desk::metrics;
use crate::domain::TokenScope;
use crate::protocol::Refused;

/// The windows whose figures are shown.
const WINDOWS: [&str; 2] = ["1h", "24h"];

/// How long a ready store may take to say how things stand.
const READ: Duration = Duration::from_secs(3);

/// The process answers.
pub(super) async fn alive() -> Json<serde_json::Value> {
    Json(json!({"status": "ok"}))
}

/// The store can be read, the control state is known, and the server is not on its way out.
pub(super) async fn ready(State(served): State<Served>) -> Result<Response, Problem> {
    if served.is_leaving() {
        let what = "the server is shutting down";
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "leaving", what).retry_after(5));
    }
    if !served.admissions().is_alive() {
        let what = "decisions are no longer taken: the thread that admits them has failed";
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", what)
            .hint("restart the server; nothing acknowledged is lost"));
    }
    let known = served.desk().freshness();
    if known.is_stale() {
        let what = format!(
            "the control state could not be confirmed for {} s: everything goes to people",
            known.unconfirmed.as_secs()
        );
        let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unconfirmed", &what);
        return Err(problem.retry_after(1));
    }
    let desk = served.desk().clone();
    let reading = blocking(move || desk.standing());
    let Ok(header) = tokio::time::timeout(READ, reading).await else {
        let what = format!("the store did not answer within {} s", READ.as_secs());
        let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", what);
        return Err(problem.retry_after(1));
    };
    let header = header?;
    Ok(Json(json!({
        "status": "ready", "automation": header.automation, "generation": header.generation,
        "policy": header.policy, "head": header.head,
    }))
    .into_response())
}

/// The figures. Whoever asks from this machine needs no token, unless somebody else may be speaking
/// through a proxy here.
pub(super) async fn metrics(
    State(served): State<Served>,
    request: Request,
) -> Result<Response, Problem> {
    let (mut parts, _) = request.into_parts();
    if !is_local(&parts, &served) {
        let caller = Caller::from_request_parts(&mut parts, &served).await?;
        let scopes = [TokenScope::Audit, TokenScope::OnCall, TokenScope::Admin];
        caller.desk(&scopes, "read the figures").await?;
    }
    let text = blocking(move || exposition(&served)).await?;
    Ok(([(header::CONTENT_TYPE, metrics::MEDIA_TYPE)], text).into_response())
}

/// Is it a process of this machine that asks, and not one that passes on what others ask?
fn is_local(parts: &Parts, served: &Served) -> bool {
    let passed_on = ["forwarded", "x-forwarded-for", "via"];
    !served.behind_proxy()
        && !passed_on.iter().any(|name| parts.headers.contains_key(*name))
        && peer(parts).is_some_and(|ip| ip.to_canonical().is_loopback())
}

fn exposition(served: &Served) -> Result<String, Refused> {
    served.desk().figures(&WINDOWS)
}
