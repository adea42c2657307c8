//! Reviewers from anywhere: late verdicts at the desk, the outbox over a wire that breaks, and the
//! app in a terminal over a server that goes away and comes back.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod app;
mod breaking;
mod ingest;
mod late;
mod server;
#[path = "../support/mod.rs"]
mod support;
mod team;
mod tls;
mod wire;
