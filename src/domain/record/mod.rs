//! How a line of bytes becomes a decision: strictly, and without losing what does not.
//!
//! ```
//! use overrule::domain::record::{Intake, Limits, parse};
//!
//! let line = br#"{"id":"lap-1","confidence":1.7}"#;
//! let Intake::Broken(broken) = parse(line, &Limits::default()) else { panic!() };
//! assert_eq!(broken.faults[0].to_string(), "missing_field:domain there is no `domain`");
//! ```
//!
//! Three things can happen to a line that is not blank. It is a *record*; or it has a usable id but
//! breaks the record (*broken*: it will wait in quarantine with every fault listed); or nothing
//! can be done with it (*refused*: kept as a dead letter). Readers of JSON disagree about
//! duplicate keys and integers beyond 2^53, so a line with either is refused: two programs must
//! never read two decisions from it. Size and depth are looked at before anything recursive.

mod absent;
mod canonical;
mod envelope;
mod extract;
pub mod reply;
mod scan;
#[cfg(test)]
mod tests;
mod tree;

use serde_json::{Map, Value};

pub use canonical::canonical;

use super::{Decision, Fault, FaultKind, Model, Timestamp};
use envelope::Opened;
use extract::Parts;

/// The fields of the contract, in its order.
pub fn fields() -> impl Iterator<Item = &'static str> {
    absent::FIELDS.into_iter().map(|(name, _)| name)
}

/// The longest id, in bytes.
pub const MAX_ID: usize = 128;

/// The deepest nesting that [`Limits::max_depth`] can allow.
pub const DEEPEST: usize = 120;

/// What a line may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a line, without its line end.
    pub max_bytes: usize,
    /// Objects and arrays inside each other, the record itself counted; at most [`DEEPEST`].
    pub max_depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_bytes: 1 << 20, max_depth: 64 }
    }
}

/// What a line turned out to be.
#[derive(Clone, Debug)]
pub enum Intake {
    /// Nothing but white space.
    Blank,
    Record(Box<Parsed>),
    /// A usable id, but not a valid record.
    Broken(Box<Broken>),
    /// Not usable at all.
    Refused(Refusal),
}

/// A valid record.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    pub decision: Decision,
    /// RFC 8785 form of the record: envelope removed, without a `null` in an optional place, before
    /// defaults. Two lines say the same if and only if these bytes are equal.
    pub canonical: Vec<u8>,
    /// The form with those `null`s, where there are any: what earlier versions compared.
    pub as_sent: Option<Vec<u8>>,
}

impl Parsed {
    /// The record as it came, as JSON (read back from the canonical form, so sorted by key).
    pub fn raw(&self) -> Value {
        // The bytes were written from a JSON value.
        serde_json::from_slice(&self.canonical).unwrap_or_default()
    }
}

/// A record that has a usable id and faults.
#[derive(Clone, Debug, PartialEq)]
pub struct Broken {
    pub id: String,
    /// As [`Parsed::canonical`]. Where a number is too large for JSON readers (`1e400`), it stands
    /// as text, and a line with its path and literal follows the JSON.
    pub canonical: Vec<u8>,
    /// As [`Parsed::as_sent`].
    pub as_sent: Option<Vec<u8>>,
    /// The record as it came, for people to repair.
    pub raw: Value,
    /// All that is wrong, in the order of the contract's fields; never empty.
    pub faults: Vec<Fault>,
    /// What could be read in spite of the faults, to show and to count by.
    pub occurred_at: Option<Timestamp>,
    pub domain: Option<String>,
    pub action: Option<String>,
    pub model: Option<Model>,
    pub confidence: Option<f64>,
    pub business_impact: Option<f64>,
}

/// A line that cannot be used; its bytes are the caller's to keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub reason: RefusalReason,
    /// For people: what is wrong and where.
    pub message: String,
}

/// Why a line is refused. [`Self::slug`] is the stable word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefusalReason {
    InvalidJson,
    InvalidUtf8,
    DuplicateKey,
    MissingId,
    InvalidId,
    TooLarge,
    TooDeep,
    NumberRange,
    /// The line is JSON, but not an object.
    NotARecord,
    /// An event of another version of CloudEvents than 1.0.
    EnvelopeVersion,
    /// An event whose `data_base64` cannot be read.
    EnvelopeData,
    /// An event without data.
    EnvelopeEmpty,
    /// Another record with this id was admitted before (only a store can tell).
    IdConflict,
}

