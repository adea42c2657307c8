//! The team's store through the front door: the real binary, a real server that is thrown away.
//! One test binary, one module a subject.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "../support/mod.rs"]
mod support;

mod commands;
mod desks;
mod front;
mod node;
mod nodes;
mod tamper;
