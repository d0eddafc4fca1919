//! The gate without sockets: one table for heads, and bodies made of frames.

use super::head::{HEADERS_BYTES_MAX, URI_BYTES_MAX};
use super::*;
use http_body_util::{BodyExt, Empty, StreamBody};
use hyper::body::Frame;
use hyper::http::request::Builder;
use std::convert::Infallible;

type Headers<'h> = &'h [(&'h str, &'h str)];

const JSON: (&str, &str) = ("content-type", "application/json");

fn request(method: &str, headers: Headers<'_>) -> Builder {
    let start = Request::builder().method(method).uri("/v1/x").header("host", "localhost");
    headers.iter().fold(start, |builder, (name, value)| builder.header(*name, *value))
}

fn small() -> Gate {
    Gate::new(GateLimits { body_bytes_max: 8, bodies_bytes_max: 20, ..GateLimits::default() })
}

async fn code_of<B: Body<Data = Bytes> + Unpin>(gate: &Gate, request: Request<B>) -> &'static str {
    match gate.admit(request).await {
        Ok(_) => "admitted",
        Err(problem) => problem.code().as_str(),
    }
}

fn full(bytes: &'static str) -> Full<Bytes> {
    Full::new(Bytes::from_static(bytes.as_bytes()))
}

fn chunks(chunks: Vec<&'static str>) -> impl Body<Data = Bytes, Error = Infallible> + Unpin {
    let frames = chunks.into_iter().map(|chunk| Ok(Frame::data(Bytes::from_static(chunk.as_bytes()))));
    StreamBody::new(futures_util::stream::iter(frames.collect::<Vec<_>>()))
}

#[tokio::test]
async fn heads_get_the_documented_answer() {
    let rows: &[(&str, Headers<'_>, &str)] = &[
        ("GET", &[], "admitted"),
        ("POST", &[JSON], "admitted"),
        ("POST", &[("content-type", "Application/JSON; charset=\"UTF-8\"")], "admitted"),
        ("POST", &[], "unsupported_media_type"),
        ("POST", &[("content-type", "text/plain")], "unsupported_media_type"),
        ("POST", &[("content-type", "multipart/form-data; boundary=x")], "unsupported_media_type"),
        ("POST", &[("content-type", "application/json; charset=latin1")], "unsupported_media_type"),
        ("POST", &[("content-type", "application/jsonp")], "unsupported_media_type"),
        ("POST", &[JSON, JSON], "duplicate_header"),
        ("POST", &[JSON, ("content-encoding", "gzip")], "unsupported_media_type"),
        ("POST", &[JSON, ("content-encoding", "identity")], "admitted"),
        ("GET", &[("authorization", "Bearer a"), ("authorization", "Bearer b")], "duplicate_header"),
        ("GET", &[("host", "other")], "duplicate_header"),
    ];
    for (method, headers, expected) in rows {
        let body = if *method == "POST" { full("{}") } else { full("") };
        let request = request(method, headers).body(body).unwrap();
        assert_eq!(code_of(&small(), request).await, *expected, "{method} {headers:?}");
    }
}

#[tokio::test]
async fn a_host_is_required_and_must_look_like_one() {
    for (host, expected) in [
        (None, "invalid_host"),
        (Some(""), "invalid_host"),
        (Some("a/b"), "invalid_host"),
        (Some("user@host"), "invalid_host"),
        (Some("[::1]:8080"), "admitted"),
    ] {
        let mut builder = Request::builder().uri("/");
        if let Some(host) = host {
            builder = builder.header("host", host);
        }
        let request = builder.body(Empty::<Bytes>::new()).unwrap();
        assert_eq!(code_of(&small(), request).await, expected, "{host:?}");
    }
}

#[tokio::test]
async fn http_1_0_needs_no_host() {
    let request = Request::builder().version(hyper::Version::HTTP_10).body(Empty::<Bytes>::new()).unwrap();
    assert_eq!(code_of(&small(), request).await, "admitted");
}

#[tokio::test]
async fn long_addresses_and_heads_are_refused() {
    let uri = format!("/{}", "a".repeat(URI_BYTES_MAX));
    let long = request("GET", &[]).uri(uri).body(Empty::<Bytes>::new()).unwrap();
    assert_eq!(code_of(&small(), long).await, "uri_too_long");
    let value = "a".repeat(HEADERS_BYTES_MAX);
    let wide = request("GET", &[("x-wide", &value)]).body(Empty::<Bytes>::new()).unwrap();
    assert_eq!(code_of(&small(), wide).await, "headers_too_large");
}

#[tokio::test]
async fn a_body_is_handed_on_whole() {
    let request = request("POST", &[JSON]).body(chunks(vec!["{\"a\"", ":1}"])).unwrap();
    let admitted = small().admit(request).await.unwrap();
    assert_eq!(admitted.request.into_body().collect().await.unwrap().to_bytes(), "{\"a\":1}");
}

#[tokio::test]
async fn bytes_are_counted_not_announced() {
    for (body, expected) in [(vec!["12345678"], "admitted"), (vec!["1234", "56789"], "body_too_large")] {
        let request = request("POST", &[JSON]).body(chunks(body)).unwrap();
        assert_eq!(code_of(&small(), request).await, expected);
    }
}

#[tokio::test]
async fn an_announced_length_is_refused_unread() {
    let request = request("POST", &[JSON]).body(full("123456789")).unwrap();
    let problem = small().admit(request).await.unwrap_err();
    assert_eq!(problem, problem.clone().limit(8));
    assert_eq!(problem.into_response().headers()["connection"], "close");
}

#[tokio::test]
async fn bodies_share_one_budget_and_give_it_back() {
    let gate = small();
    let send = || request("POST", &[JSON]).body(full("12345678")).unwrap();
    let first = gate.admit(send()).await.unwrap();
    let _second = gate.admit(send()).await.unwrap();
    assert_eq!(code_of(&gate, send()).await, "overloaded");
    drop(first);
    assert_eq!(code_of(&gate, send()).await, "admitted");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stalls_is_given_up() {
    let stalled = StreamBody::new(futures_util::stream::pending::<Result<Frame<Bytes>, Infallible>>());
    let request = request("POST", &[JSON]).body(stalled).unwrap();
    assert_eq!(code_of(&small(), request).await, "request_timeout");
}
