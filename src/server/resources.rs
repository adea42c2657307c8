//! Thin resources: feedback, input checks, signals, switches, canaries, incidents, the trail. Each
//! is a command or a question of the protocol in the clothes of HTTP.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::auth::{Caller, blocking};
use super::body::{Json, Params, Path};
use super::openapi;
use super::problem::Problem;
use crate::domain::{ControlScope, TokenScope};
use crate::protocol::{
    Answer, CanaryAct, Command, ContainmentView, FeedbackKind, IncidentAct, IncidentView, InputAsk,
    InputCheck, KillMode, Query, Refused, Reply, SignalsAsk, SignalsView, Why,
};

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

async fn containment(caller: &Caller) -> Result<Box<ContainmentView>, Problem> {
    match caller.ask(Query::Containment).await? {
        Reply::Containment(view) => Ok(view),
        other => Err(Problem::other(&other)),
    }
}

/// Where automation runs
#[utoipa::path(
    get, path = "/v1/switches", tag = "containment",
    description = "Every scope by how automation stands in it: `state` is `on`, `limited`, `paused` \
        or `killed`, by what is set there, above it, or by a breaker (`by` is then `breaker`). `under` \
        names the other scope where something is set that makes it so; `own` says then how it stands by \
        itself, where that is not on. `mode` is null where it is on or limited.",
    responses((status = 401, description = "No token, or none that opens", body = openapi::Problem), (status = 200, description = "`switches`, `generation`, `outgoing`"))
)]
pub(super) async fn switches(caller: Caller) -> Result<Json<Value>, Problem> {
    let view = containment(&caller).await?;
    Ok(Json(json!({
        "switches": view.switches, "generation": view.generation, "outgoing": view.outgoing,
    })))
}

/// Stop automation in a scope, or ask to restart it.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case", tag = "act", deny_unknown_fields)]
pub(super) enum Switch {
    Kill {
        /// `all`, `domain=D`, `model=NAME[@VERSION]`, `action=A` or `cohort=DIM:GROUP`.
        #[schema(value_type = String)]
        scope: ControlScope,
        /// `human` (the default), `block` or `last-good`.
        mode: Option<String>,
        /// With `last-good`: the version to use; without it the last one that was in use before.
        /// `to` says the same.
        #[serde(alias = "to")]
        version: Option<String>,
        reason: String,
    },
    Resume {
        #[schema(value_type = String)]
        scope: ControlScope,
        reason: String,
    },
}

/// Stop automation, or ask to restart it
#[utoipa::path(
    post, path = "/v1/switches", tag = "containment",
    description = "A stop is one person's to make, and holds for every decision after its commit. \
        A restart takes effect when enough different people have asked.",
    request_body = Switch,
    responses((status = 401, description = "No token, or none that opens", body = openapi::Problem), (status = 200, description = "A kill: `scope`, `mode`, `state`, `generation`, `held`. A restart: `scope`, `running`, `by`, `needs`"),
        (status = 403, description = "That takes the scope on-call, and a role", body = openapi::Problem),
        (status = 422, description = "No such mode", body = openapi::Problem),
    )
)]
pub(super) async fn switch(
    caller: Caller,
    Json(said): Json<Switch>,
) -> Result<Json<Value>, Problem> {
    match said {
        Switch::Kill { scope, mode, version, reason } => {
            let mode = mode_of(mode.as_deref(), version)?;
            let word = mode.as_str();
            match caller.execute(Command::Kill { scope, mode, reason }).await? {
                Answer::Killed { scope, generation, held } => Ok(Json(json!({
                    "scope": scope, "mode": word, "state": "killed", "generation": generation,
                    "held": held,
                }))),
                other => Err(Problem::other(&other)),
            }
        }
        Switch::Resume { scope, reason } => {
            match caller.execute(Command::Resume { scope, reason }).await? {
                Answer::Resumed(resumed) => Ok(Json(json!(resumed))),
                other => Err(Problem::other(&other)),
            }
        }
    }
}

fn mode_of(word: Option<&str>, version: Option<String>) -> Result<KillMode, Problem> {
    let refused = |what: String| Problem::from(Refused::new(Why::Invalid, what));
    match (word.unwrap_or("human"), version) {
        ("human", None) => Ok(KillMode::Human),
        ("block", None) => Ok(KillMode::Block),
        ("last-good", version) => Ok(KillMode::LastGood { version }),
        ("human" | "block", Some(_)) => {
            Err(refused("`version` names what `last-good` goes back to; leave it out".into()))
        }
        (other, _) => Err(refused(format!("{other} is none of human, block and last-good"))),
    }
}

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

/// A text as it is, not JSON.
fn plain(text: String) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
}

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
    entries: &'a [crate::protocol::EntryView],
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
