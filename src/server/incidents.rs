//! What went wrong, and who sees to it.

use serde::Deserialize;
use serde_json::{Value, json};

use super::auth::Caller;
use super::body::{Json, Path};
use super::openapi;
use super::problem::Problem;
use super::switches::containment;
use crate::protocol::{Answer, Command, IncidentAct, IncidentView, Query, Reply};

/// What went wrong
#[utoipa::path(
    get, path = "/v1/incidents", tag = "containment",
    responses((status = 401, description = "No token, or none that opens", body = openapi::Problem), (status = 200, description = "`incidents`, open ones first, newest first"))
)]
pub(super) async fn incidents(caller: Caller) -> Result<Json<Value>, Problem> {
    let view = containment(&caller).await?;
    Ok(Json(json!({ "incidents": view.incidents })))
}

/// One incident
#[utoipa::path(
    get, path = "/v1/incidents/{id}", tag = "containment",
    params(("id" = String, Path, description = "`inc-7`")),
    responses((status = 401, description = "No token, or none that opens", body = openapi::Problem), (status = 200, description = "With its timeline and decisions"),
        (status = 404, description = "No such incident", body = openapi::Problem),
    )
)]
pub(super) async fn incident(
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Box<IncidentView>>, Problem> {
    match caller.ask(Query::Incident { id }).await? {
        Reply::Incident(view) => Ok(Json(view)),
        other => Err(Problem::other(&other)),
    }
}

/// Acknowledge or resolve an incident.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Handling {
    /// `acknowledge` or `resolve`.
    #[schema(value_type = String)]
    act: IncidentAct,
    note: Option<String>,
}

/// Acknowledge or resolve an incident
#[utoipa::path(
    post, path = "/v1/incidents/{id}", tag = "containment",
    params(("id" = String, Path, description = "`inc-7`")),
    request_body = Handling,
    responses((status = 401, description = "No token, or none that opens", body = openapi::Problem), (status = 200, description = "As it stands then"),
        (status = 409, description = "Somebody did so already", body = openapi::Problem),
    )
)]
pub(super) async fn handle_incident(
    caller: Caller,
    Path(id): Path<String>,
    Json(Handling { act, note }): Json<Handling>,
) -> Result<Json<Box<IncidentView>>, Problem> {
    match caller.execute(Command::Incident { id, act, note }).await? {
        Answer::Incident(view) => Ok(Json(view)),
        other => Err(Problem::other(&other)),
    }
}
