//! Server-sent events, as far as a desk sends them: which entry of the log is the newest.

/// Reads a stream of events piece by piece, wherever it is cut.
#[derive(Debug, Default)]
pub struct Events {
    line: Vec<u8>,
}

/// A line is longer than that only if it is no event stream.
const LONGEST: usize = 1 << 20;

impl Events {
    /// Takes a piece; the highest log index among the ids that it completes.
    pub fn take(&mut self, piece: &[u8]) -> Option<u64> {
        let mut newest = None;
        for byte in piece {
            match byte {
                b'\n' | b'\r' => {
                    newest = newest.max(id(&self.line));
                    self.line.clear();
                }
                _ if self.line.len() < LONGEST => self.line.push(*byte),
                _ => {}
            }
        }
        newest
    }
}

/// The index in a line `id: 17`.
fn id(line: &[u8]) -> Option<u64> {
    let value = std::str::from_utf8(line.strip_prefix(b"id:")?).ok()?;
    value.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_index_is_found_however_the_stream_is_cut() {
        let stream = b": hello\n\nid: 7\nevent: verdict\ndata: {\"id\":\"id: 9\"}\n\nid:12\r\ndata: x\r\n\r\n";
        for cut in 1..stream.len() {
            let mut events = Events::default();
            let (head, tail) = stream.split_at(cut);
            let newest = events.take(head).max(events.take(tail));
            assert_eq!(newest, Some(12), "cut at {cut}");
        }
        let mut events = Events::default();
        assert_eq!(events.take(b"data: no id\n\n"), None);
        assert_eq!(events.take(b"id: not a number\n"), None);
    }
}
