//! What the desk measures.

use serde::Deserialize;

use super::auth::Caller;
use super::body::{Json, Params};
use super::openapi;
use super::problem::Problem;
use crate::protocol::{Query, Reply, SignalsAsk, SignalsView};

/// Which figures.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Figures {
    /// `15m`, `1h`, `24h` (the default) or `7d`.
    #[serde(default)]
    window: String,
    /// `cohort`, `model`, `domain`, `queue`, `reviewer`, `rule` or `overall`.
    by: Option<String>,
    /// Drift of this slice, such as `model:m@1`.
    slice: Option<String>,
}

/// What the desk measures
#[utoipa::path(
    get, path = "/v1/signals", tag = "signals", params(Figures),
    responses((status = 401, description = "No token, or none that opens", body = openapi::Problem), (status = 200, description = "Override rates, drift, calibration, SLA"))
)]
pub(super) async fn signals(
    caller: Caller,
    Params(ask): Params<Figures>,
) -> Result<Json<Box<SignalsView>>, Problem> {
    let Figures { window, by, slice } = ask;
    match caller.ask(Query::Signals(SignalsAsk { window, by, slice })).await? {
        Reply::Signals(view) => Ok(Json(view)),
        other => Err(Problem::other(&other)),
    }
}
