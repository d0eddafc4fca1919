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

/// 40 bodies from one address kept 191 of 197 pushes of another out.
#[tokio::test]
async fn one_address_cannot_take_the_memory_of_the_others() {
    let gate = Gate::new(GateLimits { body_bytes_max: 8, bodies_bytes_max: 64, ..GateLimits::default() });
    let send = |ip: &str| {
        let client = ClientAddress::from(ip.parse::<std::net::IpAddr>().unwrap());
        request("POST", &[JSON]).extension(client).body(full("12345678")).unwrap()
    };
    let mut held = Vec::new();
    for ip in ["2001:db8::1", "2001:db8::2"] {
        held.push(gate.admit(send(ip)).await.unwrap());
    }
    assert_eq!(code_of(&gate, send("2001:db8::3")).await, "overloaded");
    for ip in ["2001:db8:0:1::1", "192.0.2.1", "192.0.2.1", "192.0.2.2", "127.0.0.1", "127.0.0.1"] {
        held.push(gate.admit(send(ip)).await.unwrap());
    }
    assert_eq!(code_of(&gate, send("192.0.2.3")).await, "overloaded", "the memory is what it is");
    held.remove(0);
    assert_eq!(code_of(&gate, send("2001:db8::3")).await, "admitted");
}

#[tokio::test]
async fn the_body_of_a_get_is_neither_read_nor_kept() {
    let gate = small();
    for method in ["GET", "HEAD"] {
        let endless = StreamBody::new(futures_util::stream::pending::<Result<Frame<Bytes>, Infallible>>());
        let admitted = gate.admit(request(method, &[JSON]).body(endless).unwrap()).await.unwrap();
        assert_eq!(admitted.request.into_body().collect().await.unwrap().to_bytes(), "", "{method}");
        let long = request(method, &[JSON]).body(full("123456789")).unwrap();
        assert_eq!(code_of(&gate, long).await, "admitted", "{method}");
    }
    let _rest = gate.admit(request("POST", &[JSON]).body(full("12345678")).unwrap()).await.unwrap();
}

#[tokio::test]
async fn a_delete_has_a_small_body() {
    let (gate, long) = (Gate::default(), " ".repeat(DELETE_BYTES_MAX + 1));
    for (method, n_bytes, expected) in [
        ("DELETE", DELETE_BYTES_MAX, "admitted"),
        ("DELETE", DELETE_BYTES_MAX + 1, "body_too_large"),
        ("POST", DELETE_BYTES_MAX + 1, "admitted"),
    ] {
        let body = Full::new(Bytes::copy_from_slice(&long.as_bytes()[..n_bytes]));
        assert_eq!(code_of(&gate, request(method, &[JSON]).body(body).unwrap()).await, expected, "{method}");
    }
}

/// The memory was counted by what had arrived, while the buffer had twice that.
#[tokio::test]
async fn all_the_memory_of_a_body_is_counted() {
    let limits = GateLimits { body_bytes_max: 1 << 20, bodies_bytes_max: 1 << 20, ..GateLimits::default() };
    let gate = Gate::new(limits);
    let chunk: &'static str = Box::leak("x".repeat(5_000).into_boxed_str());
    let sent = || request("POST", &[JSON]).body(chunks(vec![chunk; 3])).unwrap();
    let admitted = gate.admit(sent()).await.unwrap();
    let mut rest = gate.budget.hold(None);
    assert!(!rest.take((1 << 20) - 15_000), "the room that is empty is counted, too");
    assert!(rest.take((1 << 20) - 20_000));
    assert_eq!(code_of(&gate, sent()).await, "overloaded");
    drop((rest, admitted));
    assert!(gate.budget.hold(None).take(1 << 20), "all is given back");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stalls_is_given_up() {
    let stalled = StreamBody::new(futures_util::stream::pending::<Result<Frame<Bytes>, Infallible>>());
    let request = request("POST", &[JSON]).body(stalled).unwrap();
    assert_eq!(code_of(&small(), request).await, "request_timeout");
}
