//! Lanes: what is to be sent where, in which order, and how fast. Pure.
//!
//! All messages to one notifier share a lane, and all replies to one host. In a lane, messages
//! about one thing (`dedup_key`; a reply's item) go out one after the other, and alerts that a
//! later one says already are not sent at all.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use super::alertmanager;
use super::destination::{Destination, Unready};
use super::notice::{Event, Notice, Stamp};
use super::reply::{NoReply, Way};
use super::request::{Request, Response, Secret, Verdict};
use super::{backoff, google_chat, pagerduty, slack, webhook};
use crate::desk::outbox::Parcel;
use crate::domain::Timestamp;
use crate::policy::{AlertSeverity, Notifier, NotifierKind};

/// How fast a lane may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pace {
    /// Messages in one go.
    pub(super) burst: usize,
    /// Time before the next go.
    pub(super) every: Duration,
}

/// Something to be sent.
#[derive(Clone, Debug)]
pub(super) enum Job {
    Notice { parcel: Parcel, notice: Box<Notice>, to: Box<Destination> },
    Reply { parcel: Parcel, way: Box<Way> },
}

/// What to do with the parcels that wait.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// By lane: what is due, oldest first.
    pub(super) due: BTreeMap<String, Vec<Job>>,
    /// Need not be sent: a later message says it.
    pub(super) superseded: Vec<String>,
    /// Can never be sent: key and why.
    pub(super) dead: Vec<(String, String)>,
    /// Lanes for which this process lacks something, and what.
    pub(super) unready: BTreeMap<String, String>,
    /// When the next of the others is due.
    pub(super) next: Option<Timestamp>,
}

impl Plan {
    fn later(&mut self, at: Timestamp) {
        self.next = Some(self.next.map_or(at, |next| next.min(at)));
    }
}

impl Job {
    /// A test alert to this notifier and its resolution; `Err`: why there can be none from here.
    pub(super) fn tests(
        to: &str,
        notifiers: &[Notifier],
        env: &dyn Fn(&str) -> Option<String>,
        now: Timestamp,
    ) -> Result<[Self; 2], String> {
        let notifier = notifiers.iter().find(|n| n.name == to).ok_or_else(|| unknown(to))?;
        let destination = Destination::of(notifier, env).map_err(|why| why.to_string())?;
        Ok([Event::Trigger, Event::Resolve].map(|event| {
            let notice = Notice {
                to: to.to_owned(),
                event,
                dedup_key: format!("overrule-test:{to}"),
                summary: "Test alert of overrule: nothing is wrong".to_owned(),
                severity: AlertSeverity::Info,
                slice: serde_json::Map::new(),
                cause: Some("somebody looked whether alerts arrive".to_owned()),
                incident: None,
                at: Some(now),
                runbook: None,
            };
            let parcel = Parcel {
                number: 0,
                key: format!("test:{to}:{}:{now}", event.title()),
                kind: "notify".to_owned(),
                payload: serde_json::Value::Null,
                attempts: 0,
                next_at: None,
            };
            Self::Notice { parcel, notice: Box::new(notice), to: Box::new(destination.clone()) }
        }))
    }

    pub(super) fn parcel(&self) -> &Parcel {
        match self {
            Self::Notice { parcel, .. } | Self::Reply { parcel, .. } => parcel,
        }
    }

    /// Where it goes, tries aside.
    pub(super) fn address(&self) -> Secret {
        match self {
            Self::Notice { to, .. } => to.address.clone(),
            Self::Reply { way, .. } => way.address(),
        }
    }

    /// The request; `None`: there is nothing to say.
    pub(super) fn request(&self, stamp: &Stamp) -> Option<Request> {
        match self {
            Self::Reply { parcel, way } => Some(way.request(&parcel.payload, stamp)),
            Self::Notice { notice, to, .. } => match to.kind {
                NotifierKind::Pagerduty => Some(pagerduty::request(notice, to, stamp)),
                NotifierKind::Slack => Some(slack::request(notice, to, stamp)),
                NotifierKind::GoogleChat => Some(google_chat::request(notice, to, stamp)),
                NotifierKind::Alertmanager => alertmanager::request(notice, to, stamp),
                NotifierKind::Webhook => Some(webhook::request(notice, to, stamp)),
            },
        }
    }

