//! The transport against a server that says what it is told to say, down to the byte.

use std::sync::{Arc, Mutex};

use futures_util::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::clock::{ManualClock, Timestamp};
use crate::protocol::{ClientBatch, ResyncReason};
use crate::types::{ClientId, Collection, CursorToken, MutationNumber};

/// Answers every request with the same bytes and then closes; keeps what it was asked.
struct Scripted {
    base: String,
    asked: Arc<Mutex<String>>,
}

async fn server(answer: impl Into<Vec<u8>>) -> Scripted {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let (answer, asked) = (answer.into(), Arc::new(Mutex::new(String::new())));
    let heard = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut request = vec![0; 64 << 10];
            let n = socket.read(&mut request).await.unwrap_or(0);
            *heard.lock().unwrap() = String::from_utf8_lossy(&request[..n]).into_owned();
            let _ = socket.write_all(&answer).await;
            let _ = socket.shutdown().await;
        }
    });
    Scripted { base, asked }
}

fn http(status: &str, content_type: &str, body: &str) -> String {
    let n = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {n}\r\nconnection: close\r\n\r\n{body}"
    )
}

fn problem(status: &str, body: &str) -> String {
    http(status, "application/problem+json", body)
}

fn space() -> SpaceId {
    SpaceId::new("family").unwrap()
}

fn batch() -> PushRequest {
    let client = ClientId::new("replica-1").unwrap();
    let batch = Some(ClientBatch { client, first: MutationNumber::FIRST });
    PushRequest { batch, mutations: vec![], after: None, receipt: None }
}

async fn push(answer: impl Into<Vec<u8>>) -> Result<PushReply> {
    let server = server(answer).await;
    let transport = HttpTransport::new(&server.base, Some("secret")).unwrap();
    transport.push(&space(), &batch()).await
}

async fn snapshot(answer: impl Into<Vec<u8>>) -> Vec<Result<SnapshotItem>> {
    let server = server(answer).await;
    let transport = HttpTransport::new(&server.base, None).unwrap();
    transport.snapshot(&space(), &SnapshotRequest::default()).collect().await
}

#[tokio::test]
async fn requests_have_their_routes_and_carry_the_token() {
    let body = r#"{"changes":[],"cursor":"c","has_more":false,"head":5}"#;
    let server = server(http("200 OK", "application/json; charset=utf-8", body)).await;
    let transport = HttpTransport::new(&format!("{}/sync/", server.base), Some("secret")).unwrap();
    let names = vec![Collection::new("a").unwrap(), Collection::system(Collection::CONFLICTS)];
    let pull = PullRequest {
        after: Some(CursorToken::new("x+/=")),
        collections: Some(names.clone()),
        limit: Some(7),
        wait: Some(Duration::from_secs(3)),
        receipt: Some(CursorToken::new("r")),
    };
    let PullReply::Page(page) = transport.pull(&space(), &pull).await.unwrap() else { panic!("no page") };
    assert_eq!(page.head.get(), 5);
    let asked = server.asked.lock().unwrap().clone();
    assert!(asked.starts_with(
        "GET /sync/v1/spaces/family/changes?after=x%2B%2F%3D&collections=a,%24conflicts&limit=7&wait=3&receipt=r HTTP/1.1"
    ));
    assert!(asked.to_lowercase().contains("authorization: bearer secret"));
    assert!(!format!("{transport:?}").contains("secret"), "a token does not belong in logs");

    let request = SnapshotRequest { collections: Some(names), from: Some(SnapshotToken::new("x.y")) };
    transport.snapshot(&space(), &request).collect::<Vec<_>>().await;
    let asked = server.asked.lock().unwrap().clone();
    assert!(
        asked.starts_with(
            "GET /sync/v1/spaces/family/snapshot?collections=a,%24conflicts&resume=x.y HTTP/1.1"
        )
    );
}

