//! What an answer says, and whether it is the desk that says it. Pure.
//!
//! Between this machine and the desk stand others that answer too: an ingress without a backend, a
//! gateway that asks for a login, a page of a captive portal. What they say settles nothing. Only
//! an answer with the desk's mark becomes its word ([`Said`]): a problem whose type is one of ours,
//! a refusal inside it, or a body that is what was asked for.

use reqwest::StatusCode;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::protocol::{Refused, Why};

/// How the types of our problems begin.
const OURS: &str = "urn:overrule:";
/// Types that say nothing about what was asked: the server has no such address.
const NOWHERE: [&str; 2] = ["urn:overrule:problem:no_route", "urn:overrule:problem:no_method"];

/// A refusal that the desk itself spoke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said(Refused);

impl Said {
    /// The refusal.
    pub fn refused(self) -> Refused {
        self.0
    }

    /// The desk cannot do anything now; a later try may find it well.
    pub fn not_now(&self) -> bool {
        matches!(self.0.kind, Why::Unavailable | Why::Internal | Why::Damaged)
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing came back that the desk said. `sent`: it may have arrived there.
    Away { why: String, sent: bool },
    /// The token is not good: nothing was done, and another one may help.
    Token(Refused),
    /// The desk refused.
    Refused(Said),
}

/// Why an exchange brought nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failed {
    Trouble(Trouble),
    /// Something answered, and it is not the desk that says so. `near`: it is a server of ours,
    /// perhaps of another version; else something stands in front of the desk.
    Stranger {
        refused: Refused,
        near: bool,
    },
}

impl From<Trouble> for Failed {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

impl Trouble {
    /// What happened, for people.
    pub fn why(self) -> String {
        match self {
            Self::Away { why, .. } => why,
            Self::Token(refused) => refused.message,
            Self::Refused(said) => said.refused().message,
        }
    }
}

impl From<Failed> for Trouble {
    /// What it is for who works here: whoever answered may have passed it on.
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Trouble(trouble) => trouble,
            Failed::Stranger { refused, .. } => Self::Away { why: refused.message, sent: true },
        }
    }
}

/// The parts of a problem (RFC 9457) that matter here.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Problem {
    r#type: String,
    detail: String,
    hint: Option<String>,
    refused: Option<Refused>,
}

/// What came back from `address` with this status.
///
/// # Errors
///
/// What it says instead of `T`, and who says it.
pub fn read<T: DeserializeOwned>(
    address: &str,
    status: StatusCode,
    body: &[u8],
) -> Result<T, Failed> {
    if !status.is_success() {
        return Err(refusal(address, status, body));
    }
    serde_json::from_slice(body).map_err(|e| Failed::Stranger {
        refused: version(address, &format!("its answer is not understood here ({e})")),
        near: serde_json::from_slice::<IgnoredAny>(body).is_ok(),
    })
}

/// What another status than success says.
pub fn refusal(address: &str, status: StatusCode, body: &[u8]) -> Failed {
    let problem: Problem = serde_json::from_slice(body).unwrap_or_default();
    if let Some(refused) = problem.refused {
        return Trouble::Refused(Said(refused)).into();
    }
    let ours = problem.r#type.starts_with(OURS);
    let passing = status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT;
    match status {
        _ if passing => {
            let detail = match problem.detail.is_empty() {
                true => String::new(),
                false => format!(": {}", problem.detail),
            };
            Trouble::Away { why: format!("{address} answers {status}{detail}"), sent: true }.into()
        }
        StatusCode::UNAUTHORIZED if ours => {
            let what =
                format!("the desk at {address} does not take this token: {}", problem.detail);
            Trouble::Token(token_refused(&what)).into()
        }
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN if !ours => {
            let what = format!("{address} lets nobody in with this token ({})", status.as_u16());
            Failed::Stranger { refused: token_refused(&what), near: false }
        }
        StatusCode::TOO_MANY_REQUESTS => {
            let what = format!("{address} takes no more requests for the moment");
            let refused = Refused::new(Why::Unavailable, &what).hint("try again in a moment");
            match ours {
                true => Trouble::Refused(Said(refused)).into(),
                false => Trouble::Away { why: what, sent: true }.into(),
            }
        }
        _ if NOWHERE.contains(&problem.r#type.as_str()) => {
            Failed::Stranger { refused: version(address, &problem.detail), near: true }
        }
        _ if ours => {
            // A request that this version's server would have understood, and that one did not.
            let hint = problem.hint.unwrap_or_else(|| {
                format!(
                    "this is overrule {}; GET {address}/openapi.json says which version answers \
                     there",
                    env!("CARGO_PKG_VERSION")
                )
            });
            Trouble::Refused(Said(Refused::new(Why::Invalid, problem.detail).hint(hint))).into()
        }
        StatusCode::NOT_FOUND => Failed::Stranger {
            refused: version(address, "nothing answers there as an overrule server does"),
            near: false,
        },
        status => Failed::Stranger {
            refused: version(address, &format!("it answers {status}")),
            near: false,
        },
    }
}

