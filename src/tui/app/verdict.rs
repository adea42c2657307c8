//! Verdicts on their way: ordered, durable before they are called done, taken back while they can.

use std::collections::VecDeque;

use super::toast::Tone;
use super::{Effect, Purpose, State};
use crate::domain::{Timestamp, Verdict, VerdictKind};
use crate::protocol::{
    Answer, BlindAnswer, Command, Draft, Refused, ReviewRequest, Reviewed, Row, Why,
};

/// The item a verdict is about, as it was painted: a later state of it is not decided by accident.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    pub id: String,
    pub revision: u64,
    pub lease: Option<u64>,
    pub seen: Option<String>,
    /// A person's signature must go with it.
    pub signed: bool,
}

/// A verdict that was sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Sent {
    pub item: String,
    pub kind: VerdictKind,
    /// Where an escalation went.
    pub to: Option<String>,
    /// Its row, to put back if the verdict does not hold.
    pub row: Option<Row>,
    /// Verdicts given by one key press share a number, and are taken back together.
    pub batch: u64,
}

/// A durable verdict that can still be taken back.
#[derive(Clone, Debug, PartialEq)]
pub struct Pending {
    pub sent: Sent,
    /// Wall time.
    pub until: Timestamp,
    /// Asked back already.
    pub undoing: bool,
}

/// Something told to the desk in order.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    pub command: Command,
    pub sign: bool,
    pub about: About,
}

/// What an order is about, so that its answer is understood.
#[derive(Clone, Debug, PartialEq)]
pub enum About {
    Draft(String),
    Verdict(Sent),
    Undo(Sent),
    Blind(String),
    Flag(String),
    Release,
}

/// Everything said and not yet final.
#[derive(Clone, Debug, Default)]
pub struct Verdicts {
    /// The first one is under way when `flying`.
    pub outbox: VecDeque<Order>,
    pub flying: bool,
    /// Oldest first.
    pub pending: Vec<Pending>,
    batch: u64,
}

impl Verdicts {
    /// Verdicts the desk has not answered yet.
    pub fn unanswered(&self) -> impl Iterator<Item = &Sent> {
        self.outbox.iter().filter_map(|o| match &o.about {
            About::Verdict(sent) => Some(sent),
            _ => None,
        })
    }

    /// A new batch number.
    pub fn next_batch(&mut self) -> u64 {
        self.batch += 1;
        self.batch
    }

    /// Nothing is under way.
    pub fn idle(&self) -> bool {
        self.outbox.is_empty()
    }
}

impl State {
    /// The item on show, if a frame has shown it as it is now.
    pub(super) fn target(&mut self) -> Option<Target> {
        let shown = self.shown.as_ref()?;
        let Some(view) = &shown.view else {
            let text = format!("{} is still loading; nothing was decided", shown.id);
            self.toast(Tone::Warn, text);
            return None;
        };
        if shown.painted.is_none_or(|(revision, _)| revision != view.revision) {
            let text = format!("{} has not been shown yet; press again", shown.id);
            self.toast(Tone::Warn, text);
            return None;
        }
        Some(Target {
            id: shown.id.clone(),
            revision: view.revision,
            lease: shown.epoch(self.now),
            seen: Some(view.seen.clone()),
            signed: view.signed,
        })
    }

    /// Sends a verdict on one item and goes on to the next.
    pub(super) fn decide(&mut self, target: Target, verdict: Verdict) -> Vec<Effect> {
        let batch = self.verdicts.next_batch();
        self.send(target, verdict, batch);
        let mut effects = self.go_on();
        effects.extend(self.pump());
        effects
    }

    /// Puts a verdict into the outbox; its row goes.
    pub(super) fn send(&mut self, target: Target, verdict: Verdict, batch: u64) {
        let Target { id, revision, lease, seen, signed } = target;
        if let Some(draft) = self.drafts.get(&id).filter(|_| verdict.verdict != VerdictKind::Accept)
        {
            self.verdicts.outbox.push_back(Order {
                command: Command::SaveDraft { item: id.clone(), draft: draft.clone() },
                sign: false,
                about: About::Draft(id.clone()),
            });
        }
        let row = self.list.find(&id).cloned();
        let sent =
            Sent { item: id.clone(), kind: verdict.verdict, to: verdict.to.clone(), row, batch };
        let request = ReviewRequest {
            request_id: self.ids.next(self.now),
            item: id.clone(),
            verdict,
            lease,
            revision: Some(revision),
            seen,
            signature: None,
            grace_ms: self.policy.as_ref().map_or(5000, |p| p.grace_ms),
            offline: None,
        };
        self.verdicts.outbox.push_back(Order {
            command: Command::Review(Box::new(request)),
            sign: signed,
            about: About::Verdict(sent),
        });
        let place = self.list.decided(&id, revision);
        if self.shown.as_ref().is_some_and(|s| s.id == id) {
            // The verdict ends the lease; giving it back now could overtake the verdict.
            self.shown = None;
            self.went_from = place;
        }
        self.kept.drop_item(&id);
        self.marks.remove(&id);
        self.skipped.remove(&id);
        self.dirty = true;
    }

    /// Goes on to the next free item after the one that was just decided or skipped.
    pub(super) fn go_on(&mut self) -> Vec<Effect> {
        if self.shown.is_some() {
            return Vec::new();
        }
        let from = self.went_from.take().unwrap_or(0);
        match self.free_from(from) {
            Some(index) => self.list.select_index(index),
            None => self.list.select_index(from),
        }
        let mut effects = self.follow_selection(true);
        effects.extend(self.load_rows());
        effects
    }

