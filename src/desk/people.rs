//! Who works here: the first reviewer of a fresh store, adding and disabling people.

use super::core::{Core, Sight, Trouble};
use crate::audit::{Entry, EntryKind};
use crate::authority::{self, Subject};
use crate::domain::{Reviewer, Role};
use crate::protocol::{Act, Refused, Why};
use crate::store::{Op, Premises, Write};

/// The small state that says that the log has its first entries.
const FOUNDED: &str = "founded";

impl Core {
    /// The first entries of a fresh store: its origin and key, and its owner with every role.
    pub(super) fn found(&self, owner: &str) -> Result<(), Refused> {
        let sight = self.sight()?;
        let mut genesis = Entry::new(EntryKind::GENESIS, "system", sight.now, sight.wall);
        genesis.d.insert("origin".into(), sight.snapshot.origin.clone());
        genesis.d.insert("key".into(), self.keys.get()?.verifier().encode());
        let person = Reviewer {
            name: owner.to_owned(),
            level: 3,
            roles: Role::ALL.to_vec(),
            key: None,
            skills: Vec::new(),
            disabled: false,
            version: 1,
        };
        let write = Write {
            // Processes may meet a fresh store at once, each with an owner and a key of its own:
            // one of them founds it, and the others find that done.
            premises: Premises { state: vec![(FOUNDED.to_owned(), 0)], ..Premises::default() },
            now: sight.now,
            ops: vec![
                Op::Entry(super::core::draft(genesis, Vec::new())?),
                Op::Entry(super::core::draft(
                    added(&person, "system", sight.now, sight.wall),
                    Vec::new(),
                )?),
                Op::PutReviewer(person),
                Op::PutState { key: FOUNDED.to_owned(), value: Some(b"{}".to_vec()) },
            ],
        };
        match self.commit(write) {
            Ok(_) | Err(crate::store::StoreError::Premise(_)) => Ok(()),
            Err(error) => Err(super::core::refuse(error)),
        }
    }

    /// Register a reviewer, or change one (level, roles, key; a disabled one works again).
    pub(super) fn add_reviewer(
        &self,
        by: &str,
        name: &str,
        level: u8,
        roles: Vec<Role>,
        key: Option<String>,
        skills: Option<Vec<String>>,
    ) -> Result<Reviewer, Refused> {
        let name = named(name)?;
        if !(1..=3).contains(&level) {
            return Err(Refused::new(Why::Invalid, format!("level {level} is not 1, 2 or 3")));
        }
        if let Some(key) = &key {
            check_key(key)?;
        }
        let skills = skills.map(learned).transpose()?;
        self.retry(|sight| {
            let actor = self.actor(by)?;
            authority::may(&actor, Act::AddReviewer, Subject::default())?;
            let before = self.store.reviewer(&name)?;
            // Who is known keeps what is not said anew.
            let known = before.as_ref().map(|r| r.roles.clone());
            let mut roles = match roles.is_empty() {
                true => known.unwrap_or_else(|| vec![Role::Reviewer]),
                false => roles.clone(),
            };
            roles.sort_unstable();
            roles.dedup();
            if !roles.contains(&Role::Admin) {
                self.another_admin(&name)?;
            }
            let version = before.as_ref().map_or(0, |r| r.version);
            let person = Reviewer {
                name: name.clone(),
                level,
                roles,
                key: key.clone().or_else(|| before.as_ref().and_then(|r| r.key.clone())),
                skills: skills
                    .clone()
                    .or_else(|| before.as_ref().map(|r| r.skills.clone()))
                    .unwrap_or_default(),
                disabled: false,
                version: version + 1,
            };
            let entry = added(&person, by, sight.now, sight.wall);
            self.keep(sight, &actor, person, entry)
        })
    }

