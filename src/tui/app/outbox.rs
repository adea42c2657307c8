//! A desk that is elsewhere: whether it can be reached, what waits here, what became of it.

use std::sync::Arc;

use super::list::Want;
use super::toast::Tone;
use super::verdict::{Sent, past};
use super::{Effect, Purpose, State};
use crate::domain::{Timestamp, VerdictKind};
use crate::protocol::{Answer, Arrived, Command, Fate, Header, LeaseAsk, Refused, UnsentView};

impl State {
    /// Since when the desk cannot be reached.
    pub fn offline_since(&self) -> Option<Timestamp> {
        self.header.as_ref()?.outbox.as_ref()?.offline_since
    }

    /// Verdicts that wait here, oldest first.
    pub fn unsent(&self) -> &[UnsentView] {
        let outbox = self.header.as_ref().and_then(|h| h.outbox.as_ref());
        outbox.map_or(&[], |o| o.unsent.as_slice())
    }

    /// The verdict on this item that waits here.
    pub fn unsent_on(&self, id: &str) -> Option<&UnsentView> {
        self.unsent().iter().find(|u| u.item == id)
    }

    /// What the new header tells of the outbox, beside what it shows.
    pub(super) fn outbox_news(&mut self, old: Option<&Header>) -> Vec<Effect> {
        let Some(outbox) = self.header.as_ref().and_then(|h| h.outbox.clone()) else {
            return Vec::new();
        };
        let was = old.and_then(|h| h.outbox.as_ref());
        let was_away = was.is_some_and(|o| o.offline_since.is_some());
        // Waiting alone may help no more.
        let to_do = outbox.hint.clone().filter(|h| was.and_then(|o| o.hint.as_ref()) != Some(h));
        match (was_away, outbox.offline_since.is_some()) {
            (before, true) if !before || to_do.is_some() => {
                let why = outbox.why.clone().unwrap_or_else(|| "the desk is away".to_owned());
                let stays = "what you have in hand stays workable; verdicts wait here".to_owned();
                self.toast_hint(Tone::Warn, why, to_do.or(Some(stays)));
            }
            (true, false) => self.toast(Tone::Good, "the desk is back"),
            _ => {}
        }
        // They are told here once, however often a header brings them before the desk knows.
        let news = outbox.arrived.iter().filter(|a| a.number > self.told);
        let news: Vec<Arrived> = news.cloned().collect();
        for arrived in &news {
            self.arrived(arrived);
        }
        let mut effects = Vec::new();
        if let Some(last) = news.last() {
            self.told = last.number;
            effects.push(Effect::Shown(news.iter().map(|a| a.number).collect()));
        }
        if let Some(outbox) = self.header.as_mut().and_then(|h| h.outbox.as_mut()) {
            outbox.arrived.clear();
        }
        if was_away && outbox.offline_since.is_none() {
            self.list.failed = None;
            effects.extend(self.want_rows(&Want::Refresh, true));
            effects.extend(self.reload_item());
        }
        effects
    }

    /// A verdict that had waited was answered.
    fn arrived(&mut self, arrived: &Arrived) {
        let Arrived { item, verdict, fate, .. } = arrived;
        self.dirty = true;
        let done = past(*verdict);
        // That it waits is old news.
        let waits = waits(*verdict, item);
        self.toasts.retain(|t| t.text != waits);
        match fate {
            Fate::Applied => {
                self.drafts.remove(item);
                let revision = self.list.find(item).map_or(u64::MAX, |row| row.revision);
                self.list.decided(item, revision);
                self.toast(Tone::Good, format!("sent: {done} {item}"));
            }
            Fate::Clash(clash) => {
                self.drafts.remove(item);
                let others: Vec<&str> =
                    clash.people.iter().filter(|p| **p != self.me).map(String::as_str).collect();
                let text = match others.is_empty() {
                    true => format!("{item}, which you {done} offline, has changed meanwhile"),
                    false => {
                        let others = others.join(" and ");
                        format!("{others} decided {item} too, while you {done} it offline")
                    }
                };
                let hint = "all verdicts are kept side by side, and another person decides";
                self.toast_hint(Tone::Bad, text, Some(hint.to_owned()));
            }
            Fate::Refused(refused) => {
                self.list.returned(item);
                let text =
                    format!("{item}, which you {done} offline, was refused: {}", refused.message);
                let hint = "what you typed is kept as your draft".to_owned();
                self.toast_hint(Tone::Bad, text, refused.hint.clone().or(Some(hint)));
            }
        }
        self.kept.drop_item(item);
    }

    /// The verdict is on this machine's disk, and the desk has not got it.
    pub(super) fn verdict_waits(&mut self, sent: Sent) -> Vec<Effect> {
        let text = waits(sent.kind, &sent.item);
        self.toast_hint(Tone::Warn, text, Some("u takes it back until it is sent".to_owned()));
        // It stays where it was, marked: nobody is to think that it arrived.
        match sent.row {
            Some(row) => self.list.put_back(row),
            None => self.list.returned(&sent.item),
        }
        self.refresh_now()
    }

    /// Leases every marked item: what is in hand stays workable while the desk is away.
    pub(super) fn take_along(&mut self) -> Vec<Effect> {
        if self.marks.is_empty() {
            let hint = "m marks an item".to_owned();
            self.toast_hint(Tone::Info, "mark what you want to take along", Some(hint));
            return Vec::new();
        }
        let marked: Vec<String> = std::mem::take(&mut self.marks).into_keys().collect();
        let mut effects = Vec::new();
        for item in marked {
            let ask = LeaseAsk { item: Some(item.clone()), ..LeaseAsk::default() };
            effects.push(self.tell(Purpose::Along(item), Command::Lease(ask)));
        }
        effects
    }

    /// The answer to an item that is to be taken along.
    pub(super) fn along(&mut self, item: &str, answer: Result<Answer, Refused>) -> Vec<Effect> {
        match answer {
            Ok(Answer::Leased(Some(view))) => {
                self.kept.put(Arc::new(*view));
                let hint = "it stays workable while the desk is away".to_owned();
                self.toast_hint(Tone::Good, format!("took {item} along"), Some(hint));
            }
            Ok(_) => self.toast(Tone::Info, format!("{item} is not free")),
            Err(refused) => self.toast_refused(&format!("{item} was not taken along: "), &refused),
        }
        self.refresh()
    }

    /// The newest verdict that waits here, the item on show first, as one that can be taken back.
    pub(super) fn unsent_to_undo(&mut self) -> Option<Sent> {
        let here = self.shown.as_ref().map(|s| s.id.clone());
        let unsent = self.unsent();
        let newest = unsent
            .iter()
            .find(|u| Some(&u.item) == here.as_ref())
            .or_else(|| unsent.last())
            .cloned()?;
        let batch = self.verdicts.next_batch();
        let row = self.list.find(&newest.item).cloned();
        Some(Sent { item: newest.item, kind: newest.verdict, to: newest.to, row, batch })
    }
}

fn waits(kind: VerdictKind, item: &str) -> String {
    format!("{} {item}: kept here, not yet sent", past(kind))
}
