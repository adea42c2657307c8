//! `/v1/decisions`: what models submit, and what became of it.
//!
//! One record, up to 500 as NDJSON, or CloudEvents (structured, or batched); the answer comes after
//! the commit. The same id with the same content is answered as it was the first time.

use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::{FromRequest as _, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::auth::{Caller, Submitter};
use super::body::{Json, Params, Path, no_bytes};
use super::flow::LOOK;
use super::openapi;
use super::problem::Problem;
use super::state::Served;
use crate::desk::Submission;
use crate::protocol::{Admitted, DecisionView, Query, Refusal, Reply};

/// Records of one request.
const MOST: usize = 500;

/// How the records come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// One record, perhaps in a CloudEvents envelope.
    One,
    Lines,
    /// A JSON array of envelopes.
    Batch,
}

impl Form {
    fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let Some(given) = headers.get(header::CONTENT_TYPE) else { return Ok(Self::One) };
        let given = given.to_str().unwrap_or_default();
        let essence = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match essence.as_str() {
            "application/json" | "application/cloudevents+json" => Ok(Self::One),
            "application/x-ndjson" | "application/ndjson" | "application/jsonl" => Ok(Self::Lines),
            "application/cloudevents-batch+json" => Ok(Self::Batch),
            _ => Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "media_type",
                format!("decisions do not come as {essence}"),
            )
            .hint(
                "send application/json, application/x-ndjson, application/cloudevents+json or \
                 application/cloudevents-batch+json",
            )),
        }
    }

    /// The records in a body.
    fn records(self, body: &Bytes) -> Result<Vec<Vec<u8>>, Problem> {
        let records: Vec<Vec<u8>> = match self {
            Self::One => vec![body.to_vec()],
            Self::Lines => {
                let body = body.strip_suffix(b"\n").unwrap_or(body);
                // One more than allowed is enough to know.
                body.split(|b| *b == b'\n').take(MOST + 1).map(<[u8]>::to_vec).collect()
            }
            Self::Batch => {
                let all: Vec<&RawValue> = serde_json::from_slice(body).map_err(|e| {
                    let what = format!("the body is no JSON array of CloudEvents: {e}");
                    Problem::new(StatusCode::BAD_REQUEST, "malformed", what)
                })?;
                all.into_iter().map(|one| one.get().as_bytes().to_vec()).collect()
            }
        };
        if records.len() <= MOST {
            return Ok(records);
        }
        let what = format!("there are more than {MOST} records in the request");
        Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", what)
            .hint("send them in several requests"))
    }
}

/// How to admit.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Admission {
    /// Say what the routes would be, and store nothing.
    #[serde(default)]
    dry_run: bool,
    /// Where the lines come from (a file's name); shown with those that are not usable.
    source: Option<String>,
    /// The number of the first line in its source; 1 where it is absent.
    line: Option<u64>,
}

/// The longest name of a source, in bytes.
const SOURCE: usize = 512;

impl Admission {
    /// Where the lines come from, and how many came from there before.
    fn place(self, name: &str) -> Result<(String, u64), Problem> {
        let bad = |what: String| Problem::new(StatusCode::BAD_REQUEST, "bad_query", what);
        let before = match self.line {
            Some(0) => return Err(bad("line=0 is no line: they are counted from 1".into())),
            line => line.map_or(0, |line| line - 1),
        };
        let source = match self.source {
            Some(source) if source.len() > SOURCE => {
                return Err(bad(format!("the name of the source is longer than {SOURCE} bytes")));
            }
            Some(source) => format!("http:{name}:{source}"),
            None => format!("http:{name}"),
        };
        Ok((source, before))
    }
}

/// Submit decisions
#[utoipa::path(
    post, path = "/v1/decisions", tag = "decisions",
    description = "One record, up to 500 lines of NDJSON, or CloudEvents. The answer comes when \
        what it says is durable. A record that is known already, with the same content, is answered \
        with its route and `duplicate: true`. NDJSON is answered line by line; a line that is not \
        usable is answered with an `error`, and nothing stops the lines after it.",
    params(Admission),
    request_body(content = openapi::Record, content_type = "application/json"),
    responses(
        (status = 200, description = "The route, or a line a record", body = openapi::Route),
        (status = 400, description = "Not JSON, or no record at all", body = openapi::Problem),
        (status = 401, description = "No token, or none that opens", body = openapi::Problem),
        (status = 403, description = "The token or its owner may not", body = openapi::Problem),
        (status = 408, description = "The body did not come in time; nothing of it is done", body = openapi::Problem),
        (status = 409, description = "The id is admitted with other content", body = openapi::Problem),
        (status = 413, description = "Over 1 MiB a record, or over 500 records", body = openapi::Problem),
        (status = 415, description = "Another media type", body = openapi::Problem),
        (status = 422, description = "No usable id", body = openapi::Problem),
        (status = 429, description = "More requests than the limit", body = openapi::Problem),
        (status = 503, description = "Too much is waiting", body = openapi::Problem),
    )
)]
pub(super) async fn submit(
    submitter: Submitter,
    State(served): State<Served>,
    Params(admission): Params<Admission>,
    request: Request,
) -> Result<Response, Problem> {
    let dry_run = admission.dry_run;
    let (source, before) = admission.place(submitter.name())?;
    let form = Form::of(request.headers())?;
    let body = Bytes::from_request(request, &()).await.map_err(|r| no_bytes(&r))?;
    let lines = form.records(&body)?;
    let who = submitter.identity();
    let submission = Submission { who, source, before, lines, dry_run };
    let answers = match served.admissions().admit(submission).await {
        Ok(answers) => served.desk().told_to(&submitter.identity(), answers).await,
        Err(turned) => return Err(submitter.turned(turned).await),
    };
    if form != Form::One {
        return Ok(lines_of(form, &answers));
    }
    match answers.into_iter().next() {
        Some(Admitted::Route(route)) => Ok(Json(route).into_response()),
        Some(Admitted::Refused(refusal)) => Err(unusable(&refusal)),
        Some(Admitted::Blank) | None => {
            Err(Problem::new(StatusCode::BAD_REQUEST, "malformed", "the body is empty")
                .hint("send one decision record"))
        }
    }
}

