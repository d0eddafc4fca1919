//! The refusal: an RFC 9457 problem document with a stable `code`.
//!
//! `code` is the contract, `title` explains it to people, `detail` is about this one request.
//! The codes and their statuses are one table in [`Code`].

mod code;

pub use code::Code;

use hyper::header::{
    ALLOW, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, SEC_WEBSOCKET_VERSION, UPGRADE,
    WWW_AUTHENTICATE,
};
use serde_json::{Map, Value};

use crate::reply::{Response, finish};

/// One refusal on its way to a client.
///
/// ```
/// use sync_server::problem::{Code, Problem};
/// let answer = Problem::new(Code::BodyTooLarge).limit(1024).into_response();
/// assert_eq!(answer.status(), 413);
/// assert_eq!(answer.headers()["content-type"], "application/problem+json");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    code: Code,
    detail: String,
    members: Map<String, Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// A problem that says no more than its code; `detail` starts as the title.
    pub fn new(code: Code) -> Self {
        let mut headers = Vec::new();
        if code.status() == 401 {
            headers.push((WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")));
        }
        Self { code, detail: code.title().to_owned(), members: Map::new(), headers }
    }

    /// The code of this problem.
    pub fn code(&self) -> Code {
        self.code
    }

    /// What was wrong with this request. It is shown to the client: no secrets, no SQL, no paths.
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    /// What was wrong, in words.
    pub fn text(&self) -> &str {
        &self.detail
    }

    /// The further members of the document.
    pub fn members(&self) -> &Map<String, Value> {
        &self.members
    }

    /// The place in the request body that was refused, as a JSON Pointer.
    pub fn pointer(self, pointer: &str) -> Self {
        self.extra("pointer", pointer)
    }

    /// The limit that was exceeded, in the unit of what was counted.
    pub fn limit(self, limit: u64) -> Self {
        self.extra("limit", limit)
    }

    /// How many seconds to wait before trying again.
    pub fn retry_after(self, seconds: u32) -> Self {
        self.header(RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// How many seconds to wait, if that helps.
    pub fn retry_after_s(&self) -> Option<u64> {
        let (_, seconds) = self.headers.iter().find(|(name, _)| *name == RETRY_AFTER)?;
        seconds.to_str().ok()?.parse().ok()
    }

    /// The methods that would have been answered, for a 405.
    pub fn allow(self, methods: &str) -> Self {
        self.header(ALLOW, HeaderValue::try_from(methods).expect("names of methods are visible ASCII"))
    }

    /// What is spoken here instead, for a 426.
    pub fn speaks_websocket(self) -> Self {
        self.header(UPGRADE, HeaderValue::from_static("websocket"))
            .header(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"))
    }

    /// Closes the connection after the answer, because the rest of the request is not worth reading.
    pub fn close(self) -> Self {
        self.header(CONNECTION, HeaderValue::from_static("close"))
    }

    /// A further member of the document. The five standard members and `code` cannot be replaced.
    pub fn extra(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.members.insert(key.to_owned(), value.into());
        self
    }

    /// The finished answer, with the headers every answer carries.
    pub fn into_response(self) -> Response {
        let mut response = Response::new(self.document().into());
        *response.status_mut() = self.code.status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.extend(self.headers);
        // For the log: the code alone says what happened without repeating what was sent.
        response.extensions_mut().insert(self.code);
        finish(response)
    }

    fn document(&self) -> String {
        let mut members = self.members.clone();
        members.insert("type".into(), format!("urn:sync:problem:{}", self.code.as_str()).into());
        members.insert("title".into(), self.code.title().into());
        members.insert("status".into(), self.code.status().as_u16().into());
        members.insert("code".into(), self.code.as_str().into());
        members.insert("detail".into(), self.detail.as_str().into());
        Value::Object(members).to_string()
    }

    fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }
}

impl From<Code> for Problem {
    fn from(code: Code) -> Self {
        Self::new(code)
    }
}

/// A filter may refuse with a problem: `warp::reject::custom(problem)`.
impl warp::reject::Reject for Problem {}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    async fn document(response: Response) -> Value {
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        serde_json::from_slice(&bytes).unwrap()
    }

    #[tokio::test]
    async fn a_problem_carries_everything_it_was_told() {
        let problem = Problem::new(Code::ValidationFailed)
            .detail("the name is empty")
            .pointer("/name")
            .limit(64)
            .extra("parameter", "name");
        assert_eq!(
            document(problem.into_response()).await,
            serde_json::json!({
                "type": "urn:sync:problem:validation_failed",
                "title": "The request is well formed but not valid",
                "status": 422,
                "code": "validation_failed",
                "detail": "the name is empty",
                "pointer": "/name",
                "limit": 64,
                "parameter": "name",
            })
        );
    }

    #[tokio::test]
    async fn extra_members_never_replace_the_code() {
        let problem = Problem::new(Code::NotFound).extra("code", "fine").extra("status", 200);
        let document = document(problem.into_response()).await;
        assert_eq!((document["code"].as_str(), document["status"].as_u64()), (Some("not_found"), Some(404)));
    }

    #[test]
    fn every_401_names_the_scheme() {
        for code in Code::ALL {
            let response = Problem::new(*code).into_response();
            assert_eq!(
                response.headers().contains_key(WWW_AUTHENTICATE),
                response.status() == 401,
                "{code:?}"
            );
            assert_eq!(response.headers()["cache-control"], "no-store");
        }
    }

    #[test]
    fn headers_follow_the_builder() {
        let response = Problem::new(Code::Overloaded).retry_after(2).allow("GET").close().into_response();
        assert_eq!(response.headers()["retry-after"], "2");
        assert_eq!(response.headers()["allow"], "GET");
        assert_eq!(response.headers()["connection"], "close");
    }

    #[test]
    fn a_problem_is_small_enough_to_be_an_error() {
        assert!(size_of::<Problem>() <= 128);
    }
}
