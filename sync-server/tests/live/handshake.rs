//! Who gets a connection: rows W-01 to W-05, W-12 and W-18 of the bad inputs.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;

use crate::world::{Client, World};

const GOOD: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// The status and code of the answer to a handshake with these header lines, and the whole answer.
async fn answer(world: &World, path: &str, headers: &str) -> (u16, String, String) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: h\r\n{headers}\r\n");
    let answer = world.head(request.as_bytes()).await;
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let body: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap_or(Value::Null);
    (status, body["code"].as_str().unwrap_or_default().into(), answer.to_ascii_lowercase())
}

#[tokio::test]
async fn what_is_no_handshake_is_refused() {
    let world = World::new().await;
    let ada = world.user("ada").await;
    let bearer = format!("Authorization: Bearer {}\r\n", ada.token);
    for (headers, status, code) in [
        (String::new(), 426, "upgrade_required"),
        (GOOD.replace("Upgrade: websocket\r\n", ""), 426, "upgrade_required"),
        (GOOD.replace("Connection: Upgrade\r\n", ""), 426, "upgrade_required"),
        (GOOD.replace("13", "12"), 426, "upgrade_required"),
        (GOOD.replace("dGhlIHNhbXBsZSBub25jZQ==", "short"), 400, "invalid_encoding"),
        (GOOD.replace("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", ""), 400, "invalid_encoding"),
    ] {
        let (got, word, answer) = answer(&world, "/v1/live", &format!("{bearer}{headers}")).await;
        assert_eq!((got, word.as_str()), (status, code), "{headers}");
        assert_eq!(answer.contains("sec-websocket-version: 13"), status == 426, "{answer}");
    }
}

#[tokio::test]
async fn who_shows_nothing_or_something_bad_is_not_let_in() {
    let world = World::new().await;
    for (path, headers, status, code) in [
        ("/v1/live", "", 401, "missing_credentials"),
        ("/v1/live", "Authorization: Bearer nonsense\r\n", 401, "invalid_token"),
        ("/v1/live?auth=message", "Authorization: Bearer nonsense\r\n", 401, "invalid_token"),
        ("/v1/live?auth=later", "", 400, "invalid_query"),
        ("/v1/live?token=abc", "", 400, "invalid_query"),
    ] {
        let (got, word, _) = answer(&world, path, &format!("{GOOD}{headers}")).await;
        assert_eq!((got, word.as_str()), (status, code), "{path} {headers}");
    }
}

#[tokio::test]
async fn a_cookie_acts_for_pages_of_this_site_alone() {
    let world = World::with(|settings| settings.base_url = Some("http://h".into())).await;
    let cookie = "Cookie: __Host-session=abc\r\n";
    for (headers, status) in [
        ("", 403),
        ("Origin: https://evil.example\r\n", 403),
        ("Origin: http://h.evil\r\n", 403),
        ("Origin: null\r\n", 403),
        ("Origin: https://h\r\n", 403),
        ("Origin: http://H\r\n", 403),
        // The cookie is a made up one: it is looked at only now.
        ("Origin: http://h\r\n", 401),
    ] {
        let (got, word, _) = answer(&world, "/v1/live", &format!("{GOOD}{cookie}{headers}")).await;
        assert_eq!(got, status, "{headers}");
        assert!(status != 403 || word == "origin_not_allowed", "{word}");
    }
    // Whoever knows a token may come from anywhere.
    let ada = world.user("ada").await;
    let bearer = format!("Authorization: Bearer {}\r\n", ada.token);
    let (got, ..) =
        answer(&world, "/v1/live", &format!("{GOOD}{bearer}Origin: https://evil.example\r\n")).await;
    assert_eq!(got, 101);
}

#[tokio::test]
async fn no_extension_and_no_subprotocol_is_agreed_to() {
    let world = World::new().await;
    let ada = world.user("ada").await;
    let headers = format!(
        "{GOOD}Authorization: Bearer {}\r\nSec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Protocol: chat\r\n",
        ada.token
    );
    let (status, _, answer) = answer(&world, "/v1/live", &headers).await;
    assert_eq!(status, 101);
    assert!(answer.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="), "{answer}");
    assert!(!answer.contains("extensions") && !answer.contains("sec-websocket-protocol"), "{answer}");
}

#[tokio::test]
async fn a_page_that_cannot_set_headers_says_who_it_is_first() {
    let world = World::new().await;
    let ada = world.user("ada").await;
    let mut socket = world.open("/v1/live?auth=message", &[]).await.unwrap();
    socket.send(Message::text(json!({"type": "auth", "token": ada.token}).to_string())).await.unwrap();
    let mut live = Client { socket, name: String::new() };
    assert_eq!(live.next().await["user"], json!(ada.id));
    live.subscribe(&ada.space, None).await;
}

#[tokio::test]
async fn who_does_not_say_who_they_are_is_not_waited_for() {
    let world = World::new().await;
    let ada = world.user("ada").await;
    for (message, expected) in [
        (Some(json!({"type": "auth", "token": "nonsense"})), 4401),
        (Some(json!({"type": "subscribe", "space": ada.space})), 1008),
        (Some(json!("hello")), 1008),
        (None, 4408),
    ] {
        let socket = world.open("/v1/live?auth=message", &[]).await.unwrap();
        let mut live = Client { socket, name: String::new() };
        let begun = Instant::now();
        if let Some(message) = &message {
            live.send(message.clone()).await;
        }
        assert_eq!(live.end().await, Some(expected), "{message:?}");
        assert!(begun.elapsed() < Duration::from_secs(10));
    }
}

#[tokio::test]
async fn one_user_has_a_limited_number_of_connections() {
    let world = World::new().await;
    let (ada, bob) = (world.user("ada").await, world.user("bob").await);
    let bearer = format!("Bearer {}", ada.token);
    let headers = [("authorization", bearer.as_str())];
    let open = || world.open("/v1/live", &headers);
    let mut crowd = Vec::new();
    for _ in 0..500 {
        crowd.push(open().await.unwrap());
    }
    let (status, body) = open().await.unwrap_err();
    assert_eq!(status, 429);
    assert!(body.contains("rate_limited"), "{body}");
    // Nobody else is kept out, and a place that is left is free again.
    world.live(&bob).await;
    let mut last = crowd.pop().unwrap();
    last.close(None).await.unwrap();
    while last.next().await.is_some() {}
    let begun = Instant::now();
    while open().await.is_err() {
        assert!(begun.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
