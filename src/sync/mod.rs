//! From the outbox to the world: one file a service, one courier for all of them.
//!
//! A row of the outbox becomes a [`Request`] in a pure function of the service it goes to
//! ([`pagerduty`], [`slack`], [`google_chat`], [`alertmanager`], [`webhook`], [`reply`]), and the
//! [`Response`] becomes a [`Verdict`] the same way, so that what is sent can be tested without a
//! network. [`Courier`] carries the rows: one lane a destination, paced, with backoff, dead letters
//! and at-least-once delivery under an id that stays the same. [`Https`] is the wire; it refuses
//! addresses inside the network unless they are allowed ([`guard`]).

pub mod alertmanager;
pub mod backends;
pub mod backoff;
mod courier;
mod destination;
pub mod google_chat;
pub mod guard;
mod lane;
mod notice;
pub mod pagerduty;
pub mod reply;
mod request;
pub mod signature;
pub mod sigv4;
pub mod slack;
mod turn;
pub mod webhook;
mod wire;
mod worker;

pub use courier::{Courier, Env, Round, Terms};
pub use destination::{Destination, Unready};
pub use notice::{Event, Notice, Stamp};
pub use request::{Request, Response, Secret, Verdict};
pub use wire::{Https, Trouble, Wire};
