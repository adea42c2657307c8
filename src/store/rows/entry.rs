//! What an entry's bytes say that rows are found by.

use std::borrow::Cow;

use serde::Deserialize;

use super::damaged;
use crate::store::StoreError;

/// The request an entry names.
pub(in crate::store) fn request(entry: &[u8]) -> Result<Option<Cow<'_, str>>, StoreError> {
    #[derive(Deserialize)]
    struct Named<'a> {
        #[serde(borrow, default)]
        req: Option<Cow<'a, str>>,
    }
    // Most entries name none: looking for the bytes is cheaper than reading the object.
    if !entry.windows(6).any(|w| w == b"\"req\":") {
        return Ok(None);
    }
    let named: Named<'_> = serde_json::from_slice(entry).map_err(|_| damaged("an entry"))?;
    Ok(named.req)
}
