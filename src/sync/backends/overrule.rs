//! Another `overrule` server: corrections as NDJSON to its `POST /v1/corrections`, which takes each
//! once, by origin and id.

use serde::Deserialize;
use serde_json::Value;

use super::{Delivered, Leaving, Load, Sender, set_up};
use crate::desk::backends::Cargo;
use crate::sync::{Request, Secret, Verdict};

/// The most bytes in one request: servers take a mebibyte or two.
const MOST: usize = 900_000;
/// How much of the answer is read: a line for each that was refused.
const ANSWER: usize = 256 * 1024;

/// What the server says of a batch.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Taken {
    /// 1-based lines that it will never take, and why.
    refused: Vec<Line>,
}

#[derive(Debug, Deserialize)]
struct Line {
    line: usize,
    why: String,
}

pub(super) async fn deliver(sender: &Sender<'_>, loads: &[Load]) -> Delivered {
    let mut done = Delivered::default();
    let mut rest = loads;
    while !rest.is_empty() {
        let (body, keys, used) = lines(sender, rest, &mut done);
        rest = rest.get(used..).unwrap_or_default();
        if keys.is_empty() {
            continue;
        }
        let request = request(sender, body);
        let response = match sender.exchange(&request).await {
            Ok(response) => response,
            Err(why) => {
                done.later = Some((why, None));
                return done;
            }
        };
        match Verdict::usual(&request, &response, sender.now) {
            Verdict::Done | Verdict::Again(_) => {
                let said: Taken = serde_json::from_str(&response.body).unwrap_or_default();
                for (n, key) in keys.into_iter().enumerate() {
                    match said.refused.iter().find(|l| l.line == n + 1) {
                        Some(line) => done.refused.push((key, request.scrub(&line.why))),
                        None => done.sent.push(key),
                    }
                }
            }
            Verdict::Later { why, after } => {
                done.later = Some((why, after));
                return done;
            }
            // A batch that is refused whole is not any one line's fault.
            Verdict::Refused(why) if set_up(response.status) || keys.len() > 1 => {
                done.later = Some((why, None));
                return done;
            }
            Verdict::Refused(why) | Verdict::Gone(why) => {
                done.refused.extend(keys.into_iter().map(|key| (key, why.clone())));
            }
        }
    }
    done
}

/// As many lines as one request takes, their keys, and how many loads they were.
fn lines(
    sender: &Sender<'_>,
    loads: &[Load],
    done: &mut Delivered,
) -> (Vec<u8>, Vec<String>, usize) {
    let (mut body, mut keys, mut used) = (Vec::new(), Vec::new(), 0);
    for load in loads {
        let line = match &load.cargo {
            Cargo::Correction { seq, correction, .. } => {
                let leaving = Leaving { correction, origin: sender.origin, seq: *seq };
                serde_json::to_vec(&leaving).unwrap_or_default()
            }
            Cargo::Item(_) | Cargo::Gone => {
                done.gone.push(load.parcel.key.clone());
                used += 1;
                continue;
            }
        };
        if !keys.is_empty() && body.len() + line.len() > MOST {
            break;
        }
        body.extend_from_slice(&line);
        body.push(b'\n');
        keys.push(load.parcel.key.clone());
        used += 1;
    }
    (body, keys, used)
}

fn request(sender: &Sender<'_>, body: Vec<u8>) -> Request {
    let place = sender.place;
    let url = place.under("/v1/corrections");
    let mut request = Request::json(url, &Value::Null, place.backend.private);
    request.body = body;
    request.headers = vec![("content-type", Secret::new("application/x-ndjson"))];
    if let Some(token) = &place.key {
        request.headers.push(("authorization", bearer(token)));
        request.secrets.push(token.clone());
    }
    request.keep = ANSWER;
    request
}

fn bearer(token: &Secret) -> Secret {
    Secret::new(format!("Bearer {}", token.reveal()))
}
