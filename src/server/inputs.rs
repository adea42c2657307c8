//! Is an input one that the model knows? Asked before the model sees it.

use super::auth::Caller;
use super::body::Json;
use super::openapi;
use super::problem::Problem;
use crate::protocol::{InputAsk, InputCheck, Query, Reply};

/// Check an input before the model sees it
#[utoipa::path(
    post, path = "/v1/inputs/check", tag = "decisions",
    description = "The domain's schema; fields that nearly all of the model's reference have and \
        this input has not; values out of its distribution: a number further beyond the first or \
        last percentile than these are apart (of at most ten distinct numbers: outside their \
        range), a level the reference does not know. Nothing is stored.",
    request_body(content = Object, description = "`domain`, `model` (`name`, `version`), `input`"),
    responses((status = 401, description = "No token, or none that opens", body = openapi::Problem), (status = 200, description = "`ok`, `faults`, `missing`, `distribution` (`in`, `out` or `not_enough_data`), `stray`"))
)]
pub(super) async fn check_input(
    caller: Caller,
    Json(ask): Json<InputAsk>,
) -> Result<Json<InputCheck>, Problem> {
    match caller.ask(Query::CheckInput(ask)).await? {
        Reply::InputCheck(found) => Ok(Json(found)),
        other => Err(Problem::other(&other)),
    }
}
