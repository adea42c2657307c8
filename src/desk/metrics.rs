//! The desk in numbers, as Prometheus reads them: views in, text out.
//!
//! Names follow the Prometheus conventions (base units, `_total` for counters only, `_ratio` in
//! 0..1); `promtool check metrics` is the test. Labels are bounded: queues, models, domains,
//! cohorts, rules, features. No item and no reviewer is ever a label. What has no value yet (an
//! override rate without reviews) is absent, not zero.

use prometheus::core::Collector;
use prometheus::{Error, GaugeVec, IntCounterVec, Opts, Registry, TextEncoder};

use super::Local;
use crate::protocol::{
    ContainmentView, DriftView, Header, Refused, SignalsAsk, SignalsView, SlaView, SliceName,
    SliceView, SwitchState, Why,
};

/// The media type of the text.
pub const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Everything, as text; `signals` holds one view a window. Fails only where a name or label is not one Prometheus takes.
pub fn exposition(
    header: &Header,
    signals: &[SignalsView],
    containment: &ContainmentView,
) -> Result<String, Error> {
    let board = Board::default();
    desk(&board, header)?;
    slices(&board, signals)?;
    drift(&board, signals)?;
    clocks(&board, signals)?;
    flow(&board, signals)?;
    switches(&board, containment)?;
    bounds(&board, containment)?;
    canaries(&board, containment)?;
    open_matters(&board, header, containment)?;
    TextEncoder::new().encode_to_string(&board.0.gather())
}

impl Local {
    /// How the desk stands, for the process that serves it: in nobody's name.
    pub fn standing(&self) -> Result<Header, Refused> {
        self.core.own_header()
    }

    /// The figures of these windows, for the process that serves the desk: in nobody's name.
    pub fn figures(&self, windows: &[&str]) -> Result<String, Refused> {
        let header = self.core.own_header()?;
        let view = |window: &&str| {
            let window = (*window).to_owned();
            self.core.signals(&SignalsAsk { window, ..SignalsAsk::default() })
        };
        let signals = windows.iter().map(view).collect::<Result<Vec<_>, _>>()?;
        exposition(&header, &signals, &self.core.containment()?)
            .map_err(|e| Refused::new(Why::Internal, format!("the figures cannot be written: {e}")))
    }
}

/// Families being filled.
#[derive(Default)]
struct Board(Registry);

impl Board {
    fn gauge(&self, name: &str, help: &str, labels: &[&str]) -> Result<GaugeVec, Error> {
        self.family(GaugeVec::new(Opts::new(format!("overrule_{name}"), help), labels)?)
    }

    fn counter(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, Error> {
        self.family(IntCounterVec::new(Opts::new(format!("overrule_{name}"), help), labels)?)
    }

    fn family<F: Collector + Clone + 'static>(&self, family: F) -> Result<F, Error> {
        self.0.register(Box::new(family.clone()))?;
        Ok(family)
    }
}

/// Set where there is a value.
fn set(family: &GaugeVec, labels: &[&str], value: Option<f64>) -> Result<(), Error> {
    if let Some(value) = value.filter(|v| v.is_finite()) {
        family.get_metric_with_label_values(labels)?.set(value);
    }
    Ok(())
}