    /// Disable a reviewer: nothing of theirs commits from now on.
    pub(super) fn disable_reviewer(&self, by: &str, name: &str) -> Result<Reviewer, Refused> {
        self.retry(|sight| {
            let actor = self.actor(by)?;
            authority::may(&actor, Act::DisableReviewer, Subject::default())?;
            let mut person = self.store.reviewer(name)?.ok_or_else(|| {
                Refused::new(Why::NotFound, format!("there is no reviewer {name}"))
                    .hint("overrule reviewer list shows who there is")
            })?;
            self.another_admin(name)?;
            person.disabled = true;
            person.version += 1;
            let mut entry = Entry::new(EntryKind::REVIEWER_DISABLED, by, sight.now, sight.wall);
            entry.d.insert("reviewer".into(), name.to_owned());
            self.keep(sight, &actor, person, entry)
        })
    }
}

impl Core {
    /// Store a person with the entry that says so, as long as who does it is still who they were.
    fn keep(
        &self,
        sight: &Sight,
        actor: &Reviewer,
        person: Reviewer,
        entry: Entry,
    ) -> Result<Reviewer, Trouble> {
        let actor = Some((actor.name.clone(), actor.version));
        self.commit(Write {
            premises: Premises { actor, ..Premises::default() },
            now: sight.now,
            ops: vec![
                Op::Entry(super::core::draft(entry, Vec::new())?),
                Op::PutReviewer(person.clone()),
            ],
        })?;
        Ok(person)
    }

    /// Refused where nobody but `name` is an admin: nobody could undo what follows.
    fn another_admin(&self, name: &str) -> Result<(), Refused> {
        let people = self.store.reviewers().map_err(super::core::refuse)?;
        let admin = |r: &Reviewer| !r.disabled && r.has(Role::Admin);
        if people.iter().any(|r| r.name != name && admin(r)) {
            return Ok(());
        }
        Err(Refused::new(
            Why::Policy,
            format!("{name} is the only admin left; nobody could undo this"),
        )
        .hint("give somebody else the role admin first"))
    }
}

/// A name that can be registered.
pub(super) fn named(name: &str) -> Result<String, Refused> {
    let name = name.trim().to_owned();
    if name.is_empty() || name.len() > 64 || name.chars().any(char::is_control) {
        return Err(Refused::new(
            Why::Invalid,
            "a reviewer's name has 1 to 64 bytes and no control characters",
        ));
    }
    Ok(name)
}

pub(super) fn added(
    person: &Reviewer,
    by: &str,
    at: crate::domain::Timestamp,
    wall: crate::domain::Timestamp,
) -> Entry {
    let mut entry = Entry::new(EntryKind::REVIEWER_ADDED, by, at, wall);
    entry.d.insert("reviewer".into(), person.name.clone());
    entry.d.insert("level".into(), person.level.to_string());
    let roles: Vec<&str> = person.roles.iter().map(|r| r.as_str()).collect();
    entry.d.insert("roles".into(), roles.join(","));
    if let Some(key) = &person.key {
        entry.d.insert("key".into(), key.clone());
    }
    if !person.skills.is_empty() {
        entry.d.insert("skills".into(), person.skills.join(","));
    }
    entry
}

/// Skills as they are kept: words, sorted, each once.
fn learned(mut skills: Vec<String>) -> Result<Vec<String>, Refused> {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | ':' | '@');
    let word = |s: &String| (1..=64).contains(&s.len()) && s.chars().all(plain);
    if let Some(odd) = skills.iter().find(|s| !word(s)) {
        return Err(Refused::new(
            Why::Invalid,
            format!("{odd:?} is no skill: a skill is one word of letters, digits and -_./:@"),
        )
        .hint("spell it as the policy's queues do: skills = [\"mortgage\"]"));
    }
    skills.sort_unstable();
    skills.dedup();
    if skills.len() > 32 {
        return Err(Refused::new(Why::Invalid, "a person has at most 32 skills"));
    }
    Ok(skills)
}

/// A key whose signatures can be checked: Ed25519, in OpenSSH form.
fn check_key(text: &str) -> Result<(), Refused> {
    let what = match ssh_key::PublicKey::from_openssh(text) {
        Ok(key) if key.algorithm() == ssh_key::Algorithm::Ed25519 => return Ok(()),
        Ok(key) => format!("it is a key for {}", key.algorithm()),
        Err(error) => error.to_string(),
    };
    Err(Refused::new(Why::Invalid, format!("that is not a usable public key: {what}"))
        .hint("give an Ed25519 public key file such as ~/.ssh/id_ed25519.pub"))
}
