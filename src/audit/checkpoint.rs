//! Signed checkpoints: what the log stakes its key on (C2SP tlog-checkpoint and signed-note).
//!
//! A checkpoint names the log (origin), its size and its root. It is signed with Ed25519 as a
//! note that other tools verify, e.g. Go's `golang.org/x/mod/sumdb/note`. Keys travel in that
//! package's forms: `origin+keyid+base64(0x01 ‖ public)` and `PRIVATE+KEY+origin+keyid+…`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::Hash;

const ED25519: u8 = 1;
const SECRET_PREFIX: &str = "PRIVATE+KEY+";
/// More than any honest note has; stops a hostile file from costing much.
const MAX_SIGNATURES: usize = 100;

/// Why text is not a key of a log.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum KeyError {
    #[error("`{0}` cannot name a log: a name is not empty and has no space and no `+`")]
    Origin(String),
    #[error("this is not a log key of the form {0}")]
    Form(&'static str),
    #[error("the key's id does not belong to its name and key: was it copied in full?")]
    KeyId,
}

/// Why a note proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NoteError {
    #[error("this is not a signed checkpoint: {0}")]
    Form(&'static str),
    #[error("the checkpoint is of the log `{found}`, not `{expected}`")]
    Origin { expected: String, found: String },
    #[error("the checkpoint carries no signature by the key of `{0}`")]
    Unsigned(String),
    #[error("the signature by the key of `{0}` is false: the checkpoint was changed or forged")]
    Forged(String),
}

/// Size and root of a log at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name; also the name of its key.
    pub origin: String,
    pub size: u64,
    pub root: Hash,
}

impl Checkpoint {
    /// The text that is signed: origin, size and root, a line each.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root))
    }

    /// Reads the text of a checkpoint (without signatures). Extension lines are allowed, and
    /// ignored.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let body = text.strip_suffix('\n').ok_or(NoteError::Form("its last line is cut"))?;
        let mut lines = body.split('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next())
        else {
            return Err(NoteError::Form("it needs a line each for origin, size and root"));
        };
        if origin.is_empty() || lines.any(str::is_empty) {
            return Err(NoteError::Form("it has an empty line"));
        }
        let number = size.parse::<u64>().ok().filter(|n| n.to_string() == size);
        let Some(number) = number else {
            return Err(NoteError::Form("its size is not a plain number"));
        };
        let bytes = STANDARD.decode(root).ok();
        let Some(hash) = bytes.and_then(|b| Hash::try_from(b).ok()) else {
            return Err(NoteError::Form("its root is not 32 bytes in base64"));
        };
        Ok(Self { origin: origin.to_owned(), size: number, root: hash })
    }
}

/// The log's private key with its name.
#[derive(Clone)]
pub struct LogKey {
    origin: String,
    key: SigningKey,
}

impl std::fmt::Debug for LogKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LogKey({})", self.verifier().encode())
    }
}

impl LogKey {
    /// A key from 32 secret random bytes, for the log named `origin`.
    pub fn from_seed(origin: &str, seed: [u8; 32]) -> Result<Self, KeyError> {
        check_origin(origin)?;
        Ok(Self { origin: origin.to_owned(), key: SigningKey::from_bytes(&seed) })
    }

    /// The private form, `PRIVATE+KEY+origin+keyid+base64(0x01 ‖ seed)`: for a file of mode 0600.
    pub fn encode(&self) -> String {
        let id = hex::encode(self.verifier().key_id());
        let secret = tagged(&self.key.to_bytes());
        format!("{SECRET_PREFIX}{}+{id}+{secret}", self.origin)
    }

    /// Reads the private form.
    pub fn decode(text: &str) -> Result<Self, KeyError> {
        const FORM: KeyError = KeyError::Form("PRIVATE+KEY+<name>+<key id>+<base64>");
        let rest = text.trim().strip_prefix(SECRET_PREFIX).ok_or(FORM)?;
        let (origin, id, seed) = split_key(rest).ok_or(FORM)?;
        let key = Self::from_seed(origin, seed)?;
        if hex::encode(key.verifier().key_id()) == id { Ok(key) } else { Err(KeyError::KeyId) }
    }

    /// The public half.
    pub fn verifier(&self) -> LogVerifier {
        LogVerifier { origin: self.origin.clone(), key: self.key.verifying_key() }
    }

    /// The log's name.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Signs size and root as a checkpoint note.
    pub fn sign(&self, size: u64, root: Hash) -> String {
        let text = Checkpoint { origin: self.origin.clone(), size, root }.text();
        let line = self.sign_line(&text);
        format!("{text}\n{line}\n")
    }

    /// The signature line of a note over `text`.
    fn sign_line(&self, text: &str) -> String {
        let mut blob = self.verifier().key_id().to_vec();
        blob.extend_from_slice(&self.key.sign(text.as_bytes()).to_bytes());
        format!("— {} {}", self.origin, STANDARD.encode(blob))
    }
}

