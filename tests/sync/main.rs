//! Corrections on their way to backends, from verdicts at the command line to what a receiver has:
//! a folder, a webhook, another server, Label Studio (a stand-in that keeps to its recorded
//! contract, and the real server where one is named).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod database;
mod desk;
mod folder;
mod label_studio;
mod mlflow;
#[path = "../alerts/receiver.rs"]
mod receiver;
mod server;
mod stand_in;
#[path = "../support/mod.rs"]
mod support;
mod webhook;
