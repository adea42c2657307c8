//! `overrule`: the terminal where people overrule machines.
//!
//! Models submit decisions; a policy in version control routes each one; people accept, edit,
//! reject or escalate what needs a person; an audit trail that outsiders can verify remembers it.
//!
//! The house has floors. A room imports only from floors below, never from its own floor or above
//! (`tests/architecture.rs` fails otherwise):
//!
//! ```text
//! 8  main.rs       arguments to run(), exit code
//! 7  cli           one file a command; puts the parts together; config, doctor
//! 6  tui           the reviewer app                    sync      outbox → the world, one file a service
//!    server        the HTTP interface, one file a resource
//! 5  desk          the use-cases over a store: admit, lease, settle, contain, watch, explain
//!    remote        the same over HTTP, with an outbox for work offline
//! 4  store         trait Store: whole business operations, each one transaction; sqlite
//! 3  authority     may(actor, command, state)?        simulate  seeded streams with human truth
//!    containment   switches, breaker, limits, budget, canary, freezes, incidents
//! 2  policy        file, language, check, route       audit     entries, tree, signatures, verify
//!    protocol      Command, Query, Change, Answer, trait Desk
//!    signals       windows, drift, detectors, calibration, overrides, sla
//! 1  domain        decision, item, review, reviewer   text      clean, width, diff
//! ```
//!
//! `domain`, `text`, `policy`, `signals`, `audit`, `protocol`, `authority`, `containment` and
//! `simulate` are pure: no I/O, no clock, no randomness; time and seeds are arguments.

pub mod audit;
pub mod authority;
pub mod cli;
pub mod containment;
pub mod desk;
pub mod domain;
pub mod policy;
pub mod protocol;

pub mod remote;
pub mod server;
pub mod signals;
pub mod simulate;
pub mod store;
pub mod sync;
pub mod text;
pub mod tui;
