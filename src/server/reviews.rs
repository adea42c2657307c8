//! `/v1/items/{id}/reviews`: verdicts, under the same rules as in the app.

use serde::Deserialize;
use serde_json::Value;

use super::auth::Caller;
use super::body::{Json, Path};
use super::openapi;
use super::problem::Problem;
use crate::domain::{Verdict, VerdictKind};
use crate::protocol::{Answer, Command, Query, Reply, ReviewRequest, Reviewed, Why};

/// A verdict as it is sent.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Given {
    /// UUIDv7; sending the same one again changes nothing and gets the same answer
    request_id: String,
    /// `accept`, `edit`, `reject` or `escalate`
    #[schema(value_type = String)]
    verdict: VerdictKind,
    /// `edit`: the new output
    #[serde(default)]
    output: Option<Value>,
    /// `edit`: the new action
    #[serde(default)]
    action: Option<String>,
    /// `reject`: what would have been right
    #[serde(default)]
    label: Option<String>,
    #[serde(default)]
    tags: Option<Vec<String>>,
    #[serde(default)]
    note: Option<String>,
    /// `escalate`: the queue to move to
    #[serde(default)]
    to: Option<String>,
    /// The lease it is given under: its id, or its epoch. Without one, the item has to be free
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    lease: Option<LeaseName>,
    /// The revision that was looked at
    #[serde(default)]
    revision: Option<u64>,
    /// `seen` of the item that was looked at
    #[serde(default)]
    seen: Option<String>,
    /// Armored SSHSIG over the statement
    #[serde(default)]
    signature: Option<String>,
    /// Hold the effects this long, in milliseconds [default: the policy's grace]
    #[serde(default)]
    grace_ms: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum LeaseName {
    Epoch(u64),
    Id(String),
}

/// Decide
#[utoipa::path(
    post, path = "/v1/items/{id}/reviews", tag = "items",
    description = "A verdict. Idempotent by `request_id`. Refused verdicts change nothing: 409 \
        names who holds the item or who decided it, 412 the revision it is at now.",
    params(("id" = String, Path, description = "The decision's id, percent-encoded")),
    request_body = Given,
    responses(
        (status = 200, description = "What the verdict made of the item", body = openapi::Reviewed),
        (status = 401, description = "No token, or none that opens", body = openapi::Problem),
        (status = 403, description = "The reviewer may not", body = openapi::Problem),
        (status = 404, description = "No such decision", body = openapi::Problem),
        (status = 409, description = "Held or decided by somebody else", body = openapi::Problem),
        (status = 412, description = "The item has changed", body = openapi::Problem),
        (status = 422, description = "The verdict is incomplete", body = openapi::Problem),
    )
)]
pub(super) async fn give(
    caller: Caller,
    Path(id): Path<String>,
    Json(given): Json<Given>,
) -> Result<Json<Reviewed>, Problem> {
    let lease = match &given.lease {
        None => None,
        Some(LeaseName::Epoch(epoch)) => Some(*epoch),
        Some(LeaseName::Id(name)) => Some(super::leases::parts(name)?.0),
    };
    let grace_ms = match given.grace_ms {
        Some(grace) => grace,
        None => policy_grace(&caller).await?,
    };
    let request = ReviewRequest {
        request_id: given.request_id,
        item: id.clone(),
        verdict: Verdict {
            verdict: given.verdict,
            output: given.output,
            action: given.action,
            label: given.label,
            tags: given.tags.unwrap_or_default(),
            note: given.note,
            to: given.to,
        },
        lease,
        revision: given.revision,
        seen: given.seen,
        signature: given.signature,
        grace_ms,
        offline: None,
    };
    match caller.execute(Command::Review(Box::new(request))).await {
        Ok(Answer::Reviewed(reviewed)) => Ok(Json(reviewed)),
        Ok(other) => Err(Problem::other(&other)),
        Err(problem) => Err(particulars(&caller, id, problem).await),
    }
}

/// How long effects are held where the request does not say.
async fn policy_grace(caller: &Caller) -> Result<u64, Problem> {
    match caller.ask(Query::Policy).await {
        Ok(Reply::Policy(policy)) => Ok(policy.grace_ms),
        Ok(other) => Err(Problem::other(&other)),
        // Without a policy there is no grace either.
        Err(problem) if problem.status() == axum::http::StatusCode::NOT_FOUND => Ok(0),
        Err(problem) => Err(problem),
    }
}

/// A conflict with who holds the item, who decided it, and where it stands.
pub(super) async fn particulars(caller: &Caller, id: String, problem: Problem) -> Problem {
    let conflict = problem
        .refused()
        .is_some_and(|r| matches!(r.kind, Why::LeaseLost | Why::State | Why::Stale));
    if !conflict {
        return problem;
    }
    let Ok(item) = super::items::view(caller, id).await else { return problem };
    let mut problem = problem.with("state", item.state.as_str()).with("revision", item.revision);
    if let Some(lease) = item.lease.as_ref().filter(|lease| lease.reviewer != caller.name()) {
        problem =
            problem.with("holder", lease.reviewer.as_str()).with("until", lease.until.to_string());
    }
    let pending = item.pending.as_ref().map(|(who, _)| who.as_str());
    let last = item.reviews.iter().rfind(|r| !r.undone).map(|r| r.reviewer.as_str());
    if let Some(who) = pending.or(last) {
        problem = problem.with("decided_by", who);
    }
    problem
}
