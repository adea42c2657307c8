//! What each scope of a token may do and ask: every command and every question, over HTTP.
//!
//! The tokens are of somebody with every role, so that nothing but the scope says no.

use std::collections::BTreeSet;

use overrule::authority::scope;
use overrule::domain::{ControlScope, Role, Timestamp, TokenScope, Verdict, VerdictKind};
use overrule::protocol::{
    BlindAnswer, CanaryAct, Command, Draft, FeedbackKind, IncidentAct, InputAsk, KillMode,
    LeaseAsk, Line, PageAsk, Query, ReferenceAsk, ReviewRequest, SignalsAsk, TokenAsk,
};
use serde::Serialize;
use serde_json::{Map, json};

use crate::served::{Served, Told};
use crate::support::record;

/// The letters of the table, in the order of [`TokenScope::ALL`]: ingest, review, on-call, audit,
/// admin.
const LETTERS: &str = "iroua";

/// Every question, the scopes that may ask it, and what is answered to those who may.
fn questions() -> Vec<(Query, &'static str, u16)> {
    let id = || "s-1".to_owned();
    let all = vec![
        (Query::Header, "roua", 200),
        (Query::Page(PageAsk { limit: 10, ..PageAsk::default() }), "roua", 200),
        (Query::Item { id: id() }, "roua", 200),
        (Query::Item { id: "nope".into() }, "roua", 404),
        (Query::Decision { id: id() }, "iroua", 200),
        (Query::Draft { id: id() }, "r", 200),
        (Query::Policy, "roua", 200),
        (Query::Explain { id: id() }, "roua", 200),
        (Query::CheckOutput { domain: "loan".into(), output: json!("x"), repairs: None }, "r", 200),
        (
            Query::CheckInput(InputAsk {
                domain: "loan".into(),
                model: serde_json::from_value(json!({"name": "m", "version": "1"})).unwrap(),
                input: Map::new(),
            }),
            "iroua",
            200,
        ),
        (Query::Refused { after: 0, limit: 10 }, "iua", 200),
        (Query::Reviewers, "roua", 200),
        (Query::Tokens, "a", 200),
        (Query::Entries { item: None, from: 0, limit: 10 }, "rua", 200),
        (Query::Corrections { since: None, after: 0, limit: 10 }, "rua", 200),
        (Query::Received { since: None, part: 0 }, "rua", 200),
        (Query::Prove { item: id() }, "rua", 200),
        (Query::Signals(SignalsAsk::default()), "roua", 200),
        (
            Query::Distribution {
                slice: "model:nobody@1".into(),
                feature: "confidence".into(),
                window: "24h".into(),
            },
            "roua",
            404,
        ),
        (Query::Containment, "roua", 200),
        (Query::Incident { id: "nope".into() }, "roua", 404),
        (Query::Sync, "roua", 200),
    ];
    for (query, ..) in &all {
        // A question that is not in this list does not compile: put it into the table.
        match query {
            Query::Header | Query::Page(_) | Query::Item { .. } | Query::Decision { .. } => {}
            Query::Draft { .. } | Query::Policy | Query::Explain { .. } => {}
            Query::CheckOutput { .. } | Query::CheckInput(_) | Query::Refused { .. } => {}
            Query::Reviewers | Query::Tokens | Query::Entries { .. } => {}
            Query::Corrections { .. } | Query::Received { .. } | Query::Prove { .. } => {}
            Query::Signals(_) | Query::Distribution { .. } | Query::Containment => {}
            Query::Incident { .. } | Query::Sync => {}
        }
    }
    all
}

