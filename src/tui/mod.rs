//! The reviewer app.
