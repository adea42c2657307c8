//! `/v1/queues`, `/v1/items`: what waits for people, as far as whoever asks may see it.

use serde::Deserialize;
use serde_json::{Value, json};

use super::auth::Caller;
use super::body::{Json, Params, Path};
use super::openapi;
use super::problem::Problem;
use crate::protocol::{
    Answer, Command, Cursor, Filter, ItemView, Page, PageAsk, Query, Reply, Reviewed,
};

/// Rows of a page where none are asked for, and at most.
const ROWS: usize = 50;
const MOST: usize = 500;

/// The queues with what waits in them
#[utoipa::path(
    get, path = "/v1/queues", tag = "items",
    responses(
        (status = 200, description = "Every queue", body = openapi::Queues),
        (status = 401, description = "No token, or none that opens", body = openapi::Problem),
        (status = 403, description = "The token may not", body = openapi::Problem),
    )
)]
pub(super) async fn queues(caller: Caller) -> Result<Json<Value>, Problem> {
    match caller.ask(Query::Header).await? {
        Reply::Header(header) => Ok(Json(json!({ "queues": header.queues }))),
        other => Err(Problem::other(&other)),
    }
}

/// Which items.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    /// Only of this queue
    queue: Option<String>,
    domain: Option<String>,
    /// `group`, or `dimension:group`
    cohort: Option<String>,
    /// `name`, or `name@version`
    model: Option<String>,
    rule: Option<String>,
    level: Option<u8>,
    tag: Option<String>,
    /// Free text in the record
    text: Option<String>,
    /// What the asker decided, settled or not
    #[serde(default)]
    by_me: bool,
    /// Go on after this place: `next` of the page before
    after: Option<String>,
    /// 1 to 500
    limit: Option<usize>,
}

/// A page of what waits, in queue order
#[utoipa::path(
    get, path = "/v1/items", tag = "items", params(Which),
    responses(
        (status = 200, description = "A page", body = openapi::Page),
        (status = 400, description = "An unknown parameter", body = openapi::Problem),
        (status = 401, description = "No token, or none that opens", body = openapi::Problem),
        (status = 403, description = "The token may not", body = openapi::Problem),
    )
)]
pub(super) async fn list(
    caller: Caller,
    Params(which): Params<Which>,
) -> Result<Json<Page>, Problem> {
    let ask = PageAsk {
        filter: Filter {
            queue: which.queue,
            domain: which.domain,
            cohort: which.cohort,
            model: which.model,
            rule: which.rule,
            level: which.level,
            tag: which.tag,
            text: which.text,
            by_me: which.by_me,
            mine: false,
        },
        after: which.after.map(Cursor),
        limit: which.limit.unwrap_or(ROWS).clamp(1, MOST),
        ..PageAsk::default()
    };
    match caller.ask(Query::Page(ask)).await? {
        Reply::Page(page) => Ok(Json(page)),
        other => Err(Problem::other(&other)),
    }
}

/// One item in full
#[utoipa::path(
    get, path = "/v1/items/{id}", tag = "items",
    description = "On a blind item the proposal is withheld until whoever asks has given an own \
        answer.",
    params(("id" = String, Path, description = "The decision's id, percent-encoded")),
    responses(
        (status = 200, description = "The item", body = openapi::Item),
        (status = 401, description = "No token, or none that opens", body = openapi::Problem),
        (status = 403, description = "The token may not", body = openapi::Problem),
        (status = 404, description = "No such decision", body = openapi::Problem),
    )
)]
pub(super) async fn read(caller: Caller, Path(id): Path<String>) -> Result<Json<Value>, Problem> {
    let item = view(&caller, id).await?;
    item.as_json().map(Json).map_err(|e| Problem::defect(format!("the item cannot be told: {e}")))
}

/// Take one's last verdict back, within its grace time
#[utoipa::path(
    post, path = "/v1/items/{id}/undo", tag = "items",
    params(("id" = String, Path, description = "The decision's id, percent-encoded")),
    responses(
        (status = 200, description = "Where the item stands again", body = openapi::Reviewed),
        (status = 401, description = "No token, or none that opens", body = openapi::Problem),
        (status = 403, description = "Somebody else's verdict", body = openapi::Problem),
        (status = 404, description = "No such decision", body = openapi::Problem),
        (status = 409, description = "The grace time is over", body = openapi::Problem),
    )
)]
pub(super) async fn undo(
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Reviewed>, Problem> {
    match caller.execute(Command::Undo { item: id }).await? {
        Answer::Reviewed(reviewed) => Ok(Json(reviewed)),
        other => Err(Problem::other(&other)),
    }
}

/// The item as the caller may see it.
pub(super) async fn view(caller: &Caller, id: String) -> Result<Box<ItemView>, Problem> {
    match caller.ask(Query::Item { id }).await? {
        Reply::Item(item) => Ok(item),
        other => Err(Problem::other(&other)),
    }
}
