//! Signals over a store: windows kept up to date, looked at, and compared with a frozen reference.
//!
//! [`Keeper::advance`] follows the log into the store's windows; whoever ticks calls it.
//! `Core::look` reads a view, and takes in by itself what the log has had since, so that every
//! process sees the same figures whoever ticks. `Core::figures` is what rules on windows read.

#[allow(dead_code, reason = "what rules on windows read is for the ticker that evaluates them")]
mod figures;
mod frozen;
mod happened;
mod keeper;
mod show;
mod usual;

#[allow(unused_imports, reason = "for the ticker")]
pub(super) use figures::{Figure, Seen};
pub(super) use frozen::Frozen;
#[allow(unused_imports, reason = "for the ticker")]
pub(super) use keeper::Advanced;
pub(super) use keeper::Keeper;
