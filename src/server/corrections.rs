//! `POST /v1/corrections`: labelled corrections of another desk, as NDJSON; each is kept once, by
//! its origin and id, and a later one takes the place of an earlier one.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use serde_json::Value;

use super::auth::Caller;
use super::body::{Json, no_bytes};
use super::openapi;
use super::problem::Problem;
use crate::protocol::{Answer, Command, Received, Refused, Why};

/// Take the corrections of another desk
#[utoipa::path(
    post, path = "/v1/corrections", tag = "items",
    description = "One correction a line, as `learn export` writes them. Each is kept once, by its \
        origin and id; a line that is no correction is named in the answer and holds up no other.",
    request_body(content = Object, content_type = "application/x-ndjson"),
    responses((status = 401, description = "No token, or none that opens", body = openapi::Problem), (status = 200, description = "`new`, `updated`, `duplicates`, `refused`"))
)]
pub(super) async fn receive(
    caller: Caller,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Received>, Problem> {
    let body = body.map_err(|rejection| no_bytes(&rejection))?;
    let body = body.strip_suffix(b"\n").unwrap_or(&body);
    let corrections: Vec<Value> = body
        .split(|b| *b == b'\n')
        // What is no JSON is no correction either; its place is told by the desk.
        .map(|line| serde_json::from_slice(line).unwrap_or(Value::Null))
        .collect();
    match caller.execute(Command::Receive { corrections }).await? {
        Answer::Received(received) => Ok(Json(received)),
        other => {
            let why = format!("the desk gave an answer of another kind: {other:?}");
            Err(Refused::new(Why::Internal, why).hint("this is a defect").into())
        }
    }
}
