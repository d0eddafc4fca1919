//! Messages that make no sense: rows W-06 to W-11, W-15, W-17 and W-19 of the bad inputs.

use futures_util::SinkExt;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::world::World;

#[tokio::test]
async fn a_foreign_space_is_none_whatever_is_asked_of_it_and_the_connection_stays() {
    let world = World::new().await;
    let (ada, bob) = (world.user("ada").await, world.user("bob").await);
    let mut live = world.live(&ada).await;
    live.subscribe(&ada.space, None).await;
    let push = json!({"mutations": []});
    for space in [bob.space.as_str(), "nowhere"] {
        for message in [
            json!({"type": "subscribe", "ref": "7", "space": space}),
            json!({"type": "presence", "ref": "7", "space": space, "state": 1}),
            json!({"type": "push", "ref": "7", "space": space, "push": push}),
            json!({"type": "ping", "ref": "7", "at": {space: "AbC"}}),
        ] {
            live.send(message.clone()).await;
            let refused = live.next_of("error").await;
            assert_eq!(
                (&refused["code"], &refused["ref"], &refused["space"]),
                (&json!("space_not_found"), &json!("7"), &json!(space)),
                "{message}"
            );
        }
    }
    // A subscription that was refused tells nothing, now or later; nor does presence asked for with it.
    live.send(json!({"type": "subscribe", "space": bob.space, "presence": true})).await;
    live.send(json!({"type": "presence", "space": bob.space, "state": 1})).await;
    live.next_of("error").await;
    let mut theirs = world.live(&bob).await;
    theirs.send(json!({"type": "subscribe", "space": bob.space, "presence": true})).await;
    assert_eq!(theirs.next_of("presence").await["here"], json!([]));
    world.put(&bob, &bob.space, "1", json!("secret")).await;
    world.put(&ada, &ada.space, "1", json!("mine")).await;
    loop {
        let told = live.next().await;
        assert_ne!(told["space"] == json!(bob.space), told["type"] != "error", "{told}");
        if told["type"] == "frame" {
            break;
        }
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_answered_and_the_third_time_ends_it() {
    let world = World::new().await;
    let ada = world.user("ada").await;
    for nonsense in ["not json", "{}", r#"{"type":"shout"}"#, r#"{"type":"ping","space":"a"}"#, "[]", ""] {
        let mut live = world.live(&ada).await;
        for _ in 0..2 {
            live.socket.send(Message::text(nonsense)).await.unwrap();
            assert_eq!(live.next().await["type"], json!("error"), "{nonsense}");
        }
        live.socket.send(Message::text(nonsense)).await.unwrap();
        assert_eq!(live.end().await, Some(1008), "{nonsense}");
    }
}

#[tokio::test]
async fn messages_of_another_kind_or_size_end_it() {
    let world = World::new().await;
    let ada = world.user("ada").await;
    let large = format!(r#"{{"type":"ping","ref":"{}"}}"#, "x".repeat(64 << 10));
    for (message, expected) in [(Message::binary(vec![1, 2]), 1003), (Message::text(large), 1009)] {
        let mut live = world.live(&ada).await;
        live.socket.send(message).await.unwrap();
        assert_eq!(live.end().await, Some(expected));
    }
}

#[tokio::test]
async fn a_cursor_that_cannot_be_one_ends_it_and_one_from_elsewhere_does_not() {
    let world = World::new().await;
    let (ada, bob) = (world.user("ada").await, world.user("bob").await);
    let foreign = world.cursor(&bob, &bob.space).await;
    let mut live = world.live(&ada).await;
    live.send(json!({"type": "subscribe", "ref": "1", "space": ada.space, "after": foreign})).await;
    let refused = live.next().await;
    assert_eq!((&refused["code"], &refused["ref"]), (&json!("invalid_cursor"), &json!("1")));
    live.send(json!({"type": "subscribe", "space": ada.space, "after": "garbage"})).await;
    assert_eq!(live.next().await["code"], json!("invalid_cursor"));
    assert_eq!(live.end().await, Some(4400));
}

#[tokio::test]
async fn a_cursor_of_another_life_of_the_space_asks_for_a_resync_and_the_connection_stays() {
    let world = World::new().await;
    let ada = world.user("ada").await;
    let create = || world.ask("POST /v1/spaces", &ada.token, json!({"space": "club", "name": "club"}));
    create().await;
    world.put(&ada, "club", "1", json!(1)).await;
    let old = world.cursor(&ada, "club").await;
    world.ask("DELETE /v1/spaces/club", &ada.token, Value::Null).await;
    create().await;
    let mut live = world.live(&ada).await;
    live.send(json!({"type": "subscribe", "space": "club", "after": old})).await;
    let resync = live.next().await;
    assert_eq!((&resync["type"], &resync["reason"]), (&json!("resync"), &json!("epoch_changed")));
    live.subscribe("club", None).await;
}

#[tokio::test]
async fn who_sends_far_too_much_is_told_and_then_cut_off_and_nobody_else_notices() {
    let world = World::new().await;
    let (ada, bob) = (world.user("ada").await, world.user("bob").await);
    let mut other = world.live(&bob).await;
    other.subscribe(&bob.space, None).await;
    let mut live = world.live(&ada).await;
    for _ in 0..10_000 {
        if live.socket.feed(Message::text(r#"{"type":"ping"}"#)).await.is_err() {
            break;
        }
    }
    let _ = live.socket.flush().await;
    let mut codes = Vec::new();
    let end = loop {
        match live.receive().await {
            Ok(message) => codes.extend(message["code"].as_str().map(str::to_owned)),
            Err(end) => break end,
        }
    };
    assert_eq!((codes.first().map(String::as_str), end), (Some("rate_limited"), Some(1008)));
    world.put(&bob, &bob.space, "1", json!(1)).await;
    assert_eq!(other.next().await["type"], json!("frame"));
}

#[tokio::test]
async fn presence_has_limits_and_says_nobody_elses_name() {
    let world = World::new().await;
    let ada = world.user("ada").await;
    let mut live = world.live(&ada).await;
    live.send(json!({"type": "subscribe", "space": ada.space, "presence": true})).await;
    live.next_of("presence").await;
    live.send(json!({"type": "presence", "space": ada.space, "state": "x".repeat(3000)})).await;
    assert_eq!(live.next_of("error").await["code"], json!("body_too_large"));
    live.send(json!({"type": "presence", "space": ada.space, "state": 1, "user": "bob"})).await;
    assert_eq!(live.next_of("error").await["code"], json!("validation_failed"));
    let markup = "<script>alert(1)</script>";
    for n in 0..100 {
        live.send(json!({"type": "presence", "space": ada.space, "state": {"n": n, "user": markup}})).await;
    }
    assert_eq!(live.next_of("error").await["code"], json!("rate_limited"));
    let told = live.next_of("presence").await;
    assert_eq!(told["here"][0]["user"], json!(ada.id));
    assert_eq!(told["here"][0]["state"]["user"], json!(markup));
}

#[tokio::test]
async fn a_connection_follows_a_limited_number_of_spaces() {
    let world = World::new().await;
    let ada = world.user("ada").await;
    let mut live = world.live(&ada).await;
    let mut n_refused = 0;
    // Most do not exist: what was asked for counts until it is refused.
    for n in 0..300 {
        live.send(json!({"type": "subscribe", "ref": "x", "space": format!("space-{n}")})).await;
    }
    for _ in 0..200 {
        n_refused += usize::from(live.next_of("error").await["code"] == "quota_exceeded");
    }
    assert!(n_refused <= 300 - 256, "{n_refused}");
}
