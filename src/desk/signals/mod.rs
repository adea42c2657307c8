//! Signals over a store: windows kept up to date, looked at, and compared with a frozen reference.
//!
//! [`Keeper::advance`] follows the log into the store's windows; whoever ticks calls it.
//! `Core::look` reads a view, and takes in by itself what the log has had since, so that every
//! process sees the same figures whoever ticks. `Seen::figures` is what rules on windows read.

mod figures;
mod fresh;
mod frozen;
mod happened;
mod keeper;
mod show;
mod usual;

pub(super) use figures::{Detail, Figure, Seen, kind};
pub(super) use fresh::{Counted, Fresh};
pub(super) use frozen::Frozen;
pub(super) use keeper::Keeper;
