//! Whether a request that acts for someone by their cookie was sent by a page of ours.
//!
//! A browser adds a cookie to whatever any page makes it send. What it also adds, and no page can change, is where the page is
//! from. Requests with other credentials need no such proof: a page has to know those to send them.

use hyper::Method;
use hyper::header::{HeaderMap, ORIGIN, UPGRADE};

use crate::auth::cookie::SessionCookie;
use crate::cors::Cors;
use crate::origin::Origin;
use crate::problem::{Code, Problem};

/// What browsers say about pages that are of the origin they ask.
const SAME_ORIGIN: &str = "same-origin";

/// Lets a request pass that carries no session cookie, that only reads, or that a page of `own` or of a listed origin sent.
///
/// Opening a WebSocket is not reading: what it carries later is not looked at again.
pub(super) fn check(
    method: &Method,
    headers: &HeaderMap,
    cookie: SessionCookie,
    own: Option<&Origin>,
    cors: &Cors,
) -> Result<(), Problem> {
    let only_reads = matches!(*method, Method::GET | Method::HEAD) && !headers.contains_key(UPGRADE);
    if only_reads || !cookie.is_sent(headers) || is_from_here(headers, own, cors) {
        return Ok(());
    }
    Err(Problem::new(Code::OriginNotAllowed)
        .detail("a request with a session cookie must come from a page of this site"))
}

fn is_from_here(headers: &HeaderMap, own: Option<&Origin>, cors: &Cors) -> bool {
    let origin = headers.get(ORIGIN);
    let is_known = origin.is_some_and(|origin| own.is_some_and(|own| own.is(origin)) || cors.lists(origin));
    is_known || headers.get("sec-fetch-site").is_some_and(|site| site == SAME_ORIGIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::{HeaderName, HeaderValue};

    const COOKIE: (&str, &str) = ("cookie", "__Host-session=abc");

    fn passes(method: Method, head: &[(&'static str, &'static str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in head {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let (own, cors) =
            ("https://sync.example".parse().unwrap(), Cors::new(&["https://app.example".into()]));
        let checked = check(&method, &headers, SessionCookie::default(), Some(&own), &cors.unwrap())
            .map_err(|p| p.code());
        assert!(matches!(checked, Ok(()) | Err(Code::OriginNotAllowed)));
        checked.is_ok()
    }

    #[test]
    fn a_cookie_acts_for_pages_of_ours_alone() {
        for (head, expected) in [
            (("origin", "https://sync.example"), true),
            (("origin", "https://app.example"), true),
            (("sec-fetch-site", "same-origin"), true),
            (("sec-fetch-site", "same-site"), false),
            (("sec-fetch-site", "cross-site"), false),
            (("sec-fetch-site", "none"), false),
            (("origin", "https://evil.example"), false),
            (("origin", "https://sync.example.evil"), false),
            (("origin", "http://sync.example"), false),
            (("origin", "https://sync.example:444"), false),
            (("origin", "HTTPS://SYNC.EXAMPLE"), false),
            (("origin", "null"), false),
            (("origin", ""), false),
            (("referer", "https://sync.example/page"), false),
            (("authorization", "Bearer abc"), false),
        ] {
            for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS] {
                assert_eq!(passes(method.clone(), &[COOKIE, head]), expected, "{method} {head:?}");
                assert!(passes(method.clone(), &[head]), "{method} {head:?}");
            }
            let upgrade = ("upgrade", "websocket");
            assert_eq!(passes(Method::GET, &[COOKIE, upgrade, head]), expected, "WebSocket {head:?}");
            assert!(passes(Method::GET, &[COOKIE, head]) && passes(Method::HEAD, &[COOKIE, head]));
        }
    }

    #[test]
    fn a_cookie_that_cannot_be_one_does_not_go_around_the_check() {
        for cookie in ["__Host-session=", "a=b;__Host-session=x; __Host-session=y", "__Host-session=\"x\""] {
            assert!(!passes(Method::POST, &[("cookie", cookie)]), "{cookie}");
        }
        assert!(passes(Method::POST, &[("cookie", "theme=dark; session=abc")]));
    }

    #[test]
    fn everyone_who_may_call_may_not_use_cookies() {
        let mut headers = HeaderMap::new();
        headers.insert("cookie", HeaderValue::from_static("__Host-session=abc"));
        headers.insert(ORIGIN, HeaderValue::from_static("https://app.example"));
        let any = Cors::new(&["*".into()]).unwrap();
        assert!(check(&Method::POST, &headers, SessionCookie::default(), None, &any).is_err());
    }
}
