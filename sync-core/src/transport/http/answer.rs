//! An answer: what its status, content type and body say together.

use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, RETRY_AFTER};
use hyper::{HeaderMap, Response, StatusCode};

use super::failure::{cut, not_an_answer};
use super::lines;
use super::problem::Problem;
use crate::error::{Error, ErrorKind, Result};
use crate::protocol::{PullPage, PullReply, PushDone, PushReply};

/// The content type of answers.
pub(super) const JSON: &str = "application/json";
/// The content type of refusals.
const PROBLEM: &str = "application/problem+json";

/// The longest answer that is read: a page has some MiB, and a batch of them can come back in conflict.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// The longest refusal that is read: some sentences.
const PROBLEM_BYTES_MAX: usize = 64 << 10;

/// An answer of a sync server.
#[derive(Debug)]
pub(super) enum Answer {
    /// It did what was asked.
    Done(Bytes),
    /// It did what was asked, and has nothing to say.
    Nothing,
    /// It has begun, and says what to ask for.
    Begun(Bytes),
    /// It refuses, and says why.
    Problem(Problem),
}

impl Answer {
    /// Reads an answer to its end.
    ///
    /// # Errors
    ///
    /// [`Distrusted`](ErrorKind::Distrusted) for what no sync server sends, [`Unavailable`](ErrorKind::Unavailable) for
    /// a body that breaks off.
    pub(super) async fn read(response: Response<Incoming>) -> Result<Self> {
        match (response.status(), content_type(response.headers())) {
            (StatusCode::OK | StatusCode::CREATED, JSON) => {
                Ok(Self::Done(body(response, ANSWER_BYTES_MAX).await?))
            }
            (StatusCode::ACCEPTED, JSON) => Ok(Self::Begun(body(response, ANSWER_BYTES_MAX).await?)),
            (StatusCode::NO_CONTENT, _) => Ok(Self::Nothing),
            (status, _) => Ok(Self::Problem(problem(status, response).await?)),
        }
    }

    /// The content of an answer that has to have one.
    pub(super) fn into_content(self) -> Result<Bytes> {
        match self {
            Self::Done(body) => Ok(body),
            Self::Problem(problem) => Err(problem.into_error()),
            Self::Nothing | Self::Begun(_) => Err(unasked()),
        }
    }

    pub(super) fn into_push(self) -> Result<PushReply> {
        match self {
            Self::Done(body) => PushDone::from_json(&body).map(PushReply::Done),
            Self::Nothing | Self::Begun(_) => Err(unasked()),
            Self::Problem(problem) => problem.into_push(),
        }
    }

    pub(super) fn into_pull(self) -> Result<PullReply> {
        match self {
            Self::Done(body) => PullPage::from_json(&body).map(PullReply::Page),
            Self::Nothing | Self::Begun(_) => Err(unasked()),
            Self::Problem(problem) => problem.into_pull(),
        }
    }
}

/// The error for an answer that is none to this question.
fn unasked() -> Error {
    Error::new(ErrorKind::Distrusted, "the answer is not one that a sync server gives to this request")
}

/// The body of a snapshot, if the answer is one.
pub(super) async fn expect_lines(response: Response<Incoming>) -> Result<Incoming> {
    match (response.status(), content_type(response.headers())) {
        (StatusCode::OK, lines::NDJSON) => Ok(response.into_body()),
        (status, _) => Err(problem(status, response).await?.into_error()),
    }
}

async fn problem(status: StatusCode, response: Response<Incoming>) -> Result<Problem> {
    let retry_after = retry_after(response.headers());
    if content_type(response.headers()) == PROBLEM && !status.is_success() {
        let body = body(response, PROBLEM_BYTES_MAX).await?;
        return Problem::read(status, retry_after, &body);
    }
    if status == StatusCode::PAYLOAD_TOO_LARGE {
        // A proxy in between has a limit of its own. Whoever said it, a smaller batch helps.
        return Ok(Problem::too_large());
    }
    let error = not_an_answer(&response);
    Err(match retry_after {
        Some(wait) => error.with_retry_after(wait),
        None => error,
    })
}

async fn body(response: Response<Incoming>, bytes_max: usize) -> Result<Bytes> {
    match Limited::new(response.into_body(), bytes_max).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            Err(Error::new(ErrorKind::Distrusted, format!("the answer has more than {bytes_max} bytes")))
        }
        Err(error) => Err(cut(error)),
    }
}

/// The content type without its parameters; empty when there is none.
fn content_type(headers: &HeaderMap) -> &str {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim()
}

/// How many seconds to wait; dates are not understood, no sync server sends them.
fn retry_after(headers: &HeaderMap) -> Option<std::time::Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse::<u32>().ok()?;
    Some(std::time::Duration::from_secs(seconds.into()))
}
