//! Screens draw, and change nothing: state, theme and a frame in, a record of what was shown out.

mod audit;
pub mod cache;
mod cards;
mod chart;
mod containment;
mod context;
mod difference;
pub mod document;
mod footer;
mod header;
mod item;
mod learning;
mod list;
mod paint;
mod policy;
mod queue;
mod signals;
#[cfg(test)]
mod tests;
mod usual;

use ratatui::Frame;
use ratatui::layout::Rect;

pub use cache::{Cache, ItemKey};
pub use chart::{duration, percent, said, standing, statistic};
pub use containment::{slice_of, state_look};
pub use difference::diff_lines;
pub use paint::*;

use super::app::{Painted, State, View};
use super::overlays;
use super::theme::Theme;

/// The smallest screen the app draws itself on.
pub const SMALLEST: (u16, u16) = (40, 10);

/// Draws everything.
pub fn draw(frame: &mut Frame<'_>, state: &State, theme: &Theme, cache: &mut Cache) -> Painted {
    let area = frame.area();
    let mut ui = Ui { frame, state, theme, cache, painted: Painted::default(), below: 0 };
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        cards::too_small(&mut ui, area);
        return ui.painted;
    }
    let head = Rect { height: 1, ..area };
    let foot = Rect { y: area.bottom() - 1, height: 1, ..area };
    let body = Rect { y: area.y + 1, height: area.height - 2, ..area };
    header::draw(&mut ui, head);
    match state.view {
        View::Queue => queue::draw(&mut ui, body),
        View::Signals => signals::draw(&mut ui, body),
        View::Containment => containment::draw(&mut ui, body),
        View::Audit => audit::draw(&mut ui, body),
        View::Learning => learning::draw(&mut ui, body),
        View::Policy => policy::draw(&mut ui, body),
    }
    footer::draw(&mut ui, foot);
    footer::toasts(&mut ui, body);
    overlays::draw(&mut ui, area);
    if state.hint && state.overlays.is_empty() {
        cards::first_minute(&mut ui, body);
    }
    ui.painted
}
