//! What the world said after a decision was acted on.

use serde::Deserialize;
use serde_json::{Value, json};

use super::auth::Caller;
use super::body::{Json, Path};
use super::openapi;
use super::problem::Problem;
use crate::protocol::{Answer, Command, FeedbackKind};

/// What the world said afterwards.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Feedback {
    /// `reversal`, `complaint`, `error` or `confirmed`.
    #[schema(value_type = String)]
    kind: FeedbackKind,
    note: Option<String>,
}

/// Say what happened after a decision was acted on
#[utoipa::path(
    post, path = "/v1/decisions/{id}/feedback", tag = "decisions",
    params(("id" = String, Path, description = "The decision")),
    request_body = Feedback,
    responses((status = 401, description = "No token, or none that opens", body = openapi::Problem), (status = 200, description = "Kept"),
        (status = 404, description = "No such decision", body = openapi::Problem),
        (status = 422, description = "No such kind", body = openapi::Problem),
    )
)]
pub(super) async fn feedback(
    caller: Caller,
    Path(id): Path<String>,
    Json(said): Json<Feedback>,
) -> Result<Json<Value>, Problem> {
    let Feedback { kind, note } = said;
    match caller.execute(Command::Feedback { item: id.clone(), kind, note }).await? {
        Answer::Done => Ok(Json(json!({ "id": id, "kind": kind }))),
        other => Err(Problem::other(&other)),
    }
}
