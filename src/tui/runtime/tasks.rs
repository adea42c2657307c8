//! Effects as tasks: each asks or tells the desk and comes back as a message under its ticket.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::mpsc::UnboundedSender;
use tokio::task::{AbortHandle, JoinSet};

use crate::audit::Statement;
use crate::protocol::{Answer, Command, Desk, Query, Refused, ReviewRequest, VerifyAsk, Why};
use crate::tui::app::What;

/// Makes a reviewer's signatures. May block (a token waits for its touch).
pub trait Signer: Send + Sync + 'static {
    /// The armored SSHSIG over these bytes, or what went wrong and what to do.
    fn sign(&self, statement: &[u8]) -> Result<String, String>;
}

/// Everything that runs beside the loop.
pub struct Tasks {
    desk: Arc<dyn Desk>,
    me: Arc<str>,
    signer: Option<Arc<dyn Signer>>,
    back: UnboundedSender<What>,
    running: JoinSet<()>,
    tickets: HashMap<u64, AbortHandle>,
}

impl Tasks {
    pub fn new(
        desk: Arc<dyn Desk>,
        me: &str,
        signer: Option<Arc<dyn Signer>>,
        back: UnboundedSender<What>,
    ) -> Self {
        let (running, tickets) = (JoinSet::new(), HashMap::new());
        Self { desk, me: me.into(), signer, back, running, tickets }
    }

    /// Asks the desk; can be cancelled.
    pub fn ask(&mut self, ticket: u64, query: Query) {
        self.tidy();
        let (desk, me, back) = (self.desk.clone(), self.me.clone(), self.back.clone());
        let handle = self.running.spawn(async move {
            let reply = desk.ask(&me, query).await.map(Box::new);
            // The loop has ended when nobody listens.
            let _ = back.send(What::Replied(ticket, reply));
        });
        self.tickets.insert(ticket, handle);
    }

    /// Tells the desk.
    pub fn tell(&mut self, ticket: u64, command: Command) {
        self.tidy();
        let (desk, me, back) = (self.desk.clone(), self.me.clone(), self.back.clone());
        self.running.spawn(async move {
            let answer = desk.execute(&me, command).await.map(Box::new);
            let _ = back.send(What::Answered(ticket, answer));
        });
    }

    /// Tells the desk that this was shown; nobody waits for it.
    pub fn shown(&mut self, numbers: Vec<u64>) {
        self.tidy();
        let desk = self.desk.clone();
        self.running.spawn(async move { desk.shown(numbers).await });
    }

    /// Tells the desk a verdict, with the reviewer's signature where it must have one.
    pub fn submit(&mut self, ticket: u64, command: Command, sign: bool) {
        let (Command::Review(request), true) = (&command, sign) else {
            return self.tell(ticket, command);
        };
        let (desk, me, back) = (self.desk.clone(), self.me.clone(), self.back.clone());
        let (signer, mut request) = (self.signer.clone(), request.clone());
        self.running.spawn(async move {
            let signed = tokio::task::spawn_blocking(move || {
                request.signature = Some(signature(signer.as_deref(), &request)?);
                Ok::<_, Refused>(request)
            });
            let answer: Result<Answer, Refused> = match signed.await {
                Ok(Ok(request)) => desk.execute(&me, Command::Review(request)).await,
                Ok(Err(refused)) => Err(refused),
                Err(_) => Err(Refused::new(Why::Internal, "signing stopped unexpectedly")),
            };
            let _ = back.send(What::Answered(ticket, answer.map(Box::new)));
        });
    }

    /// Verifies the trail; progress comes back too.
    pub fn verify(&mut self, ticket: u64, ask: VerifyAsk) {
        let (desk, back) = (self.desk.clone(), self.back.clone());
        self.running.spawn(async move {
            let told = back.clone();
            let progress = Box::new(move |done, all| {
                let _ = told.send(What::Verifying(ticket, done, all));
            });
            let report = desk.verify(ask, progress).await.map(Box::new);
            let _ = back.send(What::Verified(ticket, report));
        });
    }

    /// Drops a question nobody waits for.
    pub fn cancel(&mut self, ticket: u64) {
        if let Some(handle) = self.tickets.remove(&ticket) {
            handle.abort();
        }
    }

    fn tidy(&mut self) {
        while self.running.try_join_next().is_some() {}
        self.tickets.retain(|_, handle| !handle.is_finished());
    }
}

/// The signature over the statement of a verdict.
fn signature(signer: Option<&dyn Signer>, request: &ReviewRequest) -> Result<String, Refused> {
    let refuse =
        |why: String| Refused::new(Why::Policy, why).hint("nothing was sent; the draft is kept");
    let Some(signer) = signer else {
        return Err(refuse("no key is set up to sign with".to_owned()));
    };
    let seen = request.seen.as_deref().and_then(hash).ok_or_else(|| {
        refuse("the desk gave no hash of what was shown, so nothing can be signed".to_owned())
    })?;
    let revision = request.revision.unwrap_or(0);
    let statement =
        Statement::new(&request.item, &request.request_id, revision, &request.verdict, &seen)
            .and_then(|s| s.bytes())
            .map_err(|e| refuse(e.to_string()))?;
    signer.sign(&statement).map_err(refuse)
}

/// 64 hexadecimal digits as bytes.
fn hash(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).ok().map(|()| bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_read_back_from_its_digits() {
        assert_eq!(hash(&"0f".repeat(32)), Some([0x0f; 32]));
        assert_eq!(hash("0f"), None);
        assert_eq!(hash(&"zz".repeat(32)), None);
    }
}