/// Every command and the scopes that may say it, with particulars that change little.
fn commands() -> Vec<(Command, &'static str)> {
    use Command as C;
    let item = || "nope".to_owned();
    let reason = || "a test".to_owned();
    let nowhere = || ControlScope::Domain("nowhere".into());
    let model = || "nobody".to_owned();
    let all = vec![
        (C::Admit { lines: vec![Line { source: "t".into(), line: 1, bytes: b"{}".into() }] }, "i"),
        (C::RetryRefused { numbers: vec![999] }, "ia"),
        (C::Lease(LeaseAsk { item: Some(item()), ..LeaseAsk::default() }), "r"),
        (C::Renew { item: item(), epoch: 1 }, "r"),
        (C::Release { item: item(), epoch: 1 }, "r"),
        (C::TakeBack { item: item() }, "a"),
        (C::SaveDraft { item: item(), draft: Draft::default() }, "r"),
        (C::DropDraft { item: item() }, "r"),
        (
            C::Review(Box::new(ReviewRequest {
                request_id: uuid::Uuid::now_v7().to_string(),
                item: item(),
                verdict: Verdict::plain(VerdictKind::Accept),
                lease: None,
                revision: None,
                seen: None,
                signature: None,
                grace_ms: 0,
                offline: None,
            })),
            "r",
        ),
        (
            C::AnswerBlind(BlindAnswer {
                request_id: uuid::Uuid::now_v7().to_string(),
                item: item(),
                action: "approve".into(),
                note: None,
            }),
            "r",
        ),
        (C::Undo { item: item() }, "r"),
        (C::Flag { item: item(), tags: vec!["bias".into()], note: None }, "ru"),
        (C::Feedback { item: item(), kind: FeedbackKind::Error, note: None }, "iro"),
        (
            C::AddReviewer {
                name: "new".into(),
                level: 1,
                roles: vec![Role::Reviewer],
                key: None,
                skills: None,
            },
            "a",
        ),
        (C::DisableReviewer { name: "nobody".into() }, "a"),
        (
            C::ActivatePolicy {
                name: "x".into(),
                source: "nonsense".into(),
                schemas: Default::default(),
                install: false,
            },
            "a",
        ),
        (C::Erase { item: item(), reason: reason() }, "a"),
        (C::Checkpoint, "ua"),
        (C::Kill { scope: nowhere(), mode: KillMode::Human, reason: reason() }, "o"),
        (C::Resume { scope: nowhere(), reason: reason() }, "o"),
        (C::Requeue { scope: nowhere(), since: Timestamp::UNIX_EPOCH, reason: reason() }, "o"),
        (C::ReleaseFreeze { id: item(), reason: reason() }, "ro"),
        (
            C::Canary(CanaryAct::Start {
                model: model(),
                version: "2".into(),
                baseline: "2".into(),
                steps: vec![],
                min_reviewed: 1,
                tolerance: 0.1,
                promote_level: 1,
            }),
            "o",
        ),
        (C::Canary(CanaryAct::Promote { model: model(), reason: reason() }), "o"),
        (C::Canary(CanaryAct::Rollback { model: model(), reason: reason() }), "o"),
        (C::Incident { id: item(), act: IncidentAct::Acknowledge, note: None }, "o"),
        (C::SetReference(ReferenceAsk::Records { name: "r".into(), lines: vec![] }), "o"),
        (C::Redeliver { key: item() }, "oa"),
        (C::Receive { corrections: vec![] }, "i"),
        (
            C::CreateToken(TokenAsk {
                name: "nobody".into(),
                scopes: vec![TokenScope::Review],
                lasts_s: 60,
            }),
            "a",
        ),
        (C::RevokeToken { id: item() }, "a"),
        (C::Tick, "roua"),
    ];
    for (command, _) in &all {
        match command {
            C::Admit { .. } | C::RetryRefused { .. } | C::Lease(_) | C::Renew { .. } => {}
            C::Release { .. } | C::TakeBack { .. } | C::SaveDraft { .. } => {}
            C::DropDraft { .. } | C::Review(_) | C::AnswerBlind(_) | C::Undo { .. } => {}
            C::Flag { .. } | C::Feedback { .. } | C::AddReviewer { .. } => {}
            C::DisableReviewer { .. } | C::ActivatePolicy { .. } | C::Erase { .. } => {}
            C::Checkpoint | C::Kill { .. } | C::Resume { .. } | C::Requeue { .. } => {}
            C::ReleaseFreeze { .. } | C::Canary(_) | C::Incident { .. } => {}
            C::SetReference(_) | C::Redeliver { .. } | C::Receive { .. } => {}
            C::CreateToken(_) | C::RevokeToken { .. } | C::Tick => {}
        }
    }
    all
}

struct Tokens(Vec<(char, TokenScope, String)>);

impl Tokens {
    fn make(desk: &Served) -> Self {
        let of = |(letter, scope): (char, TokenScope)| {
            (letter, scope, desk.token("root", &[scope.as_str()]))
        };
        Self(LETTERS.chars().zip(TokenScope::ALL).map(of).collect())
    }

