//! What opens the stream of changes, and what names an answer: words that only this store can make.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::domain::Timestamp;
use crate::server::auth::blocking;
use crate::server::flags::Asked;
use crate::server::problem::Problem;
use crate::server::state::Served;

/// A ticket for the stream of changes holds for this hour and the next.
const HOUR: i64 = 3_600;

/// The hour that a second is in.
pub(super) fn hour(at: Timestamp) -> i64 {
    at.as_second().div_euclid(HOUR)
}

/// Strong: what is known, asked about by the same context in the same hour, makes the same answer
/// in every process. So word of a change can name the tag that its reader will be given.
pub(super) fn etag(state: &str, about: &str, hour: i64) -> String {
    let mut hash = Sha256::new();
    hash.update(json!([state, about, hour]).to_string());
    format!("\"{}\"", URL_SAFE_NO_PAD.encode(hash.finalize()))
}

/// A secret of this store, the same in every process that serves it.
pub(super) async fn secret(served: &Served) -> Result<[u8; 32], Problem> {
    if let Some(secret) = served.flags().secret.get() {
        return Ok(*secret);
    }
    let desk = served.desk().clone();
    let made = blocking(move || desk.derived_secret("ofrep/changes")).await?;
    Ok(*served.flags().secret.get_or_init(|| made))
}

/// A word that only this store can make of another.
fn sealed(secret: &[u8; 32], purpose: &str, text: &str) -> String {
    // HMAC takes keys of every length.
    let mac = Hmac::<Sha256>::new_from_slice(secret).map(|mut mac| {
        mac.update(json!([purpose, text]).to_string().as_bytes());
        mac.finalize().into_bytes()
    });
    mac.map(|m| URL_SAFE_NO_PAD.encode(m)).unwrap_or_default()
}

/// A context as a word that says nothing of it: it stands in an address.
pub(super) fn about(secret: &[u8; 32], asked: &Asked) -> String {
    sealed(secret, "context", &asked.word())
}

/// What opens the stream of changes, which no header can: it says nothing but "fetch again".
pub(super) fn ticket(secret: &[u8; 32], about: &str, hour: i64) -> String {
    format!("{hour}.{about}.{}", sealed(secret, "ticket", &format!("{hour}.{about}")))
}

/// The context that a ticket is for, if it opens now.
pub(super) fn opens<'t>(secret: &[u8; 32], presented: &'t str) -> Option<&'t str> {
    let now = hour(Timestamp::now());
    let about = presented.split('.').nth(1)?;
    let ours = [now, now - 1].map(|hour| ticket(secret, about, hour));
    ours.iter().any(|t| bool::from(t.as_bytes().ct_eq(presented.as_bytes()))).then_some(about)
}