    /// What the answer means.
    pub(super) fn read(&self, request: &Request, response: &Response, now: Timestamp) -> Verdict {
        match self {
            Self::Reply { way, .. } => way.read(request, response, now),
            Self::Notice { notice, to, .. } => match to.kind {
                NotifierKind::Pagerduty => pagerduty::read(request, response, now),
                NotifierKind::Slack => slack::read(request, response, now),
                NotifierKind::GoogleChat => google_chat::read(request, response, now),
                NotifierKind::Alertmanager => alertmanager::read(notice, request, response, now),
                NotifierKind::Webhook => webhook::read(request, response, now),
            },
        }
    }

    /// When it is tried again after a failure; `None`: it is given up.
    pub(super) fn again(&self, chance: f64, after: Option<Duration>) -> Option<Duration> {
        let tried = self.parcel().attempts.saturating_add(1);
        let schedule: &[u64] = match self {
            Self::Reply { .. } => &backoff::PATIENT,
            Self::Notice { to, notice, .. } => match to.kind {
                NotifierKind::Webhook => &backoff::PATIENT,
                // While it fires, it is said every minute whatever happened before.
                NotifierKind::Alertmanager if notice.incident.is_some() => {
                    let own =
                        backoff::wait(&[alertmanager::REPEAT.as_secs() / 2], 1, chance, after);
                    return own;
                }
                _ => &backoff::URGENT,
            },
        };
        backoff::wait(schedule, tried, chance, after)
    }

    /// How fast its lane may be.
    pub(super) fn pace(&self) -> Pace {
        let pace = |burst, millis| Pace { burst, every: Duration::from_millis(millis) };
        match self {
            Self::Reply { .. } => pace(KEEP, 0),
            Self::Notice { to, .. } => match to.kind {
                NotifierKind::Pagerduty => pace(1, 500),
                NotifierKind::Slack | NotifierKind::GoogleChat => pace(1, 1000),
                NotifierKind::Alertmanager | NotifierKind::Webhook => pace(KEEP, 0),
            },
        }
    }
}

/// How many jobs of a lane are taken along at once; the others wait as a number.
const KEEP: usize = 256;

/// Which line a reply waits in: what is said of one item over one lane goes in order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Line {
    lane: String,
    item: String,
}

/// Looks at all that waits, page by page, and keeps of it what can go now: of thousands to one dead
/// host a name each, so that everything that came later is seen as well.
pub(super) struct Planner<'p> {
    notifiers: &'p [Notifier],
    env: &'p dyn Fn(&str) -> Option<String>,
    /// This lane alone.
    only: Option<&'p str>,
    now: Timestamp,
    plan: Plan,
    /// Alerts by notifier and what they are about.
    groups: BTreeMap<(String, String), Vec<Job>>,
    ready: BTreeMap<String, Result<Destination, Unready>>,
    /// Lines that have a reply that waits already.
    told: HashSet<Line>,
}

impl<'p> Planner<'p> {
    pub(super) fn new(
        notifiers: &'p [Notifier],
        env: &'p dyn Fn(&str) -> Option<String>,
        only: Option<&'p str>,
        now: Timestamp,
    ) -> Self {
        Self {
            notifiers,
            env,
            only,
            now,
            plan: Plan::default(),
            groups: BTreeMap::new(),
            ready: BTreeMap::new(),
            told: HashSet::new(),
        }
    }

    /// The next of what waits, in order; the line of a reply that has one.
    pub(super) fn take(&mut self, parcel: Parcel) -> Option<Line> {
        match parcel.kind == "reply" {
            true => self.reply(parcel),
            false => {
                self.notice(parcel);
                None
            }
        }
    }

    /// The next of what waits, where it has been read before: as [`Self::take`] of a reply that
    /// this does not [want](Self::wants).
    pub(super) fn pass(&mut self, line: &Line, next_at: Option<Timestamp>) {
        if self.is_for_replies() {
            self.goes(line, next_at);
        }
    }

    /// Must a reply of this line be read, because it may go now?
    pub(super) fn wants(&self, line: &Line, next_at: Option<Timestamp>) -> bool {
        let has_room = || self.plan.due.get(&line.lane).is_none_or(|due| due.len() < KEEP);
        self.is_for_replies()
            && next_at.is_none_or(|at| at <= self.now)
            && !self.told.contains(line)
            && has_room()
    }

    fn is_for_replies(&self) -> bool {
        self.only.is_none_or(|only| only == "reply")
    }

    /// Does the next reply of this line go now? (Where there is room, and otherwise soon.)
    fn goes(&mut self, line: &Line, next_at: Option<Timestamp>) -> bool {
        // One word about an item after the other: what was said first never arrives last.
        if !self.told.insert(line.clone()) {
            return false;
        }
        match next_at {
            Some(at) if at > self.now => {
                self.plan.later(at);
                false
            }
            _ => true,
        }
    }