/// It is something else that answers, or another version of it.
fn version(address: &str, what: &str) -> Refused {
    let own = env!("CARGO_PKG_VERSION");
    Refused::new(Why::Invalid, format!("no desk of this version ({own}) at {address}: {what}"))
        .hint("check the address; the server may be an older or a newer overrule")
}

/// A token that is none, or none any more.
pub fn token_refused(what: &str) -> Refused {
    Refused::new(Why::Authority, what).hint(
        "an admin makes one (overrule token create --for NAME); give it in OVERRULE_TOKEN, or with overrule login",
    )
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const AT: &str = "https://desk.example";

    fn told(status: u16, body: &[u8]) -> Failed {
        read::<Vec<u64>>(AT, StatusCode::from_u16(status).unwrap(), body).unwrap_err()
    }

    fn problem(status: u16, word: &str, more: Value) -> Failed {
        let mut body =
            json!({"type": format!("urn:overrule:problem:{word}"), "detail": "so it is"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        told(status, body.to_string().as_bytes())
    }

    #[test]
    fn the_desk_speaks_with_its_mark() {
        assert_eq!(read::<Vec<u64>>(AT, StatusCode::OK, b"[7]"), Ok(vec![7]));
        let refused = Refused::new(Why::LeaseLost, "x is held by ben").hint("wait");
        let said = problem(409, "lease_lost", json!({"refused": refused}));
        assert_eq!(said, Trouble::Refused(Said(refused)).into());
        let said = problem(422, "unreadable", json!({"hint": "send JSON"}));
        let refused = Refused::new(Why::Invalid, "so it is").hint("send JSON");
        assert_eq!(said, Trouble::Refused(Said(refused)).into());
        let said = problem(429, "rate_limited", json!({}));
        assert!(matches!(&said, Failed::Trouble(Trouble::Refused(s)) if s.not_now()), "{said:?}");
        let Failed::Trouble(Trouble::Token(refused)) = problem(401, "unauthenticated", json!({}))
        else {
            panic!()
        };
        assert_eq!(
            refused.message,
            "the desk at https://desk.example does not take this token: so it is"
        );
        let said = problem(503, "slow", json!({}));
        let why = "https://desk.example answers 503 Service Unavailable: so it is".to_owned();
        assert_eq!(said, Trouble::Away { why, sent: true }.into());
        // A desk without that address has said nothing about what was asked.
        for (status, word) in [(404, "no_route"), (405, "no_method")] {
            let said = problem(status, word, json!({}));
            assert!(matches!(said, Failed::Stranger { near: true, .. }), "{word}: {said:?}");
        }
    }

    #[test]
    fn what_others_say_is_not_the_desks_word() {
        let page: &[u8] = b"<html>who are you?</html>";
        let foreign: &[u8] = br#"{"type": "about:blank", "detail": "no upstream", "status": 404}"#;
        for status in [200, 203, 301, 302, 307, 400, 401, 403, 404, 405, 409, 410, 413, 418, 422] {
            for body in [page, foreign, b"", br#"{"detail": "it has expired"}"#] {
                let said = told(status, body);
                assert!(matches!(said, Failed::Stranger { .. }), "{status}: {said:?}");
            }
        }
        for status in [408, 429, 500, 502, 503, 504] {
            let said = told(status, page);
            assert!(
                matches!(said, Failed::Trouble(Trouble::Away { sent: true, .. })),
                "{status}: {said:?}"
            );
        }
        let Failed::Stranger { refused, near: false } = told(404, page) else { panic!() };
        assert!(refused.message.contains("nothing answers there as an overrule server does"));
        let Failed::Stranger { refused, near: false } = told(401, page) else { panic!() };
        assert_eq!(
            (refused.kind, refused.message.as_str()),
            (Why::Authority, "https://desk.example lets nobody in with this token (401)")
        );
        // JSON of another form may be a newer desk's.
        assert!(matches!(told(200, b"{}"), Failed::Stranger { near: true, .. }));
        assert!(matches!(told(200, page), Failed::Stranger { near: false, .. }));
    }
}
