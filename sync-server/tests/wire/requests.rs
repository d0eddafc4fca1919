//! One request, one answer: the transport rows.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use sync_server::gate::GateLimits;
use sync_server::listen::ListenLimits;

use crate::world::World;

const CLOSE: &str = "Host: h\r\nConnection: close\r\n";
const JSON: &str = "Content-Type: application/json\r\n";

fn assert_answer(answer: &str, status: &str, code: &str) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{status}: {answer}");
    assert!(answer.contains(&format!(r#""code":"{code}""#)), "{code}: {answer}");
    assert!(answer.contains("content-type: application/problem+json"), "{answer}");
    assert!(answer.contains("x-content-type-options: nosniff") && answer.contains("cache-control: no-store"));
    assert!(!answer.contains("100 Continue"), "{answer}");
}

#[tokio::test]
async fn warp_routes_answer_through_the_edge() {
    let world = World::new().await;
    let peer = world.ask(format!("GET /peer HTTP/1.1\r\n{CLOSE}\r\n")).await;
    assert!(peer.starts_with("HTTP/1.1 200 ") && peer.ends_with("\r\n\r\n127.0.0.1"), "{peer}");
    assert!(peer.contains("x-content-type-options: nosniff") && peer.contains("cache-control: no-store"));
    assert!(!peer.to_lowercase().contains("\r\nserver:"));
    let echo = format!("POST /echo HTTP/1.1\r\n{CLOSE}{JSON}Content-Length: 7\r\n\r\n{{\"a\":1}}");
    assert!(world.ask(echo).await.ends_with("\r\n\r\n{\"a\":1}"));
}

#[tokio::test]
async fn a_route_learns_the_client_from_a_trusted_proxy_alone() {
    let request = format!("GET /client HTTP/1.1\r\n{CLOSE}X-Forwarded-For: 1.1.1.1, 2001:db8::7\r\n\r\n");
    for (world, client) in [(World::new().await, "127.0.0.1"), (World::behind_a_proxy().await, "2001:db8::7")]
    {
        let answer = world.ask(&request).await;
        assert!(answer.ends_with(&format!("\r\n\r\n{client}")), "{answer}");
    }
}

#[tokio::test]
async fn what_hyper_refuses_is_refused_with_an_empty_body() {
    let world = World::new().await;
    let rows = [
        ("garbage\r\n\r\n".to_owned(), "400"),
        ("GET /peer\r\n\r\n".to_owned(), "400"),
        (format!("GET /peer HTTP/1.1\r\n{CLOSE}X-A: a\0b\r\n\r\n"), "400"),
        (format!("GET /peer HTTP/1.1\r\n{CLOSE}X-A: a\r\n b\r\n\r\n"), "400"),
        (
            format!("POST /echo HTTP/1.1\r\n{CLOSE}{JSON}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
            "400",
        ),
        (format!("GET /peer HTTP/1.1\r\n{CLOSE}{}\r\n", "X-A: a\r\n".repeat(101)), "431"),
        (format!("GET /peer HTTP/1.1\r\n{CLOSE}X-A: {}\r\n\r\n", "a".repeat(200_000)), "431"),
        (format!("GET /{} HTTP/1.1\r\n{CLOSE}\r\n", "a".repeat(70_000)), "414"),
    ];
    for (request, status) in rows {
        let start: String = request.chars().take(60).collect();
        let mut client = world.connect().await;
        client.try_send(&request).await;
        let answer = client.until_closed().await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{start:?}: {answer}");
    }
    assert_eq!(world.served.load(SeqCst), 0);
}

#[tokio::test]
async fn http_2_by_prior_knowledge_is_hung_up_on() {
    let world = World::new().await;
    assert_eq!(world.ask("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await, "");
}

#[tokio::test]
async fn what_the_gate_refuses_is_a_problem() {
    let world = World::new().await;
    let rows = [
        (
            format!("GET /peer HTTP/1.1\r\n{CLOSE}X-A: {}\r\n\r\n", "a".repeat(66_000)),
            "431",
            "headers_too_large",
        ),
        (format!("GET /{} HTTP/1.1\r\n{CLOSE}\r\n", "a".repeat(9000)), "414", "uri_too_long"),
        ("GET /peer HTTP/1.1\r\nConnection: close\r\n\r\n".to_owned(), "400", "invalid_host"),
        (format!("GET /peer HTTP/1.1\r\n{CLOSE}Host: other\r\n\r\n"), "400", "duplicate_header"),
        (
            format!(
                "GET /peer HTTP/1.1\r\n{CLOSE}Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n"
            ),
            "400",
            "duplicate_header",
        ),
        (format!("TRACE /peer HTTP/1.1\r\n{CLOSE}\r\n"), "405", "method_not_allowed"),
        (format!("FOO /peer HTTP/1.1\r\n{CLOSE}\r\n"), "405", "method_not_allowed"),
        (format!("OPTIONS /peer HTTP/1.1\r\n{CLOSE}\r\n"), "405", "method_not_allowed"),
        (format!("POST /peer HTTP/1.1\r\n{CLOSE}\r\n"), "405", "method_not_allowed"),
        (format!("GET /nowhere HTTP/1.1\r\n{CLOSE}\r\n"), "404", "not_found"),
        (format!("GET /peer/ HTTP/1.1\r\n{CLOSE}\r\n"), "404", "not_found"),
        (format!("GET /PEER HTTP/1.1\r\n{CLOSE}\r\n"), "404", "not_found"),
        (format!("GET //peer HTTP/1.1\r\n{CLOSE}\r\n"), "404", "not_found"),
        (
            format!("POST /echo HTTP/1.1\r\n{CLOSE}Content-Length: 2\r\n\r\n{{}}"),
            "415",
            "unsupported_media_type",
        ),
        (
            format!(
                "POST /echo HTTP/1.1\r\n{CLOSE}{JSON}Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{{}}"
            ),
            "415",
            "unsupported_media_type",
        ),
        (format!("GET /panic HTTP/1.1\r\n{CLOSE}\r\n"), "500", "internal"),
    ];
    for (request, status, code) in rows {
        assert_answer(&world.ask(request).await, status, code);
    }
}

#[tokio::test]
async fn an_announced_body_over_the_limit_is_refused_at_once() {
    let world = World::new().await;
    for expect in ["", "Expect: 100-continue\r\n"] {
        let head =
            format!("POST /echo HTTP/1.1\r\nHost: h\r\n{JSON}{expect}Content-Length: 10000000000\r\n\r\n");
        let answer = world.ask(head).await;
        assert_answer(&answer, "413", "body_too_large");
        assert!(answer.contains(r#""limit":10485760"#) && answer.contains("connection: close"), "{answer}");
    }
}

#[tokio::test]
async fn an_endless_chunked_body_is_refused_at_the_cap_and_the_answer_arrives() {
    let gate = GateLimits { body_bytes_max: 100_000, ..GateLimits::default() };
    let world = World::with(gate, ListenLimits::default()).await;
    let mut client = world.connect().await;
    client.send(format!("POST /echo HTTP/1.1\r\nHost: h\r\n{JSON}Transfer-Encoding: chunked\r\n\r\n")).await;
    let chunk = format!("10000\r\n{}\r\n", "a".repeat(0x10000));
    for _ in 0..100 {
        assert!(client.try_send(&chunk).await, "a client that writes before it reads is not cut off");
    }
    assert_answer(&client.until("}").await, "413", "body_too_large");
    assert_eq!(world.served.load(SeqCst), 0);
}

#[tokio::test]
async fn a_slow_body_times_out() {
    let gate = GateLimits { body_deadline: Duration::from_millis(100), ..GateLimits::default() };
    let world = World::with(gate, ListenLimits::default()).await;
    let head = format!("POST /echo HTTP/1.1\r\nHost: h\r\n{JSON}Content-Length: 9\r\n\r\n{{");
    let answer = world.ask(head).await;
    assert_answer(&answer, "408", "request_timeout");
    assert!(answer.contains("connection: close"), "{answer}");
}

#[tokio::test]
async fn a_request_with_two_lengths_is_the_last_on_its_connection() {
    let world = World::new().await;
    for (first, second) in [
        ("Content-Length: 3", "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: chunked", "Content-Length: 3"),
    ] {
        let before = world.served.load(SeqCst);
        let smuggled = "GET /peer HTTP/1.1\r\nHost: h\r\n\r\n";
        let request = format!(
            "POST /echo HTTP/1.1\r\nHost: h\r\n{JSON}{first}\r\n{second}\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n{smuggled}"
        );
        let answer = world.ask(request).await;
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
        assert_eq!(world.served.load(SeqCst), before + 1);
    }
}

#[tokio::test]
async fn a_preflight_is_answered_for_the_configured_origin_only() {
    let world = World::new().await;
    let preflight = |origin: &str| {
        format!(
            "OPTIONS /echo HTTP/1.1\r\n{CLOSE}Origin: {origin}\r\nAccess-Control-Request-Method: POST\r\n\r\n"
        )
    };
    let ours = world.ask(preflight("https://app.example")).await;
    assert!(ours.starts_with("HTTP/1.1 204 "), "{ours}");
    assert!(ours.contains("access-control-allow-origin: https://app.example"), "{ours}");
    let foreign = world.ask(preflight("https://evil.example")).await;
    assert_answer(&foreign, "405", "method_not_allowed");
    assert!(!foreign.contains("access-control-allow"), "{foreign}");
}

#[tokio::test]
async fn a_refusal_is_readable_for_the_configured_origin() {
    let world = World::new().await;
    let answer =
        world.ask(format!("GET /nowhere HTTP/1.1\r\n{CLOSE}Origin: https://app.example\r\n\r\n")).await;
    assert!(answer.contains("access-control-allow-origin: https://app.example"), "{answer}");
}

#[tokio::test]
async fn a_cookie_changes_nothing_for_pages_of_others() {
    let world = World::new().await;
    let ask = |origin: &str| {
        let cookie = "Cookie: __Host-session=abc\r\n";
        format!("POST /echo HTTP/1.1\r\n{CLOSE}{JSON}{cookie}{origin}Content-Length: 2\r\n\r\n{{}}")
    };
    for origin in
        ["", "Origin: https://evil.example\r\n", "Origin: null\r\n", "Sec-Fetch-Site: cross-site\r\n"]
    {
        assert_answer(&world.ask(ask(origin)).await, "403", "origin_not_allowed");
    }
    assert_eq!(world.served.load(SeqCst), 0);
    for origin in ["Origin: https://app.example\r\n", "Sec-Fetch-Site: same-origin\r\n"] {
        assert!(world.ask(ask(origin)).await.starts_with("HTTP/1.1 200 "), "{origin}");
    }
}
