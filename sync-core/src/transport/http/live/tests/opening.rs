//! What a handshake comes to.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::io::AsyncWriteExt;

use super::super::ending::{self, Ending};
use super::super::{Lines, NOT_HERE_FOR, UNCLEAR_MAX};
use super::script::*;
use crate::error::{ErrorKind, Result};
use crate::protocol::Subscribe;
use crate::transport::{HttpTransport, LiveNews, Transport};

/// What is heard first, and whether there is such a way afterwards.
async fn answered(answer: &str) -> (Option<Result<LiveNews>>, bool) {
    let bytes = answer.to_owned();
    let (base, _) = server(move |_, mut socket| {
        let bytes = bytes.clone();
        async move {
            let _ = accepted(&mut socket).await;
            let _ = socket.write_all(bytes.as_bytes()).await;
            let _ = socket.shutdown().await;
        }
    })
    .await;
    let transport = HttpTransport::new(&base, Some("secret")).unwrap();
    let first = transport.live(&space("family"), &Subscribe::default()).unwrap().next().await;
    (first, transport.live(&space("family"), &Subscribe::default()).is_some())
}

fn http(status: &str, content_type: &str, body: &str) -> String {
    let n = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {n}\r\nconnection: close\r\n\r\n{body}"
    )
}

#[tokio::test]
async fn where_websockets_do_not_come_through_there_is_no_such_way_and_that_is_remembered() {
    let problem = "application/problem+json";
    let answers = [
        http("404 Not Found", problem, r#"{"code":"not_found"}"#),
        http("404 Not Found", "text/html", "<html>"),
        http("426 Upgrade Required", problem, r#"{"code":"upgrade_required"}"#),
        http("400 Bad Request", problem, r#"{"code":"invalid_encoding"}"#),
        http("400 Bad Request", "text/html", "<html>no hop-by-hop headers here"),
        http("403 Forbidden", "text/html", "<html>of the company's proxy"),
        http("405 Method Not Allowed", "text/plain", ""),
        http("501 Not Implemented", "text/plain", ""),
        http("200 OK", "text/html", "<html>Please accept our terms</html>"),
        http("200 OK", "application/json", "{}"),
        "HTTP/1.1 204 No Content\r\n\r\n".into(),
        "HTTP/1.1 302 Found\r\nlocation: http://portal/\r\ncontent-length: 0\r\n\r\n".into(),
        // An answer for someone else, as from a cache.
        "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n".into(),
        "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n".into(),
    ];
    for answer in answers {
        let (first, is_here) = answered(&answer).await;
        assert!(first.is_none() && !is_here, "{answer}: {first:?}");
    }
}

#[tokio::test]
async fn what_a_server_refuses_is_an_error_as_for_any_request() {
    use ErrorKind as K;
    let problem = "application/problem+json";
    for (status, code, kind) in [
        ("401 Unauthorized", "token_expired", K::Unauthorized),
        ("403 Forbidden", "forbidden_role", K::Forbidden),
        ("429 Too Many Requests", "rate_limited", K::Overloaded),
        ("503 Service Unavailable", "overloaded", K::Overloaded),
        ("500 Internal Server Error", "internal", K::Unavailable),
    ] {
        let (first, is_here) = answered(&http(status, problem, &format!(r#"{{"code":"{code}"}}"#))).await;
        assert_eq!(first.unwrap().unwrap_err().kind(), kind, "{status}");
        assert!(is_here, "{status} passes");
    }
    let closed = HttpTransport::new("http://127.0.0.1:9", None).unwrap();
    let first = closed.live(&space("family"), &Subscribe::default()).unwrap().next().await;
    assert_eq!(first.unwrap().unwrap_err().kind(), K::Unavailable);
}

#[tokio::test]
async fn a_handshake_has_its_route_and_carries_the_token_of_the_moment() {
    let (tell, mut told) = futures_channel::mpsc::unbounded();
    let (base, _) = server(move |_, mut socket| {
        let tell = tell.clone();
        async move {
            let (head, _) = accepted(&mut socket).await;
            let _ = tell.unbounded_send(head);
        }
    })
    .await;
    let transport = HttpTransport::new(&format!("{base}/sync"), Some("old")).unwrap();
    transport.set_token(Some("secret")).unwrap();
    let _live = transport.live(&space("family"), &Subscribe::default()).unwrap();
    let head = told.next().await.unwrap().to_lowercase();
    assert!(head.starts_with("get /sync/v1/live http/1.1\r\n"), "{head}");
    for line in [
        "authorization: bearer secret",
        "upgrade: websocket",
        "connection: upgrade",
        "sec-websocket-version: 13",
    ] {
        assert!(head.contains(&format!("\r\n{line}\r\n")), "{line} in {head}");
    }
}

#[tokio::test(start_paused = true)]
async fn that_there_is_no_such_way_is_forgotten_after_a_while() {
    let transport = HttpTransport::new("http://127.0.0.1:9", None).unwrap();
    let lines = Lines::default();
    lines.judged(Ending::NotHere);
    let follow = || lines.follow(&transport, &space("family"), &Subscribe::default()).is_some();
    assert!(!follow());
    tokio::time::sleep(NOT_HERE_FOR - Duration::from_secs(1)).await;
    assert!(!follow());
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(follow());
}

/// What was heard on one line after the other, until there was no such way or for so many lines.
async fn heard(base: &str, n_max: usize) -> Vec<ErrorKind> {
    let transport = HttpTransport::new(base, Some("secret")).unwrap();
    let mut kinds = Vec::new();
    while kinds.len() < n_max {
        let Some(mut live) = transport.live(&space("family"), &Subscribe::default()) else { return kinds };
        loop {
            match live.next().await {
                Some(Ok(_)) => {}
                Some(Err(error)) => break kinds.push(error.kind()),
                None => break,
            }
        }
    }
    kinds
}

#[tokio::test]
async fn trouble_that_a_server_may_have_for_a_moment_is_a_failure_and_no_way_when_it_comes_again_and_again() {
    use ErrorKind as K;
    for (answer, kind) in [
        (String::new(), K::Unavailable),
        ("SSH-2.0-OpenSSH_9.2\r\n".into(), K::Unavailable),
        (http("502 Bad Gateway", "text/html", "<html>"), K::Distrusted),
        (http("503 Service Unavailable", "text/plain", ""), K::Distrusted),
        (http("504 Gateway Timeout", "text/html", "<html>"), K::Distrusted),
        (http("429 Too Many Requests", "text/html", "<html>of the company's proxy"), K::Distrusted),
    ] {
        let bytes = answer.clone();
        let (base, _) = server(move |_, mut socket| {
            let bytes = bytes.clone();
            async move {
                let _ = accepted(&mut socket).await;
                let _ = socket.write_all(bytes.as_bytes()).await;
                let _ = socket.shutdown().await;
            }
        })
        .await;
        assert_eq!(heard(&base, 9).await, [kind; UNCLEAR_MAX as usize - 1], "{answer}");
    }
}

#[tokio::test]
async fn a_server_that_ends_before_the_first_word_is_tried_again_and_again_as_long_as_it_answers_in_between()
{
    let (base, count) = server(|number, mut socket| async move {
        match number % 3 {
            // It ends right after the handshake, or after it was ready.
            0 => {
                let (_, answer) = accepted(&mut socket).await;
                let _ = socket.write_all(answer.as_bytes()).await;
            }
            1 => drop(opened(socket).await),
            _ => {
                let mut end = opened(socket).await;
                let _ = end.hear().await;
                end.say(first_frame("family", "0")).await;
            }
        }
    })
    .await;
    assert_eq!(heard(&base, 12).await.len(), 12);
    assert_eq!(count.load(Ordering::SeqCst), 12);
}

#[tokio::test(start_paused = true)]
async fn a_proxy_that_agrees_and_swallows_what_comes_then_leads_to_held_requests_within_a_minute() {
    for is_ready in [false, true] {
        let (base, _) = server(move |_, mut socket| async move {
            if is_ready {
                // What the server says comes through, and nothing of what it is told.
                let _end = opened(socket).await;
                return std::future::pending().await;
            }
            let (_, answer) = accepted(&mut socket).await;
            let _ = socket.write_all(answer.as_bytes()).await;
            std::future::pending().await
        })
        .await;
        let began = tokio::time::Instant::now();
        assert_eq!(heard(&base, 9).await, [ErrorKind::Unavailable; 2]);
        let took = began.elapsed();
        assert!((Duration::from_secs(30)..Duration::from_secs(60)).contains(&took), "{took:?}");
    }
}

#[test]
fn once_there_was_no_way_one_unclear_end_is_enough_until_somebody_was_understood() {
    let (lines, unclear) = (Lines::default(), || Ending::Unclear(ending::cut()));
    let judged = |ending| matches!(lines.judged(ending), Ending::NotHere);
    assert_eq!([judged(unclear()), judged(unclear()), judged(unclear())], [false, false, true]);
    assert!(judged(unclear()));
    assert!(!judged(Ending::Failed(ending::cut())));
    assert_eq!([judged(unclear()), judged(unclear()), judged(unclear())], [false, false, true]);
}