    /// What is to be done.
    pub(super) fn end(self) -> Plan {
        let (mut plan, now) = (self.plan, self.now);
        for ((lane, _), group) in self.groups {
            // The first of a group goes out before the next, so that no alert is resolved before
            // it was raised.
            let Some(first) = group.into_iter().next() else { continue };
            match first.parcel().next_at {
                Some(at) if at > now => plan.later(at),
                _ => plan.due.entry(lane).or_default().push(first),
            }
        }
        for jobs in plan.due.values_mut() {
            jobs.sort_by_key(|job| job.parcel().number);
        }
        plan
    }

    fn notice(&mut self, parcel: Parcel) {
        let plan = &mut self.plan;
        let notice = match Notice::read(&parcel.payload) {
            Ok(notice) => notice,
            Err(why) => return plan.dead.push((parcel.key, why)),
        };
        if self.only.is_some_and(|only| only != notice.to) {
            return;
        }
        let Some(notifier) = self.notifiers.iter().find(|n| n.name == notice.to) else {
            return plan.dead.push((parcel.key, unknown(&notice.to)));
        };
        let ready = self.ready.entry(notice.to.clone());
        match ready.or_insert_with(|| Destination::of(notifier, self.env)) {
            Err(why) => {
                plan.unready.insert(notice.to, why.to_string());
            }
            Ok(to)
                if to.kind == NotifierKind::Alertmanager && !alertmanager::says(notice.event) =>
            {
                plan.superseded.push(parcel.key);
            }
            Ok(to) => {
                let about = (notice.to.clone(), notice.dedup_key.clone());
                let group = self.groups.entry(about).or_default();
                supersede(group, notice.event, &mut plan.superseded);
                let (to, notice) = (Box::new(to.clone()), Box::new(notice));
                group.push(Job::Notice { parcel, notice, to });
            }
        }
    }

    fn reply(&mut self, parcel: Parcel) -> Option<Line> {
        if !self.is_for_replies() {
            return None;
        }
        let way = match Way::of(&parcel.payload, self.env) {
            Ok(way) => way,
            Err(NoReply::Never(why)) => {
                self.plan.dead.push((parcel.key, why));
                return None;
            }
            Err(NoReply::Unready { lane, why }) => {
                self.plan.unready.insert(lane.into(), why);
                return None;
            }
        };
        let item = parcel.payload.get("id").and_then(serde_json::Value::as_str);
        let line = Line { lane: way.lane(), item: item.unwrap_or(&parcel.key).to_owned() };
        if self.goes(&line, parcel.next_at) {
            let due = self.plan.due.entry(line.lane.clone()).or_default();
            if due.len() < KEEP {
                due.push(Job::Reply { parcel, way: Box::new(way) });
            }
        }
        Some(line)
    }
}

fn unknown(notifier: &str) -> String {
    format!("the policy in force has no [notify.{notifier}]")
}

/// Take out of a group what a later event says already: a resolution everything before it, an
/// alert the alerts before it, an acknowledgement those before it. (An acknowledgement never takes
/// the place of an alert: a service drops one for an alert that it has not seen.)
fn supersede(group: &mut Vec<Job>, event: Event, superseded: &mut Vec<String>) {
    group.retain(|job| {
        let Job::Notice { parcel, notice, .. } = job else { return true };
        let stays = event != Event::Resolve && notice.event != event;
        if !stays {
            superseded.push(parcel.key.clone());
        }
        stays
    });
}

#[cfg(test)]
mod tests {
    use super::super::destination::tests::notifier;
    use super::super::notice::tests::payload;
    use super::*;
    use serde_json::json;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn parcel(number: u64, event: &str, key: &str, next: Option<i64>) -> Parcel {
        let mut payload = payload(event);
        payload["dedup_key"] = json!(key);
        Parcel {
            number,
            key: format!("k{number}"),
            kind: "notify".into(),
            payload,
            attempts: u32::from(next.is_some()),
            next_at: next.map(at),
        }
    }

