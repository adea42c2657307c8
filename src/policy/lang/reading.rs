//! What a rule reads: a decision, the facts, a review, a window. Absent is NaN or `None`.

use std::borrow::Cow;
use std::cell::Cell;

use serde_json::{Map, Value};

use super::super::nouns::{Impact, ReviewFacts, SlaFacts, WindowFacts};
use super::super::redact::Redaction;
use super::fields::{Field, LEVELS, Type};
use crate::domain::{Decision, Facts};

/// Everything at hand when a rule is asked.
pub(crate) struct Reading<'a> {
    pub(crate) decision: Option<&'a Decision>,
    pub(crate) facts: Option<&'a Facts>,
    pub(crate) review: Option<&'a ReviewFacts>,
    pub(crate) window: Option<&'a WindowFacts>,
    pub(crate) sla: Option<&'a SlaFacts>,
    pub(crate) feedback: Option<&'a str>,
    pub(crate) impact: Impact,
    /// What sentences must not show.
    pub(crate) hidden: Option<&'a Redaction>,
    /// Length of the output, counted at most once.
    pub(crate) chars: Cell<Option<f64>>,
}

/// A field's value, for explanations and for what no closure is specialised for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Val<'a> {
    Absent,
    Number(f64),
    Text(Cow<'a, str>),
    Flag(bool),
    Tags(Cow<'a, [String]>),
    /// A group of fields that is there.
    Present,
}

impl<'a> Reading<'a> {
    pub(crate) fn new(impact: Impact) -> Self {
        Self {
            decision: None,
            facts: None,
            review: None,
            window: None,
            sla: None,
            feedback: None,
            impact,
            hidden: None,
            chars: Cell::new(None),
        }
    }

    pub(crate) fn of(decision: &'a Decision, impact: Impact, hidden: &'a Redaction) -> Self {
        Self { decision: Some(decision), hidden: Some(hidden), ..Self::new(impact) }
    }

    /// The number in `field`; NaN where it is absent.
    pub(crate) fn number(&self, field: &Field) -> f64 {
        self.maybe_number(field).unwrap_or(f64::NAN)
    }

    fn maybe_number(&self, field: &Field) -> Option<f64> {
        let d = self.decision;
        let w = self.window;
        match field {
            Field::Confidence => d.map(|d| d.confidence),
            Field::BusinessImpact => d.map(|d| d.business_impact),
            Field::EnsembleSpread => d?.ensemble_spread(),
            Field::EnsembleAgreement => agreement(d?),
            Field::OutputChars => d.map(|d| self.output_chars(d)),
            Field::SourceReliability => d?.source.as_ref()?.reliability,
            Field::LatencyMs => d?.latency_ms,
            Field::Attribution(name) => d?.attributions.get(name.as_ref()).copied(),
            Field::Input(path) => at(Some(&d?.input), path)?.as_f64(),
            Field::Output(path) => at(d?.output.as_object(), path)?.as_f64(),
            Field::CohortSeen => self.facts?.cohort_seen.map(count),
            Field::ArrivalRateZ => self.facts?.arrival_rate_z,
            Field::ModelAgeDays => self.facts?.model_age_days,
            Field::Level => {
                let level = self.review.map(|r| r.level).or_else(|| self.sla.map(|s| s.level))?;
                Some(f64::from(level))
            }
            Field::MinutesLeft => self.sla.map(|s| minutes(s.minutes_left)),
            Field::OverrideRate => w?.override_rate,
            Field::OverrideLow => w?.override_low,
            Field::OverrideHigh => w?.override_high,
            Field::OverrideBaseline => w?.override_baseline,
            Field::Reviewed => w.map(|w| count(w.reviewed)),
            Field::Psi => w?.psi,
            Field::Kl => w?.kl,
            Field::Ece => w?.ece,
            Field::SlaCompliance => w?.sla_compliance,
            _ => None,
        }
    }

    /// The text in `field`, if it is there.
    pub(crate) fn text(&self, field: &Field) -> Option<&'a str> {
        let d = self.decision;
        match field {
            Field::Id => Some(&d?.id),
            Field::Domain => Some(&d?.domain),
            Field::Action => Some(&d?.action),
            Field::ActsIn => d?.scope.as_deref(),
            Field::UserGroup => d?.user_group.as_deref(),
            Field::ModelName => Some(&d?.model.name),
            Field::ModelVersion => Some(&d?.model.version),
            Field::ImpactLevel => Some(self.impact.level(d?.business_impact)),
            Field::Rationale => d?.rationale.as_deref(),
            Field::SourceName => d?.source.as_ref().map(|s| s.name.as_str()),
            Field::Cohort(name) => d?.cohort.get(name.as_ref()).map(String::as_str),
            Field::Provenance(name) => d?.provenance.get(name.as_ref()).map(String::as_str),
            Field::Input(path) => at(Some(&d?.input), path)?.as_str(),
            Field::Output(path) => at(d?.output.as_object(), path)?.as_str(),
            Field::Verdict => self.review.map(|r| r.verdict.as_str()),
            Field::Reviewer => self.review.map(|r| r.reviewer.as_str()),
            Field::Queue => self.sla.map(|s| s.queue.as_str()),
            Field::Feedback => self.feedback,
            _ => None,
        }
    }

    /// The flag in `field`, if it is there.
    pub(crate) fn flag(&self, field: &Field) -> Option<bool> {
        match field {
            // Broken records are quarantined before any rule is asked.
            Field::SchemaValid => self.decision.map(|_| true),
            Field::Input(path) => at(Some(&self.decision?.input), path)?.as_bool(),
            Field::Output(path) => at(self.decision?.output.as_object(), path)?.as_bool(),
            Field::Reversal => self.review.map(|r| r.reversal),
            Field::Breached => self.sla.map(|s| s.breached),
            Field::Drift => self.window?.drift,
            Field::OverrideWorse => self.window?.override_worse,
            _ => None,
        }
    }

    /// The list in `field`; empty where there is none.
    pub(crate) fn tags(&self, field: &Field) -> &'a [String] {
        match field {
            Field::ReviewTags => self.review.map_or(&[], |r| &r.tags),
            _ => self.decision.map_or(&[], |d| &d.tags),
        }
    }

    /// Is `field` there?
    pub(crate) fn has(&self, field: &Field, kind: Type) -> bool {
        let d = self.decision;
        match field {
            Field::Source => d.is_some_and(|d| d.source.is_some()),
            Field::Ensemble => d.is_some_and(|d| !d.ensemble.is_empty()),
            Field::Tags | Field::ReviewTags => true,
            Field::Input(path) => d.and_then(|d| at(Some(&d.input), path)).is_some(),
            Field::Output(path) => d.and_then(|d| at(d.output.as_object(), path)).is_some(),
            _ => match kind {
                Type::Number => !self.number(field).is_nan(),
                Type::Text => self.text(field).is_some(),
                Type::Flag => self.flag(field).is_some(),
                Type::Tags | Type::Group => false,
            },
        }
    }

    /// The value of `field`, whatever its type.
    pub(crate) fn value(&self, field: &Field, kind: Type) -> Val<'a> {
        match kind {
            Type::Number => match self.number(field) {
                n if n.is_nan() => Val::Absent,
                n => Val::Number(n),
            },
            Type::Text => self.text(field).map_or(Val::Absent, |t| Val::Text(Cow::Borrowed(t))),
            Type::Flag => self.flag(field).map_or(Val::Absent, Val::Flag),
            Type::Tags => Val::Tags(Cow::Borrowed(self.tags(field))),
            Type::Group if self.has(field, kind) => Val::Present,
            Type::Group => Val::Absent,
        }
    }

    fn output_chars(&self, d: &Decision) -> f64 {
        if let Some(n) = self.chars.get() {
            return n;
        }
        let n = count(output_chars(&d.output));
        self.chars.set(Some(n));
        n
    }
}