/// One of several states: 1 for the one it is in, 0 for the others.
fn state(family: &GaugeVec, labels: &[&str], all: &[&str], now: &str) -> Result<(), Error> {
    for one in all {
        set(family, &[labels, &[one]].concat(), Some(f64::from(u8::from(*one == now))))?;
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53, and a gauge is a float")]
fn number(n: u64) -> Option<f64> {
    Some(n as f64)
}

fn seconds(millis: Option<f64>) -> Option<f64> {
    millis.map(|ms| ms / 1000.0)
}

fn per_second(per_hour: f64) -> Option<f64> {
    Some(per_hour / 3600.0)
}

fn desk(board: &Board, header: &Header) -> Result<(), Error> {
    let info = board.gauge("build_info", "Version of the program; always 1", &["version"])?;
    set(&info, &[env!("CARGO_PKG_VERSION")], Some(1.0))?;
    if let Some(policy) = &header.policy {
        let info = board.gauge("policy_info", "Policy in force; always 1", &["policy"])?;
        set(&info, &[policy], Some(1.0))?;
    }
    let decisions =
        board.counter("decisions_total", "Decisions admitted, by who took them", &["outcome"])?;
    let people = header.decisions.saturating_sub(header.automatic);
    for (outcome, n) in [("auto", header.automatic), ("people", people)] {
        decisions.get_metric_with_label_values(&[outcome])?.inc_by(n);
    }
    let entries = board.counter("log_entries_total", "Entries of the audit trail", &[])?;
    entries.get_metric_with_label_values::<&str>(&[])?.inc_by(header.head);
    let running = board.gauge(
        "automation_running",
        "1 while nothing stops or limits automation anywhere",
        &[],
    )?;
    set(&running, &[], Some(f64::from(u8::from(header.automation == "on"))))?;
    let generation =
        board.gauge("control_generation", "Rises with every change of what may run", &[])?;
    set(&generation, &[], number(header.generation))?;

    let items = board.gauge("queue_items", "Open items, leased ones included", &["queue"])?;
    let leased =
        board.gauge("queue_leased_items", "Open items that somebody works on", &["queue"])?;
    let late = board.gauge("queue_late_items", "Open items past their due time", &["queue"])?;
    let soon =
        board.gauge("queue_due_soon_items", "Open items due within five minutes", &["queue"])?;
    for queue in &header.queues {
        let labels = [queue.name.as_str()];
        set(&items, &labels, number(queue.waiting))?;
        set(&leased, &labels, number(queue.leased))?;
        set(&late, &labels, number(queue.late))?;
        set(&soon, &labels, number(queue.due_soon))?;
    }
    Ok(())
}

/// A slice as labels; people are none.
fn labels<'v>(window: &'v str, slice: &'v SliceName) -> Option<[&'v str; 3]> {
    let (dimension, value) = slice.iter().next()?;
    (dimension != "reviewer").then_some([window, dimension.as_str(), value.as_str()])
}

fn slices(board: &Board, windows: &[SignalsView]) -> Result<(), Error> {
    const BY: [&str; 3] = ["window", "dimension", "slice"];
    const BY_OUTCOME: [&str; 4] = ["window", "dimension", "slice", "outcome"];
    let decisions = board.gauge(
        "window_decisions",
        "Decisions in the window, by who took them",
        &BY_OUTCOME,
    )?;
    let reviews = board.gauge(
        "window_reviews",
        "Verdicts in the window, by whether they overrode the model",
        &BY_OUTCOME,
    )?;
    let reversals = board.gauge(
        "window_reversals",
        "Sampled automatic decisions in the window that turned out wrong",
        &BY,
    )?;
    let ratio = board.gauge("override_ratio", "Overridden among reviewed decisions", &BY)?;
    let low = board.gauge("override_low_ratio", "Lower end of its 95 % Wilson interval", &BY)?;
    let high = board.gauge("override_high_ratio", "Upper end of its 95 % Wilson interval", &BY)?;
    let base = board.gauge("override_baseline_ratio", "Override ratio before the window", &BY)?;
    let error = board.gauge(
        "auto_error_ratio",
        "Errors among automatic decisions, estimated from sampled ones",
        &BY,
    )?;
    let error_low = board.gauge("auto_error_low_ratio", "Lower end of its 95 % interval", &BY)?;
    let error_high = board.gauge("auto_error_high_ratio", "Upper end of its 95 % interval", &BY)?;
    for (signals, view) in windows.iter().flat_map(|w| w.slices.iter().map(move |v| (w, v))) {
        let SliceView { slice, .. } = view;
        let Some(at) = labels(&signals.window, slice) else { continue };
        let [window, dimension, value] = at;
        let of = |outcome| [window, dimension, value, outcome];
        set(&decisions, &of("auto"), number(view.auto))?;
        set(&decisions, &of("people"), number(view.decisions.saturating_sub(view.auto)))?;
        set(&reviews, &of("overridden"), number(view.overridden))?;
        set(&reviews, &of("accepted"), number(view.reviewed.saturating_sub(view.overridden)))?;
        set(&reversals, &at, number(view.reversals))?;
        set(&ratio, &at, view.override_rate)?;
        set(&low, &at, view.override_interval.map(|[low, _]| low))?;
        set(&high, &at, view.override_interval.map(|[_, high]| high))?;
        set(&base, &at, view.baseline)?;
        set(&error, &at, view.auto_error.map(|e| e.value))?;
        set(&error_low, &at, view.auto_error.map(|e| e.low))?;
        set(&error_high, &at, view.auto_error.map(|e| e.high))?;
    }
    Ok(())
}

fn drift(board: &Board, windows: &[SignalsView]) -> Result<(), Error> {
    const BY: [&str; 4] = ["window", "dimension", "slice", "feature"];
    let psi = board.gauge("drift_psi", "Population stability index against the reference", &BY)?;
    let kl = board.gauge("drift_kl", "Kullback-Leibler divergence, natural logarithm", &BY)?;
    let js = board.gauge("drift_js_distance", "Jensen-Shannon distance, base 2", &BY)?;
    let ks = board.gauge("drift_ks", "Kolmogorov-Smirnov statistic", &BY)?;
    let alarm = board.gauge(
        "drift_alarm",
        "1 where the distribution has moved beyond chance and beyond tolerance",
        &BY,
    )?;
    for (signals, view) in windows.iter().flat_map(|w| w.drift.iter().map(move |v| (w, v))) {
        let DriftView { slice, feature, .. } = view;
        let Some([window, dimension, value]) = labels(&signals.window, slice) else { continue };
        let at = [window, dimension, value, feature.as_str()];
        set(&psi, &at, view.psi)?;
        set(&kl, &at, view.kl)?;
        set(&js, &at, view.js)?;
        set(&ks, &at, view.ks)?;
        let known = view.verdict != "not_enough_data";
        set(&alarm, &at, known.then(|| f64::from(u8::from(view.verdict == "drift"))))?;
    }
    let ece = board.gauge(
        "calibration_error_ratio",
        "Expected calibration error on reviewed decisions",
        &["window", "model"],
    )?;
    let brier = board.gauge(
        "calibration_brier",
        "Brier score on reviewed decisions",
        &["window", "model"],
    )?;
    for (signals, view) in windows.iter().flat_map(|w| w.calibration.iter().map(move |v| (w, v))) {
        let at = [signals.window.as_str(), view.model.as_str()];
        set(&ece, &at, view.ece)?;
        set(&brier, &at, view.brier)?;
    }
    let missing = board.gauge(
        "window_missing_values",
        "Values in the window that were absent or no number",
        &["window", "feature"],
    )?;
    for (signals, (feature, n)) in
        windows.iter().flat_map(|w| w.missing.iter().map(move |m| (w, m)))
    {
        set(&missing, &[&signals.window, feature], number(*n))?;
    }
    Ok(())
}

fn clocks(board: &Board, windows: &[SignalsView]) -> Result<(), Error> {
    const BY: [&str; 2] = ["window", "queue"];
    let compliance = board.gauge("sla_compliance_ratio", "Verdicts that came in time", &BY)?;
    let verdicts = board.gauge(
        "sla_verdicts",
        "Verdicts in the window that had a clock, by whether they came in time",
        &["window", "queue", "in_time"],
    )?;
    let risk = board.gauge(
        "sla_at_risk_items",
        "Open items within the last fifth of their time",
        &["queue"],
    )?;
    let mean =
        board.gauge("review_mean_seconds", "From entering a queue to the verdict, mean", &BY)?;
    let median = board.gauge(
        "review_median_seconds",
        "From entering a queue to the verdict, median",
        &BY,
    )?;
    let p95 = board.gauge(
        "review_p95_seconds",
        "From entering a queue to the verdict, 95th percentile",
        &BY,
    )?;
    let resolve =
        board.gauge("resolution_mean_seconds", "From admission to settlement, mean", &BY)?;
    let escalated = board.gauge(
        "escalation_mean_seconds",
        "From escalation to settlement of escalated items, mean",
        &BY,
    )?;
    for (signals, view) in windows.iter().flat_map(|w| w.sla.iter().map(move |v| (w, v))) {
        let SlaView { queue, .. } = view;
        let at = [signals.window.as_str(), queue.as_str()];
        let [window, queue] = at;
        set(&compliance, &at, view.compliance)?;
        set(&verdicts, &[window, queue, "true"], number(view.in_time))?;
        set(
            &verdicts,
            &[window, queue, "false"],
            number(view.decided.saturating_sub(view.in_time)),
        )?;
        set(&risk, &[queue], number(view.at_risk))?;
        set(&mean, &at, seconds(view.mean_ms))?;
        set(&median, &at, seconds(view.median_ms))?;
        set(&p95, &at, seconds(view.p95_ms))?;
        set(&resolve, &at, seconds(view.resolve_ms))?;
        set(&escalated, &at, seconds(view.escalation_ms))?;
    }
    Ok(())
}

fn flow(board: &Board, windows: &[SignalsView]) -> Result<(), Error> {
    let each = |name: &str, help: &str, value: fn(&SignalsView) -> Option<f64>| {
        let family = board.gauge(name, help, &["window"])?;
        windows.iter().try_for_each(|view| set(&family, &[&view.window], value(view)))
    };
    each("automation_ratio", "Decisions settled automatically", |v| v.automation_share)?;
    each("decisions_per_second", "Decisions admitted", |v| per_second(v.flow.decisions_per_hour))?;
    each("people_items_per_second", "Items that came to people", |v| {
        per_second(v.flow.arrivals_per_hour)
    })?;
    each("people_reviews_per_second", "Items that people decided", |v| {
        per_second(v.flow.reviews_per_hour)
    })?;
    each(
        "arrival_deviation",
        "How unusual the rate of decisions is, in standard deviations",
        |v| v.flow.arrival_z,
    )?;
    each("model_latency_p50_seconds", "Latency of the models, median", |v| {
        seconds(v.flow.model_p50_ms)
    })?;
    each("model_latency_p95_seconds", "Latency of the models, 95th percentile", |v| {
        seconds(v.flow.model_p95_ms)
    })?;
    each("admission_p50_seconds", "Time to admit a decision, median", |v| {
        seconds(v.flow.admit_p50_ms)
    })?;
    each("admission_p95_seconds", "Time to admit a decision, 95th percentile", |v| {
        seconds(v.flow.admit_p95_ms)
    })
}

fn switches(board: &Board, containment: &ContainmentView) -> Result<(), Error> {
    const STATES: [SwitchState; 4] =
        [SwitchState::On, SwitchState::Limited, SwitchState::Paused, SwitchState::Killed];
    let automation = board.gauge(
        "automation_state",
        "Whether automation runs in a scope: 1 for the state it is in",
        &["scope", "state"],
    )?;
    for view in &containment.switches {
        let scope = view.scope.to_string();
        state(&automation, &[&scope], &STATES.map(SwitchState::as_str), view.state.as_str())?;
    }
    let breaker = board.gauge(
        "breaker_state",
        "The breaker on automatic decisions: 1 for the state it is in",
        &["domain", "model", "state"],
    )?;
    for view in &containment.breakers {
        let at = [view.domain.as_str(), view.model.as_str()];
        state(&breaker, &at, &["closed", "open", "half_open"], &view.state)?;
    }
    let held = board.gauge("freeze_held_decisions", "Decisions held by freezes in force", &[])?;
    set(&held, &[], number(containment.freezes.iter().map(|f| f.held).sum()))?;
    let freezes = board.gauge("freezes", "Freezes in force", &[])?;
    set(&freezes, &[], number(containment.freezes.len() as u64))
}

fn bounds(board: &Board, containment: &ContainmentView) -> Result<(), Error> {
    let limit = board.gauge(
        "limit_decisions_per_second",
        "Automatic decisions a limit allows: as set, and as tightened by errors",
        &["limit", "bound"],
    )?;
    let turned = board.gauge(
        "limit_turned_away",
        "Automatic decisions of the last hour that a limit sent to people",
        &["limit"],
    )?;
    for view in &containment.limits {
        set(&limit, &[&view.name, "set"], Some(view.per_minute / 60.0))?;
        set(&limit, &[&view.name, "effective"], Some(view.effective / 60.0))?;
        set(&turned, &[&view.name], number(view.turned_away))?;
    }
    let capacity = board.gauge(
        "budget_reviews_per_second",
        "Reviews that the people of a queue can do",
        &["queue"],
    )?;
    let gave_way = board.gauge(
        "budget_gave_way",
        "Times in the last hour that a review gave way to the budget",
        &["queue"],
    )?;
    let breach = board.gauge(
        "budget_breach_timestamp_seconds",
        "When the queue begins to miss its SLA at these rates, since 1970",
        &["queue"],
    )?;
    for view in &containment.budgets {
        let at = [view.queue.as_str()];
        set(&capacity, &at, view.per_hour.and_then(per_second))?;
        set(&gave_way, &at, number(view.gave_way))?;
        set(&breach, &at, view.breach_at.map(|t| t.as_duration().as_secs_f64()))?;
    }
    Ok(())
}

fn canaries(board: &Board, containment: &ContainmentView) -> Result<(), Error> {
    const BY: [&str; 2] = ["model", "version"];
    let phase = board.gauge(
        "canary_state",
        "A new version on trial: 1 for the state it is in",
        &["model", "version", "state"],
    )?;
    let share = board.gauge("canary_share_ratio", "Share of decisions the canary takes", &BY)?;
    let e_value = board.gauge("canary_e_value", "Evidence that the canary is worse", &BY)?;
    let needed = board.gauge("canary_e_needed", "Evidence that rolls the canary back", &BY)?;
    for view in &containment.canaries {
        let at = [view.model.as_str(), view.version.as_str()];
        state(&phase, &at, &["running", "promoted", "rolled_back"], &view.state)?;
        if view.state == "running" {
            set(&share, &at, Some(view.share))?;
            set(&e_value, &at, Some(view.e_value))?;
            set(&needed, &at, Some(view.e_needed))?;
        }
    }
    Ok(())
}

fn open_matters(
    board: &Board,
    header: &Header,
    containment: &ContainmentView,
) -> Result<(), Error> {
    let incidents = board.gauge("incidents", "Incidents, by state", &["state"])?;
    for one in ["open", "acknowledged", "resolved"] {
        let n = containment.incidents.iter().filter(|i| i.state == one).count();
        set(&incidents, &[one], number(n as u64))?;
    }
    let open = containment.incidents.iter().filter(|i| i.state == "open");
    let oldest = open.map(|i| header.now.duration_since(i.opened_at).as_secs_f64());
    let age = board.gauge(
        "incident_unacknowledged_seconds",
        "Age of the oldest incident that nobody has acknowledged",
        &[],
    )?;
    set(&age, &[], Some(oldest.fold(0.0, f64::max)))?;
    let outbox =
        board.gauge("outbox_items", "Alerts, replies and effects on their way out", &["state"])?;
    let out = &containment.outgoing;
    for (one, n) in [("waiting", out.waiting), ("held", out.held), ("dead", out.dead)] {
        set(&outbox, &[one], number(n))?;
    }
    Ok(())
}