/// The log's public key with its name: what an auditor keeps outside the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogVerifier {
    origin: String,
    key: VerifyingKey,
}

impl LogVerifier {
    /// The public form, `origin+keyid+base64(0x01 ‖ public)`.
    pub fn encode(&self) -> String {
        format!("{}+{}+{}", self.origin, hex::encode(self.key_id()), tagged(self.key.as_bytes()))
    }

    /// Reads the public form.
    pub fn decode(text: &str) -> Result<Self, KeyError> {
        const FORM: KeyError = KeyError::Form("<name>+<key id>+<base64>");
        let (origin, id, public) = split_key(text.trim()).ok_or(FORM)?;
        check_origin(origin)?;
        let key = VerifyingKey::from_bytes(&public).map_err(|_| FORM)?;
        let verifier = Self { origin: origin.to_owned(), key };
        if hex::encode(verifier.key_id()) == id { Ok(verifier) } else { Err(KeyError::KeyId) }
    }

    /// The log's name.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// First four bytes of `SHA-256(name ‖ 0x0A ‖ 0x01 ‖ public)`. Finds the key; proves nothing.
    fn key_id(&self) -> [u8; 4] {
        let mut sha = Sha256::new();
        sha.update(self.origin.as_bytes());
        sha.update([b'\n', ED25519]);
        sha.update(self.key.as_bytes());
        let hash: Hash = sha.finalize().into();
        let [a, b, c, d, ..] = hash;
        [a, b, c, d]
    }

    /// The checkpoint in a note, if this key signed it. Signatures by other keys are ignored; a
    /// false signature by this key refuses the note, even beside a true one.
    pub fn open(&self, note: &str) -> Result<Checkpoint, NoteError> {
        let text = self.open_note(note)?;
        let checkpoint = Checkpoint::parse(text)?;
        if checkpoint.origin != self.origin {
            return Err(NoteError::Origin {
                expected: self.origin.clone(),
                found: checkpoint.origin,
            });
        }
        Ok(checkpoint)
    }

    /// The text of a note that this key signed.
    fn open_note<'a>(&self, note: &'a str) -> Result<&'a str, NoteError> {
        if note.chars().any(|c| c < ' ' && c != '\n') {
            return Err(NoteError::Form("it holds control characters"));
        }
        let at = note.rfind("\n\n").ok_or(NoteError::Form("it has no signatures"))?;
        let (text, lines) = note.split_at_checked(at + 1).unwrap_or((note, ""));
        let lines = lines.strip_prefix('\n').unwrap_or(lines);
        let lines = lines.strip_suffix('\n').ok_or(NoteError::Form("its last line is cut"))?;
        if lines.split('\n').count() > MAX_SIGNATURES {
            return Err(NoteError::Form("it has too many signatures"));
        }
        let mut signed = false;
        for line in lines.split('\n') {
            let (name, blob) = line
                .strip_prefix("— ")
                .and_then(|l| l.split_once(' '))
                .filter(|(name, _)| check_origin(name).is_ok())
                .ok_or(NoteError::Form("a signature line is malformed"))?;
            let blob = STANDARD.decode(blob).unwrap_or_default();
            let Some((id, signature)) =
                blob.split_first_chunk::<4>().filter(|(_, s)| !s.is_empty())
            else {
                return Err(NoteError::Form("a signature is malformed"));
            };
            if name != self.origin || *id != self.key_id() {
                continue;
            }
            let valid = Signature::from_slice(signature)
                .is_ok_and(|s| self.key.verify_strict(text.as_bytes(), &s).is_ok());
            if !valid {
                return Err(NoteError::Forged(self.origin.clone()));
            }
            signed = true;
        }
        if signed { Ok(text) } else { Err(NoteError::Unsigned(self.origin.clone())) }
    }
}

fn check_origin(origin: &str) -> Result<(), KeyError> {
    let bad = |c: char| c.is_whitespace() || c.is_control() || c == '+';
    if origin.is_empty() || origin.contains(bad) {
        return Err(KeyError::Origin(origin.to_owned()));
    }
    Ok(())
}

/// Name, key id and the 32 bytes behind the algorithm byte of `name+id+base64(0x01 ‖ bytes)`.
/// The base64 may contain `+` itself, so the parts are split from the left.
fn split_key(text: &str) -> Option<(&str, &str, [u8; 32])> {
    let (name, rest) = text.split_once('+')?;
    let (id, blob) = rest.split_once('+')?;
    let blob = STANDARD.decode(blob).ok()?;
    let (&algorithm, key) = blob.split_first()?;
    let key = key.try_into().ok()?;
    (algorithm == ED25519).then_some((name, id, key))
}

fn tagged(key: &[u8; 32]) -> String {
    let mut blob = vec![ED25519];
    blob.extend_from_slice(key);
    STANDARD.encode(blob)
}

