//! A reviewer's own signature: SSHSIG over what was decided about what was seen.
//!
//! The log's key shows that an entry was not changed later; it cannot show that the reviewer ever
//! said so. A signature made with the reviewer's ssh key can, and `ssh-keygen -Y verify -n
//! overrule-verdict@v1` checks it without this program.
//!
//! A signature lets anybody who holds it test a guess at the statement (and so at a short note).
//! Store it beside the verdict's body, and erase it with that.

use serde::Serialize;
use sha2::{Digest, Sha256};
use ssh_key::{HashAlg, LineEnding, PrivateKey, PublicKey, SshSig};
use thiserror::Error;

use super::Hash;
use crate::domain::Verdict;

/// The SSHSIG namespace: a signature for one purpose is none for another.
pub const NAMESPACE: &str = "overrule-verdict@v1";

/// No honest signature is longer (RSA with 16384 bits: about 6 KB).
const MAX_ARMORED: usize = 16 * 1024;

/// Why a signature could not be made, or does not count.
#[derive(Debug, Error)]
pub enum SignatureError {
    #[error("the verdict cannot be written as canonical JSON: {0}")]
    Statement(#[from] serde_json::Error),
    #[error("the private key is locked with a passphrase: add it to ssh-agent (ssh-add) instead")]
    Locked,
    #[error("cannot sign: {0}")]
    Sign(ssh_key::Error),
    #[error("the reviewer's registered key is not an OpenSSH public key: {0}")]
    PublicKey(ssh_key::Error),
    #[error("this is not an armored SSH signature: {0}")]
    Form(String),
    #[error("the signature is for `{0}`, not for verdicts (`{NAMESPACE}`)")]
    Namespace(String),
    #[error("the signature is by the key {found}, not by the registered {expected}")]
    OtherKey { expected: String, found: String },
    #[error("the signature does not hold: what was signed differs from what is stored")]
    Invalid,
}

/// What a reviewer signs. Its canonical JSON binds the verdict to the item's revision and to the
/// exact view that was shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Statement {
    // In the order of their names: the canonical order.
    pub item: String,
    pub request_id: String,
    /// The item's revision that the reviewer saw.
    pub revision: u64,
    pub verdict: Said,
    /// SHA-256 (hex) of the bytes of the view shown; see [`view_hash`].
    pub view: String,
}

/// The verdict inside a [`Statement`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Said {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// SHA-256 (hex) of the canonical JSON `{"note":…,"output":…}`, absent ones as `null`.
    pub content: String,
    pub kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    pub tags: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

impl Statement {
    /// The statement of this verdict on revision `revision` of `item`, made on a view with this
    /// hash.
    pub fn new(
        item: &str,
        request_id: &str,
        revision: u64,
        verdict: &Verdict,
        view: &Hash,
    ) -> Result<Self, SignatureError> {
        let content = serde_json::json!({ "note": verdict.note, "output": verdict.output });
        let content = serde_json_canonicalizer::to_vec(&content)?;
        Ok(Self {
            item: item.to_owned(),
            request_id: request_id.to_owned(),
            revision,
            verdict: Said {
                action: verdict.action.clone(),
                content: hex::encode(view_hash(&content)),
                kind: verdict.verdict.as_str(),
                label: verdict.label.clone(),
                tags: verdict.tags.clone(),
                to: verdict.to.clone(),
            },
            view: hex::encode(view),
        })
    }

    /// The canonical JSON that is signed.
    pub fn bytes(&self) -> Result<Vec<u8>, SignatureError> {
        Ok(serde_json_canonicalizer::to_vec(self)?)
    }
}

/// SHA-256 of the bytes of a view (the canonical JSON of what the reviewer was shown).
pub fn view_hash(view: &[u8]) -> Hash {
    Sha256::digest(view).into()
}

/// Signs the statement's bytes with an unlocked private key; returns the armored signature.
pub fn sign_with_key(key: &PrivateKey, statement: &[u8]) -> Result<String, SignatureError> {
    if key.is_encrypted() {
        return Err(SignatureError::Locked);
    }
    let signature =
        key.sign(NAMESPACE, HashAlg::Sha512, statement).map_err(SignatureError::Sign)?;
    signature.to_pem(LineEnding::LF).map_err(SignatureError::Sign)
}

/// The bytes that an agent or a token signs for this statement.
pub fn to_be_signed(statement: &[u8]) -> Result<Vec<u8>, SignatureError> {
    SshSig::signed_data(NAMESPACE, HashAlg::Sha512, statement).map_err(SignatureError::Sign)
}

/// Armors a raw signature (as an agent returns it) over [`to_be_signed`] bytes.
pub fn armor(public: &PublicKey, raw: &[u8]) -> Result<String, SignatureError> {
    let signature = ssh_key::Signature::try_from(raw).map_err(SignatureError::Sign)?;
    SshSig::new(public.key_data().clone(), NAMESPACE, HashAlg::Sha512, signature)
        .and_then(|s| s.to_pem(LineEnding::LF))
        .map_err(SignatureError::Sign)
}

