//! From the text of a policy file to a checked policy, with every finding on the way.

mod desk;
mod effects;
mod limits;
mod notify;
mod params;
mod rules;
mod sync;
mod table;
pub(super) mod time;
mod trials;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use toml::de::DeTable;

use super::diagnostics::{Diagnostics, Sink};
use super::draw::Chance;
use super::lang::Compiled;
use super::lang::check::{Context, Params, check};
use super::lang::fields::{Field, Scope};
use super::lang::ir::{Rule, Test};
use super::lang::resolve::Typed;
use super::nouns::{Needs, Schemas};
use super::place::Text;
use super::schema::{self, FieldType, Validators};
use super::{Policy, expect};
use table::{At, Table};

/// Rule names that admission itself uses.
const RESERVED: [&str; 13] = [
    "default",
    "allow",
    "schema",
    "no-policy",
    "control-unreadable",
    "facts-missing",
    "kill",
    "paused",
    "canary",
    "freeze",
    "breaker",
    "limit",
    "budget",
];

/// What the rest of the file may refer to, and what was found so far.
struct Loader<'s> {
    source: &'s str,
    sink: Sink,
    params: Params,
    /// Types of `input.*` and `output.*` as rules see them.
    types: Typed,
    conflicts: BTreeSet<String>,
    tags: Vec<String>,
    queues: Vec<String>,
    notifiers: Vec<String>,
    needs: Needs,
    /// Typed fields that rules read: a record must keep their types, whatever its domain.
    read: BTreeSet<String>,
    /// It is in a store already.
    stored: bool,
}

/// Read, check and compile a policy.
pub(super) fn load(
    source: &str,
    file: &str,
    schemas: &Schemas,
    stored: bool,
) -> Result<Policy, Diagnostics> {
    let mut sink = Sink::new(source, file);
    let (document, errors) = DeTable::parse_recoverable(source);
    for e in &errors {
        let span = e.span().unwrap_or(0..0);
        sink.error(&span, format!("not valid TOML: {}", e.message()));
    }
    if !errors.is_empty() {
        // What could be recovered would only give findings that follow from the first.
        return Err(sink.finish());
    }
    let top = Table::new("the policy".to_owned(), document.get_ref(), 0..0);
    let loader = Loader {
        source,
        sink,
        params: Params::default(),
        types: Typed::new(),
        conflicts: BTreeSet::new(),
        tags: Vec::new(),
        queues: Vec::new(),
        notifiers: Vec::new(),
        needs: Needs::default(),
        read: BTreeSet::new(),
        stored,
    };
    loader.policy(top, file, schemas)
}

impl<'s> Loader<'s> {
    fn policy(
        mut self,
        mut top: Table<'_>,
        file: &str,
        schemas: &Schemas,
    ) -> Result<Policy, Diagnostics> {
        let name = self.name(&mut top);
        self.record_version(&mut top);
        let sample_key = self.sample_key(&mut top).or_else(|| name.clone()).unwrap_or_default();

        // First what rules refer to, then the rules.
        self.params = self.read_params(&mut top);
        let impact = self.impact(&mut top);
        let fields = self.fields(&mut top, schemas);
        let tags = self.read_tags(&mut top);
        self.tags = tags.iter().map(|t| t.id.clone()).collect();
        let queues = self.read_queues(&mut top);
        let notifiers = self.read_notifiers(&mut top);
        let backends = self.read_backends(&mut top);
        let control = self.control(&mut top, &queues);
        let guidelines = self.guidelines(&mut top);
        let redact = self.redact(&mut top);

        let allows = self.allows(&mut top);
        let mut ids = BTreeMap::new();
        let checks = self.routes(&mut top, "output_check", &mut ids);
        let routes = self.routes(&mut top, "route", &mut ids);
        let requires = self.requires(&mut top, &mut ids);
        let default = self.default_rule(&mut top, &control);
        let samples = self.samples(&mut top);
        let effects = self.effects(&mut top);
        let budgets = self.budgets(&mut top);
        let limits = self.limits(&mut top);
        let breaker = self.breaker(&mut top);
        let detector = self.detector(&mut top);
        let tests = self.trials(&mut top, &checks, &routes, &requires, &samples, &effects);
        top.finish(&mut self.sink);

        let validators = Validators::compile(schemas, &mut self.sink);
        if self.sink.has_errors() {
            return Err(self.sink.finish());
        }
        // Only now: a rule at fault may be the one that uses it.
        self.unused_params();
        if let Some((rule, span)) = &default.expect {
            expect::prove(rule, span, &checks, &routes, impact, &mut self.sink);
        }
        if self.sink.has_errors() {
            return Err(self.sink.finish());
        }
        let schema_types = schema::types(schemas).types;
        let enforced = self.enforced(fields, &schema_types);
        Ok(Policy {
            name: name.unwrap_or_default(),
            file: file.to_owned(),
            source: Arc::from(self.source),
            hash: hash(self.source, schemas),
            schemas: schemas.clone(),
            warnings: self.sink.finish(),
            chance: Chance::new(&sample_key),
            control,
            impact,
            queues,
            tags,
            guidelines,
            redact,
            notifiers,
            backends,
            budgets,
            limits,
            breaker,
            detector,
            fields: enforced,
            validators,
            allows,
            checks,
            routes,
            default: default.rule,
            requires,
            samples,
            effects,
            tests,
            needs: self.needs,
        })
    }

