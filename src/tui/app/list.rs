//! The queue as a window of rows: a million may wait, a few screens are held.
//!
//! The selection is an item's id, never a row's number, so rows that come and go above it do not
//! move it. A page covers the range `(after, next]` in queue order; rows held beyond it stay.

use std::collections::BTreeMap;

use crate::protocol::{Cursor, Filter, Page, PageAsk, Refused, Row};

use super::slot::Slot;

/// Pages are never larger than what a desk gives.
const LARGEST: usize = 500;
/// Nor smaller than this: a short screen scrolls through it without waiting.
const SMALLEST: usize = 60;

/// What to fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Want {
    /// From the start of the queue.
    Start,
    /// The end of the queue.
    End,
    /// The same range again.
    Refresh,
    /// On after the last row.
    Down,
    /// Back before the first row.
    Up,
}

/// The rows at hand, what is selected, and what is known beyond them.
#[derive(Clone, Debug, Default)]
pub struct List {
    /// As typed.
    pub filter_text: String,
    /// As asked.
    pub filter: Filter,
    pub rows: Vec<Row>,
    /// Rows before the first are at or before this place; `None`: there are none.
    lower: Option<Cursor>,
    /// Where to go on after the last row; `None`: it is the end.
    more: Option<Cursor>,
    /// Id of the selected item.
    pub selected: Option<String>,
    /// Its index when it was last seen, to take its neighbour when it is gone.
    selected_at: usize,
    /// Index of the first row on the screen.
    pub top: usize,
    /// Rows the screen shows.
    pub height: usize,
    /// All that match, as the desk counts.
    pub total: u64,
    /// Free text: rows looked through so far, while more are to come.
    pub scanned: u64,
    /// A first page has come.
    pub loaded: bool,
    /// Why the last page did not come.
    pub failed: Option<Refused>,
    /// Items decided here, with the revision decided on: an older row must not come back.
    gone: BTreeMap<String, u64>,
    /// Items that arrived and have not been looked at: `total` then.
    seen_total: Option<u64>,
    pub slot: Slot<Want>,
}

impl List {
    /// The query for `want`, as the window stands.
    pub fn ask(&self, want: &Want) -> PageAsk {
        let limit = (self.height * 3).clamp(SMALLEST, LARGEST);
        let filter = Filter { mine: true, ..self.filter.clone() };
        let base = PageAsk { filter, limit, here: true, ..PageAsk::default() };
        match want {
            Want::Start => base,
            Want::End => PageAsk { from_end: true, ..base },
            Want::Refresh => PageAsk {
                after: self.lower.clone(),
                limit: (self.rows.len() + 1).clamp(limit, LARGEST),
                ..base
            },
            Want::Down => PageAsk { after: self.more.clone(), ..base },
            Want::Up => PageAsk { before: self.rows.first().map(|r| r.cursor.clone()), ..base },
        }
    }

    /// Takes the page that answers `ask`, the query for `want`.
    pub fn took(&mut self, want: &Want, ask: &PageAsk, page: Page) {
        let on_screen = self.selected_at.saturating_sub(self.top);
        let Page { items, next, total, scanned } = page;
        self.failed = None;
        self.total = total;
        let full = items.len() >= ask.limit;
        match want {
            Want::Start => {
                self.rows = items;
                self.lower = None;
                self.more = next;
                self.scanned = scanned;
            }
            Want::End => {
                self.lower = None;
                self.rows = items;
                self.drop_first_as_bound(full, next);
                self.more = None;
            }
            Want::Refresh => match next {
                // The page may cover less than the window: what lies beyond it stays as it is.
                Some(next) => {
                    let beyond = self.rows.iter().position(|r| r.cursor > next);
                    let rest = beyond.map(|i| self.rows.split_off(i)).unwrap_or_default();
                    if rest.is_empty() {
                        self.more = Some(next);
                    }
                    self.rows = items;
                    self.rows.extend(rest);
                }
                None => {
                    self.rows = items;
                    self.more = None;
                }
            },
            Want::Down => {
                self.rows.extend(items);
                self.more = next;
                self.scanned = self.scanned.saturating_add(scanned);
                self.trim_front();
            }
            Want::Up => {
                let added = items.len();
                let mut rows = items;
                rows.append(&mut self.rows);
                self.rows = rows;
                self.top += added;
                self.selected_at += added;
                self.drop_first_as_bound(full, next);
                self.trim_back();
            }
        }
        if self.more.is_none() {
            self.scanned = 0;
        }
        self.loaded = true;
        self.drop_gone();
        self.reselect(on_screen);
        self.seen_total = Some(self.seen_total.unwrap_or(total).min(total));
    }

    /// How many match, and whether there may be more: free text is counted as it is found.
    pub fn matching(&self) -> (u64, bool) {
        match &self.filter.text {
            None => (self.total, false),
            Some(_) => (self.rows.len() as u64, self.lower.is_some() || self.more.is_some()),
        }
    }

    /// A page that came from below says nothing of what lies before it but that it was full: its
    /// first row becomes the bound.
    fn drop_first_as_bound(&mut self, full: bool, next: Option<Cursor>) {
        self.lower = if full && self.rows.len() > 1 {
            let first = self.rows.remove(0);
            self.top = self.top.saturating_sub(1);
            self.selected_at = self.selected_at.saturating_sub(1);
            Some(first.cursor)
        } else if self.filter.text.is_some() {
            next
        } else {
            None
        };
    }

