//! The protocol itself over HTTP: what the reviewer app says to a desk that is elsewhere.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::auth::Caller;
use super::body::Json;
use super::openapi;
use super::problem::Problem;
use crate::protocol::{Answer, Command, Query, Reply};

/// Do something
#[utoipa::path(
    post, path = "/v1/desk/commands", tag = "desk",
    description = "A command as the reviewer app says it. App and server are of one version; for \
        anybody else there is an address for each resource. Scope, role and rules are the same by \
        either way, and what is answered is durable.",
    request_body = Spoken,
    responses(
        (status = 200, description = "What it did: an object whose only key says what kind of answer it holds, or the word `done`", body = Value),
        (status = 401, description = "No token, or none that opens", body = openapi::Problem),
        (status = 403, description = "The token or its owner may not", body = openapi::Problem),
        (status = 404, description = "What it names is not there", body = openapi::Problem),
        (status = 409, description = "It is held or decided; the problem says by whom", body = openapi::Problem),
        (status = 412, description = "It has changed since", body = openapi::Problem),
        (status = 422, description = "No such command, or not as it should be", body = openapi::Problem),
    )
)]
pub(super) async fn execute(
    caller: Caller,
    Json(command): Json<Command>,
) -> Result<Json<Answer>, Problem> {
    caller.execute(command).await.map(Json)
}

/// Ask something
#[utoipa::path(
    post, path = "/v1/desk/queries", tag = "desk",
    description = "A question as the reviewer app asks it. Nothing changes by it.",
    request_body = Asked,
    responses(
        (status = 200, description = "What was found: an object whose only key says what kind of reply it holds", body = Value),
        (status = 401, description = "No token, or none that opens", body = openapi::Problem),
        (status = 403, description = "The token or its owner may not", body = openapi::Problem),
        (status = 404, description = "What it names is not there", body = openapi::Problem),
        (status = 422, description = "No such question, or not as it should be", body = openapi::Problem),
    )
)]
pub(super) async fn ask(caller: Caller, Json(query): Json<Query>) -> Result<Json<Reply>, Problem> {
    caller.ask(query).await.map(Json)
}

/// A command and its particulars, such as `{"do":"lease","item":"a-1","queue":null}`.
#[derive(Serialize, ToSchema)]
#[allow(dead_code, reason = "a shape that is described, never built: the protocol has its own")]
pub(super) struct Spoken {
    r#do: CommandWord,
    /// What the command is about: `item`, `scope`, `reason`, …
    #[serde(flatten)]
    particulars: BTreeMap<String, Value>,
}

/// A question and its particulars, such as `{"ask":"item","id":"a-1"}`.
#[derive(Serialize, ToSchema)]
#[allow(dead_code, reason = "a shape that is described, never built: the protocol has its own")]
pub(super) struct Asked {
    ask: QueryWord,
    /// What the question is about: `id`, `filter`, `limit`, …
    #[serde(flatten)]
    particulars: BTreeMap<String, Value>,
}

/// What can be done.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[allow(dead_code, reason = "a shape that is described, never built: the protocol has its own")]
pub(super) enum CommandWord {
    Admit,
    RetryRefused,
    Lease,
    Renew,
    Release,
    TakeBack,
    SaveDraft,
    DropDraft,
    Review,
    AnswerBlind,
    Undo,
    Flag,
    Feedback,
    AddReviewer,
    DisableReviewer,
    ActivatePolicy,
    Erase,
    Checkpoint,
    Kill,
    Resume,
    Requeue,
    ReleaseFreeze,
    Canary,
    Incident,
    SetReference,
    Redeliver,
    CreateToken,
    RevokeToken,
    Receive,
    Tick,
}

/// What can be asked.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[allow(dead_code, reason = "a shape that is described, never built: the protocol has its own")]
pub(super) enum QueryWord {
    Header,
    Page,
    Item,
    Decision,
    Draft,
    Policy,
    Explain,
    CheckOutput,
    CheckInput,
    Refused,
    Reviewers,
    Tokens,
    Entries,
    Corrections,
    Received,
    Prove,
    Signals,
    Distribution,
    Containment,
    Incident,
    Sync,
}
