//! Where automation runs, and how it is stopped.

use serde::Deserialize;
use serde_json::{Value, json};

use super::auth::Caller;
use super::body::Json;
use super::openapi;
use super::problem::Problem;
use crate::domain::ControlScope;
use crate::protocol::{Answer, Command, ContainmentView, KillMode, Query, Refused, Reply, Why};

/// All that is contained, as the containment view has it.
pub(super) async fn containment(caller: &Caller) -> Result<Box<ContainmentView>, Problem> {
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
