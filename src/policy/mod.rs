//! The policy: a TOML file in git that says, for every decision, whether it may be automatic, who
//! looks at it, and why.
//!
//! ```
//! use overrule::domain::{Facts, Timestamp};
//! use overrule::policy::{Policy, Schemas};
//!
//! let source = r#"
//! policy = "desk"
//! [params]
//! low = 0.60
//! [queues.level1]
//! sla = "30m"
//! [[route]]
//! id = "low-confidence"
//! when = 'confidence < params.low'
//! to = "level1"
//! [default]
//! to = "auto"
//! expect = 'confidence >= params.low'
//! "#;
//! let policy = Policy::load(source, "desk.toml", &Schemas::default())?;
//! let decision = serde_json::from_str(
//!     r#"{"id":"a","domain":"loan","action":"approve","model":{"name":"m","version":"1"},
//!         "confidence":0.4,"business_impact":2,"input":{},"output":"yes"}"#,
//! )?;
//! let route = policy.route(&decision, &Facts::at(Timestamp::UNIX_EPOCH, 0));
//! assert_eq!(route.rule, "low-confidence");
//! assert_eq!(route.reason, "confidence 0.4 < params.low 0.6");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! `load` reads and checks the file; `lang` is the rule language; `route` the order of precedence;
//! `draw` makes chance reproducible; `hours` is the clock of a queue.

mod allow;
mod backends;
mod cells;
mod diagnostics;
mod draw;
mod expect;
mod explain;
mod hours;
mod lang;
mod limits;
mod load;
mod nouns;
mod place;
mod record;
mod redact;
mod route;
mod rules;
mod schema;
mod shipped;
#[cfg(test)]
mod tests;
mod trial;
mod whatif;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::SignedDuration;

pub use backends::{Backend, BackendKind};
pub use diagnostics::{Diagnostic, Diagnostics, Severity};
pub use draw::Chance;
pub use explain::{AtomExplanation, Explanation, RuleExplanation};
pub use hours::Hours;
pub use lang::fields::{CATALOGUE, FieldInfo, Presence, Scope, Type};
pub use limits::{
    AlertSeverity, Breaker, Budget, DetectorKind, Each, Limit, Notifier, NotifierKind, Overflow,
    PerHour, WindowEffect,
};
pub use nouns::{
    Control, DomainSchemas, EffectAction, Firing, Guideline, Impact, Needs, Queue, ReviewFacts,
    Routing, Schemas, SlaFacts, Tag, WindowFacts,
};
pub use redact::{REDACTABLE, Redaction};
pub use shipped::{shipped, shipped_names};
pub use trial::{Mismatch, RuleCoverage, RuleKind, TestReport, TestResult};
pub use whatif::Change;

use crate::domain::{Decision, Timestamp};
use lang::reading::Reading;
use rules::{EffectRule, On};

/// A checked policy. Immutable; share it in an [`Arc`].
#[derive(Debug)]
pub struct Policy {
    name: String,
    file: String,
    source: Arc<str>,
    hash: String,
    schemas: Schemas,
    warnings: Diagnostics,
    chance: draw::Chance,
    control: Control,
    impact: Impact,
    queues: Vec<Queue>,
    tags: Vec<Tag>,
    guidelines: Vec<Guideline>,
    redact: Redaction,
    notifiers: Vec<Notifier>,
    backends: Vec<Backend>,
    budgets: Vec<Budget>,
    limits: Vec<Limit>,
    breaker: Option<Breaker>,
    detector: DetectorKind,
    /// Types every record must keep.
    fields: BTreeMap<String, schema::FieldType>,
    validators: schema::Validators,
    allows: Vec<allow::Allow>,
    checks: Vec<rules::RouteRule>,
    routes: Vec<rules::RouteRule>,
    default: rules::DefaultRule,
    requires: Vec<rules::RequireRule>,
    samples: Vec<rules::SampleRule>,
    effects: Vec<rules::EffectRule>,
    tests: Vec<trial::Trial>,
    needs: Needs,
}

impl Policy {
    /// Read, check and compile a policy. `file` names it in findings. On errors all of them come
    /// back, with the warnings.
    pub fn load(source: &str, file: &str, schemas: &Schemas) -> Result<Self, Diagnostics> {
        load::load(source, file, schemas, false)
    }

    /// [`Self::load`], of one that is in a store: it was checked when it was activated, and what
    /// only makes its own tests worthless, and an earlier version let pass, is a warning.
    pub fn load_stored(source: &str, file: &str, schemas: &Schemas) -> Result<Self, Diagnostics> {
        load::load(source, file, schemas, true)
    }

    /// Findings that did not keep it from loading.
    pub fn warnings(&self) -> &Diagnostics {
        &self.warnings
    }

    /// `sha256:<hex>` over the source bytes and the schemas (RFC 8785 form). Another comment is
    /// another policy: what is in force is what stands in git.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The hash that a policy of this source and these schemas has, whether it loads or not.
    pub fn hash_of(source: &str, schemas: &Schemas) -> String {
        load::hash(source, schemas)
    }

    /// What the file calls itself (`policy = "…"`).
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name it was loaded under.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The file's text.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The domains' JSON Schemas it was loaded with.
    pub fn schemas(&self) -> &Schemas {
        &self.schemas
    }

    /// The desk's own settings.
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// Where the impact levels begin.
    pub fn impact(&self) -> Impact {
        self.impact
    }

    /// A queue by name; `dataops` is always there.
    pub fn queue(&self, name: &str) -> Option<&Queue> {
        self.queues.iter().find(|q| q.name == name)
    }

