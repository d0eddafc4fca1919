//! A request as the routes see it, and the answers they give most.

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{HeaderMap, Method, StatusCode};
use sync_core::RecordId;
use warp::{Filter, Rejection};

use crate::problem::{Code, Problem};
use crate::query::Query;
use crate::reply::Response;

/// The parts of a request.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    query: Option<String>,
}

impl Request {
    /// The query, of which the route knows these parameters.
    pub(super) fn query(&self, known: &[&str]) -> Result<Query, Problem> {
        Query::parse(self.query.as_deref(), known)
    }
}

/// Takes a request apart.
pub(super) fn filter() -> impl Filter<Extract = (Request,), Error = Rejection> + Clone {
    let query = warp::query::raw().map(Some).or(warp::any().map(|| None)).unify();
    warp::method()
        .and(warp::header::headers_cloned())
        .and(warp::body::bytes())
        .and(query)
        .map(|method, headers, body, query| Request { method, headers, body, query })
}

/// An answer with a JSON body.
pub(super) fn json(status: StatusCode, body: String) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// An answer with the JSON form of a value of ours.
pub(super) fn json_of(value: &impl serde::Serialize) -> Response {
    json(StatusCode::OK, serde_json::to_string(value).expect("our own types have a JSON form"))
}

/// A segment of the path as text; `%2F` and the like become what they stand for.
pub(super) fn decoded(segment: &str) -> Result<String, Problem> {
    let refused = || Problem::new(Code::InvalidId).detail("a part of the path is not percent-encoded UTF-8");
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.bytes();
    while let Some(byte) = rest.next() {
        let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
        bytes.push(match byte {
            b'%' => match (digit(), digit()) {
                (Some(high), Some(low)) => u8::try_from(high * 16 + low).map_err(|_| refused())?,
                _ => return Err(refused()),
            },
            plain => plain,
        });
    }
    String::from_utf8(bytes).map_err(|_| refused())
}

/// A segment of the path as the id of a record.
pub(super) fn record_id(segment: &str) -> Result<RecordId, Problem> {
    named(RecordId::new(decoded(segment)?))
}

/// A name from the path; one that cannot exist is `invalid_id`.
pub(super) fn named<T>(name: Result<T, sync_core::NameError>) -> Result<T, Problem> {
    name.map_err(|error| Problem::new(Code::InvalidId).detail(error.to_string()))
}