/// The value at the end of a path of keys; `null` counts as absent.
fn at<'v>(map: Option<&'v Map<String, Value>>, path: &[String]) -> Option<&'v Value> {
    let (last, way) = path.split_last()?;
    let mut map = map?;
    for key in way {
        map = map.get(key)?.as_object()?;
    }
    map.get(last).filter(|v| !v.is_null())
}

/// Share of ensemble members on the same side of 0.5 as their mean (0.5 itself counts as above);
/// `None` without members.
fn agreement(d: &Decision) -> Option<f64> {
    let n = count(d.ensemble.len() as u64);
    if d.ensemble.is_empty() {
        return None;
    }
    let above = d.ensemble.iter().map(|m| m.score).sum::<f64>() / n >= 0.5;
    let same = d.ensemble.iter().filter(|m| (m.score >= 0.5) == above).count();
    Some(count(same as u64) / n)
}

/// The least and the most that [`output_chars`] can be, without counting.
pub(crate) fn output_bounds(output: &Value) -> (f64, f64) {
    match output {
        // A character takes one to four bytes.
        Value::String(s) => (count((s.len() as u64).div_ceil(4)), count(s.len() as u64)),
        Value::Object(map) if map.is_empty() => (2.0, 2.0),
        // Braces; and for each entry at least `"":0`, with a comma between.
        Value::Object(map) => (count(map.len() as u64 * 5 + 1), f64::INFINITY),
        _ => (1.0, f64::INFINITY),
    }
}

/// Unicode scalar values of the text, or of the compact JSON.
fn output_chars(output: &Value) -> u64 {
    /// Counts what is written to it, in characters, without keeping it.
    struct Counter(u64);
    impl std::io::Write for Counter {
        fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
            self.0 += buf.iter().filter(|b| (**b & 0xC0) != 0x80).count() as u64;
            Ok(buf.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    if let Value::String(s) = output {
        return s.chars().count() as u64;
    }
    let mut counter = Counter(0);
    match serde_json::to_writer(&mut counter, output) {
        Ok(()) => counter.0,
        // Neither the counter nor a JSON value can fail; were it so, nothing is counted.
        Err(_) => 0,
    }
}

/// Minutes as a number: exact for longer than any clock runs.
#[expect(clippy::cast_precision_loss, reason = "minutes stay far below 2^53")]
fn minutes(n: i64) -> f64 {
    n as f64
}

/// A count as a number: exact to 2^53, which no count here reaches.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn count(n: u64) -> f64 {
    n as f64
}

impl Impact {
    /// `low`, `medium` or `high`.
    pub(crate) fn level(self, business_impact: f64) -> &'static str {
        let [low, medium, high] = LEVELS;
        // Written so that an impact that cannot be compared counts as high.
        if business_impact < self.medium {
            low
        } else if business_impact < self.high {
            medium
        } else {
            high
        }
    }
}
