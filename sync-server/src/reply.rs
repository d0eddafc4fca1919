//! What every answer carries, refusal or success.

use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, SERVER, X_CONTENT_TYPE_OPTIONS};

/// The answer type of every route: warp's response, whose body may be bytes or a stream.
pub type Response = warp::reply::Response;

/// Puts the common headers on an answer.
///
/// `nosniff` always; `no-store` unless the route decided on its own `Cache-Control`; a charset for text
/// that has none (JSON is UTF-8 by definition and takes none); never a `Server` banner.
pub fn finish(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
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
    fn every_answer_is_nosniff_and_no_store() {
        let answer = finish(Response::new("".into()));
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
        assert_eq!(answer.headers()["cache-control"], "no-store");
    }

    #[test]
    fn a_route_may_decide_about_caching() {
        assert_eq!(finished("cache-control", "max-age=60").headers()["cache-control"], "max-age=60");
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
