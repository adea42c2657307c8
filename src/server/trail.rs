//! The trail: its entries, its signed head, and proofs that an entry is in it.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};

use super::auth::{Caller, blocking};
use super::body::{Json, Params, Path};
use super::openapi;
use super::problem::Problem;
use crate::domain::TokenScope;
use crate::protocol::{Answer, Command, EntryView, Query, Reply};

/// Sign the log as it stands
#[utoipa::path(
    get, path = "/v1/audit/checkpoint", tag = "audit",
    responses((status = 401, description = "No token, or none that opens", body = openapi::Problem), (status = 200, description = "A C2SP signed note", content_type = "text/plain", body = String))
)]
pub(super) async fn checkpoint(caller: Caller) -> Result<Response, Problem> {
    match caller.execute(Command::Checkpoint).await? {
        Answer::Checkpoint(note) => Ok(plain(note)),
        other => Err(Problem::other(&other)),
    }
}

/// Which entries.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Entries {
    /// The first index.
    #[serde(default)]
    from: u64,
    /// 1 to 1,000; 100 where it is left out.
    limit: Option<usize>,
    /// Only entries about this decision.
    item: Option<String>,
}

/// A page of the trail.
#[derive(Serialize)]
struct PageOfEntries<'a> {
    entries: &'a [EntryView],
    next: Option<u64>,
    total: u64,
}

/// Read the trail
#[utoipa::path(
    get, path = "/v1/audit/entries", tag = "audit", params(Entries),
    responses((status = 401, description = "No token, or none that opens", body = openapi::Problem), (status = 200, description = "`entries` (`index`, `entry`), `next`, `total`"))
)]
pub(super) async fn entries(
    caller: Caller,
    Params(ask): Params<Entries>,
) -> Result<Response, Problem> {
    let limit = ask.limit.unwrap_or(100);
    if !(1..=1_000).contains(&limit) {
        let what = "limit is 1 to 1,000";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "bad_query", what));
    }
    match caller.ask(Query::Entries { item: ask.item, from: ask.from, limit }).await? {
        Reply::Entries { entries, next, total } => {
            Ok(Json(PageOfEntries { entries: &entries, next, total }).into_response())
        }
        other => Err(Problem::other(&other)),
    }
}

/// Prove that an entry is in the log
#[utoipa::path(
    get, path = "/v1/audit/proof/{index}", tag = "audit",
    params(("index" = u64, Path, description = "The entry's index")),
    responses((status = 401, description = "No token, or none that opens", body = openapi::Problem), (status = 200, description = "A C2SP tlog-proof file, under a fresh checkpoint", content_type = "text/plain", body = String),
        (status = 404, description = "The log does not reach so far", body = openapi::Problem),
    )
)]
pub(super) async fn proof(caller: Caller, Path(index): Path<u64>) -> Result<Response, Problem> {
    use TokenScope::{Admin, Audit, Review};
    let desk = caller.desk(&[Review, Audit, Admin], "prove an entry").await?.clone();
    Ok(plain(blocking(move || desk.prove_index(index)).await?))
}

/// A text as it is, not JSON.
fn plain(text: String) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
}
