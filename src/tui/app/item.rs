//! The item on show: loaded, looked at again, given back; the next one ready.

use std::sync::Arc;

use jiff::SignedDuration;
use serde_json::Value;

use super::{Effect, Purpose, State};
use crate::domain::Timestamp;
use crate::protocol::{Command, ItemView, Query, Refused};
use crate::text::Clean;

/// A cursor that passes over rows takes no leases: it must rest this long.
const REST: SignedDuration = SignedDuration::from_millis(120);
/// Items kept besides the one on show.
const KEPT: usize = 6;

/// Who holds the item on show.
#[derive(Clone, Debug, PartialEq)]
pub enum Hold {
    /// Nobody asked yet; ask at this time.
    Wanted(Timestamp),
    /// Asked under this ticket.
    Asking(u64),
    /// The reviewer, until then (wall time).
    Mine { epoch: u64, until: Timestamp, renewed: Timestamp },
    /// Somebody else; the item's own lease says who and until when.
    Theirs,
    /// It cannot be taken, and this is why.
    Denied(Refused),
    /// It was the reviewer's and is not any more.
    Lost(Refused),
}

/// The item on show.
#[derive(Clone, Debug)]
pub struct Shown {
    pub id: String,
    /// `None` while it is loading.
    pub view: Option<Arc<ItemView>>,
    pub hold: Hold,
    /// Why it cannot be shown.
    pub failed: Option<Refused>,
    /// First line on the screen.
    pub scroll: usize,
    /// The revision a frame showed in full, and since when.
    pub painted: Option<(u64, Timestamp)>,
    /// Another view, another number: what is made of it is made anew.
    pub version: u64,
    /// Characters that the item's texts hide.
    pub hidden: usize,
}

impl Shown {
    /// The epoch of the reviewer's lease, if it is theirs now.
    pub fn epoch(&self, now: Timestamp) -> Option<u64> {
        match &self.hold {
            Hold::Mine { epoch, until, .. } if *until > now => Some(*epoch),
            _ => None,
        }
    }
}

/// Items loaded before, newest last.
#[derive(Clone, Debug, Default)]
pub struct Kept(Vec<Arc<ItemView>>);

impl Kept {
    pub fn get(&self, id: &str) -> Option<&Arc<ItemView>> {
        self.0.iter().find(|v| v.id == id)
    }

    pub fn put(&mut self, view: Arc<ItemView>) {
        self.drop_item(&view.id);
        self.0.push(view);
        if self.0.len() > KEPT {
            self.0.remove(0);
        }
    }

    pub fn drop_item(&mut self, id: &str) {
        self.0.retain(|v| v.id != id);
    }

    /// Forgets what is older than the revision now known.
    pub fn older(&mut self, id: &str, revision: u64) {
        self.0.retain(|v| v.id != id || v.revision >= revision);
    }
}

impl State {
    /// Shows what the list has selected. `at_once`: take it now (the cursor will not move on).
    pub(super) fn follow_selection(&mut self, at_once: bool) -> Vec<Effect> {
        let Some(id) = self.list.selected.clone() else {
            return self.leave_item();
        };
        self.show(&id, at_once)
    }

    /// Shows an item; gives back the one shown before.
    pub(super) fn show(&mut self, id: &str, at_once: bool) -> Vec<Effect> {
        if let Some(shown) = &mut self.shown
            && shown.id == id
        {
            if at_once && matches!(shown.hold, Hold::Wanted(_)) {
                shown.hold = Hold::Wanted(self.now);
            }
            return self.take_lease();
        }
        let mut effects = self.leave_item();
        let rest = if at_once { SignedDuration::ZERO } else { REST };
        let wanted = self.now.checked_add(rest).unwrap_or(self.now);
        let view = self.kept.get(id).cloned();
        let known = view.is_some();
        let hidden = view.as_deref().map_or(0, hidden);
        self.views += 1;
        self.shown = Some(Shown {
            id: id.to_owned(),
            view,
            hold: Hold::Wanted(wanted),
            failed: None,
            scroll: 0,
            painted: None,
            version: self.views,
            hidden,
        });
        self.dirty = true;
        if self.held_by_other(id) {
            self.set_hold(Hold::Theirs);
        }
        if !(known || at_once && self.may_take()) {
            effects.extend(self.load_item(id));
        }
        effects.extend(self.take_lease());
        effects.extend(self.prefetch());
        effects
    }

