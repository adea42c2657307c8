//! What may be said to a desk and what it answers. Pure: plain data and one trait.
//!
//! Every door (a screen, the command line, later an HTTP route) says a [`Command`] or asks a
//! [`Query`] of something that implements [`Desk`]; it never touches a store or a policy itself.
//!
//! ```no_run
//! # use overrule::protocol::{Desk, Query, Reply};
//! # async fn f(desk: &dyn Desk) -> Result<(), overrule::protocol::Refused> {
//! if let Reply::Header(header) = desk.ask("ann", Query::Header).await? {
//!     println!("{} wait", header.queues.iter().map(|q| q.waiting).sum::<u64>());
//! }
//! # Ok(()) }
//! ```

mod answer;
mod backends;
mod command;
mod control;
mod item_json;
mod query;
mod refused;
mod signals;
mod view;

use futures_util::{future::BoxFuture, stream::BoxStream};

pub use answer::{Admitted, Answer, Erased, NewToken, Refusal, Reviewed};
pub use backends::{BackendView, ConflictView, NotReceived, Received, SyncView};
pub use command::{
    Act, BlindAnswer, Command, Draft, FeedbackKind, LeaseAsk, Line, Offline, ReviewRequest,
    TokenAsk,
};
pub use control::{
    BreakerView, BudgetView, CanaryAct, CanaryView, ContainmentView, FreezeView, Happened,
    IncidentAct, IncidentView, KillMode, LimitView, Outgoing, OutgoingView, Resumed, SwitchState,
    SwitchView,
};
pub use query::{Cursor, Filter, PageAsk, Query, Reply};
pub use refused::{Refused, Why};
pub use signals::{
    CalibrationBin, CalibrationView, DistributionView, DriftView, EstimateView, FlowView, InputAsk,
    InputCheck, ReferenceAsk, ReferenceView, SignalsAsk, SignalsView, SlaView, SliceName,
    SliceView, StrayView, UsualView,
};
pub use view::{
    Arrived, Change, DecisionView, EntryView, ExplainView, Fate, GuidelineView, Header, ItemView,
    LeaseView, OutboxView, Page, PolicyView, QueueView, RefusedLine, ResultView, Row, TagView,
    UnsentView, VerifyAsk, VerifyReport,
};

/// A desk: local over a store, or remote over HTTP. The same for both.
pub trait Desk: Send + Sync + 'static {
    /// Do something in the name of `by`. An `Ok` is durable.
    fn execute<'a>(
        &'a self,
        by: &'a str,
        command: Command,
    ) -> BoxFuture<'a, Result<Answer, Refused>>;

    /// Ask something in the name of `by` (what is shown depends on who asks). Changes nothing.
    fn ask<'a>(&'a self, by: &'a str, query: Query) -> BoxFuture<'a, Result<Reply, Refused>>;

    /// Tells, coalesced, that the log grew past `after` (whoever wrote it). Never ends by itself.
    fn changes(&self, after: u64) -> BoxStream<'static, Change>;

    /// Verify the trail; `progress` is told (entries done, entries in all) now and then.
    fn verify<'a>(
        &'a self,
        ask: VerifyAsk,
        progress: Box<dyn Fn(u64, u64) + Send + Sync + 'static>,
    ) -> BoxFuture<'a, Result<VerifyReport, Refused>>;

    /// What became of these verdicts that had waited ([`Arrived::number`]) was shown to whom it
    /// concerns: it is not told again. Only a desk that is elsewhere keeps such.
    fn shown(&self, numbers: Vec<u64>) -> BoxFuture<'_, ()> {
        drop(numbers);
        Box::pin(std::future::ready(()))
    }
}
