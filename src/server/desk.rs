//! The protocol itself over HTTP: what the reviewer app says to a desk that is elsewhere.

use super::auth::Caller;
use super::body::Json;
use super::problem::Problem;
use crate::protocol::{Answer, Command, Query, Reply};

/// Do something.
pub(super) async fn execute(
    caller: Caller,
    Json(command): Json<Command>,
) -> Result<Json<Answer>, Problem> {
    caller.execute(command).await.map(Json)
}

/// Ask something.
pub(super) async fn ask(caller: Caller, Json(query): Json<Query>) -> Result<Json<Reply>, Problem> {
    caller.ask(query).await.map(Json)
}
