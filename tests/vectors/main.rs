//! Statistics against reference vectors: every case of `../shared/vectors` at its tolerance.

mod detectors;
mod folder;
mod rates;
mod streams;
