//! A reviewer's ssh key signs a verdict: from a key file, or through ssh-agent.
//!
//! The agent speaks a small protocol (draft-ietf-sshm-ssh-agent): a request and an answer, each a
//! length, a type and fields. Two requests are enough here: which keys do you hold, and sign this.
//! Keys on tokens wait for a touch, so the caller runs this where waiting is no harm.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ssh_key::{HashAlg, PrivateKey, PublicKey};
use thiserror::Error;

use crate::audit::{SignatureError, armor, sign_with_key, to_be_signed};

/// How long a token may wait for its touch.
const PATIENCE: Duration = Duration::from_secs(60);
/// No honest answer of an agent is longer.
const MAX_ANSWER: u32 = 256 * 1024;

const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES_ANSWER: u8 = 12;
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;
/// RSA keys sign with SHA-512; other keys ignore it.
const RSA_SHA2_512: u32 = 4;

/// Why no signature could be made.
#[derive(Debug, Error)]
pub enum SignerError {
    #[error("cannot read the key {path}: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error(
        "{path} is neither an OpenSSH private key nor a public one; make one with `ssh-keygen -t ed25519`"
    )]
    NoKey { path: PathBuf },
    #[error(
        "{path} is locked with a passphrase: run `ssh-add {path}` once, then it signs through ssh-agent"
    )]
    Locked { path: PathBuf },
    #[error(
        "the RSA key {path} signs through ssh-agent only: run `ssh-add {path}`, or use an ed25519 key"
    )]
    Rsa { path: PathBuf },
    #[error(
        "no ssh-agent is running (SSH_AUTH_SOCK is not set): start one, or name a private key file"
    )]
    NoAgent,
    #[error("ssh-agent at {socket} does not answer: {source}")]
    Agent { socket: PathBuf, source: std::io::Error },
    #[error("ssh-agent at {socket} gave an answer that makes no sense")]
    Answer { socket: PathBuf },
    #[error("ssh-agent does not hold the key {fingerprint}: add it with `ssh-add`")]
    NotHeld { fingerprint: String },
    #[error(
        "ssh-agent refused to sign with {fingerprint} (was the touch or the confirmation missed?)"
    )]
    Refused { fingerprint: String },
    #[error(transparent)]
    Signature(#[from] SignatureError),
}

/// Where a reviewer's signatures come from.
#[derive(Debug)]
pub enum Signer {
    /// An unlocked private key.
    Key(Box<PrivateKey>),
    /// A key that ssh-agent holds.
    Agent { socket: PathBuf, public: Box<PublicKey> },
}

impl Signer {
    /// The signer for the key file at `path`. An unlocked private key signs itself. For a public
    /// key (`.pub`), and for a locked or RSA private key, the agent at `agent` (the value of
    /// `SSH_AUTH_SOCK`) signs if it holds the key.
    pub fn from_file(path: &Path, agent: Option<&Path>) -> Result<Self, SignerError> {
        let read = |source| SignerError::Read { path: path.to_owned(), source };
        let text = std::fs::read_to_string(path).map_err(read)?;
        if let Ok(public) = PublicKey::from_openssh(&text) {
            return Self::from_agent(agent.ok_or(SignerError::NoAgent)?, public);
        }
        let key = PrivateKey::from_openssh(&text)
            .map_err(|_| SignerError::NoKey { path: path.to_owned() })?;
        // The RSA code of our crates leaks by its timing (RUSTSEC-2023-0071); OpenSSH's does not.
        let rsa = key.algorithm().is_rsa();
        if !rsa && !key.is_encrypted() {
            return Ok(Self::Key(Box::new(key)));
        }
        let only_by_agent = || match rsa {
            true => SignerError::Rsa { path: path.to_owned() },
            false => SignerError::Locked { path: path.to_owned() },
        };
        let agent = agent.ok_or_else(only_by_agent)?;
        Self::from_agent(agent, key.public_key().clone()).map_err(|e| match e {
            SignerError::NotHeld { .. } => only_by_agent(),
            other => other,
        })
    }

    /// The signer for a key that the agent listening at `socket` must hold.
    fn from_agent(socket: &Path, public: PublicKey) -> Result<Self, SignerError> {
        let held = agent_keys(socket)?;
        if held.iter().any(|k| k.key_data() == public.key_data()) {
            return Ok(Self::Agent { socket: socket.to_owned(), public: Box::new(public) });
        }
        Err(SignerError::NotHeld { fingerprint: fingerprint(&public) })
    }

    /// The public half: what `reviewer add --key` registers.
    pub fn public_key(&self) -> &PublicKey {
        match self {
            Self::Key(key) => key.public_key(),
            Self::Agent { public, .. } => public,
        }
    }

