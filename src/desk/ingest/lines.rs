//! Sources of lines: read in chunks, prepared on many threads, handed on in order.

use std::io::{BufRead, BufReader, Read};
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::super::prepare::{Prepared, prepare};
use super::super::salts::Salts;
use super::Input;
use crate::domain::Timestamp;
use crate::policy::Policy;
use crate::protocol::{Refused, Why};

/// Lines handed to a worker at once, at most …
const LINES: usize = 128;
/// … or this many bytes.
const BYTES: usize = 256 << 10;
/// Chunks that wait for a worker, and prepared chunks that wait for the sequencer, a source.
const QUEUE: usize = 8;
/// A line longer than this is kept only to here (it is refused in any case).
const LONGEST: u64 = 64 << 20;

/// Where a line stands.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) source: Arc<str>,
    /// 1-based.
    pub(super) line: u64,
}

/// What the sequencer gets.
pub(super) enum Chunk {
    Line(Place, Prepared),
    /// Nothing came for a while.
    Quiet,
    End,
}

type Done = Result<Vec<(Place, Prepared)>, Refused>;

/// Lines on their way to a worker, and where the answer is awaited.
struct Work {
    lines: Vec<(Place, Vec<u8>)>,
    done: Sender<Done>,
}

/// One input's prepared lines, in order.
struct Stream {
    chunks: Receiver<Receiver<Done>>,
    ready: std::vec::IntoIter<(Place, Prepared)>,
    head: Option<(Place, Prepared)>,
    ended: bool,
}

/// All inputs: one after another, or merged by time.
pub(super) struct Source {
    streams: Vec<Stream>,
    merge: bool,
}

impl Source {
    /// Start reading and preparing. Threads end by themselves when the source is dropped or ends.
    pub(super) fn start(
        inputs: Vec<Input>,
        key: [u8; 32],
        policy: Option<Arc<Policy>>,
        merge: bool,
        read: &Arc<AtomicU64>,
        stop: &Arc<AtomicBool>,
    ) -> Self {
        let (to_workers, work) = bounded::<Work>(QUEUE);
        // The sequencer and the writer have a core's worth of work themselves.
        let workers = thread::available_parallelism().map_or(1, NonZero::get).div_ceil(2);
        for _ in 0..workers {
            let (work, policy) = (work.clone(), policy.clone());
            thread::spawn(move || {
                for Work { lines, done } in work {
                    let mut salts = Salts::of(lines.len());
                    // A sequencer that is gone needs no answer.
                    let _ = done.send(prepare_all(lines, &key, policy.as_deref(), &mut salts));
                }
            });
        }
        let streams = inputs
            .into_iter()
            .map(|input| {
                let (promise, chunks) = bounded(QUEUE);
                let (to_workers, read, stop) = (to_workers.clone(), read.clone(), stop.clone());
                thread::spawn(move || {
                    read_all(input, &to_workers, &promise, &read, &stop);
                });
                Stream { chunks, ready: Vec::new().into_iter(), head: None, ended: false }
            })
            .collect();
        Self { streams, merge }
    }

    /// The next line in order; [`Chunk::Quiet`] when none came within `patience`.
    pub(super) fn next(&mut self, patience: Duration) -> Result<Chunk, Refused> {
        if !self.merge {
            for stream in &mut self.streams {
                match stream.fill(patience)? {
                    Fill::Ready => return Ok(stream.take()),
                    Fill::Quiet => return Ok(Chunk::Quiet),
                    Fill::End => {}
                }
            }
            return Ok(Chunk::End);
        }
        let mut first: Option<(usize, Option<Timestamp>)> = None;
        for (i, stream) in self.streams.iter_mut().enumerate() {
            match stream.fill(patience)? {
                // A merge is only right when every source shows its next line.
                Fill::Quiet => return Ok(Chunk::Quiet),
                Fill::End => {}
                Fill::Ready => {
                    let at = stream.time();
                    // Lines without a time go at once; ties keep the order of the inputs.
                    if first.is_none_or(|(_, best)| at < best) {
                        first = Some((i, at));
                    }
                }
            }
        }
        let chosen = first.and_then(|(i, _)| self.streams.get_mut(i));
        Ok(chosen.map_or(Chunk::End, Stream::take))
    }
}

enum Fill {
    Ready,
    Quiet,
    End,
}

