//! Alerts and replies against local receivers that check what the real services check, and
//! against the real Alertmanager where it is installed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod alertmanager;
mod delivery;
mod fake;
mod front_door;
mod receiver;
mod replies;
mod services;
#[path = "../support/mod.rs"]
mod support;