    /// Signs a verdict's statement; returns the armored signature. May wait for a touch.
    pub fn sign(&self, statement: &[u8]) -> Result<String, SignerError> {
        match self {
            Self::Key(key) => Ok(sign_with_key(key, statement)?),
            Self::Agent { socket, public } => {
                let raw = agent_sign(socket, public, &to_be_signed(statement)?)?;
                Ok(armor(public, &raw)?)
            }
        }
    }
}

/// The keys that the agent holds, as far as we know their kinds.
pub fn agent_keys(socket: &Path) -> Result<Vec<PublicKey>, SignerError> {
    let answer = ask(socket, &[REQUEST_IDENTITIES])?;
    let nonsense = || SignerError::Answer { socket: socket.to_owned() };
    let mut fields = Fields(&answer);
    if fields.byte() != Some(IDENTITIES_ANSWER) {
        return Err(nonsense());
    }
    let count = fields.number().ok_or_else(nonsense)?;
    let mut keys = Vec::new();
    for _ in 0..count {
        let blob = fields.bytes().ok_or_else(nonsense)?;
        let comment = fields.bytes().ok_or_else(nonsense)?;
        // A key of a kind we cannot read is none we were asked for.
        if let Ok(mut key) = PublicKey::from_bytes(blob) {
            key.set_comment(String::from_utf8_lossy(comment));
            keys.push(key);
        }
    }
    Ok(keys)
}

fn agent_sign(socket: &Path, public: &PublicKey, data: &[u8]) -> Result<Vec<u8>, SignerError> {
    let blob = public.to_bytes().map_err(SignatureError::Sign)?;
    let mut request = vec![SIGN_REQUEST];
    for field in [blob.as_slice(), data] {
        let len = u32::try_from(field.len()).unwrap_or(u32::MAX);
        request.extend_from_slice(&len.to_be_bytes());
        request.extend_from_slice(field);
    }
    request.extend_from_slice(&RSA_SHA2_512.to_be_bytes());
    let answer = ask(socket, &request)?;
    let mut fields = Fields(&answer);
    if fields.byte() != Some(SIGN_RESPONSE) {
        return Err(SignerError::Refused { fingerprint: fingerprint(public) });
    }
    let raw = fields.bytes().ok_or_else(|| SignerError::Answer { socket: socket.to_owned() })?;
    Ok(raw.to_vec())
}

/// One request, one answer.
fn ask(socket: &Path, request: &[u8]) -> Result<Vec<u8>, SignerError> {
    let talk = || -> std::io::Result<Option<Vec<u8>>> {
        let mut agent = UnixStream::connect(socket)?;
        agent.set_read_timeout(Some(PATIENCE))?;
        agent.set_write_timeout(Some(PATIENCE))?;
        let len = u32::try_from(request.len()).map_err(std::io::Error::other)?;
        agent.write_all(&len.to_be_bytes())?;
        agent.write_all(request)?;
        let mut len = [0; 4];
        agent.read_exact(&mut len)?;
        let len = u32::from_be_bytes(len);
        if len > MAX_ANSWER {
            return Ok(None);
        }
        // At most 256 KiB.
        let mut answer = vec![0; len as usize];
        agent.read_exact(&mut answer)?;
        Ok(Some(answer))
    };
    match talk() {
        Ok(Some(answer)) => Ok(answer),
        Ok(None) => Err(SignerError::Answer { socket: socket.to_owned() }),
        Err(source) => Err(SignerError::Agent { socket: socket.to_owned(), source }),
    }
}

