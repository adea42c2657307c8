//! A signed webhook: each correction a CloudEvent 1.0 in structured mode, with the headers of
//! Standard Webhooks over exactly its bytes.

use super::{Delivered, Leaving, Load, Sender, set_up};
use crate::desk::backends::Cargo;
use crate::sync::signature::SigningKey;
use crate::sync::webhook::event;
use crate::sync::{Request, Secret, Verdict};

/// What the event says happened: a correction was made, or made anew under the same id.
const TYPE: &str = "correction.recorded";

pub(super) async fn deliver(sender: &Sender<'_>, loads: &[Load]) -> Delivered {
    let mut done = Delivered::default();
    for load in loads {
        let key = load.parcel.key.clone();
        let Some(request) = request(sender, load) else {
            done.gone.push(key);
            continue;
        };
        let response = match sender.exchange(&request).await {
            Ok(response) => response,
            Err(why) => {
                done.later = Some((why, None));
                return done;
            }
        };
        let later = set_up(response.status);
        match Verdict::usual(&request, &response, sender.now) {
            Verdict::Done | Verdict::Again(_) => done.sent.push(key),
            Verdict::Refused(why) if later => {
                done.later = Some((why, response.wait(sender.now)));
                return done;
            }
            Verdict::Later { why, after } => {
                done.later = Some((why, after));
                return done;
            }
            Verdict::Refused(why) => done.refused.push((key, why)),
            Verdict::Gone(why) => {
                done.refused.push((key, format!("nobody is at this address any more: {why}")))
            }
        }
    }
    done
}

/// The signed event; `None`: there is nothing to say.
fn request(sender: &Sender<'_>, load: &Load) -> Option<Request> {
    let Cargo::Correction { seq, correction, .. } = &load.cargo else { return None };
    let leaving = Leaving { correction, origin: sender.origin, seq: *seq };
    let data = serde_json::to_value(&leaving).ok()?;
    let place = sender.place;
    let key = place.key.as_ref().and_then(|k| SigningKey::read(k.reveal()).ok());
    let stamp = sender.stamp(&load.parcel.key);
    let url = place.address.clone()?;
    let private = place.backend.private;
    let mut request = event(url, TYPE, correction.at, &data, key.as_ref(), &stamp, private);
    for (name, value) in &mut request.headers {
        if *name == "content-type" {
            *value = Secret::new("application/cloudevents+json; charset=utf-8");
        }
    }
    Some(request)
}