    /// Keeps the window small on the side that was left.
    fn trim_front(&mut self) {
        let keep = 3 * self.height.max(20);
        let cut = self.top.saturating_sub(keep);
        if cut > keep {
            self.lower = self.rows.get(cut - 1).map(|r| r.cursor.clone());
            self.rows.drain(..cut);
            self.top -= cut;
            self.selected_at = self.selected_at.saturating_sub(cut);
        }
    }

    fn trim_back(&mut self) {
        let keep = 3 * self.height.max(20);
        let end = self.top + self.height + 2 * keep;
        if self.rows.len() > end {
            self.rows.truncate(end);
            self.more = self.rows.last().map(|r| r.cursor.clone());
        }
    }

    fn drop_gone(&mut self) {
        let gone = &self.gone;
        self.rows.retain(|r| gone.get(&r.id).is_none_or(|decided| r.revision > *decided));
    }

    /// Finds the selection again after rows changed, and keeps it on its screen line.
    fn reselect(&mut self, on_screen: usize) {
        let found =
            self.selected.as_ref().and_then(|id| self.rows.iter().position(|r| &r.id == id));
        match found {
            Some(i) => {
                self.selected_at = i;
                self.top = i.saturating_sub(on_screen);
            }
            None => self.select_index(self.selected_at),
        }
        self.show_selected();
    }

    /// Selects the row at `index`, or the last one.
    pub fn select_index(&mut self, index: usize) {
        self.selected_at = index.min(self.rows.len().saturating_sub(1));
        self.selected = self.rows.get(self.selected_at).map(|r| r.id.clone());
        self.show_selected();
    }

    /// Selects the row of this item, if it is at hand.
    pub fn select(&mut self, id: &str) -> bool {
        match self.rows.iter().position(|r| r.id == id) {
            Some(i) => {
                self.select_index(i);
                true
            }
            None => false,
        }
    }

    /// Moves the selection by `by` rows.
    pub fn step(&mut self, by: isize) {
        self.select_index(self.selected_at.saturating_add_signed(by));
    }

    /// Scrolls as little as needed to show the selection.
    pub fn show_selected(&mut self) {
        let height = self.height.max(1);
        self.top = self.top.min(self.selected_at);
        if self.selected_at >= self.top + height {
            self.top = self.selected_at + 1 - height;
        }
        self.top = self.top.min(self.rows.len().saturating_sub(1));
    }

    /// Index of the selected row.
    pub fn index(&self) -> Option<usize> {
        self.rows.get(self.selected_at).filter(|r| Some(&r.id) == self.selected.as_ref())?;
        Some(self.selected_at)
    }

    /// The selected row.
    pub fn row(&self) -> Option<&Row> {
        self.rows.get(self.index()?)
    }

    /// The row of this item, if at hand.
    pub fn find(&self, id: &str) -> Option<&Row> {
        self.rows.iter().find(|r| r.id == id)
    }

    /// What should be fetched so that the cursor never meets an edge.
    pub fn needs(&self) -> Option<Want> {
        let margin = self.height.max(20);
        if !self.loaded {
            return Some(Want::Start);
        }
        if self.more.is_some() && self.selected_at + margin >= self.rows.len() {
            return Some(Want::Down);
        }
        (self.lower.is_some() && self.selected_at < margin).then_some(Want::Up)
    }

    /// The window begins at the start of the queue.
    pub fn at_start(&self) -> bool {
        self.loaded && self.lower.is_none()
    }

    /// The window reaches the end of the queue.
    pub fn at_end(&self) -> bool {
        self.loaded && self.more.is_none()
    }

    /// A row was decided here: it goes, and its older self must not come back. Returns its place.
    pub fn decided(&mut self, id: &str, revision: u64) -> Option<usize> {
        self.gone.insert(id.to_owned(), revision);
        if self.filter.by_me {
            return self.rows.iter().position(|r| r.id == id);
        }
        let index = self.rows.iter().position(|r| r.id == id)?;
        self.rows.remove(index);
        self.seen_total = self.seen_total.map(|n| n.saturating_sub(1));
        self.total = self.total.saturating_sub(1);
        if index < self.selected_at {
            self.selected_at -= 1;
        }
        if index < self.top {
            self.top -= 1;
        }
        Some(index)
    }

    /// The verdict was refused or taken back: its row may come again.
    pub fn returned(&mut self, id: &str) {
        self.gone.remove(id);
    }

    /// Puts a row back where it was in queue order.
    pub fn put_back(&mut self, row: Row) {
        self.gone.remove(&row.id);
        if self.rows.iter().any(|r| r.id == row.id) {
            return;
        }
        let index = self.rows.partition_point(|r| r.cursor < row.cursor);
        self.rows.insert(index, row);
        self.total += 1;
        self.seen_total = self.seen_total.map(|n| n + 1);
        if index <= self.selected_at && self.selected.is_some() {
            self.selected_at += 1;
            self.top += 1;
        }
        self.show_selected();
    }

    /// How many arrived since the reviewer last looked at the top.
    pub fn arrived(&self) -> u64 {
        self.seen_total.map_or(0, |seen| self.total.saturating_sub(seen))
    }

    /// The reviewer has looked.
    pub fn looked(&mut self) {
        self.seen_total = self.loaded.then_some(self.total);
    }

    /// Another filter: everything at hand is forgotten, the selection kept in mind.
    pub fn refilter(&mut self, text: String, filter: Filter) {
        self.filter_text = text;
        self.filter = filter;
        self.forget();
    }

    /// Forgets the rows; the next page starts anew.
    pub fn forget(&mut self) {
        self.rows.clear();
        self.lower = None;
        self.more = None;
        self.loaded = false;
        self.failed = None;
        self.scanned = 0;
        self.top = 0;
        self.selected_at = 0;
        self.selected = None;
        self.seen_total = None;
    }
}