impl Stream {
    /// Make sure the next line is at hand.
    fn fill(&mut self, patience: Duration) -> Result<Fill, Refused> {
        loop {
            if self.head.is_some() {
                return Ok(Fill::Ready);
            }
            if let Some(next) = self.ready.next() {
                self.head = Some(next);
                continue;
            }
            if self.ended {
                return Ok(Fill::End);
            }
            match self.chunks.recv_timeout(patience) {
                Ok(chunk) => {
                    let lines = chunk.recv().map_err(|_| {
                        Refused::new(Why::Internal, "a parsing thread ended early")
                    })??;
                    self.ready = lines.into_iter();
                }
                Err(RecvTimeoutError::Timeout) => return Ok(Fill::Quiet),
                Err(RecvTimeoutError::Disconnected) => self.ended = true,
            }
        }
    }

    fn take(&mut self) -> Chunk {
        self.head.take().map_or(Chunk::Quiet, |(place, prepared)| Chunk::Line(place, prepared))
    }

    fn time(&self) -> Option<Timestamp> {
        match &self.head {
            Some((_, Prepared::Record(ready))) => ready.occurred_at(),
            _ => None,
        }
    }
}

fn prepare_all(
    lines: Vec<(Place, Vec<u8>)>,
    key: &[u8; 32],
    policy: Option<&Policy>,
    salts: &mut Salts,
) -> Done {
    let lines = lines.into_iter();
    lines.map(|(at, line)| Ok((at, prepare(line, key, policy, salts)?))).collect()
}

/// Read an input to its end, in chunks. A read error ends the input with a refusal in its place.
fn read_all(
    input: Input,
    to_workers: &Sender<Work>,
    promise: &Sender<Receiver<Done>>,
    read: &AtomicU64,
    stop: &AtomicBool,
) {
    let mut reader = BufReader::with_capacity(BYTES, input.reader);
    let source: Arc<str> = input.name.into();
    let mut number = 0;
    loop {
        let (mut lines, mut bytes) = (Vec::with_capacity(LINES), 0);
        let mut end = false;
        while lines.len() < LINES && bytes < BYTES && !stop.load(Ordering::Relaxed) {
            match next_line(&mut reader) {
                Ok(None) => {
                    end = true;
                    break;
                }
                Ok(Some((line, len))) => {
                    number += 1;
                    read.fetch_add(len, Ordering::Relaxed);
                    bytes += line.len();
                    lines.push((Place { source: source.clone(), line: number }, line));
                }
                Err(error) => {
                    let (done, answer) = bounded(1);
                    let refused = Refused::new(
                        Why::Unavailable,
                        format!("cannot read {source} after line {number}: {error}"),
                    )
                    .hint("what was read is stored; run it again to go on");
                    // The sequencer may be gone already; then nobody is left to tell.
                    let _ = done.send(Err(refused));
                    let _ = promise.send(answer);
                    return;
                }
            }
            // A slow stream does not wait for a chunk to fill.
            if reader.buffer().is_empty() {
                break;
            }
        }
        if !lines.is_empty() {
            let (done, answer) = bounded(1);
            if promise.send(answer).is_err() || to_workers.send(Work { lines, done }).is_err() {
                return;
            }
        }
        if end || stop.load(Ordering::Relaxed) {
            return;
        }
    }
}

/// One line without its end, capped at 64 MiB (longer ones are refused in any case); and how many
/// bytes it had. `None`: there are no more.
///
/// # Errors
///
/// As the reader's.
pub fn next_line<R: BufRead>(reader: &mut R) -> std::io::Result<Option<(Vec<u8>, u64)>> {
    let mut line = Vec::new();
    let mut len = reader.by_ref().take(LONGEST).read_until(b'\n', &mut line)? as u64;
    if len == 0 {
        return Ok(None);
    }
    if len == LONGEST && line.last() != Some(&b'\n') {
        len += skip_line(reader)?;
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    Ok(Some((line, len)))
}

/// Read to the end of the line and forget it.
fn skip_line<R: BufRead>(reader: &mut R) -> std::io::Result<u64> {
    let mut skipped = 0;
    loop {
        let available = reader.fill_buf()?;
        if available.is_empty() {
            return Ok(skipped);
        }
        let end = available.iter().position(|b| *b == b'\n');
        let used = end.map_or(available.len(), |i| i + 1);
        reader.consume(used);
        skipped += used as u64;
        if end.is_some() {
            return Ok(skipped);
        }
    }
}
