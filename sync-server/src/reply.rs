//! What every answer carries, refusal or success.

use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY, SERVER,
    X_CONTENT_TYPE_OPTIONS,
};

/// The answer type of every route: warp's response, whose body may be bytes or a stream.
pub type Response = warp::reply::Response;

/// Which pages may show an answer as a picture or a script of theirs, whether or not they may read it.
pub(crate) const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// What a browser may load for an answer, should it be shown as a page: nothing, and nobody may frame it.
const NOTHING: &str = "default-src 'none'; frame-ancestors 'none'";

/// What every answer carries unless its route decided otherwise.
const DEFAULTS: [(HeaderName, &str); 4] = [
    (CACHE_CONTROL, "no-store"),
    (CONTENT_SECURITY_POLICY, NOTHING),
    (REFERRER_POLICY, "no-referrer"),
    (RESOURCE_POLICY, "same-origin"),
];

/// Puts the common headers on an answer.
///
/// `nosniff` always. Unless the route decided otherwise: not to be stored, not to be loaded by pages of others, and as a page it
/// loads nothing, is framed by nobody, and tells no other site of its address. A charset for text that has none (JSON is
/// UTF-8 by definition and takes none); never a `Server` banner.
pub fn finish(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    for (name, value) in DEFAULTS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    headers.remove(SERVER);
    if let Some(typed) = headers.get(CONTENT_TYPE).and_then(with_charset) {
        headers.insert(CONTENT_TYPE, typed);
    }
    response
}

fn with_charset(content_type: &HeaderValue) -> Option<HeaderValue> {
    let text = content_type.to_str().ok()?;
    let lower = text.to_ascii_lowercase();
    if !lower.starts_with("text/") || lower.contains("charset") {
        return None;
    }
    HeaderValue::try_from(format!("{text}; charset=utf-8")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(name: &'static str, value: &'static str) -> Response {
        let mut response = Response::new("".into());
        response.headers_mut().insert(name, HeaderValue::from_static(value));
        finish(response)
    }

    #[test]
    fn every_answer_is_held_close() {
        let answer = finish(Response::new("".into()));
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("cache-control", "no-store"),
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.headers()[name], value);
        }
    }

    #[test]
    fn a_route_may_decide_about_caching_and_its_page() {
        for (name, value) in [
            ("cache-control", "max-age=60"),
            ("content-security-policy", "default-src 'none'; style-src 'self'"),
        ] {
            let answer = finished(name, value);
            let values: Vec<_> = answer.headers().get_all(name).iter().collect();
            assert_eq!(values, [value]);
        }
    }

    #[test]
    fn text_gets_a_charset_and_json_none() {
        for (given, expected) in [
            ("text/plain", "text/plain; charset=utf-8"),
            ("text/plain; charset=utf-8", "text/plain; charset=utf-8"),
            ("application/json", "application/json"),
        ] {
            assert_eq!(finished("content-type", given).headers()["content-type"], expected);
        }
    }

    #[test]
    fn the_server_does_not_introduce_itself() {
        assert!(!finished("server", "warp").headers().contains_key("server"));
    }
}
