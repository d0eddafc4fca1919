//! What a handshake comes to.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::io::AsyncWriteExt;

use super::super::{Lines, NOT_HERE_FOR};
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
        "SSH-2.0-OpenSSH_9.2\r\n".into(),
        String::new(),
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
    let (first, is_here) = answered(&http("502 Bad Gateway", "text/html", "<html>")).await;
    assert_eq!((first.unwrap().unwrap_err().kind(), is_here), (K::Distrusted, true));
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
    lines.are_not_here();
    let follow = || lines.follow(&transport, &space("family"), &Subscribe::default()).is_some();
    assert!(!follow());
    tokio::time::sleep(NOT_HERE_FOR - Duration::from_secs(1)).await;
    assert!(!follow());
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(follow());
}

#[tokio::test]
async fn a_line_that_breaks_before_the_first_word_is_no_way_and_one_that_breaks_after_it_is() {
    for is_ready in [false, true] {
        let (base, count) = server(move |_, mut socket| async move {
            if is_ready {
                drop(opened(socket).await);
            } else {
                let (_, answer) = accepted(&mut socket).await;
                let _ = socket.write_all(answer.as_bytes()).await;
            }
        })
        .await;
        let transport = HttpTransport::new(&base, None).unwrap();
        let live = || transport.live(&space("family"), &Subscribe::default());
        let first = live().unwrap().next().await;
        assert_eq!(first.is_some(), is_ready, "{first:?}");
        assert_eq!(live().is_some(), is_ready);
        assert!(count.load(Ordering::SeqCst) <= 2);
    }
}
