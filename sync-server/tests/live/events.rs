//! The same frames for who asks without a WebSocket.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::world::{PATIENCE, User, World};

/// A stream of events, as a browser reads it.
struct Events {
    stream: TcpStream,
    text: String,
}

impl Events {
    async fn open(world: &World, user: &User, query: &str, head: &str) -> Self {
        let mut stream = TcpStream::connect(world.address).await.unwrap();
        let request = format!(
            "GET /v1/live?{query} HTTP/1.1\r\nHost: h\r\nAccept: text/event-stream\r\nAuthorization: Bearer {}\r\n{head}\r\n",
            user.token
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut events = Self { stream, text: String::new() };
        let head = events.until("\r\n\r\n").await.unwrap().to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 200") && head.contains("text/event-stream"), "{head}");
        events
    }

    /// What comes before a mark; `None` at the end.
    async fn until(&mut self, mark: &str) -> Option<String> {
        loop {
            if let Some((before, after)) = self.text.split_once(mark) {
                let before = before.to_owned();
                self.text = after.to_owned();
                return Some(before);
            }
            let mut bytes = [0; 4096];
            let n = tokio::time::timeout(PATIENCE, self.stream.read(&mut bytes)).await.unwrap().unwrap();
            if n == 0 {
                return None;
            }
            self.text.push_str(std::str::from_utf8(&bytes[..n]).unwrap());
        }
    }

    /// The next event: its name, its id, and what it says.
    async fn next(&mut self) -> Option<(String, String, Value)> {
        let event = self.until("\n\n").await?;
        let field = |name: &str| {
            let line = event.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
            line.unwrap_or_default().to_owned()
        };
        match field("event") {
            name if name.is_empty() => Box::pin(self.next()).await,
            name => Some((name, field("id"), serde_json::from_str(&field("data")).unwrap())),
        }
    }
}

#[tokio::test]
async fn events_carry_the_same_frames_and_go_on_where_a_browser_was() {
    let world = World::new().await;
    let ada = world.user("ada").await;
    world.put(&ada, &ada.space, "1", json!("milk\nand \u{2028} bread")).await;
    let mut live = world.live(&ada).await;
    let over_socket = live.subscribe(&ada.space, None).await;
    let mut events = Events::open(&world, &ada, &format!("space={}", ada.space), "").await;
    let (name, id, frame) = events.next().await.unwrap();
    assert_eq!((name.as_str(), &frame), ("frame", &over_socket));
    assert_eq!(json!(id), frame["to"]);
    world.put(&ada, &ada.space, "2", json!(2)).await;
    assert_eq!(events.next().await.unwrap().2, live.next().await);
    drop(events);
    let head = format!("Last-Event-ID: {id}\r\n");
    let mut events = Events::open(&world, &ada, &format!("space={}", ada.space), &head).await;
    let (_, _, frame) = events.next().await.unwrap();
    assert_eq!((&frame["from"], &frame["changes"][0]["id"]), (&json!(id), &json!("2")));
}

#[tokio::test]
async fn events_beat_and_end_with_the_right_to_them() {
    let world = World::new().await;
    let ada = world.user("ada").await;
    let mut events = Events::open(&world, &ada, &format!("space={}", ada.space), "").await;
    events.next().await.unwrap();
    let (name, _, beat) = events.next().await.unwrap();
    assert_eq!((name.as_str(), beat["heads"].as_object().unwrap().len()), ("beat", 1));
    world.ask("POST /v1/auth/logout", &ada.token, Value::Null).await;
    let (name, _, error) = events.next().await.unwrap();
    assert_eq!((name.as_str(), &error["code"]), ("error", &json!("token_revoked")));
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn what_cannot_be_followed_is_refused_like_any_request() {
    let world = World::new().await;
    let (ada, bob) = (world.user("ada").await, world.user("bob").await);
    let foreign = world.cursor(&bob, &bob.space).await;
    for (query, status, code) in [
        (format!("space={}", bob.space), 404, "space_not_found"),
        ("space=nowhere".into(), 404, "space_not_found"),
        ("space=..".into(), 400, "invalid_id"),
        (format!("space={}&after=garbage", ada.space), 400, "invalid_cursor"),
        (format!("space={}&after={foreign}", ada.space), 400, "invalid_cursor"),
        (format!("space={}&wait=-1", ada.space), 400, "invalid_query"),
        (format!("space={0}&space={0}", ada.space), 400, "invalid_query"),
    ] {
        let (got, body) = world.ask(&format!("GET /v1/live?{query}"), &ada.token, Value::Null).await;
        assert_eq!((got, &body["code"]), (status, &json!(code)), "{query}");
    }
    let (got, _) = world.ask(&format!("GET /v1/live?space={}", ada.space), "", Value::Null).await;
    assert_eq!(got, 401);
}

#[tokio::test]
async fn a_long_poll_is_answered_with_the_next_frame() {
    let world = World::new().await;
    let ada = world.user("ada").await;
    let path = format!("GET /v1/live?space={}", ada.space);
    let (_, first) = world.ask(&path, &ada.token, Value::Null).await;
    assert_eq!(
        (&first["type"], &first["from"], &first["changes"]),
        (&json!("frame"), &Value::Null, &json!([]))
    );
    let after = first["to"].as_str().unwrap();
    let path = format!("{path}&after={after}&wait=20");
    let begun = Instant::now();
    let ((_, next), _) = tokio::join!(world.ask(&path, &ada.token, Value::Null), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        world.put(&ada, &ada.space, "1", json!(1)).await
    });
    assert_eq!((&next["from"], &next["changes"][0]["id"]), (&json!(after), &json!("1")));
    assert!((400..5000).contains(&begun.elapsed().as_millis()));
    let path = format!("GET /v1/live?space={}&after={}&wait=1", ada.space, next["to"].as_str().unwrap());
    let (_, nothing) = world.ask(&path, &ada.token, Value::Null).await;
    assert_eq!((&nothing["changes"], &nothing["to"]), (&json!([]), &next["to"]));
}

#[tokio::test]
async fn what_a_long_poll_brings_begins_at_the_cursor_that_was_asked_for() {
    let world = World::new().await;
    let ada = world.user("ada").await;
    let path = format!("GET /v1/live?space={}&wait=20", ada.space);
    let ((_, frame), _) = tokio::join!(world.ask(&path, &ada.token, Value::Null), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        world.put(&ada, &ada.space, "1", json!(1)).await
    });
    assert_eq!((&frame["from"], &frame["changes"][0]["id"]), (&Value::Null, &json!("1")));
}

#[tokio::test]
async fn a_long_poll_waits_until_there_is_something_for_it() {
    let world = World::new().await;
    let ada = world.user("ada").await;
    let cursor = world.cursor(&ada, &ada.space).await;
    let path = format!("GET /v1/live?space={}&after={cursor}&collections=tasks", ada.space);
    // What is not for it moves its reader on after 5 s, and is no answer.
    let wait = format!("{path}&wait=7");
    let begun = Instant::now();
    let ((_, nothing), _) = tokio::join!(world.ask(&wait, &ada.token, Value::Null), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        world.put(&ada, &ada.space, "1", json!(1)).await
    });
    let took = begun.elapsed();
    assert!(took >= Duration::from_secs(7), "nothing was answered after {took:?}");
    assert_eq!((&nothing["from"], &nothing["changes"]), (&json!(cursor), &json!([])));
    assert_ne!(nothing["to"], json!(cursor));
}