    /// Send `what` with each token; those of `allowed` are answered, the others refused for their
    /// scope and nothing else.
    async fn each(
        &self,
        desk: &Served,
        path: &str,
        what: &(impl Serialize + std::fmt::Debug),
        allowed: &str,
        answered: impl Fn(&Told),
    ) {
        let body = serde_json::to_value(what).unwrap();
        for (letter, scope, token) in &self.0 {
            let told = desk.post(path, token, &body).await;
            if allowed.contains(*letter) {
                answered(&told);
                continue;
            }
            assert_eq!(told.status, 403, "{what:?} with {scope:?}: {}", told.text);
            let problem = told.is(403, "authority");
            assert_eq!(problem["refused"]["kind"], "authority");
            let words = LETTERS.chars().zip(TokenScope::ALL);
            let words = words.filter(|(l, _)| allowed.contains(*l)).map(|(_, s)| s.as_str());
            let words: Vec<&str> = words.collect();
            let end = format!("that takes the scope {}", words.join(" or "));
            assert!(problem["detail"].as_str().unwrap().ends_with(&end), "{what:?}: {problem}");
        }
    }
}

#[tokio::test]
async fn every_question_with_every_scope() {
    let desk = Served::start();
    let tokens = Tokens::make(&desk);
    desk.post("/v1/decisions", &tokens.0[0].2, &record("s-1")).await.ok();
    for (query, allowed, status) in questions() {
        let scopes = LETTERS.chars().zip(TokenScope::ALL).filter(|(l, _)| allowed.contains(*l));
        let scopes: Vec<TokenScope> = scopes.map(|(_, scope)| scope).collect();
        let mut named = scope::scopes_to_ask(&query).to_vec();
        named.sort();
        assert_eq!(named, scopes, "{query:?}");
        tokens
            .each(&desk, "/v1/desk/queries", &query, allowed, |told| {
                assert_eq!(told.status, status, "{query:?}: {}", told.text);
                if status == 404 {
                    told.is(404, "not_found");
                }
            })
            .await;
    }
    // Nobody at all asks nothing.
    let header = serde_json::to_value(Query::Header).unwrap();
    desk.post("/v1/desk/queries", "", &header).await.is(401, "unauthenticated");
    desk.post("/v1/desk/queries", &tokens.0[1].2, &json!({"ask": "nope"})).await.is(422, "invalid");
}

#[tokio::test]
async fn every_command_with_every_scope() {
    let desk = Served::start();
    let tokens = Tokens::make(&desk);
    for (command, allowed) in commands() {
        tokens
            .each(&desk, "/v1/desk/commands", &command, allowed, |told| {
                // Whatever the desk says of these particulars, it is not that one may not.
                let known = [200, 404, 409, 422].contains(&told.status);
                assert!(known, "{command:?}: {}", told.text);
            })
            .await;
    }
    let tick = serde_json::to_value(Command::Tick).unwrap();
    desk.post("/v1/desk/commands", "", &tick).await.is(401, "unauthenticated");
    assert_eq!(desk.home.json(&["audit", "verify", "--json"])["ok"], true);
}

#[tokio::test]
async fn every_command_and_question_is_described() {
    let desk = Served::start();
    let document = desk.get("/openapi.json", "").await.ok();
    let said: BTreeSet<String> = commands().iter().map(|(c, _)| word(c, "do")).collect();
    let asked: BTreeSet<String> = questions().iter().map(|(q, ..)| word(q, "ask")).collect();
    for (schema, words) in [("CommandWord", said), ("QueryWord", asked)] {
        let described = document["components"]["schemas"][schema]["enum"].as_array().unwrap();
        let described = described.iter().map(|w| w.as_str().unwrap().to_owned());
        assert_eq!(described.collect::<BTreeSet<String>>(), words, "{schema}");
    }
    for (path, schema) in [("/v1/desk/commands", "Spoken"), ("/v1/desk/queries", "Asked")] {
        let body = &document["paths"][path]["post"]["requestBody"]["content"];
        let named = format!("#/components/schemas/{schema}");
        assert_eq!(body["application/json"]["schema"]["$ref"], named);
        let of = &document["components"]["schemas"][schema];
        assert!(of.to_string().contains("additionalProperties"), "{of}");
    }
}

fn word(what: &impl Serialize, key: &str) -> String {
    serde_json::to_value(what).unwrap()[key].as_str().unwrap().to_owned()
}