    /// Queues whose approval a `[[require]]` asks for, in file order.
    pub fn required_queues(&self) -> impl Iterator<Item = &str> {
        self.requires.iter().flat_map(|r| &r.approvals).map(String::as_str)
    }

    /// Every queue, in the order of the file.
    pub fn queues(&self) -> impl Iterator<Item = &Queue> {
        self.queues.iter()
    }

    /// When an item that entered `queue` at `entered` is due: after `sla` (a rule's own), else the
    /// queue's, counted in the queue's working hours. `None`: never, or no such queue.
    pub fn due_at(
        &self,
        queue: &str,
        entered: Timestamp,
        sla: Option<SignedDuration>,
    ) -> Option<Timestamp> {
        let queue = self.queue(queue)?;
        let sla = sla.or(queue.sla)?;
        match &queue.hours {
            Some(hours) => hours.after(entered, sla),
            None => entered.checked_add(sla).ok(),
        }
    }

    /// The correction taxonomy, in the order of the file.
    pub fn tags(&self) -> &[Tag] {
        &self.tags
    }

    /// A tag by its id.
    pub fn tag(&self, id: &str) -> Option<&Tag> {
        self.tags.iter().find(|t| t.id == id)
    }

    /// What to check for this action, else for the domain as a whole.
    pub fn guideline(&self, domain: &str, action: &str) -> Option<&Guideline> {
        let here = || self.guidelines.iter().filter(|g| g.domain == domain);
        here()
            .find(|g| g.action.as_deref() == Some(action))
            .or_else(|| here().find(|g| g.action.is_none()))
    }

    /// What never stands in the trail or an export in clear.
    pub fn redact(&self) -> &Redaction {
        &self.redact
    }

    /// Which facts the rules read.
    pub fn needs(&self) -> Needs {
        self.needs
    }

    /// Where people are told.
    pub fn notifiers(&self) -> &[Notifier] {
        &self.notifiers
    }

    /// Where labelled corrections go.
    pub fn backends(&self) -> &[Backend] {
        &self.backends
    }

    /// What may be asked of people.
    pub fn budgets(&self) -> &[Budget] {
        &self.budgets
    }

    /// Automatic decisions a minute.
    pub fn limits(&self) -> &[Limit] {
        &self.limits
    }

    /// The breaker on auto-accept.
    pub fn breaker(&self) -> Option<Breaker> {
        self.breaker
    }

    /// Which change detector watches.
    pub fn detector(&self) -> DetectorKind {
        self.detector
    }

    /// Where people read what to do when this effect fires.
    pub fn runbook(&self, effect: &str) -> Option<&str> {
        self.effects.iter().find(|e| e.id == effect)?.runbook.as_deref()
    }

    /// Effects on windows, for the detectors to schedule.
    pub fn window_effects(&self) -> impl Iterator<Item = WindowEffect<'_>> {
        self.effects.iter().filter_map(|e| match e.on {
            On::Window { window, each } => Some(WindowEffect {
                id: &e.id,
                window,
                each,
                actions: &e.actions,
                runbook: e.runbook.as_deref(),
                cooldown: e.cooldown,
            }),
            _ => None,
        })
    }

    /// Effects on `review` that fire; those that wait for a tag which another one adds too.
    pub fn on_review(&self, d: &Decision, r: &ReviewFacts) -> Vec<Firing> {
        let fire = |r: &ReviewFacts| {
            let reading = Reading { review: Some(r), ..Reading::of(d, self.impact, &self.redact) };
            self.fire(&reading, |on| on == On::Review)
        };
        let mut firings = fire(r);
        let tags = route::tags_of(&firings, &r.tags);
        if !tags.is_empty() {
            let tagged = ReviewFacts { tags: [&r.tags[..], &tags].concat(), ..r.clone() };
            route::add_new(&mut firings, fire(&tagged));
        }
        firings
    }

    /// Does the effect on `window` with this id fire on these figures?
    pub fn on_window(&self, effect: &str, w: &WindowFacts) -> Option<Firing> {
        let reading = Reading { window: Some(w), ..Reading::new(self.impact) };
        let firings = self.fire(&reading, |on| matches!(on, On::Window { .. }));
        firings.into_iter().find(|f| f.effect == effect)
    }

    /// Effects on `sla` that fire when an item's clock runs out; before that (not `breached`) only
    /// those that ask for it: their condition reads `minutes_left` or `breached`.
    pub fn on_sla(&self, d: &Decision, s: &SlaFacts) -> Vec<Firing> {
        let reading = Reading { sla: Some(s), ..Reading::of(d, self.impact, &self.redact) };
        let asked = |e: &EffectRule| e.on == On::Sla && (s.breached || e.forewarned().is_some());
        self.fire_where(&reading, asked)
    }

    /// How many minutes before the due time the first effect on `sla` may want to know; `None`:
    /// none does before it.
    pub fn forewarned(&self) -> Option<i64> {
        self.effects.iter().filter(|e| e.on == On::Sla).filter_map(EffectRule::forewarned).max()
    }

    /// Effects on `feedback` that fire; `kind` is `reversal`, `complaint`, `error` or `confirmed`.
    pub fn on_feedback(&self, d: &Decision, kind: &str) -> Vec<Firing> {
        let reading = Reading { feedback: Some(kind), ..Reading::of(d, self.impact, &self.redact) };
        self.fire(&reading, |on| on == On::Feedback)
    }

    /// The time an effect stays quiet after it fired, for the same thing.
    pub fn cooldown(&self, effect: &str) -> Option<SignedDuration> {
        self.effects.iter().find(|e| e.id == effect)?.cooldown
    }
}