#[tokio::test]
async fn decisions_of_the_server_are_values() {
    let done = http("200 OK", "application/json", r#"{"outcomes":[],"head":5}"#);
    assert!(matches!(push(done).await, Ok(PushReply::Done(_))));
    let forked = problem("409 Conflict", r#"{"code":"client_forked","status":409}"#);
    assert_eq!(push(forked).await.unwrap(), PushReply::ClientForked);
    let gap = problem("409 Conflict", r#"{"code":"mutation_gap","expected":7}"#);
    let expected = MutationNumber::new(7).unwrap();
    assert_eq!(push(gap).await.unwrap(), PushReply::MutationGap { expected });
    let epoch = "0123456789abcdef0123456789abcdef";
    let body =
        format!(r#"{{"code":"resync_required","reason":"history_diverged","epoch":"{epoch}","floor":3}}"#);
    let Ok(PushReply::ResyncRequired(resync)) = push(problem("410 Gone", &body)).await else {
        panic!("no resync")
    };
    assert_eq!((resync.reason, resync.epoch.to_string()), (ResyncReason::HistoryDiverged, epoch.to_owned()));
}

#[tokio::test]
async fn refusals_become_the_kind_that_says_what_to_do() {
    use ErrorKind as K;
    let cases = [
        ("400 Bad Request", "invalid_cursor", K::Invalid),
        ("401 Unauthorized", "token_expired", K::Unauthorized),
        ("403 Forbidden", "forbidden_client", K::Forbidden),
        ("404 Not Found", "space_not_found", K::NotFound),
        ("409 Conflict", "version_exhausted", K::Invalid),
        ("413 Content Too Large", "body_too_large", K::Invalid),
        ("422 Unprocessable Content", "validation_failed", K::Invalid),
        ("429 Too Many Requests", "rate_limited", K::Overloaded),
        ("503 Service Unavailable", "overloaded", K::Overloaded),
        ("500 Internal Server Error", "internal", K::Unavailable),
        ("507 Insufficient Storage", "storage_full", K::Unavailable),
    ];
    for (status, code, kind) in cases {
        let error =
            push(problem(status, &format!(r#"{{"code":"{code}","detail":"why"}}"#))).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{status}");
        assert!(error.to_string().contains(code));
    }
    let slow_down = "HTTP/1.1 429 Too Many Requests\r\ncontent-type: application/problem+json\r\nretry-after: 7\r\n\
                     content-length: 23\r\n\r\n{\"code\":\"rate_limited\"}";
    assert_eq!(push(slow_down).await.unwrap_err().retry_after(), Some(Duration::from_secs(7)));
}

#[tokio::test]
async fn what_no_sync_server_says_is_not_believed() {
    let portal = "<html>Please accept our terms</html>";
    let answers = [
        http("200 OK", "text/html", portal),
        http("200 OK", "application/json", portal),
        http("200 OK", "application/json", r#"{"outcomes":[]}"#),
        http("200 OK", "application/problem+json", r#"{"code":"client_forked"}"#),
        http("502 Bad Gateway", "text/html", portal),
        http("401 Unauthorized", "text/html", portal),
        http("409 Conflict", "application/json", r#"{"code":"client_forked"}"#),
        problem("410 Gone", r#"{"code":"resync_required"}"#),
        "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n".to_owned(),
        "HTTP/1.1 302 Found\r\nlocation: http://portal/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            .to_owned(),
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}".to_owned(),
        // Without a length, a body that was cut looks complete.
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n{\"outcomes\":["
            .to_owned(),
    ];
    for answer in answers {
        let error = push(answer.clone()).await.expect_err(&answer);
        assert_eq!(error.kind(), ErrorKind::Distrusted, "{answer}");
    }
}

#[tokio::test]
async fn what_breaks_on_the_way_can_be_tried_again() {
    let whole = http("200 OK", "application/json", r#"{"outcomes":[],"head":5}"#);
    for n in [0, 5, 40, whole.len() - 1] {
        let error = push(whole[..n].to_owned()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "cut after {n} bytes: {error:?}");
    }
    let closed = HttpTransport::new("http://127.0.0.1:9", None).unwrap();
    assert_eq!(closed.push(&space(), &batch()).await.unwrap_err().kind(), ErrorKind::Unavailable);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = format!("http://{}", listener.local_addr().unwrap());
    let silent = HttpTransport::new(&silent, None).unwrap().with_timeout(Duration::from_millis(50));
    assert_eq!(silent.push(&space(), &batch()).await.unwrap_err().kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn a_limit_on_the_way_says_to_send_less() {
    let error =
        push(http("413 Request Entity Too Large", "text/html", "<html>nginx</html>")).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Invalid, Some("body_too_large")));
}

#[tokio::test]
async fn a_snapshot_is_a_stream_of_lines_and_a_cut_one_has_no_end() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\nconnection: close\r\n\r\n";
    let lines = "{\"snapshot\":{\"cursor\":\"c\",\"n_records\":1}}\n{\"resume\":\"r\"}\n{\"end\":{\"cursor\":\"c\"}}\n";
    let items = snapshot(format!("{head}{lines}")).await;
    assert!(items.len() == 3 && matches!(items[2], Ok(SnapshotItem::End { .. })));
    let items = snapshot(format!("{head}{}", &lines[..lines.len() - 5])).await;
    assert!(items.len() == 2 && items.iter().all(Result::is_ok));
    let items = snapshot(format!("{head}<html>")).await;
    assert!(items.is_empty());
    let items = snapshot(format!("{head}<html>\n")).await;
    assert_eq!(items[0].as_ref().unwrap_err().kind(), ErrorKind::Distrusted);
    let items = snapshot(http("200 OK", "application/json", "{}")).await;
    assert_eq!(items[0].as_ref().unwrap_err().kind(), ErrorKind::Distrusted);
    let items = snapshot(problem("400 Bad Request", r#"{"code":"invalid_cursor"}"#)).await;
    assert_eq!(items[0].as_ref().unwrap_err().code(), Some("invalid_cursor"));
}

#[tokio::test]
async fn what_signing_in_yields_is_enough_for_the_next_start() {
    let body = r#"{"access_token":"secret","expires_in":3600,"space":"family","token_type":"Bearer",
                   "user":{"id":"53d1","username":"Ada"}}"#;
    let server = server(http("200 OK", "application/json", body)).await;
    let clock = Arc::new(ManualClock::at(Timestamp::from_micros(5).unwrap()));
    let transport = HttpTransport::new(&format!("{}/", server.base), None).unwrap().with_clock(clock);
    let session = transport.login("ada", "correct horse").await.unwrap();
    assert_eq!(
        (session.server.as_str(), session.username.as_str(), session.expires_at.as_micros()),
        (server.base.as_str(), "Ada", 3_600_000_005)
    );
    assert!(!format!("{session:?}").contains("secret"), "a token does not belong in logs");

    let kept = serde_json::to_string(&session).unwrap();
    let session: Session = serde_json::from_str(&kept).unwrap();
    let transport = HttpTransport::from_session(&session).unwrap();
    let _ = transport.push(&session.space, &batch()).await;
    assert!(server.asked.lock().unwrap().to_lowercase().contains("authorization: bearer secret"));
}

#[tokio::test]
async fn a_refusal_is_told_in_the_words_of_the_server_with_status_and_code_beside_them() {
    let body = r#"{"code":"invalid_credentials","detail":"the name or the password is wrong","status":401}"#;
    let error = push(problem("401 Unauthorized", body)).await.unwrap_err();
    assert_eq!((error.status(), error.code()), (Some(401), Some("invalid_credentials")));
    assert_eq!(error.to_string(), "the name or the password is wrong (invalid_credentials)");
    let unknown =
        push(problem("422 Unprocessable Content", r#"{"code":"from_the_future"}"#)).await.unwrap_err();
    assert_eq!((unknown.status(), unknown.code()), (Some(422), None));
    assert_eq!(unknown.to_string(), "the server refuses this (from_the_future)");
}

#[tokio::test]
async fn who_cannot_be_reached_is_named_with_the_cause() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = HttpTransport::new(&base, None).unwrap().push(&space(), &batch()).await.unwrap_err();
    assert_eq!(error.to_string(), format!("cannot reach the server at {base}: connection refused"));
    let nobody = HttpTransport::new("http://nobody.invalid", None).unwrap();
    let items: Vec<_> = nobody.snapshot(&space(), &SnapshotRequest::default()).collect().await;
    assert!(
        items[0]
            .as_ref()
            .unwrap_err()
            .to_string()
            .starts_with("cannot reach the server at http://nobody.invalid: ")
    );
}
