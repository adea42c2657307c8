//! `/v1/leases`: take items in hand, keep them, give them back.

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::auth::Caller;
use super::body::{Json, Path};
use super::openapi;
use super::problem::Problem;
use crate::protocol::{Answer, Command, ItemView, LeaseAsk, LeaseView};

/// Items taken with one request.
const MOST: u32 = 50;

/// Which items to take.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Take {
    /// Only from this queue
    queue: Option<String>,
    /// This item
    item: Option<String>,
    /// How many, 1 to 50 [default: 1]
    count: Option<u32>,
    /// Items to step over
    #[serde(default)]
    skip: Option<Vec<String>>,
}

/// A lease as it is told.
#[derive(Serialize)]
pub(super) struct Lease {
    /// Names the lease: `EPOCH:ITEM`.
    id: String,
    item: String,
    #[serde(flatten)]
    lease: LeaseView,
    #[serde(skip_serializing_if = "Option::is_none")]
    view: Option<Value>,
}

/// What was taken.
#[derive(Serialize)]
pub(super) struct Taken {
    leases: Vec<Lease>,
}

/// The lease's name.
fn name(item: &str, epoch: u64) -> String {
    format!("{epoch}:{item}")
}

/// The epoch and the item of a lease's name.
pub(super) fn parts(id: &str) -> Result<(u64, &str), Problem> {
    let parsed = id.split_once(':').and_then(|(epoch, item)| Some((epoch.parse().ok()?, item)));
    parsed.ok_or_else(|| {
        Problem::new(StatusCode::NOT_FOUND, "not_found", format!("{id} names no lease"))
            .hint("the id of a lease is in the answer of POST /v1/leases")
    })
}

/// Take items in hand
#[utoipa::path(
    post, path = "/v1/leases", tag = "leases",
    description = "Takes the next free items in order, or a named one. Fewer than asked for where \
        no more are free.",
    request_body = Take,
    responses(
        (status = 200, description = "What was taken, perhaps nothing", body = openapi::Leases),
        (status = 401, description = "No token, or none that opens", body = openapi::Problem),
        (status = 403, description = "Above the reviewer's level", body = openapi::Problem),
        (status = 404, description = "No such queue or item", body = openapi::Problem),
        (status = 409, description = "Somebody else holds the item", body = openapi::Problem),
    )
)]
pub(super) async fn take(caller: Caller, Json(take): Json<Take>) -> Result<Json<Taken>, Problem> {
    let count = take.count.unwrap_or(1);
    if !(1..=MOST).contains(&count) || (take.item.is_some() && count > 1) {
        let what = format!("{count} items cannot be taken at once");
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", what)
            .hint(format!("1 to {MOST}, or one by name")));
    }
    let mut leases = Vec::new();
    for _ in 0..count {
        let ask = LeaseAsk {
            item: take.item.clone(),
            queue: take.queue.clone(),
            skip: take.skip.clone().unwrap_or_default(),
        };
        match caller.execute(Command::Lease(ask)).await {
            Ok(Answer::Leased(Some(view))) => leases.push(told(&view)?),
            Ok(Answer::Leased(None)) => break,
            Ok(other) => return Err(Problem::other(&other)),
            // What was taken before is told; why there is no more comes with the next request.
            Err(_) if !leases.is_empty() => break,
            Err(problem) => {
                return Err(match take.item {
                    Some(item) => super::reviews::particulars(&caller, item, problem).await,
                    None => problem,
                });
            }
        }
    }
    Ok(Json(Taken { leases }))
}

fn told(view: &ItemView) -> Result<Lease, Problem> {
    let lease = view.lease.clone().ok_or_else(|| Problem::defect("a lease without a holder"))?;
    let json = view.as_json();
    let json = json.map_err(|e| Problem::defect(format!("the item cannot be told: {e}")))?;
    Ok(Lease { id: name(&view.id, lease.epoch), item: view.id.clone(), lease, view: Some(json) })
}

/// Keep a lease
#[utoipa::path(
    post, path = "/v1/leases/{id}/renew", tag = "leases",
    params(("id" = String, Path, description = "The lease's id, percent-encoded")),
    responses(
        (status = 200, description = "Kept, until when", body = openapi::Lease),
        (status = 401, description = "No token, or none that opens", body = openapi::Problem),
        (status = 404, description = "No such lease", body = openapi::Problem),
        (status = 409, description = "Lost: who holds the item now", body = openapi::Problem),
    )
)]
pub(super) async fn renew(caller: Caller, Path(id): Path<String>) -> Result<Json<Lease>, Problem> {
    let (epoch, item) = parts(&id)?;
    let item = item.to_owned();
    match caller.execute(Command::Renew { item: item.clone(), epoch }).await {
        Ok(Answer::Renewed(lease)) => {
            Ok(Json(Lease { id: name(&item, lease.epoch), item, lease, view: None }))
        }
        Ok(other) => Err(Problem::other(&other)),
        Err(problem) => Err(super::reviews::particulars(&caller, item, problem).await),
    }
}

/// Give a lease back
#[utoipa::path(
    delete, path = "/v1/leases/{id}", tag = "leases",
    params(("id" = String, Path, description = "The lease's id, percent-encoded")),
    responses(
        (status = 204, description = "It is no longer held"),
        (status = 401, description = "No token, or none that opens", body = openapi::Problem),
        (status = 404, description = "No such lease", body = openapi::Problem),
    )
)]
pub(super) async fn release(caller: Caller, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    let (epoch, item) = parts(&id)?;
    caller.execute(Command::Release { item: item.to_owned(), epoch }).await?;
    Ok(StatusCode::NO_CONTENT)
}
