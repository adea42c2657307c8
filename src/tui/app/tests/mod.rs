//! Tables: keys and news in, state and effects out, over a desk in memory.

mod deciding;
mod moving;

use super::*;
use crate::tui::fake::FakeDesk;
use crate::tui::rig::Rig;