    /// Nothing is shown any more; a lease held goes back.
    fn leave_item(&mut self) -> Vec<Effect> {
        let Some(shown) = self.shown.take() else { return Vec::new() };
        self.dirty = true;
        match shown.hold {
            Hold::Mine { epoch, .. } => {
                vec![self.tell(Purpose::Quiet, Command::Release { item: shown.id, epoch })]
            }
            _ => Vec::new(),
        }
    }

    /// Asks for the item on show again (something about it may have changed).
    pub(super) fn reload_item(&mut self) -> Vec<Effect> {
        let Some(id) = self.shown.as_ref().map(|s| s.id.clone()) else { return Vec::new() };
        if self.item_slot.wants_again(&id) { self.ask_item(id) } else { Vec::new() }
    }

    fn load_item(&mut self, id: &str) -> Vec<Effect> {
        let id = id.to_owned();
        if self.item_slot.wants(&id) { self.ask_item(id) } else { Vec::new() }
    }

    fn ask_item(&mut self, id: String) -> Vec<Effect> {
        let (ticket, effect) = self.ask(Purpose::Item, Query::Item { id: id.clone() });
        self.item_slot.started(ticket, id);
        vec![effect]
    }

    /// The reply to an item asked for.
    pub(super) fn item_came(
        &mut self,
        ticket: u64,
        reply: Result<ItemView, Refused>,
    ) -> Vec<Effect> {
        let wanted = self.item_slot.running().cloned();
        let next = self.item_slot.ended(ticket);
        let mut effects = Vec::new();
        match (reply, wanted) {
            (Ok(view), _) => {
                let view = Arc::new(view);
                self.kept.put(view.clone());
                effects.extend(self.got_view(view));
            }
            (Err(refused), Some(id)) => {
                if let Some(shown) = self.shown.as_mut().filter(|s| s.id == id)
                    && shown.view.is_none()
                {
                    shown.failed = Some(refused);
                    self.dirty = true;
                }
            }
            (Err(_), None) => {}
        }
        if let Some(id) = next {
            effects.extend(self.ask_item(id));
        }
        effects.extend(self.prefetch());
        effects
    }

    /// A view of an item came, from wherever: show it if it is the one on show.
    pub(super) fn got_view(&mut self, view: Arc<ItemView>) -> Vec<Effect> {
        let me = self.me.clone();
        let now = self.now;
        let Some(shown) = self.shown.as_mut().filter(|s| s.id == view.id) else {
            return Vec::new();
        };
        if shown.view.as_ref().is_some_and(|old| **old == *view) {
            return Vec::new();
        }
        if shown.view.as_ref().is_some_and(|old| old.revision != view.revision) {
            shown.painted = None;
        }
        let other = view.lease.as_ref().filter(|l| l.reviewer != me && l.until > now);
        let settled = matches!(shown.hold, Hold::Lost(_) | Hold::Denied(_));
        if other.is_some() && !settled {
            shown.hold = Hold::Theirs;
        }
        // Free again: take it.
        if view.lease.is_none() && shown.hold == Hold::Theirs && view.state.is_open() {
            shown.hold = Hold::Wanted(now);
        }
        shown.failed = None;
        // The same texts hide the same.
        let same = shown
            .view
            .as_ref()
            .is_some_and(|old| old.record == view.record && old.current == view.current);
        if !same {
            shown.hidden = hidden(&view);
        }
        shown.view = Some(view);
        self.views += 1;
        shown.version = self.views;
        self.dirty = true;
        let mut effects = self.take_lease();
        effects.extend(self.view_changed());
        effects
    }

