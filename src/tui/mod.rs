//! The reviewer app.

pub mod keymap;
mod problem;
pub mod theme;

pub use problem::Problem;