#[cfg(test)]
mod tests {
    use super::*;

    // The example key and note of Go's golang.org/x/mod/sumdb/note documentation.
    const GO_SECRET: &str =
        "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
    const GO_PUBLIC: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const GO_TEXT: &str = "If you think cryptography is the answer to your problem,\n\
                           then you don't know what your problem is.\n";
    const GO_LINE: &str = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=";

    fn key() -> LogKey {
        LogKey::from_seed("overrule.example/desk", [3; 32]).unwrap()
    }

    #[test]
    fn keys_and_signatures_are_those_of_go() {
        let key = LogKey::decode(GO_SECRET).unwrap();
        assert_eq!(key.verifier().encode(), GO_PUBLIC);
        assert_eq!(key.encode(), GO_SECRET);
        assert_eq!(key.sign_line(GO_TEXT), GO_LINE);
        let verifier = LogVerifier::decode(GO_PUBLIC).unwrap();
        let note = format!("{GO_TEXT}\n{GO_LINE}\n");
        assert_eq!(verifier.open_note(&note).unwrap(), GO_TEXT);
        // Signed by the log's key, but it is no checkpoint.
        assert!(matches!(verifier.open(&note), Err(NoteError::Form(_))));
    }

    #[test]
    fn a_checkpoint_reads_like_the_specification() {
        let note = key().sign(20_852_163, [0; 32]);
        let lines: Vec<&str> = note.lines().collect();
        assert_eq!(
            lines[..4],
            [
                "overrule.example/desk",
                "20852163",
                "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
                "",
            ]
        );
        assert!(lines[4].starts_with("— overrule.example/desk "));
        let open = key().verifier().open(&note).unwrap();
        assert_eq!(open.size, 20_852_163);
        assert_eq!(open.root, [0; 32]);
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let note = key().sign(12, [7; 32]).into_bytes();
        let verifier = key().verifier();
        for at in 0..note.len() {
            for bit in 0..8 {
                let mut bad = note.clone();
                bad[at] ^= 1 << bit;
                if let Ok(text) = std::str::from_utf8(&bad) {
                    assert!(verifier.open(text).is_err(), "byte {at} bit {bit}");
                }
            }
        }
    }

    #[test]
    fn unknown_signatures_are_ignored_and_a_false_one_refuses() {
        let note = key().sign(12, [7; 32]);
        let other = LogKey::from_seed("witness.example", [9; 32]).unwrap();
        let text = "overrule.example/desk\n12\nBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n";
        let both = format!("{note}{}\n", other.sign_line(text));
        assert_eq!(key().verifier().open(&both).unwrap().size, 12);

        let only_other = format!("{text}\n{}\n", other.sign_line(text));
        let unsigned = NoteError::Unsigned("overrule.example/desk".into());
        assert_eq!(key().verifier().open(&only_other), Err(unsigned));

        let false_line = key().sign_line("something else\n");
        let forged = format!("{note}{false_line}\n");
        let error = NoteError::Forged("overrule.example/desk".into());
        assert_eq!(key().verifier().open(&forged), Err(error));
    }

    #[test]
    fn a_note_of_another_log_is_refused() {
        let text = "other.example/log\n12\nBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n";
        let note = format!("{text}\n{}\n", key().sign_line(text));
        assert!(matches!(key().verifier().open(&note), Err(NoteError::Origin { .. })));
    }

    #[test]
    fn malformed_texts_are_refused() {
        let root = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";
        for text in [
            "",
            "a\n",
            "a\n1\n",
            &format!("a\n01\n{root}\n"),
            &format!("a\n+1\n{root}\n"),
            &format!("a\n-1\n{root}\n"),
            &format!("a\n1\n{root}"),
            &format!("\n1\n{root}\n"),
            "a\n1\nAAAA\n",
            &format!("a\n99999999999999999999\n{root}\n"),
        ] {
            assert!(Checkpoint::parse(text).is_err(), "{text:?}");
        }
        let extended = Checkpoint::parse(&format!("a\n1\n{root}\nextension\n")).unwrap();
        assert_eq!(extended.size, 1);
    }

    #[test]
    fn keys_are_checked_when_read() {
        assert_eq!(LogKey::from_seed("a b", [0; 32]).unwrap_err(), KeyError::Origin("a b".into()));
        assert!(LogKey::from_seed("", [0; 32]).is_err());
        assert!(LogKey::from_seed("a+b", [0; 32]).is_err());
        let wrong_id = GO_PUBLIC.replace("c74f20a3", "c74f20a4");
        assert_eq!(LogVerifier::decode(&wrong_id), Err(KeyError::KeyId));
        assert!(matches!(LogVerifier::decode(GO_SECRET), Err(KeyError::Form(_))));
        assert!(matches!(LogKey::decode(GO_PUBLIC), Err(KeyError::Form(_))));
        assert!(!format!("{:?}", key()).contains("PRIVATE"));
    }
}