    fn name(&mut self, top: &mut Table<'_>) -> Option<String> {
        let Some(name) = top.text("policy", &mut self.sink) else {
            self.sink
                .error(&(0..0), "the policy has no name")
                .help("begin with: policy = \"my-desk\"");
            return None;
        };
        let plain = |c: char| !c.is_control();
        let fine = !name.value.trim().is_empty()
            && name.value.chars().count() <= 128
            && name.value.chars().all(plain);
        if !fine {
            self.sink
                .error(&name.span, "this cannot be a policy's name")
                .help("use 1 to 128 visible characters");
        }
        fine.then_some(name.value)
    }

    fn record_version(&mut self, top: &mut Table<'_>) {
        const KNOWN: &str = "decision/v1";
        if let Some(v) = top.text("record", &mut self.sink)
            && v.value != KNOWN
        {
            self.sink
                .error(&v.span, format!("unknown record version \"{}\"", v.value))
                .help(format!("this program knows \"{KNOWN}\""));
        }
    }

    fn sample_key(&mut self, top: &mut Table<'_>) -> Option<String> {
        let key = top.text("sample_key", &mut self.sink)?;
        if key.value.is_empty() {
            self.sink.error(&key.span, "`sample_key` is empty");
            return None;
        }
        Some(key.value)
    }

    /// Names of rules, queues and the like stand in tables, on keys and in URLs.
    fn spelled(&mut self, name: &At<String>, what: &str) -> bool {
        let ok = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        let fine = !name.value.is_empty() && name.value.len() <= 64 && name.value.chars().all(ok);
        if !fine {
            let message = format!("\"{}\" cannot be {what}", name.value.escape_default());
            self.sink
                .error(&name.span, message)
                .help("use 1 to 64 letters, digits, `-`, `_` and `.`");
        }
        fine
    }

    /// The `id` of a rule, unlike every other in `ids`.
    fn id(
        &mut self,
        table: &mut Table<'_>,
        ids: &mut BTreeMap<String, usize>,
    ) -> Option<At<String>> {
        let Some(id) = table.text("id", &mut self.sink) else {
            table.missing("id", &mut self.sink);
            return None;
        };
        if !self.spelled(&id, "a rule's id") {
            return None;
        }
        if RESERVED.contains(&id.value.as_str()) {
            let message = format!("\"{}\" is a name admission itself uses", id.value);
            self.sink.error(&id.span, message).help("choose another id");
            return None;
        }
        let (line, _) = self.sink.line_column(id.span.start);
        if let Some(first) = ids.get(&id.value) {
            let message = format!("the id \"{}\" is taken by the rule on line {first}", id.value);
            self.sink.error(&id.span, message).help("give each rule an id of its own");
            return None;
        }
        ids.insert(id.value.clone(), line);
        Some(id)
    }

    fn line(&self, span: &Range<usize>) -> usize {
        self.sink.line_column(span.start).0
    }

