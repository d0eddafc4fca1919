//! Which other sites may call this server from a browser: none, unless configured.

use hyper::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderValue, ORIGIN, VARY,
};
use hyper::{Method, StatusCode};

use crate::origin::Origin;
use crate::reply::{RESOURCE_POLICY, Response};

/// Methods a page may use; which of them a resource takes is its own business.
const ALLOW_METHODS: &str = "DELETE, GET, PATCH, POST, PUT";

/// Request headers a page may set.
const ALLOW_HEADERS: &str = "authorization, content-type, idempotency-key, if-match, if-none-match";

/// Answer headers a page may read beyond the safe ones.
const EXPOSE_HEADERS: &str = "etag, retry-after";

/// Seconds a browser may remember a preflight. 10 minutes: a removed origin is gone soon enough.
const MAX_AGE_S: u32 = 600;

/// The origins that are let in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cors {
    origins: Vec<Origin>,
    any: bool,
}

impl Cors {
    /// Reads origins such as `https://app.example` or `http://localhost:3000`, or the single word `*`.
    ///
    /// A listed origin may send cookies. `*` lets every site call, but never with cookies.
    ///
    /// # Errors
    ///
    /// Text about the first origin that is not `scheme://host[:port]`, or about `*` beside others.
    ///
    /// ```
    /// use sync_server::cors::Cors;
    /// assert!(Cors::new(&["https://app.example".into()]).is_ok());
    /// assert!(Cors::new(&["https://app.example/path".into()]).is_err());
    /// ```
    pub fn new(origins: &[String]) -> Result<Self, String> {
        if origins == ["*"] {
            return Ok(Self { origins: Vec::new(), any: true });
        }
        let origins = origins.iter().map(|origin| origin.parse()).collect::<Result<_, _>>()?;
        Ok(Self { origins, any: false })
    }

    /// The answer to a preflight from an origin that is let in.
    ///
    /// Any other `OPTIONS` is left to the routes, which refuse the method.
    pub fn preflight(&self, method: &Method, headers: &HeaderMap) -> Option<Response> {
        let asked = method == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        if !asked || !self.lets_in(headers.get(ORIGIN)) {
            return None;
        }
        let mut response = Response::new("".into());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let out = response.headers_mut();
        out.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(ALLOW_METHODS));
        out.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(ALLOW_HEADERS));
        out.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from(MAX_AGE_S));
        Some(response)
    }

    /// Marks an answer as readable by `origin`, if it is let in.
    pub fn mark(&self, origin: Option<&HeaderValue>, response: &mut Response) {
        let headers = response.headers_mut();
        if !self.origins.is_empty() {
            headers.append(VARY, HeaderValue::from_static("origin"));
        }
        let Some(origin) = origin.filter(|origin| self.lets_in(Some(origin))) else { return };
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSE_HEADERS));
        headers.insert(RESOURCE_POLICY, HeaderValue::from_static("cross-origin"));
        if self.any {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        } else {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
    }

    /// Whether `origin` is listed, and may send cookies therefore. `*` lists nobody.
    pub fn lists(&self, origin: &HeaderValue) -> bool {
        self.origins.iter().any(|listed| listed.is(origin))
    }

    fn lets_in(&self, origin: Option<&HeaderValue>) -> bool {
        // `null` is what a browser says for a page that hides where it is from.
        origin.is_some_and(|origin| self.lists(origin) || (self.any && origin != "null"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const APP: &str = "https://app.example";

    fn cors(origins: &[&str]) -> Cors {
        Cors::new(&origins.iter().map(|origin| (*origin).to_owned()).collect::<Vec<_>>()).unwrap()
    }

    fn marked(cors: &Cors, origin: &'static str) -> HeaderMap {
        let mut response = Response::new("".into());
        cors.mark(Some(&HeaderValue::from_static(origin)), &mut response);
        response.headers().clone()
    }

    fn preflight(cors: &Cors, origin: &'static str) -> Option<Response> {
        let mut headers = HeaderMap::new();
        headers.insert(ORIGIN, HeaderValue::from_static(origin));
        headers.insert(ACCESS_CONTROL_REQUEST_METHOD, HeaderValue::from_static("POST"));
        cors.preflight(&Method::OPTIONS, &headers)
    }

    #[test]
    fn nobody_is_let_in_by_default() {
        assert!(marked(&Cors::default(), APP).is_empty());
        assert!(preflight(&Cors::default(), APP).is_none());
    }

    #[test]
    fn only_the_exact_origin_is_let_in() {
        let cors = cors(&[APP]);
        assert_eq!(marked(&cors, APP)[ACCESS_CONTROL_ALLOW_ORIGIN], APP);
        assert_eq!(marked(&cors, APP)[RESOURCE_POLICY], "cross-origin");
        assert_eq!(preflight(&cors, APP).unwrap().status(), 204);
        for foreign in ["null", "https://app.example.evil", "http://app.example", "https://app.example:444"] {
            assert!(!marked(&cors, foreign).contains_key(ACCESS_CONTROL_ALLOW_ORIGIN), "{foreign}");
            assert!(!marked(&cors, foreign).contains_key(RESOURCE_POLICY), "{foreign}");
            assert!(preflight(&cors, foreign).is_none(), "{foreign}");
        }
    }

    #[test]
    fn answers_vary_by_origin_even_for_strangers() {
        assert_eq!(marked(&cors(&[APP]), "null")[VARY], "origin");
    }

    #[test]
    fn a_star_never_comes_with_credentials() {
        let headers = marked(&cors(&["*"]), APP);
        assert_eq!(headers[ACCESS_CONTROL_ALLOW_ORIGIN], "*");
        assert!(!headers.contains_key(ACCESS_CONTROL_ALLOW_CREDENTIALS));
        assert!(!cors(&["*"]).lists(&HeaderValue::from_static(APP)));
    }

    #[test]
    fn who_hides_its_origin_is_let_in_by_nothing() {
        for cors in [cors(&["*"]), cors(&[APP]), Cors::default()] {
            assert!(preflight(&cors, "null").is_none());
            assert!(!marked(&cors, "null").contains_key(ACCESS_CONTROL_ALLOW_ORIGIN));
        }
    }

    #[test]
    fn what_is_not_an_origin_is_refused() {
        assert!(Cors::new(&[APP.into(), "null".into()]).is_err());
        assert!(Cors::new(&["*".into(), APP.into()]).is_err());
    }
}
