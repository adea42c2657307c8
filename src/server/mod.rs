//! The HTTP interface: one file a resource, over any store.
//!
//! Every request goes one way: [`requests`] gives it an id and bounds it, [`auth::Caller`] says in
//! whose name it is and what its token may do, and the handler says a
//! [`Command`](crate::protocol::Command) or asks a [`Query`](crate::protocol::Query) through that
//! caller. There is no other way to the desk, so no route can forget to check. What is refused
//! becomes a [`Problem`] (RFC 9457).

mod auth;
mod body;
mod corrections;
mod desk;
mod health;
mod listen;
mod problem;
mod requests;
mod state;

use axum::Router;
use axum::routing::{get, post};

pub use auth::Caller;
pub use listen::{Listen, Tls, serve};
pub use problem::Problem;
pub use state::Served;

/// All routes over this desk.
pub fn router(served: Served) -> Router {
    let routes = Router::new()
        .route("/v1/desk/commands", post(desk::execute))
        .route("/v1/desk/queries", post(desk::ask))
        .route("/v1/corrections", post(corrections::receive))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .fallback(problem::no_route)
        .method_not_allowed_fallback(problem::no_method)
        .with_state(served);
    requests::bounded(routes)
}
