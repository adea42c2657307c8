//! New versions that take a share.

use serde_json::{Value, json};

use super::auth::Caller;
use super::body::Json;
use super::openapi;
use super::problem::Problem;
use super::switches::containment;
use crate::protocol::{Answer, CanaryAct, Command};

/// New versions that take a share
#[utoipa::path(
    get, path = "/v1/canaries", tag = "containment",
    responses((status = 401, description = "No token, or none that opens", body = openapi::Problem), (status = 200, description = "`canaries`"))
)]
pub(super) async fn canaries(caller: Caller) -> Result<Json<Value>, Problem> {
    let view = containment(&caller).await?;
    Ok(Json(json!({ "canaries": view.canaries })))
}

/// Start, promote or roll back a canary
#[utoipa::path(
    post, path = "/v1/canaries", tag = "containment",
    request_body(content = Object, description = "`{\"act\":\"start\",\"model\",\"version\",\"baseline\"}` with `steps` (`[0.05, 0.25, 0.5, 1]` where it is left out), `min_reviewed` (100), `tolerance` (0.02), `promote_level` (2), or `{\"act\":\"promote\"|\"rollback\",\"model\",\"reason\"}`"),
    responses((status = 401, description = "No token, or none that opens", body = openapi::Problem), (status = 200, description = "`canaries`, as they stand then"))
)]
pub(super) async fn canary(
    caller: Caller,
    Json(act): Json<CanaryAct>,
) -> Result<Json<Value>, Problem> {
    match caller.execute(Command::Canary(act)).await? {
        Answer::Done => canaries(caller).await,
        other => Err(Problem::other(&other)),
    }
}