/// Why a record is not usable at all. It is kept as a dead letter.
fn unusable(refusal: &Refusal) -> Problem {
    let Refusal { reason, message } = refusal;
    let status = match reason.as_str() {
        "id_conflict" => StatusCode::CONFLICT,
        "too_large" => StatusCode::PAYLOAD_TOO_LARGE,
        "invalid_json" | "invalid_utf8" | "wrong_type:record" => StatusCode::BAD_REQUEST,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    };
    Problem::new(status, reason, message.clone())
        .hint("overrule ingest --refused lists it with its bytes")
}

/// A line of the answer to a batch.
#[derive(Serialize)]
#[serde(untagged)]
enum Told<'a> {
    Route(&'a crate::domain::Route),
    Refused { line: usize, error: Fault<'a> },
}

#[derive(Serialize)]
struct Fault<'a> {
    kind: &'a str,
    message: &'a str,
}

/// One line a record, blank lines apart; a JSON array where an array came.
fn lines_of(form: Form, answers: &[Admitted]) -> Response {
    let told = answers.iter().enumerate().filter_map(|(i, answer)| match answer {
        Admitted::Route(route) => Some(Told::Route(route)),
        Admitted::Refused(Refusal { reason, message }) => {
            Some(Told::Refused { line: i + 1, error: Fault { kind: reason, message } })
        }
        Admitted::Blank => None,
    });
    if form == Form::Batch {
        return Json(told.collect::<Vec<_>>()).into_response();
    }
    let mut body = Vec::with_capacity(answers.len() * 512);
    for one in told {
        // Writing our own values into memory has no way to fail.
        let done = serde_json::to_writer(&mut body, &one);
        debug_assert!(done.is_ok(), "{done:?}");
        body.push(b'\n');
    }
    let kind = HeaderValue::from_static("application/x-ndjson");
    ([(header::CONTENT_TYPE, kind)], body).into_response()
}

/// What became of a decision
#[utoipa::path(
    get, path = "/v1/decisions/{id}", tag = "decisions",
    description = "The route with the state that holds now, and the result once it is settled. A \
        verdict whose grace time runs is not told. A service (a name without roles) \
        whose token is for `ingest` alone acts on the decision and is told all of it; any other token \
        what a reviewer may see: nothing of a blind proposal, and redacted paths covered.",
    params(("id" = String, Path, description = "The decision's id, percent-encoded"), Waiting),
    responses(
        (status = 200, description = "Where it stands", body = openapi::Decision),
        (status = 400, description = "No such time", body = openapi::Problem),
        (status = 401, description = "No token, or none that opens", body = openapi::Problem),
        (status = 404, description = "No such decision", body = openapi::Problem),
    )
)]
pub(super) async fn read(
    caller: Caller,
    State(served): State<Served>,
    Path(id): Path<String>,
    Params(waiting): Params<Waiting>,
) -> Result<Json<Box<DecisionView>>, Problem> {
    let until = Instant::now() + waiting.time()?;
    let _place = waiting.wait.as_ref().map(|_| served.flow().place()).transpose()?;
    let mut news = waiting.wait.as_ref().map(|_| served.flow().about(served.desk(), &id));
    loop {
        let view = match caller.ask(Query::Decision { id: id.clone() }).await? {
            Reply::Decision(view) => view,
            other => return Err(Problem::other(&other)),
        };
        let Some(news) = news.as_mut().filter(|_| !view.settled) else { return Ok(Json(view)) };
        // Woken by an entry about this decision; now and then a look whether the server is ending.
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || served.is_leaving() {
                return Ok(Json(view));
            }
            if tokio::time::timeout(left.min(LOOK), news.changed()).await.is_ok() {
                break;
            }
        }
    }
}

/// How long to wait for an end.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Waiting {
    /// Answer when it is settled, or after this time (`30s`, or seconds alone; a minute at most).
    wait: Option<String>,
}

/// The longest wait.
const LONGEST: Duration = Duration::from_secs(60);

impl Waiting {
    fn time(&self) -> Result<Duration, Problem> {
        let Some(text) = &self.wait else { return Ok(Duration::ZERO) };
        let seconds = || text.parse().ok().map(Duration::from_secs);
        let time = text.parse::<SignedDuration>().ok().and_then(|t| Duration::try_from(t).ok());
        let time = time.or_else(seconds);
        time.map(|time| time.min(LONGEST)).ok_or_else(|| {
            let what = format!("wait={text} is no time");
            Problem::new(StatusCode::BAD_REQUEST, "bad_query", what)
                .hint("write for example wait=30s")
        })
    }
}
