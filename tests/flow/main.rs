//! What flows out of a served desk: events with resume, long polls, flags, and the thin resources;
//! through the real binary and real HTTP.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod events;
mod flags;
mod resources;
mod served;
#[path = "../support/mod.rs"]
mod support;
mod truth;
