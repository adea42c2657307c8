//! The log entry: a slim canonical JSON object that holds commitments, never content.
//!
//! Its bytes are RFC 8785 canonical JSON: the fields below are declared in the order of their
//! sorted names, every number is an integer up to 2^53, and serde_json escapes strings as RFC 8785
//! asks. They are written once; the leaf hash is taken over exactly these bytes.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

use super::{EntryKind, Hash};
use crate::domain::{ItemState, Outcome, Timestamp, VerdictKind};

/// The largest integer that every JSON reader keeps exactly.
pub(super) const MAX_INTEGER: u64 = 1 << 53;

/// A commitment to one body, under the body's path. In JSON: `[path, base64url]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commitment {
    pub path: String,
    pub hash: Hash,
}

/// 16 bytes that stand for a row kept beside the log: the first half of a commitment to the row's
/// form, under the salt of the entry's first body. In JSON: 22 characters of base64url.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowMark(pub(super) [u8; 16]);

/// One entry of the log. Optional fields are left out where they say nothing.
///
/// Fields stand in the order of their names, which is the order of the canonical bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Desk time, to the millisecond.
    #[serde(with = "millis")]
    pub at: Timestamp,
    /// Who acted: a reviewer's name, `system`, `policy`.
    pub by: String,
    /// Commitments to the bodies that belong to this entry; at most 64, paths unique.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub c: Vec<Commitment>,
    /// Details of rare kinds, short and never content; keys are ASCII.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub d: BTreeMap<String, String>,
    /// Control generation.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub r#gen: Option<u64>,
    /// The decision's id, as the caller wrote it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub id: Option<String>,
    /// What admission decided.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub outcome: Option<Outcome>,
    /// The policy in force: the first 16 hex digits of its hash.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub policy: Option<String>,
    /// The queue the item is in after this.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub queue: Option<String>,
    /// The request that asked for it (UUIDv7).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub req: Option<String>,
    /// The item's revision after this.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rev: Option<u64>,
    /// `admit`, `readmit`: stands for the decision's row under the salt of its record.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub row: Option<RowMark>,
    /// The rule that won.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rule: Option<String>,
    /// The item's state after this.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub state: Option<ItemState>,
    /// What happened.
    pub t: EntryKind,
    /// Format version, 1.
    pub v: u32,
    /// What the reviewer said.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub verdict: Option<VerdictKind>,
    /// Wall clock, to the millisecond.
    #[serde(with = "millis")]
    pub wall: Timestamp,
    /// `erase`: the commitments whose bodies are gone.
    #[serde(skip_serializing_if = "Vec::is_empty", default, with = "hashes")]
    pub x: Vec<Hash>,
}

/// Why bytes are not an entry.
#[derive(Debug, Error)]
pub enum EntryError {
    #[error("not the JSON of an entry: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the entry's format is version {0}, and this program knows version 1")]
    Version(u32),
    #[error("the entry's JSON is not in canonical form (RFC 8785)")]
    NotCanonical,
    #[error("the entry commits twice to `{0}`")]
    TwicePath(String),
    #[error("the entry holds {0} commitments; at most {max} are allowed", max = Entry::MAX_COMMITMENTS)]
    TooMany(usize),
}

impl Entry {
    /// How many bodies one entry may commit to.
    pub const MAX_COMMITMENTS: usize = 64;

    /// An entry of this kind with nothing else said; times are cut to milliseconds when written.
    pub fn new(kind: EntryKind, by: impl Into<String>, at: Timestamp, wall: Timestamp) -> Self {
        Self {
            at,
            by: by.into(),
            c: Vec::new(),
            d: BTreeMap::new(),
            r#gen: None,
            id: None,
            outcome: None,
            policy: None,
            queue: None,
            req: None,
            rev: None,
            row: None,
            rule: None,
            state: None,
            t: kind,
            v: 1,
            verdict: None,
            wall,
            x: Vec::new(),
        }
    }

    /// Adds a commitment under `path`; the caller uses a path once an entry.
    pub fn commit_to(&mut self, path: impl Into<String>, hash: Hash) {
        self.c.push(Commitment { path: path.into(), hash });
    }

