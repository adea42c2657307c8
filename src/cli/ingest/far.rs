//! `ingest` at a server: lines are sent in batches, and each is told as it would be here.
//!
//! One batch at a time, so lines are admitted in their order. A batch whose answer was lost is sent
//! again: the desk admits an id once.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use tokio::runtime::Runtime;

use super::super::app::App;
use super::super::failure::{Failure, Outcome};
use super::super::open::{Fresh, runtime};
use super::ahead::{Chunk, Read, read_ahead};
use super::report::Report;
use super::stop::Stop;
use super::{Ingest, inputs};
use crate::desk::ingest::{IngestEvent, Summary};
use crate::domain::record::is_blank;
use crate::protocol::{Refusal, Refused, Why};
use crate::remote::{Batch, Intake, Line, NotNow};

/// How long lines of a slow stream wait for company, and how often an interrupt is looked for.
const LINGER: Duration = Duration::from_millis(50);
/// How often progress is told.
const PROGRESS: Duration = Duration::from_millis(100);
/// How often a batch is sent before it is given up, and the longest wait between.
const TRIES: u32 = 10;
const LONGEST: Duration = Duration::from_secs(60);

/// Admit everything at the server.
pub fn admit(command: Ingest, app: &App, address: &str) -> Outcome {
    let here_only = [
        (command.clock.is_some(), "--clock", "its store has a clock already"),
        (
            command.verdicts.is_some(),
            "--verdicts",
            "give verdicts with: overrule decide --from FILE",
        ),
    ];
    for (given, option, why) in here_only {
        if given {
            return Err(Failure::usage(format!(
                "{option} works on the store itself, and {address} is a server"
            ))
            .hint(format!("leave {option} out ({why}), or run it on the server's machine")));
        }
    }
    let inputs = inputs(&command.files)?;
    // Whoever names a person or a policy is told by the desk whether it is theirs to name.
    if app.common.by.is_some() || app.common.policy.is_some() {
        drop(app.open(Fresh::No)?);
    }
    let (intake, runtime) = (app.intake(address)?, runtime()?);
    let total = inputs.iter().map(|i| i.len).sum::<Option<u64>>();
    let stop = Stop::on_signals(&runtime);
    let mut report = Report::new(app, command.dry_run, total);
    let mut run = Run {
        intake,
        runtime,
        stop: stop.flag(),
        dry_run: command.dry_run,
        most: Intake::LINES,
        answered: false,
        seen: HashSet::new(),
        bytes: 0,
        summary: Summary::default(),
        on: &mut |event| report.event(event),
    };
    let ended = run.all(&read_ahead(inputs, stop.flag()));
    let summary = run.summary;
    match ended {
        Ok(()) => report.finish(&summary, stop.exit()),
        Err(refused) => {
            // What was told so far stays told.
            report.cut_off(&summary);
            Err(refused.into())
        }
    }
}

/// What is on its way to the desk.
struct Run<'a> {
    intake: Intake,
    runtime: Runtime,
    stop: Arc<AtomicBool>,
    dry_run: bool,
    /// Lines of a batch at most; fewer where something on the way takes less.
    most: usize,
    /// The desk has answered before.
    answered: bool,
    /// Dry runs store nothing, so what they have seen is remembered here.
    seen: HashSet<String>,
    /// Read so far.
    bytes: u64,
    summary: Summary,
    on: &'a mut dyn FnMut(IngestEvent<'_>),
}