    /// The queue `name` refers to.
    fn known_queue(&mut self, name: &At<String>) -> bool {
        let known = self.queues.contains(&name.value);
        if !known {
            self.sink
                .error(&name.span, format!("unknown queue \"{}\"", name.value))
                .nearest(&name.value, self.queues.iter().map(String::as_str));
        }
        known
    }

    /// The rule under `when`; where there is none, one that always holds.
    fn when(&mut self, table: &mut Table<'_>, scope: Scope) -> Option<Compiled> {
        let known = table.rule("when", self.source, &mut self.sink);
        match known {
            Some(text) => self.compile(&text, scope),
            None => Some(Compiled::new(String::new(), Rule::Const(true))),
        }
    }

    /// Check and compile one rule, every fault becoming a finding at its place.
    fn compile(&mut self, text: &Text, scope: Scope) -> Option<Compiled> {
        let context = Context {
            scope,
            params: &self.params,
            types: &self.types,
            conflicts: &self.conflicts,
            tags: &self.tags,
        };
        let checked = check(&text.value, context);
        for slip in checked.errors {
            let advice = self.sink.error(&text.file_span(&slip.span), slip.message);
            if let Some(help) = slip.help {
                advice.help(help);
            }
        }
        for slip in checked.warnings {
            let advice = self.sink.warn(&text.file_span(&slip.span), slip.message);
            if let Some(help) = slip.help {
                advice.help(help);
            }
        }
        let rule = checked.rule?;
        for atom in rule.atoms() {
            match &atom.field.field {
                Field::CohortSeen => self.needs.cohort_seen = true,
                Field::ArrivalRateZ => self.needs.arrival_rate_z = true,
                Field::ModelAgeDays => self.needs.model_age_days = true,
                Field::SchemaValid if atom.test == Test::Flag(false) => {
                    let span = text.file_span(&atom.span);
                    self.sink
                        .warn(
                            &span,
                            "this never holds: broken records are quarantined before any rule",
                        )
                        .help("leave it out; they wait in dataops");
                }
                Field::Input(_) | Field::Output(_) => {
                    self.read.insert(atom.field.path.to_string());
                }
                _ => {}
            }
        }
        Some(Compiled::new(text.value.clone(), rule))
    }

    fn unused_params(&mut self) {
        let unused: Vec<_> = self
            .params
            .0
            .iter()
            .filter(|(_, p)| !p.used.get())
            .map(|(name, p)| (name.clone(), p.span.clone()))
            .collect();
        for (name, span) in unused {
            self.sink.warn(&span, format!("no rule uses params.{name}"));
        }
    }

    /// The types every record must keep: those of `[fields]`, and those rules read.
    fn enforced(
        &self,
        fields: BTreeMap<String, FieldType>,
        schema_types: &BTreeMap<String, FieldType>,
    ) -> BTreeMap<String, FieldType> {
        let mut out = fields;
        for path in &self.read {
            if let Some(t) = schema_types.get(path) {
                // Whether a number must be whole is the domain's own schema's business.
                let t = if *t == FieldType::Integer { FieldType::Number } else { *t };
                out.entry(path.clone()).or_insert(t);
            }
        }
        out
    }
}

/// `sha256:<hex>` over the source bytes and the schemas in RFC 8785 form, each with its length, so
/// that no two policies share a preimage.
pub(super) fn hash(source: &str, schemas: &Schemas) -> String {
    let mut h = Sha256::new();
    let mut part = |bytes: &[u8]| {
        h.update((bytes.len() as u64).to_be_bytes());
        h.update(bytes);
    };
    part(b"overrule policy v1");
    part(source.as_bytes());
    for (domain, s) in &schemas.0 {
        part(domain.as_bytes());
        for schema in [&s.input, &s.output] {
            let canonical = |v: &serde_json::Value| {
                // A number RFC 8785 cannot write falls back to serde's own form, as stable here.
                serde_json_canonicalizer::to_vec(v).unwrap_or_else(|_| v.to_string().into_bytes())
            };
            part(&schema.as_ref().map_or_else(Vec::new, canonical));
        }
    }
    format!("sha256:{}", hex::encode(h.finalize()))
}