impl RefusalReason {
    /// The word that machines read: `invalid_json`, `missing_field:id`, …
    pub fn slug(self) -> &'static str {
        match self {
            Self::InvalidJson => "invalid_json",
            Self::InvalidUtf8 => "invalid_utf8",
            Self::DuplicateKey => "duplicate_key",
            Self::MissingId => "missing_field:id",
            Self::InvalidId => "invalid_field:id",
            Self::TooLarge => "too_large",
            Self::TooDeep => "too_deep",
            Self::NumberRange => "number_range",
            Self::NotARecord => "wrong_type:record",
            Self::EnvelopeVersion => "invalid_field:specversion",
            Self::EnvelopeData => "invalid_field:data_base64",
            Self::EnvelopeEmpty => "missing_field:data",
            Self::IdConflict => "id_conflict",
        }
    }
}

/// Reads one line (with or without its line end or a byte order mark).
pub fn parse(line: &[u8], limits: &Limits) -> Intake {
    let reading = Reading { form: canonical::of_object, replies: true, enveloped: true };
    read(line, limits, reading).unwrap_or_else(Intake::Refused)
}

/// The decision in a line that was read before, without its canonical form; or what is wrong with
/// it (nothing, where it is not even a record).
pub fn decision(line: &[u8], limits: &Limits) -> Result<Decision, Vec<Fault>> {
    again(line, limits, true)
}

/// As [`decision`], of a record that was admitted before replies were looked at.
pub fn decision_whatever_its_reply(line: &[u8], limits: &Limits) -> Result<Decision, Vec<Fault>> {
    again(line, limits, false)
}

fn again(line: &[u8], limits: &Limits, replies: bool) -> Result<Decision, Vec<Fault>> {
    match read(line, limits, Reading { form: |_| Vec::new(), replies, enveloped: true }) {
        Ok(Intake::Record(parsed)) => Ok(parsed.decision),
        Ok(Intake::Broken(broken)) => Err(broken.faults),
        Ok(Intake::Blank | Intake::Refused(_)) | Err(_) => Err(Vec::new()),
    }
}

/// Nothing but white space: [`parse`] answers [`Intake::Blank`].
pub fn is_blank(line: &[u8]) -> bool {
    trim(line).is_empty()
}

/// The record in a line's JSON: without its envelope, where it has one that can be opened.
pub fn opened(value: Value) -> Value {
    envelope::opened(value)
}

/// How the canonical form is written, where it is wanted.
type Form = fn(&Map<String, Value>) -> Vec<u8>;

/// How a line is read.
#[derive(Clone, Copy)]
struct Reading {
    form: Form,
    /// A `reply` that nobody could send is a fault.
    replies: bool,
    /// An envelope is taken off.
    enveloped: bool,
}

fn read(line: &[u8], limits: &Limits, reading: Reading) -> Result<Intake, Refusal> {
    let line = trim(line);
    if line.is_empty() {
        return Ok(Intake::Blank);
    }
    if line.len() > limits.max_bytes {
        let message =
            format!("the line has {} bytes; {} are allowed", line.len(), limits.max_bytes);
        return Err(refuse(RefusalReason::TooLarge, message));
    }
    let text = std::str::from_utf8(line).map_err(|e| {
        let message = format!("byte {} of the line is not UTF-8", e.valid_up_to() + 1);
        refuse(RefusalReason::InvalidUtf8, message)
    })?;
    let max_depth = limits.max_depth.min(DEEPEST);
    // An envelope adds a level.
    let scan = scan::scan(text, max_depth + 1)?;
    if scan.too_large.is_empty() {
        return admit(text, tree::parse(text)?, (&scan, limits), &[], reading);
    }
    // Numbers that no double holds: read them as text, and say where they were.
    let patched = scan::patch(text, &scan.too_large);
    let mut value = tree::parse(&patched)?;
    let numbers = scan::unpatch(&mut value);
    admit(&patched, value, (&scan, limits), &numbers, reading)
}