    fn plan(
        parcels: Vec<Parcel>,
        notifiers: &[Notifier],
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Plan {
        let mut planner = Planner::new(notifiers, env, None, at(0));
        parcels.into_iter().for_each(|parcel| drop(planner.take(parcel)));
        planner.end()
    }

    fn planned(kind: NotifierKind, parcels: Vec<Parcel>) -> Plan {
        let notifiers = [Notifier { url: Some("https://a.example".into()), ..notifier(kind) }];
        plan(parcels, &notifiers, &|_| Some("k".repeat(32)))
    }

    fn due(plan: &Plan) -> Vec<&str> {
        plan.due.values().flatten().map(|j| j.parcel().key.as_str()).collect()
    }

    #[test]
    fn a_storm_about_one_thing_is_one_message() {
        let storm = (1..=50).map(|n| parcel(n, "trigger", "a", None)).collect();
        let plan = planned(NotifierKind::Pagerduty, storm);
        assert_eq!(due(&plan), ["k50"]);
        assert_eq!(plan.superseded.len(), 49);
    }

    #[test]
    fn nothing_is_resolved_before_it_was_raised() {
        // The alert could not be delivered yet; the resolution takes its place.
        let plan = planned(
            NotifierKind::Pagerduty,
            vec![parcel(1, "trigger", "a", Some(60)), parcel(2, "resolve", "a", None)],
        );
        assert_eq!(due(&plan), ["k2"]);
        assert_eq!(plan.superseded, ["k1"]);
        // A new alert waits for the resolution of the last; other things do not wait.
        let plan = planned(
            NotifierKind::Pagerduty,
            vec![
                parcel(1, "resolve", "a", Some(60)),
                parcel(2, "trigger", "a", None),
                parcel(3, "trigger", "b", None),
            ],
        );
        assert_eq!((due(&plan), plan.next), (vec!["k3"], Some(at(60))));
        assert!(plan.superseded.is_empty());
        // An acknowledgement follows its alert.
        let plan = planned(
            NotifierKind::Pagerduty,
            vec![parcel(1, "trigger", "a", None), parcel(2, "acknowledge", "a", None)],
        );
        assert_eq!(due(&plan), ["k1"]);
    }

    #[test]
    fn one_word_about_an_item_follows_the_other() {
        let reply = |number, item: &str, revision: u32, next: Option<i64>| Parcel {
            kind: "reply".into(),
            key: format!("reply:{item}:{revision}"),
            payload: json!({
                "reply": {"kind": "webhook", "url": "https://flow.example/cb"},
                "id": item, "outcome": "accepted",
            }),
            ..parcel(number, "", "", next)
        };
        let env = |_: &str| Some(format!("whsec_{}", "k".repeat(32)));
        let plan = |parcels| plan(parcels, &[], &env);
        // What was decided first failed once; the reversal waits for it, another item does not.
        let first = reply(1, "lap-1", 2, Some(60));
        let told = plan(vec![first, reply(2, "lap-1", 5, None), reply(3, "lap-2", 2, None)]);
        assert_eq!(due(&told), ["reply:lap-2:2"]);
        assert_eq!(told.next, Some(at(60)));
        let told = plan(vec![reply(1, "lap-1", 2, None), reply(2, "lap-1", 5, None)]);
        assert_eq!(due(&told), ["reply:lap-1:2"]);
        assert_eq!(due(&plan(vec![reply(2, "lap-1", 5, None)])), ["reply:lap-1:5"]);
        // Of very many, some go now and the others are not carried along.
        let many = (1..=1000).map(|n| reply(n, &format!("lap-{n}"), 2, None)).collect();
        let told = plan(many);
        let numbers: Vec<u64> = told.due.values().flatten().map(|j| j.parcel().number).collect();
        assert_eq!(numbers, (1..=KEEP as u64).collect::<Vec<_>>());
    }

    #[test]
    fn alertmanager_is_told_of_no_acknowledgement() {
        let plan = planned(
            NotifierKind::Alertmanager,
            vec![parcel(1, "trigger", "a", Some(60)), parcel(2, "acknowledge", "a", None)],
        );
        assert!(due(&plan).is_empty());
        assert_eq!(plan.superseded, ["k2"]);
    }

    #[test]
    fn what_can_never_go_out_is_dead_and_what_lacks_a_secret_waits() {
        let nobody = Parcel {
            payload: json!({"to": "nobody", "dedup_key": "a", "summary": "s"}),
            ..parcel(1, "trigger", "a", None)
        };
        let broken = Parcel { payload: json!("x"), ..parcel(2, "trigger", "a", None) };
        let fine = parcel(3, "trigger", "a", None);
        let notifiers = [notifier(NotifierKind::Pagerduty)];
        let plan = plan(vec![nobody, broken, fine], &notifiers, &|_| None);
        assert_eq!(plan.dead.len(), 2);
        assert_eq!(plan.dead[0].1, "the policy in force has no [notify.nobody]");
        assert!(plan.due.is_empty());
        assert_eq!(
            plan.unready["ml-ops"],
            "the environment variable KEY of [notify.ml-ops] is not set here"
        );
    }
}