    /// The canonical bytes: what is stored, hashed and proved.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(384);
        self.write(&mut out);
        out
    }

    /// As [`Self::bytes`], appended to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        // Writing strings, integers and maps with string keys into memory has no way to fail.
        let done = serde_json::to_writer(&mut *out, self);
        debug_assert!(done.is_ok(), "{done:?}");
    }

    /// Reads canonical bytes; anything that [`Self::bytes`] would not have written is refused, so
    /// an entry has exactly one form.
    pub fn parse(bytes: &[u8]) -> Result<Self, EntryError> {
        let mut scratch = Vec::with_capacity(bytes.len());
        Self::parse_with(bytes, &mut scratch)
    }

    /// As [`Self::parse`], with a buffer that a loop can keep.
    pub(super) fn parse_with(bytes: &[u8], scratch: &mut Vec<u8>) -> Result<Self, EntryError> {
        match super::reader::read(bytes) {
            Some(entry) => Ok(entry),
            None => Self::parse_slowly(bytes, scratch),
        }
    }

    /// By writing it again: whatever it holds, and with the words for what is wrong.
    fn parse_slowly(bytes: &[u8], scratch: &mut Vec<u8>) -> Result<Self, EntryError> {
        let entry: Self = serde_json::from_slice(bytes)?;
        if entry.v != 1 {
            return Err(EntryError::Version(entry.v));
        }
        scratch.clear();
        entry.write(scratch);
        let integers = [entry.r#gen, entry.rev];
        if scratch != bytes
            || integers.iter().flatten().any(|n| *n > MAX_INTEGER)
            || entry.d.keys().any(|k| !k.is_ascii())
        {
            return Err(EntryError::NotCanonical);
        }
        if entry.c.len() > Self::MAX_COMMITMENTS {
            return Err(EntryError::TooMany(entry.c.len()));
        }
        for (i, one) in entry.c.iter().enumerate() {
            if entry.c.iter().skip(i + 1).any(|other| other.path == one.path) {
                return Err(EntryError::TwicePath(one.path.clone()));
            }
        }
        Ok(entry)
    }
}

impl Serialize for Commitment {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut buf = [0; 43];
        (&self.path, base64url(&self.hash, &mut buf)).serialize(s)
    }
}

impl<'de> Deserialize<'de> for Commitment {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let (path, hash) = <(String, Text<'de>)>::deserialize(d)?;
        Ok(Self { path, hash: unbase64url(&hash.0)? })
    }
}

impl Serialize for RowMark {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut buf = [0; 22];
        let len = URL_SAFE_NO_PAD.encode_slice(self.0, &mut buf).unwrap_or(0);
        s.serialize_str(std::str::from_utf8(buf.get(..len).unwrap_or_default()).unwrap_or_default())
    }
}

impl<'de> Deserialize<'de> for RowMark {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = Text::deserialize(d)?;
        let mut mark = [0; 16];
        match URL_SAFE_NO_PAD.decode_slice(text.0.as_bytes(), &mut mark) {
            Ok(16) => Ok(Self(mark)),
            _ => Err(de::Error::custom("a row's mark is 16 bytes in base64url")),
        }
    }
}

/// A string that is borrowed where the JSON allows.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// 32 bytes as 43 characters; empty only if the buffer were too small, which it is not.
fn base64url<'a>(hash: &Hash, buf: &'a mut [u8; 43]) -> &'a str {
    let len = URL_SAFE_NO_PAD.encode_slice(hash, buf).unwrap_or(0);
    std::str::from_utf8(buf.get(..len).unwrap_or_default()).unwrap_or_default()
}

fn unbase64url<E: de::Error>(text: &str) -> Result<Hash, E> {
    let mut hash = [0; 32];
    match URL_SAFE_NO_PAD.decode_slice(text, &mut hash) {
        Ok(32) => Ok(hash),
        _ => Err(E::custom("a hash is 32 bytes in base64url")),
    }
}

mod hashes {
    //! A list of hashes as base64url strings.
    use super::*;
    use serde::ser::SerializeSeq as _;

    pub fn serialize<S: Serializer>(list: &[Hash], s: S) -> Result<S::Ok, S::Error> {
        let mut seq = s.serialize_seq(Some(list.len()))?;
        for hash in list {
            seq.serialize_element(base64url(hash, &mut [0; 43]))?;
        }
        seq.end()
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<Hash>, D::Error> {
        Vec::<Text<'de>>::deserialize(d)?.iter().map(|t| unbase64url(&t.0)).collect()
    }
}

mod millis {
    //! A point in time as RFC 3339 in UTC with exactly three decimals.
    use super::*;

