//! A verdict of the command line, signed with the reviewer's own key.

use std::path::Path;

use super::failure::{Exit, Failure};
use super::signer::Signer;
use crate::audit::{Hash, Statement};
use crate::domain::Verdict;
use crate::protocol::ItemView;

/// Signatures made with one key file, or through ssh-agent.
pub struct Signing(Signer);

impl Signing {
    /// The signer for `key`: a private key file, or a public one that ssh-agent holds.
    pub fn with(key: &Path) -> Result<Self, Failure> {
        let agent = std::env::var_os("SSH_AUTH_SOCK");
        Signer::from_file(key, agent.as_deref().map(Path::new)).map(Self).map_err(failed)
    }

    /// The armored signature of `verdict` on what `view` shows. May wait for a touch.
    pub fn sign(
        &self,
        view: &ItemView,
        request_id: &str,
        verdict: &Verdict,
    ) -> Result<String, Failure> {
        let seen = hash(&view.seen)
            .ok_or_else(|| Failure::defect(format!("`{}` is not a hash of a view", view.seen)))?;
        let statement = Statement::new(&view.id, request_id, view.revision, verdict, &seen)
            .and_then(|statement| statement.bytes())
            .map_err(|e| Failure::defect(e.to_string()))?;
        self.0.sign(&statement).map_err(failed)
    }
}

impl crate::tui::Signer for Signing {
    fn sign(&self, statement: &[u8]) -> Result<String, String> {
        self.0.sign(statement).map_err(|error| error.to_string())
    }
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Failed, "signature", error.to_string())
        .hint("`overrule doctor` looks at ssh-agent; --sign FILE names a key")
}

/// 64 hex digits as bytes.
fn hash(hex: &str) -> Option<Hash> {
    let mut hash = Hash::default();
    if hex.len() != 2 * hash.len() {
        return None;
    }
    for (byte, at) in hash.iter_mut().zip((0..hex.len()).step_by(2)) {
        *byte = u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_s_hash_is_read_as_written() {
        assert_eq!(hash(&"0f".repeat(32)), Some([0x0f; 32]));
        assert_eq!(hash("0f"), None);
        assert_eq!(hash(&"zz".repeat(32)), None);
    }
}