    /// Loads the item that comes next, so that it is there when the verdict is.
    pub(super) fn prefetch(&mut self) -> Vec<Effect> {
        let busy = self.shown.as_ref().is_some_and(|s| s.view.is_none() && s.failed.is_none());
        if busy || self.prefetching.is_some() || self.ending.is_some() {
            return Vec::new();
        }
        let Some(row) = self.next_free() else { return Vec::new() };
        if self.kept.get(&row.id).is_some_and(|v| v.revision >= row.revision)
            || self.prefetch_failed.as_ref() == Some(&row.id)
        {
            return Vec::new();
        }
        let id = row.id.clone();
        let (ticket, effect) = self.ask(Purpose::Prefetch(id.clone()), Query::Item { id });
        self.prefetching = Some(ticket);
        vec![effect]
    }

    /// The reply to a prefetch.
    pub(super) fn prefetched(
        &mut self,
        id: String,
        reply: Result<ItemView, Refused>,
    ) -> Vec<Effect> {
        self.prefetching = None;
        match reply {
            Ok(view) => {
                self.prefetch_failed = None;
                let view = Arc::new(view);
                self.kept.put(view.clone());
                self.got_view(view)
            }
            Err(_) => {
                self.prefetch_failed = Some(id);
                Vec::new()
            }
        }
    }

    /// A frame showed this item in full.
    pub(super) fn item_painted(&mut self, item: Option<&(String, u64)>) {
        let now = self.now;
        let Some(shown) = &mut self.shown else { return };
        match item {
            Some((id, revision)) if *id == shown.id => {
                if shown.painted.is_none_or(|(seen, _)| seen != *revision) {
                    shown.painted = Some((*revision, now));
                }
            }
            _ => shown.painted = None,
        }
    }
}

/// How many characters the item's texts hide.
fn hidden(view: &ItemView) -> usize {
    fn of(value: &Value) -> usize {
        match value {
            Value::String(text) => in_text(text),
            Value::Array(items) => items.iter().map(of).sum(),
            Value::Object(fields) => fields.iter().map(|(k, v)| in_text(k) + of(v)).sum(),
            _ => 0,
        }
    }
    let current = view.current.as_ref().map_or(0, |c| {
        // The model's own output is in the record already.
        if view.record.get("output") == Some(&c.output) { 0 } else { of(&c.output) }
    });
    of(&view.record) + current
}

/// Most text is plain: a look at each letter is much cheaper than cleaning it.
fn in_text(text: &str) -> usize {
    if text.chars().all(plain) { 0 } else { Clean::new(text).hidden() }
}

/// A character that is always seen, whatever stands beside it: letters and signs of the scripts
/// most texts are in, none of which combine.
fn plain(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{a1}'..='\u{ac}' | '\u{ae}'..='\u{24f}'
        | '\u{391}'..='\u{3c9}' | '\u{400}'..='\u{482}' | '\u{2010}'..='\u{2027}'
        | '\u{2030}'..='\u{205e}' | '\u{20a0}'..='\u{20bf}' | '\u{2190}'..='\u{22ff}'
        | '\u{3041}'..='\u{3096}' | '\u{30a1}'..='\u{30fa}' | '\u{4e00}'..='\u{9fff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn plain_text_hides_nothing(text in any::<String>()) {
            let plain: String = text.chars().filter(|c| plain(*c)).collect();
            prop_assert_eq!(Clean::new(&plain).hidden(), 0, "{:?}", plain);
        }

        #[test]
        fn plain_ranges_hide_nothing(text in "[ -~\u{a1}-\u{24f}\u{391}-\u{482}\u{2010}-\u{22ff}\u{3041}-\u{30fa}]{0,40}") {
            prop_assert_eq!(in_text(&text), Clean::new(&text).hidden());
        }
    }
}
