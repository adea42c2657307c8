//! The fields rules may read: their names, types, ranges, guards, and in which rules they stand.

use std::sync::Arc;

use serde::Serialize;

/// What kind of rule a field is read in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Rules on a decision as it is admitted: routes, requires, samples, output checks, `expect`,
    /// and effects on `decision`.
    Decision,
    /// Effects on `review`.
    Review,
    /// Effects on `window`.
    Window,
    /// Effects on `sla`.
    Sla,
    /// Effects on `feedback`.
    Feedback,
}

impl Scope {
    fn bit(self) -> u8 {
        match self {
            Self::Decision => DECISION,
            Self::Review => REVIEW,
            Self::Window => WINDOW,
            Self::Sla => SLA,
            Self::Feedback => FEEDBACK,
        }
    }

    /// How messages call a rule of this kind.
    pub(crate) fn said(self) -> &'static str {
        match self {
            Self::Decision => "a rule on decisions",
            Self::Review => "a rule on reviews",
            Self::Window => "a rule on windows",
            Self::Sla => "a rule on queues' clocks",
            Self::Feedback => "a rule on feedback",
        }
    }
}

const DECISION: u8 = 1;
const REVIEW: u8 = 2;
const WINDOW: u8 = 4;
const SLA: u8 = 8;
const FEEDBACK: u8 = 16;
/// Wherever a decision is at hand.
const RECORD: u8 = DECISION | REVIEW | SLA | FEEDBACK;

/// The type of a field's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Type {
    Number,
    Text,
    Flag,
    /// A list of texts; only `"x" in field` reads it.
    Tags,
    /// Only `has(field)` reads it.
    Group,
}

impl Type {
    /// How messages call a value of it.
    pub(crate) fn said(self) -> &'static str {
        match self {
            Self::Number => "a number",
            Self::Text => "a text",
            Self::Flag => "true or false",
            Self::Tags => "a list of texts",
            Self::Group => "a group of fields",
        }
    }
}

/// A field, resolved: reading it needs no look-up by name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Field {
    Id,
    Domain,
    Action,
    ActsIn,
    UserGroup,
    ModelName,
    ModelVersion,
    Confidence,
    BusinessImpact,
    ImpactLevel,
    Rationale,
    Source,
    SourceName,
    SourceReliability,
    LatencyMs,
    Ensemble,
    EnsembleSpread,
    EnsembleAgreement,
    Tags,
    OutputChars,
    SchemaValid,
    Cohort(Arc<str>),
    Provenance(Arc<str>),
    Attribution(Arc<str>),
    /// Below `input`: the keys on the way.
    Input(Arc<[String]>),
    /// Below `output`.
    Output(Arc<[String]>),
    CohortSeen,
    ArrivalRateZ,
    ModelAgeDays,
    Verdict,
    ReviewTags,
    Level,
    Reviewer,
    Reversal,
    MinutesLeft,
    Breached,
    Queue,
    Feedback,
    OverrideRate,
    OverrideLow,
    OverrideHigh,
    OverrideBaseline,
    OverrideWorse,
    Reviewed,
    Psi,
    Kl,
    Drift,
    Ece,
    SlaCompliance,
}

/// May a field be absent, and what then?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "presence", content = "guard")]
pub enum Presence {
    /// Always there.
    Always,
    /// May be absent: read it behind `has(…)` of this path (the field's own, if `None`).
    Guarded(Option<&'static str>),
    /// A figure that may lack enough data, which makes the comparison false.
    Measured,
}

/// A field of the catalogue.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct FieldInfo {
    /// As rules spell it; `*` stands for any name.
    pub path: &'static str,
    #[serde(rename = "type")]
    pub kind: Type,
    pub presence: Presence,
    /// Smallest and largest value, for numbers.
    pub range: Option<(f64, f64)>,
    /// Whole numbers only.
    pub whole: bool,
    /// All values a text may have, where they are few.
    pub values: Option<&'static [&'static str]>,
    /// For people.
    pub about: &'static str,
    #[serde(skip)]
    scopes: u8,
    #[serde(skip)]
    pub(super) field: Fixed,
}

