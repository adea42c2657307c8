//! What was asked of the desk and not yet answered: a reply whose ticket is unknown is stale.

use super::list::Want;
use super::{Effect, State};
use crate::protocol::{Answer, Command, PageAsk, Query, Refused, Reply};

/// Why something was asked; the answer is taken accordingly.
#[derive(Clone, Debug, PartialEq)]
pub enum Purpose {
    Header,
    Policy,
    Page(Want, Box<PageAsk>),
    /// The item on show (which one, its slot knows).
    Item,
    Prefetch(String),
    Lease(String),
    Renew(String),
    /// A lease of an item that is not on show, to work on it later.
    Along(String),
    /// The first order of the outbox.
    Order,
    /// A draft of this item.
    Draft(String),
    /// Faults of the output in the editor, at this version of its text.
    Check(u64),
    Entries {
        item: Option<String>,
        from: u64,
    },
    Corrections {
        after: u64,
    },
    Signals,
    Distribution,
    Containment,
    /// A decision opened to be read.
    Look,
    Incident,
    /// A command of containment.
    Control,
    Verify,
    /// Whatever comes of it is nobody's news.
    Quiet,
}

impl State {
    /// Asks the desk; the ticket and the effect.
    pub(super) fn ask(&mut self, purpose: Purpose, query: Query) -> (u64, Effect) {
        let ticket = self.ticket(purpose);
        (ticket, Effect::Ask { ticket, query })
    }

    /// Tells the desk; the ticket and the effect.
    pub(super) fn tell_ticket(&mut self, purpose: Purpose, command: Command) -> (u64, Effect) {
        let ticket = self.ticket(purpose);
        (ticket, Effect::Tell { ticket, command })
    }

    /// Tells the desk.
    pub(super) fn tell(&mut self, purpose: Purpose, command: Command) -> Effect {
        self.tell_ticket(purpose, command).1
    }

    /// A new ticket for `purpose`.
    pub(super) fn ticket(&mut self, purpose: Purpose) -> u64 {
        self.tickets += 1;
        self.asked.insert(self.tickets, purpose);
        self.tickets
    }

    /// A query's reply came.
    pub(super) fn replied(&mut self, ticket: u64, reply: Result<Reply, Refused>) -> Vec<Effect> {
        let Some(purpose) = self.asked.remove(&ticket) else { return Vec::new() };
        match (purpose, reply) {
            (Purpose::Header, reply) => self.header_came(ticket, reply),
            (Purpose::Policy, Ok(Reply::Policy(policy))) => self.policy_came(*policy),
            (Purpose::Policy, reply) => self.reply_failed("the policy", reply),
            (Purpose::Page(want, ask), Ok(Reply::Page(page))) => {
                self.page_came(ticket, &want, &ask, page)
            }
            (Purpose::Page(..), reply) => self.page_failed(ticket, failure(reply)),
            (Purpose::Item, Ok(Reply::Item(view))) => self.item_came(ticket, Ok(*view)),
            (Purpose::Item, reply) => self.item_came(ticket, Err(failure(reply))),
            (Purpose::Prefetch(id), Ok(Reply::Item(view))) => self.prefetched(id, Ok(*view)),
            (Purpose::Prefetch(id), reply) => self.prefetched(id, Err(failure(reply))),
            (Purpose::Check(version), Ok(Reply::Faults(faults))) => {
                self.checked(version, Some(faults))
            }
            (Purpose::Check(version), _) => self.checked(version, None),
            (Purpose::Entries { item, from }, reply) => self.entries_came(item, from, reply),
            (Purpose::Corrections { after }, reply) => self.corrections_came(after, reply),
            (Purpose::Signals, reply) => self.signals_came(ticket, reply),
            (Purpose::Distribution, reply) => self.distribution_came(ticket, reply),
            (Purpose::Containment, reply) => self.containment_came(ticket, reply),
            (Purpose::Look, reply) => self.look_came(ticket, reply),
            (Purpose::Incident, reply) => self.incident_came(ticket, reply),
            (
                Purpose::Lease(_)
                | Purpose::Renew(_)
                | Purpose::Along(_)
                | Purpose::Order
                | Purpose::Draft(_)
                | Purpose::Control
                | Purpose::Verify
                | Purpose::Quiet,
                _,
            ) => Vec::new(),
        }
    }

    /// A command's answer came.
    pub(super) fn answered(&mut self, ticket: u64, answer: Result<Answer, Refused>) -> Vec<Effect> {
        let Some(purpose) = self.asked.remove(&ticket) else { return Vec::new() };
        match purpose {
            Purpose::Lease(id) => self.leased(ticket, &id, answer),
            Purpose::Renew(id) => self.renewed(&id, answer),
            Purpose::Along(id) => self.along(&id, answer),
            Purpose::Order => self.order_answered(answer),
            Purpose::Control => self.control_answered(ticket, answer),
            Purpose::Draft(id) => {
                if let Err(refused) = answer {
                    self.toast_refused(&format!("the draft of {id} could not be kept: "), &refused);
                }
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    fn reply_failed(&mut self, what: &str, reply: Result<Reply, Refused>) -> Vec<Effect> {
        self.toast_refused(&format!("{what} could not be read: "), &failure(reply));
        Vec::new()
    }
}

/// The refusal in a reply; a reply of another kind than was asked for is the desk's defect.
pub(super) fn failure(reply: Result<Reply, Refused>) -> Refused {
    match reply {
        Err(refused) => refused,
        Ok(_) => Refused::new(
            crate::protocol::Why::Internal,
            "the desk answered another question than was asked",
        )
        .hint("close the app and open it again; if it comes back, report it"),
    }
}
