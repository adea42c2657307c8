//! `/openapi.json`: what every address takes and answers, made from the handlers themselves.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi, ToSchema};

use super::body::Json;
use super::{
    canaries, corrections, decisions, desk, events, feedback, incidents, inputs, items, leases,
    ofrep, reviews, signals, switches, trail,
};

/// The document.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "overrule",
        description = "A review desk for AI decisions. Models submit what they propose to do; a \
            policy routes each one; people accept, edit, reject or escalate what needs a person. \
            Errors are problem details (RFC 9457).",
    ),
    paths(
        decisions::submit, decisions::read, items::queues, items::list, items::read, items::undo,
        corrections::receive, leases::take, leases::renew, leases::release, reviews::give,
        feedback::feedback, inputs::check_input, events::follow, signals::signals,
        switches::switches, switches::switch, canaries::canaries, canaries::canary,
        incidents::incidents, incidents::incident, incidents::handle_incident,
        trail::checkpoint, trail::entries, trail::proof,
        ofrep::all, ofrep::one, ofrep::stream::changes, desk::execute, desk::ask,
    ),
    components(schemas(Record, Route, Item, Lease, Review, Problem)),
    modifiers(&Bearer),
    security(("token" = [])),
    tags(
        (name = "decisions", description = "What models submit, and what became of it"),
        (name = "items", description = "What waits for people"),
        (name = "leases", description = "Who has what in hand"),
        (name = "events", description = "The log as it grows"),
        (name = "signals", description = "What is measured"),
        (name = "containment", description = "What stops automation"),
        (name = "flags", description = "OpenFeature remote evaluation"),
        (name = "audit", description = "The trail"),
        (name = "desk", description = "What the reviewer app says"),
    )
)]
struct Document;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let mut http = Http::new(HttpAuthScheme::Bearer);
        http.description = Some("overrule token create --for NAME --scope SCOPE".into());
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(http));
    }
}

/// The document as JSON, as it is served and as it is kept in `assets/openapi.json`.
pub fn document() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

pub(super) async fn serve() -> Json<utoipa::openapi::OpenApi> {
    Json(document())
}

/// What a model proposes to do, before it is done. Further fields are kept and shown.
#[derive(Serialize, ToSchema)]
#[allow(
    dead_code,
    reason = "a shape that is described, never built: records are kept as they came"
)]
pub(super) struct Record {
    /// The caller's key, 1 to 128 bytes
    id: String,
    #[schema(format = DateTime)]
    occurred_at: Option<String>,
    /// Business context: `loan`, `support_qa`, …
    domain: String,
    /// What the model wants to do
    action: String,
    scope: Option<String>,
    user_group: Option<String>,
    model: Model,
    /// Probability that the proposal is right, 0 to 1
    confidence: f64,
    ensemble: Option<Vec<Value>>,
    /// A string, or an object of strings
    cohort: Option<Value>,
    /// 0 to 10
    business_impact: f64,
    /// The context, as the model saw it
    input: BTreeMap<String, Value>,
    /// The proposal: a string or an object
    output: Value,
    rationale: Option<String>,
    source: Option<Value>,
    provenance: Option<BTreeMap<String, String>>,
    latency_ms: Option<f64>,
    attributions: Option<BTreeMap<String, f64>>,
    logits: Option<Vec<f64>>,
    tags: Option<Vec<String>>,
    /// How to tell the waiting workflow
    reply: Option<Value>,
}

#[derive(Serialize, ToSchema)]
#[allow(dead_code, reason = "a shape that is described, never built")]
pub(super) struct Model {
    name: String,
    version: String,
}

/// Where a decision goes, and why.
#[derive(Serialize, ToSchema)]
#[allow(dead_code, reason = "a shape that is described, never built: the desk has its own type")]
pub(super) struct Route {
    id: String,
    /// `auto`, `review`, `quarantine`, `block` or `fallback`
    outcome: String,
    queue: Option<String>,
    #[schema(format = DateTime)]
    due_at: Option<String>,
    /// Queues whose people must approve, in order
    approvals: Vec<String>,
    rule: String,
    matched: Vec<String>,
    reason: String,
    /// `{"kind","rule","probability"}` where an automatic decision is reviewed too
    sample: Option<Value>,
    /// `{"version"}` to ask instead
    fallback: Option<Value>,
    policy: String,
    generation: u64,
    /// `waiting`, `decided`, `awaiting_approval` or `settled`
    state: String,
    duplicate: bool,
}

