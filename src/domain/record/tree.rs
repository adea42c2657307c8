//! JSON text to a tree of values, refusing an object that names a key twice.

use std::cell::RefCell;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::{Refusal, RefusalReason, extract, refuse};

/// Reads one JSON text. The caller has bounded its depth.
pub(super) fn parse(text: &str) -> Result<Value, Refusal> {
    let notes = Notes::default();
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Tree(&notes).deserialize(&mut reader).and_then(|v| reader.end().map(|()| v));
    value.map_err(|error| match notes.twice.take() {
        Some(key) => {
            let key = extract::short(&key);
            refuse(RefusalReason::DuplicateKey, format!("an object names the key {key:?} twice"))
        }
        None => refuse(RefusalReason::InvalidJson, format!("the line is not JSON: {error}")),
    })
}

/// What is noted while a text is read.
#[derive(Default)]
struct Notes {
    /// The key that stands twice, if one does.
    twice: RefCell<Option<String>>,
    /// Members of the objects that are open, the innermost last: an object is made when all of its
    /// members are known, so that it never grows. (Growing one costs as much as reading it.)
    members: RefCell<Vec<(String, Value)>>,
}

/// Builds a value.
#[derive(Clone, Copy)]
struct Tree<'a>(&'a Notes);

impl<'de> DeserializeSeed<'de> for Tree<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Value, D::Error> {
        d.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, b: bool) -> Result<Value, E> {
        Ok(Value::Bool(b))
    }

    fn visit_i64<E>(self, n: i64) -> Result<Value, E> {
        Ok(Value::Number(n.into()))
    }

    fn visit_u64<E>(self, n: u64) -> Result<Value, E> {
        Ok(Value::Number(n.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, n: f64) -> Result<Value, E> {
        Number::from_f64(n).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, s: &str) -> Result<Value, E> {
        Ok(Value::String(s.to_owned()))
    }

    fn visit_string<E>(self, s: String) -> Result<Value, E> {
        Ok(Value::String(s))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(one) = seq.next_element_seed(self)? {
            list.push(one);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let members = &self.0.members;
        let first = members.borrow().len();
        while let Some(key) = access.next_key::<String>()? {
            let value = access.next_value_seed(self)?;
            members.borrow_mut().push((key, value));
        }
        let mut members = members.borrow_mut();
        let mut map = Map::with_capacity(members.len() - first);
        for (key, value) in members.drain(first..) {
            match map.entry(key) {
                serde_json::map::Entry::Vacant(place) => drop(place.insert(value)),
                serde_json::map::Entry::Occupied(there) => {
                    self.0.twice.replace(Some(there.key().clone()));
                    return Err(A::Error::custom("duplicate key"));
                }
            }
        }
        Ok(Value::Object(map))
    }
}
