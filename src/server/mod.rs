//! The HTTP interface: one file a resource, over any store.
//!
//! Every request goes one way: [`requests`] gives it an id and bounds it, [`auth::Caller`] says in
//! whose name it is and what its token may do, and the handler says a
//! [`Command`](crate::protocol::Command) or asks a [`Query`](crate::protocol::Query) through that
//! caller. There is no other way to the desk, so no route can forget to check. What is refused
//! becomes a [`Problem`] (RFC 9457).

mod auth;
mod body;
mod canaries;
mod corrections;
mod decisions;
mod desk;
mod events;
mod feedback;
mod flags;
mod flow;
mod health;
mod incidents;
mod inputs;
mod items;
mod leases;
mod limits;
mod listen;
mod ofrep;
pub mod openapi;
mod patience;
mod places;
mod problem;
mod requests;
mod reviews;
mod signals;
mod state;
mod switches;
mod trail;
mod unread;

use axum::Router;
use axum::routing::{delete, get, post};

pub use auth::Caller;
pub use limits::Rates;
pub use listen::{CONNECTIONS, CONNECTIONS_PER_ADDRESS, Listen, Tls, serve};
pub use patience::Patience;
pub use places::DOOR;
pub use problem::Problem;
pub use state::Served;

/// All routes over this desk.
pub fn router(served: Served, patience: Patience) -> Router {
    let routes = Router::new()
        .route(requests::RECORDS, post(decisions::submit))
        .route("/v1/decisions/{id}", get(decisions::read))
        .route("/v1/queues", get(items::queues))
        .route("/v1/items", get(items::list))
        .route("/v1/items/{id}", get(items::read))
        .route("/v1/items/{id}/reviews", post(reviews::give))
        .route("/v1/items/{id}/undo", post(items::undo))
        .route("/v1/leases", post(leases::take))
        .route("/v1/leases/{id}", delete(leases::release))
        .route("/v1/leases/{id}/renew", post(leases::renew))
        .route("/openapi.json", get(openapi::serve))
        .route("/v1/desk/commands", post(desk::execute))
        .route("/v1/desk/queries", post(desk::ask))
        .route("/v1/corrections", post(corrections::receive))
        .route("/v1/decisions/{id}/feedback", post(feedback::feedback))
        .route("/v1/inputs/check", post(inputs::check_input))
        .route("/v1/events", get(events::follow))
        .route("/ofrep/v1/evaluate/flags", post(ofrep::all))
        .route("/ofrep/v1/evaluate/flags/{key}", post(ofrep::one))
        .route("/ofrep/v1/changes", get(ofrep::stream::changes))
        .route("/v1/signals", get(signals::signals))
        .route("/v1/switches", get(switches::switches).post(switches::switch))
        .route("/v1/canaries", get(canaries::canaries).post(canaries::canary))
        .route("/v1/incidents", get(incidents::incidents))
        .route("/v1/incidents/{id}", get(incidents::incident).post(incidents::handle_incident))
        .route("/v1/audit/checkpoint", get(trail::checkpoint))
        .route("/v1/audit/entries", get(trail::entries))
        .route("/v1/audit/proof/{index}", get(trail::proof))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .fallback(problem::no_route)
        .method_not_allowed_fallback(problem::no_method)
        .with_state(served);
    requests::bounded(routes, patience)
}
