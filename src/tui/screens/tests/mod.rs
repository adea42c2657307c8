//! Snapshots of every screen at three sizes, looks of the telling ones, bytes on the wire.

mod bytes;
mod looks;
mod pictures;

use crate::tui::fake::FakeDesk;
use crate::tui::rig::{Rig, theme};
use crate::tui::theme::Depth;

/// The sizes of the house: the smallest, the usual, the roomy.
const SIZES: [(u16, u16); 3] = [(40, 10), (80, 24), (140, 40)];