/// A decision as whoever submitted it may see it.
#[derive(Serialize, ToSchema)]
#[allow(dead_code, reason = "a shape that is described, never built")]
pub(super) struct Decision {
    id: String,
    route: Route,
    state: String,
    settled: bool,
    result: Option<Outcome>,
    /// Why everything that can be covered is, where the policy in force cannot be read
    covered: Option<String>,
}

/// What a decision came to.
#[derive(Serialize, ToSchema)]
#[allow(dead_code, reason = "a shape that is described, never built")]
pub(super) struct Outcome {
    /// `auto`, `block`, `fallback`, `accepted`, `edited` or `rejected`
    outcome: String,
    reversal: bool,
    action: Option<String>,
    output: Option<Value>,
    label: Option<String>,
    level: Option<u8>,
}

#[derive(Serialize, ToSchema)]
#[allow(dead_code, reason = "a shape that is described, never built")]
pub(super) struct Queues {
    queues: Vec<Queue>,
}

/// A queue with its counters.
#[derive(Serialize, ToSchema)]
#[allow(dead_code, reason = "a shape that is described, never built")]
pub(super) struct Queue {
    name: String,
    title: String,
    level: u8,
    waiting: u64,
    leased: u64,
    late: u64,
    due_soon: u64,
    signed: bool,
    escalates_to: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[allow(dead_code, reason = "a shape that is described, never built")]
pub(super) struct Page {
    items: Vec<Row>,
    /// Where to go on; `null` at the end
    next: Option<String>,
    total: u64,
}

/// A row of the queue.
#[derive(Serialize, ToSchema)]
#[allow(dead_code, reason = "a shape that is described, never built")]
pub(super) struct Row {
    id: String,
    queue: String,
    state: String,
    due_at: Option<String>,
    level: u8,
    business_impact: Option<f64>,
    confidence: Option<f64>,
    domain: String,
    action: Option<String>,
    rule: String,
    revision: u64,
    leased_by: Option<String>,
    blind: bool,
}

/// One item in full.
#[derive(Serialize, ToSchema)]
#[allow(dead_code, reason = "a shape that is described, never built")]
pub(super) struct Item {
    id: String,
    /// As it came; `null` once erased
    record: Option<Value>,
    route: Route,
    state: String,
    revision: u64,
    approvals_needed: Vec<String>,
    reviews: Vec<Review>,
    lease: Option<Holder>,
    queue: String,
    due_at: Option<String>,
    blind: bool,
    /// Hash of what this shows; a verdict names it
    seen: String,
    /// Why everything that can be covered is, where the policy in force cannot be read
    covered: Option<String>,
}

/// Who holds an item.
#[derive(Serialize, ToSchema)]
#[allow(dead_code, reason = "a shape that is described, never built")]
pub(super) struct Holder {
    reviewer: String,
    until: String,
    epoch: u64,
}

/// A verdict that was given.
#[derive(Serialize, ToSchema)]
#[allow(dead_code, reason = "a shape that is described, never built")]
pub(super) struct Review {
    reviewer: String,
    level: u8,
    verdict: String,
    tags: Vec<String>,
    note: Option<String>,
    output: Option<Value>,
    at: String,
    signed: bool,
}

#[derive(Serialize, ToSchema)]
#[allow(dead_code, reason = "a shape that is described, never built")]
pub(super) struct Leases {
    leases: Vec<Lease>,
}

/// An item in hand.
#[derive(Serialize, ToSchema)]
#[allow(dead_code, reason = "a shape that is described, never built")]
pub(super) struct Lease {
    /// Names the lease
    id: String,
    item: String,
    reviewer: String,
    #[schema(format = DateTime)]
    until: String,
    epoch: u64,
    /// The item in full, when it is taken
    view: Option<Item>,
}

/// What a verdict or undo made of an item.
#[derive(Serialize, ToSchema)]
#[allow(dead_code, reason = "a shape that is described, never built")]
pub(super) struct Reviewed {
    id: String,
    state: String,
    queue: String,
    revision: u64,
    /// Until when it can be taken back
    until: Option<String>,
    duplicate: bool,
    effects: Vec<String>,
}

/// Why a request was refused (RFC 9457). Nothing of it was done.
#[derive(Serialize, ToSchema)]
#[allow(dead_code, reason = "a shape that is described, never built")]
pub(super) struct Problem {
    /// `urn:overrule:problem:` and a stable word
    r#type: String,
    title: String,
    status: u16,
    /// What happened, to what
    detail: String,
    /// What to do next
    hint: Option<String>,
    request_id: Option<String>,
    /// 409: who holds the item
    holder: Option<String>,
    /// 409: who decided it
    decided_by: Option<String>,
    /// 412: the revision it is at now
    revision: Option<u64>,
}
