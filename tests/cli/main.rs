//! The command line through its front door: the real binary, a fresh store, no knowledge of the
//! inside. One test binary, one module a subject.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod admission;
mod audit;
mod bench;
mod beside;
mod config;
mod contain;
mod doctor;
mod endings;
mod people;
mod policy;
mod readme;
mod refused;
mod review;
mod signals;
mod switches;
mod tamper;
mod terminal;
mod told;
mod usage;
