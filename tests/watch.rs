//! What happens by itself, over a real file with a clock in hand: feedback, incidents, the clocks
//! of queues, and whose turn it is.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use overrule::desk::{Local, Occurrence, OpenOptions};
use overrule::domain::{Timestamp, Verdict, VerdictKind};
use overrule::protocol::{
    Answer, Command, ContainmentView, FeedbackKind, IncidentAct, IncidentView, ItemView, LeaseAsk,
    Line, Query, Reply, ReviewRequest, VerifyAsk,
};
use serde_json::Value;
use support::{Home, record};

/// A desk whose clock stands still until it is moved.
struct Desk {
    desk: Local,
    clock: Arc<AtomicI64>,
    home: Home,
}

impl Desk {
    fn new(policy: &str) -> Self {
        let home = Home::new();
        let clock = Arc::new(AtomicI64::new(1_800_000_000_000));
        let desk = open(&home, &clock);
        let this = Self { desk, clock, home };
        let (name, source) = ("test.toml".to_owned(), policy.to_owned());
        let schemas = BTreeMap::new();
        let activate = Command::ActivatePolicy { name, source, schemas, install: true };
        this.desk.execute_blocking("root", activate).unwrap();
        for (name, level) in [("ann", 1), ("ben", 2), ("cho", 3)] {
            let add = Command::AddReviewer {
                name: name.into(),
                level,
                roles: vec![],
                key: None,
                skills: None,
            };
            this.desk.execute_blocking("root", add).unwrap();
        }
        this
    }

    /// Another process on the same store.
    fn another(&self) -> Local {
        open(&self.home, &self.clock)
    }

    fn later(&self, seconds: i64) {
        self.clock.fetch_add(seconds * 1_000, Ordering::SeqCst);
    }

    fn admit(&self, record: &Value) {
        let line = Line { source: "test".into(), line: 1, bytes: record.to_string().into_bytes() };
        self.desk.execute_blocking("root", Command::Admit { lines: vec![line] }).unwrap();
    }

    fn item(&self, id: &str) -> ItemView {
        match self.desk.ask_blocking("root", Query::Item { id: id.into() }).unwrap() {
            Reply::Item(view) => *view,
            other => panic!("{other:?}"),
        }
    }

    fn say(&self, by: &str, id: &str, kind: VerdictKind) {
        let request = ReviewRequest {
            request_id: uuid::Uuid::now_v7().to_string(),
            item: id.into(),
            verdict: Verdict::plain(kind),
            lease: None,
            revision: None,
            seen: None,
            signature: None,
            grace_ms: 0,
            offline: None,
        };
        self.desk.execute_blocking(by, Command::Review(Box::new(request))).unwrap();
    }

    fn feedback(&self, id: &str, kind: FeedbackKind) {
        let said = Command::Feedback { item: id.into(), kind, note: None };
        self.desk.execute_blocking("root", said).unwrap();
    }

    fn tick(&self) -> Vec<Occurrence> {
        self.desk.watch("root").unwrap()
    }

    fn containment(&self) -> ContainmentView {
        match self.desk.ask_blocking("root", Query::Containment).unwrap() {
            Reply::Containment(view) => *view,
            other => panic!("{other:?}"),
        }
    }

    fn incidents(&self) -> Vec<IncidentView> {
        self.containment().incidents
    }

    fn handle(&self, id: &str, act: IncidentAct) -> IncidentView {
        let command = Command::Incident { id: id.into(), act, note: Some("seen".into()) };
        match self.desk.execute_blocking("root", command).unwrap() {
            Answer::Incident(view) => *view,
            other => panic!("{other:?}"),
        }
    }

