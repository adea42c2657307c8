//! The HTTP interface through its front door: the real binary, real requests.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod admission;
mod covered;
mod endings;
mod hardness;
mod hostile;
mod proxy;
mod raw;
mod review;
mod scopes;
mod served;
mod surface;
mod tokens;
mod unread;

#[path = "../support/mod.rs"]
mod support;