/// From the line's JSON to a record or its faults. `numbers` are those that stand as text.
fn admit(
    text: &str,
    value: Value,
    (scan, limits): (&scan::Scan, &Limits),
    numbers: &[scan::TooLarge],
    reading: Reading,
) -> Result<Intake, Refusal> {
    let opened = match reading.enveloped {
        true => envelope::open(value)?,
        false => Opened::Plain(value),
    };
    let (value, wrapped) = match opened {
        Opened::Plain(value) => (value, false),
        Opened::Data(data) => (data, true),
        // It is looked at as a line of its own is.
        Opened::Bytes(bytes) => return inside(&bytes, limits, reading),
    };
    let max_depth = limits.max_depth.min(DEEPEST);
    if scan.depth - usize::from(wrapped) > max_depth {
        return Err(scan::too_deep(max_depth));
    }
    let Value::Object(mut map) = value else {
        let message = format!("a record is an object, and this is {}", extract::a(&value));
        return Err(refuse(RefusalReason::NotARecord, message));
    };
    let id = usable_id(map.get("id"))?;
    let form = reading.form;
    let mut as_sent = absent::any(&map).then(|| form(&map));
    if as_sent.is_some() {
        absent::strip(&mut map);
    }
    let mut bytes = form(&map);
    let (parts, mut faults) = match extract::extract(id, map, reading.replies) {
        Ok(decision) if numbers.is_empty() => {
            let decision = *decision;
            return Ok(Intake::Record(Box::new(Parsed { decision, canonical: bytes, as_sent })));
        }
        Ok(decision) => (Parts::from(*decision), Vec::new()),
        Err(broken) => *broken,
    };
    let prefix = if wrapped { "data." } else { "" };
    for number in numbers {
        // What is in the envelope only is no part of the record.
        let Some(path) = number.path.strip_prefix(prefix) else { continue };
        let told = format!("\n{path}={}", number.literal);
        for form in [Some(&mut bytes), as_sent.as_mut()].into_iter().flatten() {
            form.extend_from_slice(told.as_bytes());
        }
        faults.retain(|f| f.path != path);
        let message = format!("is {}, which no number holds", extract::short(&number.literal));
        faults.push(Fault { path: path.to_owned(), kind: FaultKind::OutOfRange, message });
    }
    let mut raw = if wrapped { envelope::opened(tree::parse(text)?) } else { tree::parse(text)? };
    scan::unpatch(&mut raw);
    let Parts { id, occurred_at, domain, action, model, confidence, business_impact } = parts;
    Ok(Intake::Broken(Box::new(Broken {
        id,
        canonical: bytes,
        as_sent,
        raw,
        faults,
        occurred_at,
        domain,
        action,
        model,
        confidence,
        business_impact,
    })))
}

/// The record in an event's `data_base64`.
fn inside(bytes: &[u8], limits: &Limits, reading: Reading) -> Result<Intake, Refusal> {
    match read(bytes, limits, Reading { enveloped: false, ..reading }) {
        Ok(Intake::Blank) => {
            let message = "the event's `data_base64` is empty: there is no record in it";
            Err(refuse(RefusalReason::EnvelopeEmpty, message.to_owned()))
        }
        Err(Refusal {
            reason: RefusalReason::InvalidJson | RefusalReason::InvalidUtf8,
            message,
        }) => {
            let message = format!("the event's `data_base64` holds no JSON: {message}");
            Err(refuse(RefusalReason::EnvelopeData, message))
        }
        other => other,
    }
}

fn usable_id(id: Option<&Value>) -> Result<String, Refusal> {
    let bad = |what: String| Err(refuse(RefusalReason::InvalidId, format!("the `id` {what}")));
    match id {
        None | Some(Value::Null) => {
            Err(refuse(RefusalReason::MissingId, "there is no `id`".to_owned()))
        }
        Some(Value::String(id)) if id.is_empty() => bad("is empty".to_owned()),
        Some(Value::String(id)) if id.len() > MAX_ID => {
            bad(format!("has {} bytes; {MAX_ID} are allowed", id.len()))
        }
        Some(Value::String(id)) => Ok(id.clone()),
        Some(other) => bad(format!("is {}, not a string", extract::a(other))),
    }
}

/// Without byte order mark, line end and outer white space.
fn trim(line: &[u8]) -> &[u8] {
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    let white = |b: &u8| matches!(b, b' ' | b'\t' | b'\r' | b'\n');
    let start = line.iter().position(|b| !white(b)).unwrap_or(line.len());
    let end = line.iter().rposition(|b| !white(b)).map_or(start, |at| at + 1);
    line.get(start..end).unwrap_or_default()
}

fn refuse(reason: RefusalReason, message: String) -> Refusal {
    Refusal { reason, message }
}