impl Run<'_> {
    fn all(&mut self, chunks: &Receiver<Chunk>) -> Result<(), Refused> {
        let mut waiting: Vec<Read> = Vec::new();
        let mut size = 0;
        let mut told = Instant::now();
        while !self.stopped() {
            let chunk = match chunks.recv_timeout(LINGER) {
                Ok(Ok(chunk)) => chunk,
                // Nothing more for now: whoever reads the answers gets those there are.
                Err(RecvTimeoutError::Timeout) => {
                    if !waiting.is_empty() {
                        self.flush(&mut waiting, &mut size)?;
                        self.progress();
                    }
                    continue;
                }
                Ok(Err(refused)) => {
                    self.flush(&mut waiting, &mut size)?;
                    return Err(refused);
                }
                Err(RecvTimeoutError::Disconnected) => break,
            };
            for line in chunk {
                let full =
                    waiting.len() >= Intake::LINES || size + line.bytes.len() >= Intake::BYTES;
                let other = waiting.last().is_some_and(|last| last.source != line.source);
                if full || other {
                    self.flush(&mut waiting, &mut size)?;
                }
                if self.stopped() {
                    break;
                }
                size += line.bytes.len() + 1;
                self.bytes += line.len;
                waiting.push(line);
            }
            if told.elapsed() >= PROGRESS {
                told = Instant::now();
                self.progress();
            }
        }
        // The reader ends early, too, where somebody wants to stop.
        self.stopped();
        self.flush(&mut waiting, &mut size)?;
        self.progress();
        Ok(())
    }

    fn stopped(&mut self) -> bool {
        self.summary.interrupted = self.stop.load(Ordering::Relaxed);
        self.summary.interrupted
    }

    fn progress(&mut self) {
        let (bytes, lines) = (self.bytes, self.summary.lines);
        (self.on)(IngestEvent::Progress { bytes, lines });
    }

    /// Send what waits.
    fn flush(&mut self, waiting: &mut Vec<Read>, size: &mut usize) -> Result<(), Refused> {
        *size = 0;
        let mut rest = std::mem::take(waiting).into_iter();
        while rest.len() > 0 {
            let lines: Vec<Read> = rest.by_ref().take(self.most).collect();
            if !self.batch(lines)? {
                break;
            }
        }
        Ok(())
    }

    /// Send lines that follow one another, smaller parts of them where they are too much at once;
    /// `false`: somebody wants to stop before they were taken.
    fn batch(&mut self, lines: Vec<Read>) -> Result<bool, Refused> {
        let Some(first) = lines.first() else { return Ok(true) };
        let (source, number) = (first.source.clone(), first.number);
        let mut bytes = Vec::with_capacity(lines.len());
        let mut blank = Vec::with_capacity(lines.len());
        for line in lines {
            blank.push(is_blank(&line.bytes));
            bytes.push(line.bytes);
        }
        self.part(&source, number, &bytes, &blank)
    }

    fn part(
        &mut self,
        source: &str,
        first: u64,
        lines: &[Vec<u8>],
        blank: &[bool],
    ) -> Result<bool, Refused> {
        let blanks = blank.iter().filter(|b| **b).count();
        let told = if blanks == lines.len() {
            Vec::new()
        } else if let [line] = lines
            && line.len() > Intake::BYTES
        {
            let what = format!(
                "the line has {} bytes; a server takes no request that long, so it is not kept there",
                line.len()
            );
            vec![too_large(what)]
        } else {
            let batch = Batch { source, first, lines, dry_run: self.dry_run };
            match self.sent(batch)? {
                Sent::Told(told) => told,
                Sent::Stopped => return Ok(false),
                Sent::TooMuch(refused) => {
                    if lines.len() == 1 {
                        vec![too_large(format!("{}; it is not kept there", refused.message))]
                    } else {
                        let half = lines.len() / 2;
                        self.most = self.most.min(half).max(1);
                        let (here, there) = lines.split_at(half);
                        let (blank_here, blank_there) = blank.split_at(half);
                        return Ok(self.part(source, first, here, blank_here)?
                            && self.part(source, first + half as u64, there, blank_there)?);
                    }
                }
            }
        };
        if told.len() + blanks != lines.len() {
            let what = format!("{} answers came for {} lines", told.len(), lines.len() - blanks);
            return Err(Refused::new(Why::Internal, what).hint(
                "what was told so far is durable; is something between you and the server?",
            ));
        }
        self.summary.lines += lines.len() as u64;
        self.summary.blank += blanks as u64;
        for line in told {
            self.tell(source, first, line);
        }
        Ok(true)
    }

    fn tell(&mut self, source: &str, first: u64, line: Line) {
        match line {
            Line::Route(mut route) => {
                if self.dry_run && !self.seen.insert(route.id.clone()) {
                    route.duplicate = true;
                }
                self.summary.count(&route);
                (self.on)(IngestEvent::Route(&route));
            }
            Line::Refused(at, refusal) => {
                self.summary.refused += 1;
                let line = first + at as u64;
                (self.on)(IngestEvent::Refused { source, line, refusal: &refusal });
            }
        }
    }

    /// Send a batch until the desk has taken it, patiently.
    fn sent(&mut self, batch: Batch<'_>) -> Result<Sent, Refused> {
        let mut tries = 0;
        loop {
            let (after, refused) = match self.runtime.block_on(self.intake.send(batch)) {
                Ok(told) => {
                    self.answered = true;
                    return Ok(Sent::Told(told));
                }
                Err(NotNow::TooMuch(refused)) => return Ok(Sent::TooMuch(refused)),
                Err(NotNow::Refused(refused)) => return Err(refused),
                Err(NotNow::Later { after, refused }) => (after, refused),
            };
            tries += 1;
            // Where nothing has ever answered, nothing is likely to soon.
            if tries >= TRIES || (!self.answered && after.is_none() && tries >= 2) {
                return Err(match self.answered {
                    true => refused.hint(
                        "what was told so far is durable; run the same command again: what is \
                         stored already is recognised",
                    ),
                    false => refused,
                });
            }
            tracing::debug!(why = refused.message, tries, "sent again in a moment");
            (self.on)(IngestEvent::Waiting { why: &refused.message });
            if !self.wait(after.unwrap_or_else(|| Duration::from_millis(250 << tries.min(6)))) {
                return Ok(Sent::Stopped);
            }
        }
    }

    /// Wait so long; `false`: somebody wants to stop.
    fn wait(&mut self, time: Duration) -> bool {
        let until = Instant::now() + time.min(LONGEST);
        while Instant::now() < until {
            if self.stopped() {
                return false;
            }
            thread::sleep(LINGER.min(until.saturating_duration_since(Instant::now())));
        }
        true
    }
}

/// What became of a batch.
enum Sent {
    Told(Vec<Line>),
    TooMuch(Refused),
    Stopped,
}

fn too_large(message: String) -> Line {
    Line::Refused(0, Refusal { reason: "too_large".to_owned(), message })
}
