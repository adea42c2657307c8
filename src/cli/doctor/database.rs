//! A store in a PostgreSQL database: the server, its settings, our tables and what is in them.

use super::Check;
use crate::domain::Role;
use crate::store::postgres::Inspection;
use crate::store::{Fresh, OpenMode, Postgres, Store as _, StoreError};

/// Fewer connections than this are soon used up: each node takes some ten.
const FEW: i64 = 50;

/// What the server and the store in it say. Nothing is changed and nothing made.
pub fn checks(url: &str) -> Vec<Check> {
    let seen = match Postgres::inspect(url) {
        Ok(seen) => seen,
        Err(error) => {
            return vec![Check::fail(
                "server",
                error.to_string(),
                "see that it runs, that this machine may connect, and that name and password are \
                 right",
            )];
        }
    };
    let mut checks = vec![server(&seen), durable(&seen)];
    checks.extend(settings(&seen));
    checks.push(migrations(&seen));
    if seen.found == seen.known {
        checks.extend(content(url));
    }
    checks
}

fn server(seen: &Inspection) -> Check {
    let Inspection { address, server, role, .. } = seen;
    if seen.replica {
        return Check::fail(
            "server",
            format!("{address} follows another server: nothing can be written there"),
            "name the primary with --store",
        );
    }
    let tls = if seen.encrypted { "with TLS" } else { "without TLS" };
    Check::ok("server", format!("{address}: PostgreSQL {server}, as {role}, {tls}"))
}

/// What was acknowledged has to survive a power cut.
fn durable(seen: &Inspection) -> Check {
    let off: Vec<&str> = [("fsync", seen.fsync), ("full_page_writes", seen.full_page_writes)]
        .into_iter()
        .filter_map(|(name, on)| (!on).then_some(name))
        .collect();
    match off.is_empty() {
        true => Check::ok(
            "durable",
            format!(
                "fsync and full_page_writes are on; synchronous_commit is {} there, and on in \
                 overrule's sessions",
                seen.synchronous_commit
            ),
        ),
        false => Check::fail(
            "durable",
            format!(
                "{} is off: a power cut loses verdicts that people were told are safe",
                off.join(" and ")
            ),
            "switch it on in postgresql.conf and reload the server",
        ),
    }
}

fn settings(seen: &Inspection) -> Vec<Check> {
    let mut checks = Vec::new();
    if seen.encoding != "UTF8" {
        checks.push(Check::fail(
            "encoding",
            format!("the database's encoding is {}: not every text fits", seen.encoding),
            "make a database with ENCODING 'UTF8'",
        ));
    }
    if seen.max_connections < FEW {
        checks.push(Check::warn(
            "sessions",
            format!(
                "max_connections is {}; a node of overrule takes some ten",
                seen.max_connections
            ),
            "raise it, or run fewer nodes",
        ));
    }
    checks
}

fn migrations(seen: &Inspection) -> Check {
    let Inspection { found, known, .. } = seen;
    match found {
        0 if !seen.may_create => Check::fail(
            "tables",
            format!("there are none, and {} may not make any", seen.role),
            "GRANT CREATE ON SCHEMA to it; `overrule serve` then makes them",
        ),
        0 => Check::warn("tables", "there are none yet", "`overrule serve` makes them"),
        same if same == known => Check::ok("tables", format!("version {found}")),
        newer if newer > known => Check::fail(
            "tables",
            format!("version {found}, and this program knows up to {known}"),
            "install a newer overrule",
        ),
        _ => Check::warn(
            "tables",
            format!("version {found}; this program's is {known}"),
            "the first `overrule serve` of this version brings them up to date",
        ),
    }
}

/// What is in the store, read as it stands.
fn content(url: &str) -> Vec<Check> {
    match read(url) {
        Ok(checks) => checks,
        Err(error) => vec![Check::fail(
            "store",
            error.to_string(),
            "keep the database as it is; overrule audit verify says what still holds",
        )],
    }
}

fn read(url: &str) -> Result<Vec<Check>, StoreError> {
    let mode = OpenMode { read_only: true, ..OpenMode::default() };
    // Only a store that is made takes it.
    let fresh = Fresh { key: [0; 32], origin: String::new() };
    let store = Postgres::open(url, mode, &fresh)?;
    let s = store.snapshot()?;
    let mut checks = vec![Check::ok(
        "store",
        format!(
            "{}: {}, {}",
            store.address(),
            crate::text::many(s.decisions, "decision", "decisions"),
            crate::text::many(s.head, "trail entry", "trail entries")
        ),
    )];
    checks.push(match store.policy(None)? {
        Some(policy) => {
            Check::ok("policy", format!("{} {}", policy.name, super::short(&policy.hash)))
        }
        None => Check::warn(
            "policy",
            "none is in force: every decision goes to a person",
            "`overrule serve` installs the default in a fresh store",
        ),
    });
    let people = store.reviewers()?;
    if s.head > 0 && !people.iter().any(|r| !r.disabled && r.has(Role::Admin)) {
        checks.push(Check::fail(
            "reviewers",
            "no enabled reviewer is an admin: nobody can add people or change the policy",
            "restore a backup of the store in which one is left",
        ));
    }
    store.close()?;
    Ok(checks)
}