    pub fn serialize<S: Serializer>(t: &Timestamp, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&format_args!("{t:.3}"))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Timestamp, D::Error> {
        Text::deserialize(d)?.0.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;

    fn sample() -> Entry {
        let at = "2026-11-22T09:10:00.5Z".parse().unwrap();
        let mut e = Entry::new(EntryKind::ADMIT, "system", at, at);
        e.id = Some("lap-1664".into());
        e.rev = Some(1);
        e.r#gen = Some(12);
        e.state = Some(ItemState::Waiting);
        e.outcome = Some(Outcome::Review);
        e.queue = Some("level1".into());
        e.rule = Some("unsure-high-impact".into());
        e.policy = Some("0123456789abcdef".into());
        e.row = Some(RowMark([0xff; 16]));
        e.commit_to("record", [0xff; 32]);
        e
    }

    #[test]
    fn bytes_are_these() {
        assert_eq!(
            String::from_utf8(sample().bytes()).unwrap(),
            r#"{"at":"2026-11-22T09:10:00.500Z","by":"system","c":[["record","__________________________________________8"]],"#
                .to_owned()
                + r#""gen":12,"id":"lap-1664","outcome":"review","policy":"0123456789abcdef","queue":"level1","rev":1,"#
                + r#""row":"_____________________w","rule":"unsure-high-impact","state":"waiting","t":"admit","v":1,"wall":"2026-11-22T09:10:00.500Z"}"#
        );
        assert!(sample().bytes().len() <= 352);
    }

    #[test]
    fn what_would_not_have_been_written_is_refused() {
        let text = String::from_utf8(sample().bytes()).unwrap();
        for (from, to) in [
            ("\"gen\":12", "\"gen\": 12"),
            ("\"gen\":12", "\"gen\":12.0"),
            ("\"gen\":12", "\"gen\":9007199254740993"),
            ("\"lap-1664\"", "\"lap\\u002d1664\""),
            ("09:10:00.500Z", "09:10:00.5Z"),
            ("09:10:00.500Z", "10:10:00.500+01:00"),
            ("\"v\":1", "\"v\":2"),
            ("\"v\":1", "\"v\":1,\"w\":1"),
            ("_8\"", "_9\""),
            ("_w\"", "_x\""),
            ("{\"at\"", "{\"by\":\"system\",\"at\""),
        ] {
            let bad = text.replace(from, to);
            assert_ne!(bad, text, "{from} does not occur");
            assert!(Entry::parse(bad.as_bytes()).is_err(), "{to} was accepted");
        }
        assert_eq!(Entry::parse(text.as_bytes()).unwrap().bytes(), text.as_bytes());
        assert_eq!(super::super::reader::read(text.as_bytes()), Some(sample()));
    }

    #[test]
    fn a_path_is_committed_to_once() {
        let mut e = sample();
        e.commit_to("record", [1; 32]);
        assert!(matches!(Entry::parse(&e.bytes()), Err(EntryError::TwicePath(p)) if p == "record"));
    }

    fn entries() -> impl Strategy<Value = Entry> {
        let text = "(?s).{0,40}";
        let opt = || proptest::option::of(text);
        (
            (0i64..253_402_300_800_000, text, vec((text, any::<[u8; 32]>()), 0..3)),
            btree_map("[ -~]{0,9}", text, 0..4),
            (proptest::option::of(0..=MAX_INTEGER), proptest::option::of(0..=MAX_INTEGER)),
            (opt(), opt(), opt(), opt(), opt()),
            vec(any::<[u8; 32]>(), 0..3),
            0..EntryKind::KNOWN.len(),
        )
            .prop_map(
                |((ms, by, c), d, (r#gen, rev), (id, policy, queue, req, rule), x, k)| {
                    let at = Timestamp::from_millisecond(ms).unwrap();
                    let mut e = Entry::new(EntryKind::KNOWN[k].clone(), by, at, at);
                    for (path, hash) in c {
                        if e.c.iter().all(|have| have.path != path) {
                            e.commit_to(path, hash);
                        }
                    }
                    let said = k % 2 == 0;
                    let outcome = said.then_some(Outcome::Block);
                    let state = (!said).then_some(ItemState::AwaitingApproval);
                    let verdict = said.then_some(VerdictKind::Escalate);
                    let row = said.then_some(RowMark([k as u8; 16]));
                    Entry {
                        outcome,
                        state,
                        verdict,
                        row,
                        d,
                        r#gen,
                        rev,
                        id,
                        policy,
                        queue,
                        req,
                        rule,
                        x,
                        ..e
                    }
                },
            )
    }

    proptest! {
        #[test]
        fn bytes_are_canonical_json_and_come_back(entry in entries()) {
            let bytes = entry.bytes();
            let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
            prop_assert_eq!(&bytes, &serde_json_canonicalizer::to_vec(&value).unwrap());
            prop_assert_eq!(&Entry::parse(&bytes).unwrap(), &entry);
            prop_assert_eq!(Entry::parse_slowly(&bytes, &mut Vec::new()).unwrap(), entry);
        }

        /// The quick way never accepts what the long way refuses, nor reads it differently.
        #[test]
        fn one_changed_byte_is_read_alike(
            entry in entries(),
            at in any::<proptest::sample::Index>(),
            to in prop_oneof![any::<u8>(), proptest::sample::select(b"0159,:\"\\[]{}TZ_-".to_vec())],
            how in 0..3,
        ) {
            let mut bytes = entry.bytes();
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = to,
                1 => bytes.insert(at, to),
                _ => drop(bytes.remove(at)),
            }
            let slow = Entry::parse_slowly(&bytes, &mut Vec::new()).ok();
            if let Some(quick) = super::super::reader::read(&bytes) {
                prop_assert_eq!(Some(quick), slow);
            }
        }

        #[test]
        fn parse_takes_any_bytes(bytes in vec(any::<u8>(), 0..200)) {
            let _ = Entry::parse(&bytes);
        }
    }
}
