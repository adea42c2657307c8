//! Reading ahead: lines of one input after another, while those before are on their way.

use std::io::BufReader;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::desk::ingest::{Input, next_line};
use crate::protocol::{Refused, Why};

/// Lines (or bytes of them) that are read ahead at once.
const AHEAD: usize = 128;
const AHEAD_BYTES: usize = 256 << 10;

/// A line as it was read.
pub(super) struct Read {
    pub source: Arc<str>,
    pub number: u64,
    /// With its end.
    pub len: u64,
    pub bytes: Vec<u8>,
}

/// Lines of one source, in order; or why no more can be read.
pub(super) type Chunk = Result<Vec<Read>, Refused>;

/// Read the inputs one after another on a thread of its own.
pub(super) fn read_ahead(inputs: Vec<Input>, stop: Arc<AtomicBool>) -> Receiver<Chunk> {
    let (to, chunks) = bounded(8);
    thread::spawn(move || {
        for input in inputs {
            if !read_all(input, &to, &stop) {
                return;
            }
        }
    });
    chunks
}

/// Read one input; whether it is worth going on.
fn read_all(input: Input, to: &Sender<Chunk>, stop: &AtomicBool) -> bool {
    let mut reader = BufReader::with_capacity(AHEAD_BYTES, input.reader);
    let source: Arc<str> = input.name.into();
    let mut number = 0;
    loop {
        let (mut chunk, mut bytes) = (Vec::with_capacity(AHEAD), 0);
        let mut end = None;
        while end.is_none() && chunk.len() < AHEAD && bytes < AHEAD_BYTES {
            match next_line(&mut reader) {
                Ok(None) => end = Some(true),
                Ok(Some((line, len))) => {
                    number += 1;
                    bytes += line.len();
                    chunk.push(Read { source: source.clone(), number, len, bytes: line });
                }
                Err(error) => {
                    let refused = Refused::new(
                        Why::Unavailable,
                        format!("cannot read {source} after line {number}: {error}"),
                    )
                    .hint("what was read is stored; run it again to go on");
                    // Whoever reads the chunks may be gone; then nobody is left to tell.
                    let _ = to.send(Ok(std::mem::take(&mut chunk)));
                    let _ = to.send(Err(refused));
                    end = Some(false);
                }
            }
            // A slow stream does not wait for a chunk to fill.
            if reader.buffer().is_empty() {
                break;
            }
        }
        let gone = !chunk.is_empty() && to.send(Ok(chunk)).is_err();
        if gone || stop.load(Ordering::Relaxed) {
            return false;
        }
        if let Some(on) = end {
            return on;
        }
    }
}
