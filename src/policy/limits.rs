//! Parts of a policy that bound automation over time: windows, budgets, limits, breakers, notifiers.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::nouns::EffectAction;

/// Which slices a window is cut into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Each {
    Overall,
    Domain,
    Model,
    Cohort,
}

/// An `[[effect]]` on `window`, as the detectors see it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WindowEffect<'p> {
    pub id: &'p str,
    pub window: SignedDuration,
    pub each: Each,
    pub actions: &'p [EffectAction],
    /// Where people read what to do when it fires.
    pub runbook: Option<&'p str>,
    /// Not again for the same slice within this time.
    pub cooldown: Option<SignedDuration>,
}

/// `[budget.QUEUE]`: what may be asked of people.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Budget {
    pub queue: String,
    pub per_hour: PerHour,
    pub overflow: Overflow,
}

/// How many items an hour.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PerHour {
    /// As many as the people have been seen to do.
    Measured,
    /// More than 0.
    Fixed(f64),
}

/// What happens beyond the budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Overflow {
    Sample,
    Hold,
    Block,
    AutoFlagged,
}

/// `[limit.NAME]`: automatic decisions a minute.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Limit {
    pub name: String,
    /// `None`: every domain together.
    pub domain: Option<String>,
    /// More than 0.
    pub per_minute: f64,
}

/// `[breaker]`: on auto-accept, per model and domain.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Breaker {
    /// It opens when the lower end of the override rate passes this (0..=1).
    pub override_low: f64,
    pub window: SignedDuration,
}

/// `[detector]`: which change detector watches the streams of each slice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DetectorKind {
    #[default]
    Adwin,
    PageHinkley,
    Ddm,
}

impl DetectorKind {
    /// `adwin`, `page_hinkley` or `ddm`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Adwin => "adwin",
            Self::PageHinkley => "page_hinkley",
            Self::Ddm => "ddm",
        }
    }
}

/// `[notify.NAME]`: where people are told. What is secret is named by an environment variable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Notifier {
    pub name: String,
    pub kind: NotifierKind,
    /// The environment variable that holds the secret: a routing key (`pagerduty`), a signing
    /// secret (`webhook`), a bearer token (`alertmanager`), the whole address (`slack`,
    /// `google_chat`).
    pub secret_env: Option<String>,
    /// For kinds whose address is no secret; for `pagerduty` another events host.
    pub url: Option<String>,
    /// The environment variable that holds the address.
    pub url_env: Option<String>,
    /// For services that let an incoming webhook choose one (`slack` kind only).
    pub channel: Option<String>,
    /// Everything goes out at this severity; `None`: at its own.
    pub severity: Option<AlertSeverity>,
    /// The address may be on this machine or in a private network.
    pub private: bool,
}

/// The kinds of notifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NotifierKind {
    Pagerduty,
    Slack,
    GoogleChat,
    Alertmanager,
    Webhook,
}

/// How bad it is, in the words that paging services share.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum AlertSeverity {
    Info,
    #[default]
    Warning,
    Error,
    Critical,
}

impl AlertSeverity {
    /// `info`, `warning`, `error` or `critical`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }
}