fn fingerprint(key: &PublicKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

/// Fields of an answer, from the front.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn number(&mut self) -> Option<u32> {
        let (first, rest) = self.0.split_first_chunk::<4>()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*first))
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = usize::try_from(self.number()?).ok()?;
        let (first, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{NAMESPACE, verify_signature};
    use std::process::{Child, Command, Stdio};

    const STATEMENT: &[u8] = br#"{"item":"lap-1664","request_id":"0199","revision":3}"#;

    /// The OpenSSH tools, or a word that they are not here.
    fn openssh() -> bool {
        let found = ["ssh-agent", "ssh-add", "ssh-keygen"].iter().all(|tool| {
            Command::new("sh")
                .args(["-c", &format!("command -v {tool}")])
                .stdout(Stdio::null())
                .status()
                .is_ok_and(|s| s.success())
        });
        if !found {
            eprintln!("skipped: ssh-agent, ssh-add and ssh-keygen are not installed");
        }
        found
    }

    fn run(command: &mut Command) {
        let out = command.output().unwrap();
        assert!(out.status.success(), "{command:?}: {}", String::from_utf8_lossy(&out.stderr));
    }

    fn keygen(dir: &Path, kind: &str, passphrase: &str) -> PathBuf {
        let path = dir.join(format!("key-{kind}-{}", passphrase.len()));
        run(Command::new("ssh-keygen")
            .args(["-q", "-t", kind, "-N", passphrase, "-C", "ann@desk", "-f"])
            .arg(&path));
        path
    }

    /// `ssh-keygen -Y verify` says yes.
    #[track_caller]
    fn accepted_by_openssh(dir: &Path, public: &PublicKey, armored: &str) {
        let (signers, signature) = (dir.join("allowed_signers"), dir.join("statement.sig"));
        let line = public.to_openssh().unwrap();
        std::fs::write(&signers, format!("ann namespaces=\"{NAMESPACE}\" {line}\n")).unwrap();
        std::fs::write(&signature, armored).unwrap();
        let mut child = Command::new("ssh-keygen")
            .args(["-Y", "verify", "-I", "ann", "-n", NAMESPACE, "-f"])
            .arg(&signers)
            .arg("-s")
            .arg(&signature)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(STATEMENT).unwrap();
        let out = child.wait_with_output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        verify_signature(&line, armored, STATEMENT).unwrap();
    }

    struct Agent(Child, PathBuf);

    impl Agent {
        fn start(dir: &Path) -> Self {
            let socket = dir.join("agent");
            let child = Command::new("ssh-agent")
                .arg("-D")
                .arg("-a")
                .arg(&socket)
                .stdout(Stdio::null())
                .spawn()
                .unwrap();
            while UnixStream::connect(&socket).is_err() {
                std::thread::sleep(Duration::from_millis(5));
            }
            Self(child, socket)
        }

        fn add(&self, key: &Path) {
            run(Command::new("ssh-add").arg("-q").arg(key).env("SSH_AUTH_SOCK", &self.1));
        }
    }

    impl Drop for Agent {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    #[test]
    fn key_files_of_every_kind_sign_for_openssh() {
        if !openssh() {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        for kind in ["ed25519", "ecdsa"] {
            let signer = Signer::from_file(&keygen(dir.path(), kind, ""), None).unwrap();
            let armored = signer.sign(STATEMENT).unwrap();
            accepted_by_openssh(dir.path(), signer.public_key(), &armored);
        }
    }

    #[test]
    fn an_agent_signs_for_openssh() {
        if !openssh() {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let agent = Agent::start(dir.path());
        for kind in ["ed25519", "ecdsa", "rsa"] {
            let key = keygen(dir.path(), kind, "");
            let public = key.with_extension("pub");
            let missing = Signer::from_file(&public, Some(&agent.1));
            assert!(matches!(missing, Err(SignerError::NotHeld { .. })), "{missing:?}");
            agent.add(&key);
            let signer = Signer::from_file(&public, Some(&agent.1)).unwrap();
            assert!(matches!(signer, Signer::Agent { .. }));
            let armored = signer.sign(STATEMENT).unwrap();
            accepted_by_openssh(dir.path(), signer.public_key(), &armored);
        }
        let comments: Vec<_> =
            agent_keys(&agent.1).unwrap().iter().map(|k| k.comment().to_owned()).collect();
        assert_eq!(comments, ["ann@desk"; 3]);
    }

    #[test]
    fn a_signature_by_ssh_keygen_is_accepted_here() {
        if !openssh() {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let key = keygen(dir.path(), "ed25519", "");
        let file = dir.path().join("statement");
        std::fs::write(&file, STATEMENT).unwrap();
        run(Command::new("ssh-keygen")
            .args(["-q", "-Y", "sign", "-n", NAMESPACE, "-f"])
            .arg(&key)
            .arg(&file));
        let armored = std::fs::read_to_string(file.with_extension("sig")).unwrap();
        let line = std::fs::read_to_string(key.with_extension("pub")).unwrap();
        verify_signature(&line, &armored, STATEMENT).unwrap();
    }

    #[test]
    fn what_cannot_sign_says_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let junk = dir.path().join("junk");
        std::fs::write(&junk, "hello").unwrap();
        let text = |r: Result<Signer, SignerError>| r.unwrap_err().to_string();
        assert!(text(Signer::from_file(&junk, None)).contains("ssh-keygen -t ed25519"));
        let nowhere = dir.path().join("nowhere");
        assert!(text(Signer::from_file(&nowhere, None)).starts_with("cannot read the key"));
        let agent = agent_keys(&nowhere).unwrap_err().to_string();
        assert!(agent.contains("does not answer"), "{agent}");
        if openssh() {
            let locked = keygen(dir.path(), "ed25519", "secret");
            assert!(text(Signer::from_file(&locked, None)).contains("run `ssh-add "));
            let rsa = keygen(dir.path(), "rsa", "");
            assert!(text(Signer::from_file(&rsa, None)).contains("through ssh-agent only"));
            let public = locked.with_extension("pub");
            assert!(text(Signer::from_file(&public, None)).contains("SSH_AUTH_SOCK is not set"));
        }
    }
}