    /// Entries of this kind.
    fn entries(&self, kind: &str) -> Vec<Value> {
        let ask = Query::Entries { item: None, from: 0, limit: 10_000 };
        match self.desk.ask_blocking("root", ask).unwrap() {
            Reply::Entries { entries, .. } => {
                entries.into_iter().map(|e| e.entry).filter(|e| e["t"] == kind).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    /// Events that wait for notifiers: (to, event), oldest first.
    fn told(&self) -> Vec<(String, String)> {
        use overrule::desk::outbox::Outbox as _;
        let parcels = self.desk.waiting("notify", 0, 1_000).unwrap();
        let text = |payload: &Value, name: &str| payload[name].as_str().unwrap().to_owned();
        parcels.iter().map(|p| (text(&p.payload, "to"), text(&p.payload, "event"))).collect()
    }

    fn verified(&self) {
        let report = self.desk.verify_blocking(&VerifyAsk::default(), &|_, _| {}).unwrap();
        assert!(report.ok, "{:?}", report.faults);
    }
}

fn open(home: &Home, clock: &Arc<AtomicI64>) -> Local {
    let hands = clock.clone();
    let mut options = OpenOptions::new(home.store(), "root");
    options.wall =
        Arc::new(move || Timestamp::from_millisecond(hands.load(Ordering::SeqCst)).unwrap());
    Local::open(options).unwrap()
}

fn words(all: &[Occurrence]) -> Vec<&str> {
    all.iter().map(|o| o.what).collect()
}

const QUEUES: &str = r#"
policy = "test"
[queues.level1]
level = 1
sla = "30m"
escalates_to = "level2"
[queues.level2]
level = 2
sla = "2h"
[queues.level3]
level = 3
sla = "4h"
[default]
to = "level1"
[notify.ops]
kind = "slack"
secret_env = "OPS_SLACK"
"#;

fn policy(more: &str) -> String {
    format!("{QUEUES}{more}")
}

const COMPLAINTS: &str = r#"
[[effect]]
id = "went-wrong"
on = "feedback"
when = 'feedback == "error"'
do = ["incident.open", "escalate:level3@1h"]
runbook = "https://wiki.example.org/went-wrong"
"#;

#[test]
fn feedback_sets_its_effects_off_once() {
    let desk = Desk::new(&policy(COMPLAINTS));
    desk.admit(&record("a"));
    desk.admit(&record("b"));
    assert_eq!(desk.tick(), [], "nothing has happened yet");
    desk.feedback("a", FeedbackKind::Confirmed);
    desk.feedback("a", FeedbackKind::Error);
    assert_eq!(desk.item("a").queue, "level3", "at once");
    assert_eq!(words(&desk.tick()), ["opened"]);
    let incidents = desk.incidents();
    assert_eq!(incidents.len(), 1);
    assert_eq!(incidents[0].id, "inc-1");
    assert_eq!(incidents[0].kind, "went-wrong");
    assert_eq!(incidents[0].slice, serde_json::json!({"model": "mortgage-preapproval@3.1"}));
    assert_eq!(incidents[0].runbook.as_deref(), Some("https://wiki.example.org/went-wrong"));
    assert_eq!(incidents[0].decisions, ["a"]);
    desk.later(60);
    assert_eq!(desk.tick(), [], "once each");
    desk.feedback("b", FeedbackKind::Error);
    desk.tick();
    let incidents = desk.incidents();
    assert_eq!((incidents.len(), incidents[0].fired), (1, 2), "the same thing is one incident");
    assert_eq!(incidents[0].decisions, ["b", "a"]);
    assert_eq!(desk.entries("effect").len(), 2);
    desk.verified();
}

#[test]
fn people_look_after_an_incident_and_a_new_one_opens_after_its_end() {
    let desk = Desk::new(&policy(COMPLAINTS));
    desk.admit(&record("a"));
    desk.admit(&record("b"));
    desk.feedback("a", FeedbackKind::Error);
    desk.tick();
    desk.later(120);
    assert_eq!(desk.handle("inc-1", IncidentAct::Acknowledge).state, "acknowledged");
    desk.later(600);
    let over = desk.handle("inc-1", IncidentAct::Resolve);
    assert_eq!(over.state, "resolved");
    assert_eq!(over.acknowledged_at.unwrap().duration_since(over.opened_at).as_secs(), 120);
    assert_eq!(over.resolved_at.unwrap().duration_since(over.opened_at).as_secs(), 720);
    let lines: Vec<&str> = over.timeline.iter().map(|h| h.what.as_str()).collect();
    assert_eq!(lines[1..], ["acknowledged: seen", "resolved: seen"]);
    desk.feedback("b", FeedbackKind::Error);
    desk.tick();
    let all: Vec<(String, String)> =
        desk.incidents().into_iter().map(|i| (i.id, i.state)).collect();
    assert_eq!(all, [("inc-2".into(), "open".into()), ("inc-1".into(), "resolved".into())]);
    desk.verified();
}

#[test]
fn who_was_told_of_a_decision_s_incident_hears_of_its_end_under_the_same_key() {
    use overrule::desk::outbox::Outbox as _;
    let tells = COMPLAINTS.replace("[\"incident.open\"", "[\"notify:ops\", \"incident.open\"");
    let desk = Desk::new(&policy(&tells));
    desk.admit(&record("a"));
    desk.feedback("a", FeedbackKind::Error);
    desk.tick();
    desk.later(120);
    desk.handle("inc-1", IncidentAct::Acknowledge);
    desk.handle("inc-1", IncidentAct::Resolve);
    let events: Vec<String> = desk.told().into_iter().map(|(_, event)| event).collect();
    assert_eq!(events, ["trigger", "acknowledge", "resolve"]);
    let parcels = desk.desk.waiting("notify", 0, 1_000).unwrap();
    for parcel in &parcels {
        let said = &parcel.payload;
        assert_eq!(said["dedup_key"], "went-wrong:model mortgage-preapproval@3.1");
        assert_eq!(said["slice"], serde_json::json!({"model": "mortgage-preapproval@3.1"}));
        assert_eq!(said["severity"], "critical");
        assert_eq!(said["incident"], "inc-1");
    }
    assert_eq!(parcels[0].payload["summary"], "went-wrong at decision a");
    // The next of its kind is another incident, and its word another row.
    desk.admit(&record("b"));
    desk.feedback("b", FeedbackKind::Error);
    desk.tick();
    desk.handle("inc-2", IncidentAct::Acknowledge);
    assert_eq!(desk.told().len(), 5);
    desk.verified();
}

const FLOODED: &str = r#"
[[route]]
id = "flooded"
when = 'arrival_rate_z > 4'
to = "level2"
[breaker]
override_low = 0.50
window = "1h"
"#;

#[test]
fn a_flood_is_a_fact_for_routes_and_trips_the_breaker() {
    let desk = Desk::new(&policy(FLOODED));
    // A day of a steady few an hour, then a hundred times as many.
    for hour in 0..16 {
        for i in 0..3 {
            desk.admit(&record(&format!("steady-{hour}-{i}")));
        }
        desk.tick();
        desk.later(3_600);
    }
    assert_eq!(desk.item("steady-15-0").queue, "level1");
    desk.say("ann", "steady-15-0", VerdictKind::Accept);
    for i in 0..300 {
        desk.admit(&record(&format!("flood-{i}")));
    }
    desk.tick();
    desk.admit(&record("in-time"));
    assert_eq!(desk.item("in-time").queue, "level1", "the hour is not over");
    assert_eq!(desk.containment().breakers.len(), 0);
    desk.later(3_600);
    desk.tick();
    desk.admit(&record("late"));
    assert_eq!(desk.item("late").queue, "level2");
    let breakers = desk.containment().breakers;
    assert_eq!(breakers.len(), 1);
    let cause = breakers[0].cause.as_deref().unwrap();
    assert!(cause.contains("arrivals of the last hour are far above"), "{cause}");
    desk.verified();
}

#[test]
fn a_clock_warns_then_runs_out_and_the_item_goes_up() {
    let desk = Desk::new(&policy(""));
    desk.admit(&record("a"));
    assert_eq!(desk.tick(), []);
    desk.later(24 * 60);
    assert_eq!(desk.tick(), []);
    desk.later(2 * 60);
    let warned = desk.tick();
    assert_eq!(words(&warned), ["at risk"]);
    assert_eq!(warned[0].about, "level1");
    desk.later(60);
    assert_eq!(desk.tick(), [], "it was said");
    desk.later(3 * 60 + 1);
    let ran_out = desk.tick();
    assert_eq!(words(&ran_out), ["late", "escalated"]);
    let item = desk.item("a");
    assert_eq!(item.queue, "level2");
    let now = Timestamp::from_millisecond(desk.clock.load(Ordering::SeqCst)).unwrap();
    assert_eq!(item.due_at.unwrap().duration_since(now).as_secs(), 2 * 3_600, "a new clock");
    desk.later(2 * 3_600 + 1);
    // level2 escalates nowhere: that it is late is said once.
    assert_eq!(words(&desk.tick()), ["late"]);
    assert_eq!(desk.tick(), []);
    assert_eq!(desk.item("a").queue, "level2");
    desk.verified();
}

const SOON: &str = r#"
[[effect]]
id = "soon"
on = "sla"
when = 'minutes_left <= 10 && level == 1'
do = ["notify:ops"]
[[effect]]
id = "nearly"
on = "sla"
when = '!breached && queue == "level1" && minutes_left <= 3'
do = ["escalate:level3@1h", "notify:ops"]
[[effect]]
id = "over"
on = "sla"
when = 'level == 1'
do = ["notify:ops"]
"#;

#[test]
fn an_effect_may_ask_for_the_time_that_is_left() {
    use overrule::desk::outbox::Outbox as _;
    let desk = Desk::new(&policy(SOON));
    desk.admit(&record("a"));
    desk.admit(&record("held"));
    desk.later(19 * 60);
    assert_eq!(desk.tick(), []);
    desk.later(60);
    let soon = desk.tick();
    assert_eq!(words(&soon), ["soon due", "soon due"]);
    assert_eq!((soon[0].about.as_str(), soon[0].text.as_str()), ("a", "due in 10 minutes: soon"));
    let told = || -> Vec<String> {
        let parcels = desk.desk.waiting("notify", 0, 1_000).unwrap();
        parcels.iter().map(|p| p.payload["dedup_key"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(told(), ["soon:a", "soon:held"]);
    // Once for each clock, however often it is looked at.
    desk.later(60);
    assert_eq!(desk.tick(), []);
    // While there is time it may go up; not out of somebody's hands.
    desk.later(6 * 60);
    let ask = LeaseAsk { item: Some("held".into()), ..LeaseAsk::default() };
    desk.desk.execute_blocking("ann", Command::Lease(ask)).unwrap();
    let nearly = desk.tick();
    let about: Vec<(&str, &str)> = nearly.iter().map(|o| (o.what, o.about.as_str())).collect();
    assert_eq!(
        about,
        [("at risk", "level1"), ("escalated", "a"), ("soon due", "a"), ("soon due", "held")]
    );
    assert_eq!((desk.item("a").queue, desk.item("held").queue), ("level3".into(), "level1".into()));
    assert_eq!(told(), ["soon:a", "soon:held", "nearly:a", "nearly:held"]);
    // At the due time what was said is not said again; who asked for no warning is told now.
    desk.later(3 * 60 + 1);
    assert_eq!(words(&desk.tick()), ["late"]);
    assert_eq!(told().len(), 5);
    assert_eq!(told()[4], "over:held");
    desk.verified();
}

#[test]
fn what_somebody_has_in_hand_is_not_taken_away() {
    let effect = r#"
[[effect]]
id = "late"
on = "sla"
when = 'queue == "level1"'
do = ["notify:ops", "escalate:level3@1h"]
"#;
    let desk = Desk::new(&policy(effect));
    desk.admit(&record("a"));
    desk.tick();
    desk.later(28 * 60);
    let ask = LeaseAsk { item: Some("a".into()), ..LeaseAsk::default() };
    desk.desk.execute_blocking("ann", Command::Lease(ask)).unwrap();
    desk.later(3 * 60);
    let ran_out = desk.tick();
    assert!(words(&ran_out).contains(&"late"), "{ran_out:?}");
    assert!(!words(&ran_out).contains(&"escalated"), "{ran_out:?}");
    assert_eq!(desk.item("a").queue, "level1");
    assert_eq!(desk.told(), [("ops".to_owned(), "trigger".to_owned())], "told at the due time");
    desk.later(60);
    assert!(!words(&desk.tick()).contains(&"late"), "told once");
    desk.later(5 * 60);
    assert_eq!(words(&desk.tick()), ["escalated"], "the lease is over");
    assert_eq!(desk.item("a").queue, "level3");
    assert_eq!(desk.told().len(), 1);
    desk.verified();
}

#[test]
fn one_process_at_a_time_acts_and_another_takes_over() {
    let desk = Desk::new(&policy(COMPLAINTS));
    let other = desk.another();
    desk.admit(&record("a"));
    desk.tick();
    desk.feedback("a", FeedbackKind::Error);
    assert_eq!(other.watch("root").unwrap(), [], "it is not its turn");
    // The first one dies without a word; what it had not done is done by the second, once.
    desk.later(4);
    assert_eq!(words(&other.watch("root").unwrap()), ["opened"]);
    assert_eq!(desk.tick(), [], "the turn is gone");
    desk.later(1);
    assert_eq!(other.watch("root").unwrap(), []);
    assert_eq!(desk.entries("effect").len(), 1);
    // Whoever leaves gives the turn up: nobody waits.
    other.close().unwrap();
    desk.feedback("a", FeedbackKind::Error);
    desk.tick();
    assert_eq!(desk.incidents()[0].fired, 2);
    desk.verified();
}

#[test]
fn a_breaker_opens_on_evidence_and_tries_again_after_its_window() {
    let desk = Desk::new(&policy("[breaker]\noverride_low = 0.10\nwindow = \"1h\"\n"));
    for i in 0..20 {
        let id = format!("d-{i}");
        desk.admit(&record(&id));
        let kind = if i % 2 == 0 { VerdictKind::Reject } else { VerdictKind::Accept };
        desk.say("ann", &id, kind);
    }
    let said = desk.tick();
    assert!(words(&said).contains(&"breaker"), "{said:?}");
    let breakers = desk.containment().breakers;
    assert_eq!(breakers.len(), 1);
    assert_eq!((breakers[0].state.as_str(), breakers[0].domain.as_str()), ("open", "loan"));
    desk.later(20);
    assert_eq!(desk.tick(), []);
    desk.later(3_600);
    assert!(words(&desk.tick()).contains(&"breaker"));
    assert_eq!(desk.containment().breakers[0].state, "half_open");
    desk.verified();
}

const SPIKE: &str = r#"
[[effect]]
id = "override-spike"
on = "window"
window = "1h"
each = "model"
when = 'override_low > 0.10'
do = ["automation.pause", "incident.open", "notify:ops"]
cooldown = "30m"
runbook = "https://wiki.example.org/override-spike"
"#;

/// So many decisions, every second one overruled.
fn spike(desk: &Desk, name: &str) {
    for i in 0..20 {
        let id = format!("{name}-{i}");
        desk.admit(&record(&id));
        let kind = if i % 2 == 0 { VerdictKind::Reject } else { VerdictKind::Accept };
        desk.say("ann", &id, kind);
    }
}

#[test]
fn a_spike_of_overrides_fires_once_cools_down_and_is_over_by_itself() {
    let desk = Desk::new(&policy(SPIKE));
    spike(&desk, "a");
    assert_eq!(words(&desk.tick()), ["fired", "opened", "paused"]);
    let view = desk.containment();
    let paused =
        view.switches.iter().find(|s| s.scope.to_string() == "model=mortgage-preapproval@3.1");
    assert_eq!(paused.unwrap().state.as_str(), "paused");
    assert_eq!(paused.unwrap().by.as_deref(), Some("override-spike"));
    let incident = &view.incidents[0];
    assert_eq!(incident.slice, serde_json::json!({"model": "mortgage-preapproval@3.1"}));
    assert!(incident.cause.contains("20 reviewed, overridden 0.500"), "{}", incident.cause);
    let fired = &desk.entries("effect")[0];
    assert_eq!(fired["d"]["effect"], "override-spike");
    assert!(fired["d"]["values"].as_str().unwrap().contains("overridden 0.500"), "{fired}");
    assert_eq!(desk.told(), [("ops".to_owned(), "trigger".to_owned())]);
    // It still holds: nothing within the cool-down, once more after it.
    desk.later(60);
    assert_eq!(desk.tick(), []);
    desk.later(28 * 60);
    assert_eq!(desk.tick(), []);
    desk.later(60);
    assert_eq!(words(&desk.tick()), ["fired"]);
    assert_eq!(desk.incidents()[0].fired, 2);
    desk.handle("inc-1", IncidentAct::Acknowledge);
    // The hour of the spike passes; ten quiet minutes later it is over.
    desk.later(3_600);
    assert_eq!(desk.tick(), []);
    desk.later(601);
    assert_eq!(words(&desk.tick()), ["resolved"]);
    let incident = &desk.incidents()[0];
    assert_eq!(
        (incident.state.as_str(), incident.resolved_by.as_deref()),
        ("resolved", Some("policy"))
    );
    let events: Vec<String> = desk.told().into_iter().map(|(_, event)| event).collect();
    assert_eq!(events, ["trigger", "trigger", "acknowledge", "resolve"]);
    // Another spike is another incident.
    spike(&desk, "b");
    desk.later(15);
    assert!(words(&desk.tick()).contains(&"fired"));
    assert_eq!(desk.incidents().len(), 2);
    desk.verified();
}

#[test]
fn a_process_that_dies_between_two_ticks_loses_and_doubles_nothing() {
    let desk = Desk::new(&policy(SPIKE));
    spike(&desk, "a");
    assert!(words(&desk.tick()).contains(&"fired"));
    // The one that ticked is gone; another finds what fired, and nothing to do.
    let other = desk.another();
    desk.later(5);
    assert_eq!(other.watch("root").unwrap(), []);
    desk.later(60);
    assert_eq!(other.watch("root").unwrap(), []);
    assert_eq!(desk.entries("effect").len(), 1);
    assert_eq!(desk.told().len(), 1);
    assert_eq!(desk.incidents().len(), 1);
    desk.verified();
}

#[test]
fn the_header_names_what_drifts_and_the_two_distributions_stand_side_by_side() {
    let desk = Desk::new(&policy(""));
    let admit = |name: &str, n: u64, income: u64| {
        let lines = (0..n).map(|i| {
            let mut one = record(&format!("{name}-{i}"));
            one["input"]["income_thousands"] = serde_json::json!(income + i * 37 % 101);
            Line { source: name.into(), line: i + 1, bytes: one.to_string().into_bytes() }
        });
        let lines = lines.collect();
        desk.desk.execute_blocking("root", Command::Admit { lines }).unwrap();
    };
    let header = || match desk.desk.ask_blocking("root", Query::Header).unwrap() {
        Reply::Header(header) => *header,
        other => panic!("{other:?}"),
    };
    admit("usual", 1_000, 50);
    desk.tick();
    desk.later(3_600);
    admit("same", 300, 50);
    desk.tick();
    assert_eq!(header().drift, Vec::<String>::new());
    desk.later(30 * 3_600);
    admit("moved", 300, 90);
    desk.tick();
    let place = "mortgage-preapproval@3.1 input.income_thousands";
    assert_eq!(header().drift, [place, "loan input.income_thousands"]);
    let ask = |feature: &str, window: &str| {
        let slice = "model:mortgage-preapproval@3.1".to_owned();
        let (feature, window) = (feature.to_owned(), window.to_owned());
        desk.desk.ask_blocking("root", Query::Distribution { slice, feature, window })
    };
    let Reply::Distribution(seen) = ask("input.income_thousands", "24h").unwrap() else { panic!() };
    assert_eq!((seen.n_ref, seen.n_cur), (1_000, 300));
    let sums = seen.bins.iter().fold((0.0, 0.0), |s, b| (s.0 + b.1, s.1 + b.2));
    assert!((sums.0 - 1.0_f64).abs() < 1e-9 && (sums.1 - 1.0_f64).abs() < 1e-9, "{sums:?}");
    // Deciles: a tenth each then; now nothing is in the lowest ones.
    assert!(seen.bins.iter().all(|b| (b.1 - 0.1).abs() < 0.02), "{:?}", seen.bins);
    assert_eq!((seen.bins[0].2, seen.bins[2].2), (0.0, 0.0), "{:?}", seen.bins);
    assert!(seen.bins[9].2 > 0.3, "{:?}", seen.bins);
    assert_eq!(seen.decisions.len(), 20);
    assert_eq!(seen.decisions[0], "moved-299");
    let refused = ask("input.age", "24h").unwrap_err();
    assert!(refused.hint.unwrap().contains("input.income_thousands"));
    // A day on nobody has looked for long: the header does not repeat old news.
    desk.later(30 * 3_600);
    assert_eq!(header().drift, Vec::<String>::new());
}

#[test]
fn on_the_record_clock_things_happen_on_the_way_and_every_verdict_counts_once() {
    let text = policy(
        "[breaker]\noverride_low = 0.30\nwindow = \"1h\"\n[[effect]]\nid = \"spike\"\non = \"window\"\n\
         window = \"1h\"\neach = \"model\"\nwhen = 'override_low > 0.5'\ndo = [\"incident.open\"]\n",
    );
    let home = Home::new();
    let (mut records, mut verdicts) = (Vec::new(), Vec::new());
    for i in 0..240_i64 {
        let at =
            |minute: i64| Timestamp::from_second(1_780_000_000 + minute * 60).unwrap().to_string();
        let mut one = record(&format!("d-{i}"));
        one["occurred_at"] = at(i).into();
        records.push(one);
        // The second hour is overruled throughout.
        let verdict = if (60..120).contains(&i) { "reject" } else { "accept" };
        verdicts.push(serde_json::json!({"id": format!("d-{i}"), "verdict": verdict, "at": at(i)}));
    }
    let records = home.write("records.jsonl", &support::lines(&records));
    let verdicts = home.write("verdicts.jsonl", &support::lines(&verdicts));
    let policy = home.write("policy.toml", &text);
    let path = |p: &std::path::Path| p.to_str().unwrap().to_owned();
    let (records, verdicts, policy) = (path(&records), path(&verdicts), path(&policy));
    let args =
        ["ingest", &records, "--policy", &policy, "--clock", "record", "--verdicts", &verdicts];
    home.ok(&args);
    let minute = |at: &Value| {
        let at: Timestamp = at.as_str().unwrap().parse().unwrap();
        (at.as_second() - 1_780_000_000) / 60
    };
    let list = home.json(&["incident", "list", "--json"]);
    let incidents = list["incidents"].as_array().unwrap();
    assert_eq!(incidents.len(), 1, "{list}");
    let (opened, resolved) =
        (minute(&incidents[0]["opened_at"]), minute(&incidents[0]["resolved_at"]));
    assert!((90..125).contains(&opened), "{list}");
    assert!((150..200).contains(&resolved), "over while the file was read: {list}");
    // At the opening the window had this many verdicts, each once.
    let cause = incidents[0]["cause"].as_str().unwrap();
    assert!(cause.contains("1h: 6"), "sixty-one or so of an hour: {cause}");
    let desk = Local::open(OpenOptions::new(home.store(), "root")).unwrap();
    let entries =
        match desk.ask_blocking("root", Query::Entries { item: None, from: 0, limit: 10_000 }) {
            Ok(Reply::Entries { entries, .. }) => entries,
            other => panic!("{other:?}"),
        };
    // The breaker opens while it is bad, tries again an hour later, and closes on ten good ones: that
    // the detector sees the rate fall again is no reason to open it.
    let steps: Vec<(i64, &str)> = entries
        .iter()
        .filter_map(|e| Some((minute(&e.entry["at"]), e.entry["d"]["act"].as_str()?)))
        .filter(|(_, act)| act.starts_with("breaker."))
        .collect();
    let acts: Vec<&str> = steps.iter().map(|s| s.1).collect();
    assert_eq!(acts, ["breaker.open", "breaker.half_open", "breaker.close"], "{steps:?}");
    assert!((65..120).contains(&steps[0].0) && steps[1].0 - steps[0].0 >= 60, "{steps:?}");
    let changes: Vec<&str> = entries
        .iter()
        .filter(|e| e.entry["d"]["effect"] == "detector")
        .filter(|e| e.entry["d"]["slice"] == "model:mortgage-preapproval@3.1")
        .filter_map(|e| e.entry["d"]["values"].as_str())
        .collect();
    assert_eq!(changes.len(), 2, "up and down: {changes:?}");
}

/// So many that one look does not reach past them.
const CROWD: usize = 260;

#[test]
fn what_is_held_or_cannot_be_read_keeps_nothing_else_from_its_time() {
    let desk = Desk::new(&policy(""));
    let crowd: Vec<String> = (0..CROWD).map(|n| format!("held-{n:03}")).collect();
    let lines = crowd.iter().enumerate().map(|(n, id)| Line {
        source: "test".into(),
        line: n as u64,
        bytes: record(id).to_string().into_bytes(),
    });
    desk.desk.execute_blocking("root", Command::Admit { lines: lines.collect() }).unwrap();
    desk.admit(&record("broken"));
    desk.later(60);
    desk.admit(&record("last"));
    desk.later(28 * 60);
    for id in &crowd {
        let ask = LeaseAsk { item: Some(id.clone()), ..LeaseAsk::default() };
        desk.desk.execute_blocking("ann", Command::Lease(ask)).unwrap();
    }
    desk.later(2 * 60 + 1);
    let file = rusqlite::Connection::open(desk.home.store()).unwrap();
    file.execute("UPDATE decisions SET content = x'00' WHERE id = 'broken'", []).unwrap();
    let _ = (desk.desk.watch("root"), desk.desk.watch("root"));
    assert_eq!(desk.item("last").queue, "level2", "its time ran out and nobody has it");
    assert_eq!(desk.item("held-000").queue, "level1");
    let clocks = || -> Value {
        let sql = "SELECT value FROM states WHERE key = 'watch/sla'";
        let bytes: Vec<u8> = file.query_row(sql, [], |row| row.get(0)).unwrap();
        serde_json::from_slice(&bytes).unwrap()
    };
    assert_eq!(clocks()["in_hand"].as_object().unwrap().len(), CROWD);
    // Decided in hand: nothing is left to remember of it.
    for id in &crowd {
        desk.say("ann", id, VerdictKind::Accept);
    }
    let _ = desk.desk.watch("root");
    assert_eq!(clocks()["in_hand"], serde_json::json!({}));
}

#[test]
fn verdicts_that_cannot_be_read_keep_no_other_from_taking_effect() {
    let desk = Desk::new(&policy(""));
    let crowd: Vec<String> = (0..=CROWD).map(|n| format!("d-{n:03}")).collect();
    for id in &crowd {
        desk.admit(&record(id));
        let request = ReviewRequest {
            request_id: format!("r-{id}"),
            item: id.clone(),
            verdict: Verdict::plain(VerdictKind::Accept),
            lease: None,
            revision: None,
            seen: None,
            signature: None,
            grace_ms: 5_000,
            offline: None,
        };
        desk.desk.execute_blocking("ann", Command::Review(Box::new(request))).unwrap();
        desk.clock.fetch_add(1, Ordering::SeqCst);
    }
    let (last, damaged) = crowd.split_last().unwrap();
    let file = rusqlite::Connection::open(desk.home.store()).unwrap();
    let set = "UPDATE reviews SET verdict = 'perhaps' WHERE request_id = ?1";
    for id in damaged {
        assert_eq!(file.execute(set, [format!("r-{id}")]).unwrap(), 1);
    }
    desk.later(6);
    assert_eq!(desk.desk.settle_due("root").unwrap(), 1);
    assert_eq!(desk.item(last).state, overrule::domain::ItemState::Settled);
}

#[test]
fn a_step_of_a_tick_that_fails_keeps_no_other_from_its_turn() {
    let desk = Desk::new(&policy(COMPLAINTS));
    desk.admit(&record("a"));
    desk.admit(&record("b"));
    desk.tick();
    // What is kept of the clocks cannot be read any more: they stand still, and nothing else does.
    let file = rusqlite::Connection::open(desk.home.store()).unwrap();
    let sql = "INSERT INTO states(key, version, value) VALUES ('watch/sla', 1, x'7b')
               ON CONFLICT(key) DO UPDATE SET value = x'7b'";
    file.execute(sql, []).unwrap();
    file.execute("DELETE FROM states WHERE key = 'watch/standing'", []).unwrap();
    desk.feedback("a", FeedbackKind::Error);
    desk.later(31 * 60);
    let refused = desk.desk.watch("root").unwrap_err();
    assert!(refused.message.contains("a state of the ticker cannot be read"), "{refused:?}");
    assert_eq!(desk.incidents().len(), 1, "what came before it is done");
    let standing = || -> i64 {
        let sql = "SELECT count(*) FROM states WHERE key = 'watch/standing'";
        file.query_row(sql, [], |row| row.get(0)).unwrap()
    };
    assert_eq!(standing(), 1, "and what comes after it, too");
}
