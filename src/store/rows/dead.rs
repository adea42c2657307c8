//! Dead letters: what makes two of them the same, and whether one carries an id.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

/// Stands for the bytes of a letter. Keyed, so that the digest of a short secret cannot be guessed
/// after it was erased.
pub(in crate::store) fn digest(key: &[u8; 32], bytes: &[u8]) -> [u8; 32] {
    let mut block = [0; 64];
    block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    let mut digest = Hmac::<Sha256>::new(&block.into());
    digest.update(bytes);
    digest.finalize().into_bytes().into()
}

/// Is it a record of this id (what an envelope holds included), or no JSON that quotes it?
pub(in crate::store) fn carries(bytes: &[u8], id: &str) -> bool {
    let has = |v: &serde_json::Value| v.get("id").and_then(|v| v.as_str()) == Some(id);
    match serde_json::from_slice::<serde_json::Value>(bytes) {
        Ok(record) => {
            let held = record.get("data_base64").and_then(|v| v.as_str());
            let held = held.and_then(|text| STANDARD.decode(text).ok());
            has(&record)
                || record.get("data").is_some_and(has)
                || held.is_some_and(|bytes| carries(&bytes, id))
        }
        Err(_) => {
            let quoted = serde_json::Value::from(id).to_string();
            bytes.windows(quoted.len()).any(|w| w == quoted.as_bytes())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::carries;

    #[test]
    fn a_letter_carries_an_id_in_its_record_or_in_its_wreck() {
        for (bytes, yes) in [
            (r#"{"id":"a-1"}"#, true),
            (r#"{"id":"ce","data":{"id":"a-1"}}"#, true),
            (r#"{"id":"ce","data_base64":"eyJpZCI6ImEtMSJ9"}"#, true),
            (r#"{"id":"ce","data_base64":"eyJpZCI6ImEtMTIifQ=="}"#, false),
            (r#"{"id":"a-12"}"#, false),
            (r#"{"id":"b","note":"a-1"}"#, false),
            (r#"{"id":"a-1","confidence":NaN}"#, true),
            (r#"{"id":"a-12","confidence":NaN}"#, false),
        ] {
            assert_eq!(carries(bytes.as_bytes(), "a-1"), yes, "{bytes}");
        }
    }
}