impl FieldInfo {
    /// May rules of this scope read it?
    pub fn stands_in(&self, scope: Scope) -> bool {
        self.scopes & scope.bit() != 0
    }
}

/// A catalogue entry's field: one field, or a family with a name in it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fixed {
    One(fn() -> Field),
    Family(fn(Arc<str>) -> Field),
}

const UNIT: Option<(f64, f64)> = Some((0.0, 1.0));
const TEN: Option<(f64, f64)> = Some((0.0, 10.0));
const COUNT: Option<(f64, f64)> = Some((0.0, f64::INFINITY));

/// The three impact levels, as `impact_level` reads.
pub(crate) const LEVELS: [&str; 3] = ["low", "medium", "high"];
const VERDICTS: [&str; 4] = ["accept", "edit", "reject", "escalate"];
const FEEDBACKS: [&str; 4] = ["reversal", "complaint", "error", "confirmed"];

const fn text(path: &'static str, field: fn() -> Field, about: &'static str) -> FieldInfo {
    FieldInfo {
        path,
        kind: Type::Text,
        presence: Presence::Always,
        range: None,
        whole: false,
        values: None,
        about,
        scopes: RECORD,
        field: Fixed::One(field),
    }
}

const fn number(
    path: &'static str,
    range: Option<(f64, f64)>,
    field: fn() -> Field,
    about: &'static str,
) -> FieldInfo {
    FieldInfo { kind: Type::Number, range, ..text(path, field, about) }
}

const fn optional(info: FieldInfo, guard: Option<&'static str>) -> FieldInfo {
    FieldInfo { presence: Presence::Guarded(guard), ..info }
}

const fn kind(info: FieldInfo, kind: Type) -> FieldInfo {
    FieldInfo { kind, ..info }
}

const fn only(info: FieldInfo, scopes: u8) -> FieldInfo {
    FieldInfo { scopes, ..info }
}

const fn whole(info: FieldInfo) -> FieldInfo {
    FieldInfo { whole: true, ..info }
}

const fn one_of(info: FieldInfo, values: &'static [&'static str]) -> FieldInfo {
    FieldInfo { values: Some(values), ..info }
}

const fn measured(info: FieldInfo) -> FieldInfo {
    FieldInfo { presence: Presence::Measured, scopes: WINDOW, ..info }
}

const fn family(
    path: &'static str,
    kind: Type,
    field: fn(Arc<str>) -> Field,
    about: &'static str,
) -> FieldInfo {
    FieldInfo {
        kind,
        presence: Presence::Guarded(None),
        field: Fixed::Family(field),
        ..text(path, || Field::Id, about)
    }
}