    /// Starts the next order, if none is under way.
    pub(super) fn pump(&mut self) -> Vec<Effect> {
        if self.verdicts.flying {
            return Vec::new();
        }
        let Some(order) = self.verdicts.outbox.front() else {
            return self.may_end();
        };
        let (command, sign) = (order.command.clone(), order.sign);
        self.verdicts.flying = true;
        let ticket = self.ticket(Purpose::Order);
        vec![Effect::Submit { ticket, command, sign }]
    }

    /// The answer to the order under way.
    pub(super) fn order_answered(&mut self, answer: Result<Answer, Refused>) -> Vec<Effect> {
        self.verdicts.flying = false;
        let Some(order) = self.verdicts.outbox.pop_front() else { return Vec::new() };
        self.dirty = true;
        let mut effects = match (order.about, answer) {
            (About::Draft(id), Err(refused)) => {
                self.toast_refused(&format!("the draft of {id} could not be kept: "), &refused);
                Vec::new()
            }
            (About::Draft(_) | About::Release, _) => Vec::new(),
            (About::Verdict(sent), Ok(answer)) => self.verdict_stands(sent, answer),
            (About::Verdict(sent), Err(refused)) => self.verdict_refused(sent, &refused),
            (About::Undo(sent), Ok(_)) => self.undone(sent),
            (About::Undo(sent), Err(refused)) => {
                self.verdicts.pending.retain(|p| p.sent.item != sent.item);
                self.toast_refused(&format!("{} stands: ", past(sent.kind)), &refused);
                self.refresh()
            }
            (About::Blind(id), answer) => self.blind_answered(&id, answer),
            (About::Flag(id), Ok(_)) => {
                self.toast(Tone::Good, format!("flagged {id}: it will be reviewed again"));
                self.refresh()
            }
            (About::Flag(_), Err(refused)) => {
                self.toast_refused("", &refused);
                Vec::new()
            }
        };
        effects.extend(self.pump());
        effects
    }

    fn verdict_stands(&mut self, sent: Sent, answer: Answer) -> Vec<Effect> {
        let Answer::Reviewed(Reviewed { until, effects, unsent, .. }) = answer else {
            return Vec::new();
        };
        if unsent {
            return self.verdict_waits(sent);
        }
        if !effects.is_empty() {
            let said = effects.join(" · ");
            self.toast(Tone::Info, format!("{}: {said}", sent.item));
        }
        match until.filter(|u| *u > self.now) {
            Some(until) => self.verdicts.pending.push(Pending { sent, until, undoing: false }),
            None => {
                self.drafts.remove(&sent.item);
                self.toast(Tone::Good, said(&sent));
            }
        }
        self.refresh()
    }

    /// Nothing was done: the row comes back, the draft is kept, the reason is said.
    fn verdict_refused(&mut self, sent: Sent, refused: &Refused) -> Vec<Effect> {
        let kept = if self.drafts.contains_key(&sent.item) { "; your draft is kept" } else { "" };
        let text = format!("{} was not {}: {}{kept}", sent.item, past(sent.kind), refused.message);
        self.toast_hint(Tone::Bad, text, refused.hint.clone());
        self.kept.drop_item(&sent.item);
        let alone = self.shown.is_none();
        match sent.row {
            Some(row) if refused.kind != Why::State => self.list.put_back(row),
            _ => self.list.returned(&sent.item),
        }
        let mut effects = Vec::new();
        if alone && self.list.select(&sent.item) {
            effects.extend(self.follow_selection(true));
        }
        effects.extend(self.refresh());
        effects
    }

    /// Keeps a draft with the desk.
    pub(super) fn keep_draft(&mut self, item: &str, draft: Draft) -> Vec<Effect> {
        if self.drafts.get(item) == Some(&draft) {
            return Vec::new();
        }
        self.drafts.insert(item.to_owned(), draft.clone());
        let command = Command::SaveDraft { item: item.to_owned(), draft };
        vec![self.tell(Purpose::Draft(item.to_owned()), command)]
    }

    /// Sends the reviewer's own answer to a blind item.
    pub(super) fn answer_blind(
        &mut self,
        item: &str,
        action: String,
        note: Option<String>,
    ) -> Vec<Effect> {
        let answer = BlindAnswer {
            request_id: self.ids.next(self.now),
            item: item.to_owned(),
            action,
            note,
        };
        self.verdicts.outbox.push_back(Order {
            command: Command::AnswerBlind(answer),
            sign: false,
            about: About::Blind(item.to_owned()),
        });
        self.pump()
    }

    fn blind_answered(&mut self, id: &str, answer: Result<Answer, Refused>) -> Vec<Effect> {
        match answer {
            Ok(_) => {
                self.toast(
                    Tone::Good,
                    format!("your answer on {id} is stored; here is the proposal"),
                );
                self.kept.drop_item(id);
                let mut effects = self.reload_item();
                effects.extend(self.refresh());
                effects
            }
            Err(refused) => {
                self.toast_refused("your answer was not stored: ", &refused);
                Vec::new()
            }
        }
    }
}

/// What was done, in a word.
pub fn past(kind: VerdictKind) -> &'static str {
    match kind {
        VerdictKind::Accept => "accepted",
        VerdictKind::Edit => "edited",
        VerdictKind::Reject => "rejected",
        VerdictKind::Escalate => "moved",
    }
}

/// What was done to which item.
pub fn said(sent: &Sent) -> String {
    match (&sent.kind, &sent.to) {
        (VerdictKind::Escalate, Some(to)) => format!("moved {} to {to}", sent.item),
        (kind, _) => format!("{} {}", past(*kind), sent.item),
    }
}
