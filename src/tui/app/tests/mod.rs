//! Tables: keys and news in, state and effects out, over a desk in memory.

mod containing;
mod deciding;
mod editing;
mod elsewhere;
mod forms;
mod leases;
mod measuring;
mod moving;
mod properties;

use super::*;
use crate::domain::{ItemState, VerdictKind};
use crate::protocol::{Command, Query, Refused, ReviewRequest, Why};
use crate::tui::fake::FakeDesk;
use crate::tui::rig::Rig;

/// Reviews the desk was told, in order.
fn reviews(rig: &Rig) -> Vec<ReviewRequest> {
    let inside = rig.desk.inside();
    let reviews = inside.said.iter().filter_map(|c| match c {
        Command::Review(request) => Some((**request).clone()),
        _ => None,
    });
    reviews.collect()
}

/// Where an item stands at the desk.
fn state_of(rig: &Rig, id: &str) -> ItemState {
    rig.desk.inside().items[id].item.state
}