/// Checks an armored signature over the statement's bytes by the key that is registered
/// (`public_key`, one line in OpenSSH form).
pub fn verify_signature(
    public_key: &str,
    armored: &str,
    statement: &[u8],
) -> Result<(), SignatureError> {
    if armored.len() > MAX_ARMORED {
        return Err(SignatureError::Form(format!("it has {} bytes", armored.len())));
    }
    let public = PublicKey::from_openssh(public_key).map_err(SignatureError::PublicKey)?;
    let form = |e: ssh_key::Error| SignatureError::Form(e.to_string());
    let signature = SshSig::from_pem(armored.trim_start()).map_err(form)?;
    if signature.namespace() != NAMESPACE {
        return Err(SignatureError::Namespace(signature.namespace().to_owned()));
    }
    if signature.public_key() != public.key_data() {
        return Err(SignatureError::OtherKey {
            expected: public.fingerprint(HashAlg::Sha256).to_string(),
            found: signature.public_key().fingerprint(HashAlg::Sha256).to_string(),
        });
    }
    public.verify(NAMESPACE, statement, &signature).map_err(|_| SignatureError::Invalid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::VerdictKind;
    use serde_json::json;
    use ssh_key::private::{Ed25519Keypair, KeypairData};

    fn key(seed: u8) -> PrivateKey {
        let pair = Ed25519Keypair::from_seed(&[seed; 32]);
        PrivateKey::new(KeypairData::from(pair), "ann@desk").unwrap()
    }

    fn public(key: &PrivateKey) -> String {
        key.public_key().to_openssh().unwrap()
    }

    fn statement() -> Statement {
        let verdict = Verdict {
            output: Some(json!({"b": 1.50, "a": "x"})),
            action: Some("deny".into()),
            tags: vec!["factual_error".into()],
            note: Some("Income is not verified.".into()),
            ..Verdict::plain(VerdictKind::Edit)
        };
        Statement::new("lap-1664", "0199", 3, &verdict, &view_hash(b"shown")).unwrap()
    }

    #[test]
    fn the_statement_is_these_bytes() {
        let text = String::from_utf8(statement().bytes().unwrap()).unwrap();
        // Both hashes by `printf '…' | sha256sum`.
        let content = "ca84363ba46eff88aa9959b0d726259217b0b745ae303f56f95723c3c691562b";
        let view = "baaf53622a51d975235f276287bdc1b64aa4640c77142cbca076877d9eac6815";
        assert_eq!(
            text,
            format!(
                r#"{{"item":"lap-1664","request_id":"0199","revision":3,"verdict":{{"action":"deny","content":"{content}","kind":"edit","tags":["factual_error"]}},"view":"{view}"}}"#
            )
        );
    }

    #[test]
    fn every_part_of_the_verdict_is_bound() {
        let base = statement();
        let verdict = Verdict::plain(VerdictKind::Reject);
        let view = view_hash(b"shown");
        let of = |v: &Verdict| Statement::new("i", "r", 1, v, &view).unwrap().bytes().unwrap();
        let mut seen = vec![of(&verdict)];
        for change in [
            Verdict { label: Some("refer".into()), ..verdict.clone() },
            Verdict { note: Some("n".into()), ..verdict.clone() },
            Verdict { output: Some(json!("n")), ..verdict.clone() },
            Verdict { tags: vec!["bias".into()], ..verdict.clone() },
            Verdict { to: Some("level2".into()), ..verdict.clone() },
            Verdict { action: Some("deny".into()), ..verdict.clone() },
            Verdict { verdict: VerdictKind::Accept, ..verdict.clone() },
        ] {
            let bytes = of(&change);
            assert!(!seen.contains(&bytes), "{change:?}");
            seen.push(bytes);
        }
        assert_ne!(
            base.bytes().unwrap(),
            Statement { revision: 4, ..base.clone() }.bytes().unwrap()
        );
    }

    #[test]
    fn a_signature_counts_for_its_key_and_statement_only() {
        let bytes = statement().bytes().unwrap();
        let armored = sign_with_key(&key(1), &bytes).unwrap();
        assert!(armored.starts_with("-----BEGIN SSH SIGNATURE-----\n"));
        verify_signature(&public(&key(1)), &armored, &bytes).unwrap();

        let mut other = bytes.clone();
        other[20] ^= 1;
        let refused = verify_signature(&public(&key(1)), &armored, &other);
        assert!(matches!(refused, Err(SignatureError::Invalid)));
        let refused = verify_signature(&public(&key(2)), &armored, &bytes);
        assert!(matches!(refused, Err(SignatureError::OtherKey { .. })));
        let file = key(1).sign("file", HashAlg::Sha512, &bytes).unwrap();
        let refused = verify_signature(&public(&key(1)), &file.to_string(), &bytes);
        assert!(matches!(refused, Err(SignatureError::Namespace(n)) if n == "file"));
        for junk in ["", "-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n"] {
            let refused = verify_signature(&public(&key(1)), junk, &bytes);
            assert!(matches!(refused, Err(SignatureError::Form(_))), "{junk}");
        }
        let refused = verify_signature("ssh-ed25519 nonsense", &armored, &bytes);
        assert!(matches!(refused, Err(SignatureError::PublicKey(_))));
    }

    #[test]
    fn a_raw_signature_is_armored_alike() {
        use ed25519_dalek::Signer as _;
        let bytes = statement().bytes().unwrap();
        let raw =
            ed25519_dalek::SigningKey::from_bytes(&[1; 32]).sign(&to_be_signed(&bytes).unwrap());
        // As an agent answers: the algorithm and the signature, each with its length before it.
        let mut blob = b"\0\0\0\x0bssh-ed25519\0\0\0\x40".to_vec();
        blob.extend(raw.to_bytes());
        let armored = armor(key(1).public_key(), &blob).unwrap();
        assert_eq!(armored, sign_with_key(&key(1), &bytes).unwrap());
    }
}
