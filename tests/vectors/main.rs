//! Statistics against reference vectors: every case of `../shared/vectors` at its tolerance.
//!
//! Where that folder is absent each test says so and compares nothing; else it says how many cases
//! it ran (`--nocapture`).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod case;
mod detectors;
mod folder;
mod population;
mod rates;
mod samples;
mod streams;
mod tests_of_two;
mod times;