/// Every field with a fixed name. `input.*` and `output.*` come from `[fields]` and the schemas.
pub const CATALOGUE: &[FieldInfo] = &[
    text("id", || Field::Id, "the caller's key"),
    text("domain", || Field::Domain, "business context"),
    text("action", || Field::Action, "what the model wants to do"),
    optional(text("scope", || Field::ActsIn, "where it acts, a slash path"), None),
    optional(text("user_group", || Field::UserGroup, "on whose behalf"), None),
    text("model.name", || Field::ModelName, "which system decided"),
    text("model.version", || Field::ModelVersion, "which version of it"),
    number("confidence", UNIT, || Field::Confidence, "probability that the decision is right"),
    number("business_impact", TEN, || Field::BusinessImpact, "0 to 10"),
    one_of(text("impact_level", || Field::ImpactLevel, "by [impact]"), &LEVELS),
    optional(text("rationale", || Field::Rationale, "the model's justification"), None),
    optional(
        kind(text("source", || Field::Source, "where the input came from"), Type::Group),
        None,
    ),
    optional(text("source.name", || Field::SourceName, "the source's name"), Some("source")),
    optional(number("source.reliability", UNIT, || Field::SourceReliability, "0 to 1"), None),
    optional(number("latency_ms", COUNT, || Field::LatencyMs, "how long the model took"), None),
    optional(kind(text("ensemble", || Field::Ensemble, "at least one member"), Type::Group), None),
    optional(
        number("ensemble.spread", UNIT, || Field::EnsembleSpread, "largest minus smallest score"),
        Some("ensemble"),
    ),
    optional(
        number(
            "ensemble.agreement",
            UNIT,
            || Field::EnsembleAgreement,
            "share of members on the same side of 0.5 as the mean",
        ),
        Some("ensemble"),
    ),
    only(
        kind(text("tags", || Field::Tags, "the record's tags"), Type::Tags),
        DECISION | SLA | FEEDBACK,
    ),
    whole(number(
        "output_chars",
        COUNT,
        || Field::OutputChars,
        "Unicode scalar values of the output's text or JSON",
    )),
    only(
        kind(
            text("schema_valid", || Field::SchemaValid, "the record keeps its schema"),
            Type::Flag,
        ),
        DECISION,
    ),
    optional(text("cohort", || Field::Cohort("cohort".into()), "the group named `cohort`"), None),
    family("cohort.*", Type::Text, Field::Cohort, "the group in a dimension"),
    family("provenance.*", Type::Text, Field::Provenance, "data set, prompt or code version"),
    family("attributions.*", Type::Number, Field::Attribution, "a feature's attribution"),
    only(
        whole(number(
            "cohort_seen",
            COUNT,
            || Field::CohortSeen,
            "decisions seen before in its cohort",
        )),
        DECISION,
    ),
    FieldInfo {
        scopes: DECISION,
        ..measured(number(
            "arrival_rate_z",
            None,
            || Field::ArrivalRateZ,
            "how unusual the arrival rate is, in standard deviations",
        ))
    },
    only(
        number(
            "model_age_days",
            COUNT,
            || Field::ModelAgeDays,
            "days since this version's first decision",
        ),
        DECISION,
    ),
    only(one_of(text("verdict", || Field::Verdict, "what the reviewer said"), &VERDICTS), REVIEW),
    only(kind(text("tags", || Field::ReviewTags, "the reviewer's tags"), Type::Tags), REVIEW),
    only(
        whole(number(
            "level",
            Some((1.0, 3.0)),
            || Field::Level,
            "the reviewer's or queue's level",
        )),
        REVIEW | SLA,
    ),
    only(text("reviewer", || Field::Reviewer, "who reviewed"), REVIEW),
    only(
        kind(
            text("reversal", || Field::Reversal, "it overruled what was done already"),
            Type::Flag,
        ),
        REVIEW,
    ),
    only(text("queue", || Field::Queue, "the queue whose clock runs"), SLA),
    only(
        whole(number(
            "minutes_left",
            None,
            || Field::MinutesLeft,
            "minutes until it is due, rounded up; 0 and below once it is late",
        )),
        SLA,
    ),
    only(kind(text("breached", || Field::Breached, "the time has run out"), Type::Flag), SLA),
    only(one_of(text("feedback", || Field::Feedback, "the kind of signal"), &FEEDBACKS), FEEDBACK),
    measured(number("override_rate", UNIT, || Field::OverrideRate, "overridden of reviewed")),
    measured(number("override_low", UNIT, || Field::OverrideLow, "lower end, 95 % Wilson")),
    measured(number("override_high", UNIT, || Field::OverrideHigh, "upper end, 95 % Wilson")),
    measured(number("override_baseline", UNIT, || Field::OverrideBaseline, "the rate before")),
    measured(kind(
        text("override_worse", || Field::OverrideWorse, "clearly more overrides than before"),
        Type::Flag,
    )),
    measured(whole(number("reviewed", COUNT, || Field::Reviewed, "reviews in the window"))),
    measured(number("psi", COUNT, || Field::Psi, "largest over features, n >= 200")),
    measured(number("kl", COUNT, || Field::Kl, "largest over features, n >= 200")),
    measured(kind(text("drift", || Field::Drift, "the drift alarm"), Type::Flag)),
    measured(number("ece", UNIT, || Field::Ece, "expected calibration error")),
    measured(number("sla_compliance", UNIT, || Field::SlaCompliance, "share done in time")),
];
