//! What is told, in which order.

use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn a_change_arrives_as_a_frame_that_begins_where_the_one_before_ended() {
    let world = World::new().await;
    let ada = world.user("ada").await;
    world.put(&ada, &ada.space, "1", json!("milk")).await;
    let mut live = world.live(&ada).await;
    let first = live.subscribe(&ada.space, None).await;
    assert_eq!((&first["from"], first["changes"].as_array().unwrap().len()), (&json!(null), 1));
    assert_eq!(first["has_more"], json!(false));
    let version = world.put(&ada, &ada.space, "2", json!("bread")).await;
    let next = live.next().await;
    assert_eq!(
        (&next["type"], &next["from"], &next["head"]),
        (&json!("frame"), &first["to"], &json!(version))
    );
    assert_eq!(next["changes"][0]["data"], json!("bread"));
    // The cursors are those of a pull.
    assert_eq!(next["to"], json!(world.cursor(&ada, &ada.space).await));
}

#[tokio::test]
async fn who_comes_back_with_a_cursor_is_given_what_they_missed_and_nothing_else() {
    let world = World::new().await;
    let ada = world.user("ada").await;
    world.put(&ada, &ada.space, "1", json!(1)).await;
    let cursor = world.cursor(&ada, &ada.space).await;
    let mut live = world.live(&ada).await;
    let first = live.subscribe(&ada.space, Some(&cursor)).await;
    assert_eq!(
        (&first["from"], &first["to"], &first["changes"]),
        (&json!(cursor), &json!(cursor), &json!([]))
    );
    drop(live);
    world.put(&ada, &ada.space, "2", json!(2)).await;
    let mut live = world.live(&ada).await;
    let first = live.subscribe(&ada.space, Some(&cursor)).await;
    assert_eq!((&first["from"], &first["changes"][0]["id"]), (&json!(cursor), &json!("2")));
}

#[tokio::test]
async fn many_spaces_come_over_one_connection() {
    let world = World::new().await;
    let ada = world.user("ada").await;
    let mut spaces = vec![ada.space.clone()];
    for name in ["one", "two"] {
        let (status, made) = world.ask("POST /v1/spaces", &ada.token, json!({"name": name})).await;
        assert_eq!(status, 201, "{made}");
        spaces.push(made["space"].as_str().unwrap().into());
    }
    let mut live = world.live(&ada).await;
    for space in &spaces {
        live.subscribe(space, None).await;
    }
    for (n, space) in spaces.iter().enumerate() {
        world.put(&ada, space, "x", json!(n)).await;
        let frame = live.next().await;
        assert_eq!((&frame["space"], &frame["changes"][0]["data"]), (&json!(space), &json!(n)));
    }
    live.send(json!({"type": "unsubscribe", "space": spaces[0]})).await;
    live.send(json!({"type": "ping", "ref": "p"})).await;
    let pong = live.next_of("pong").await;
    assert_eq!((&pong["ref"], pong["heads"].as_object().unwrap().len()), (&json!("p"), 2));
    world.put(&ada, &spaces[0], "y", json!(1)).await;
    world.put(&ada, &spaces[1], "y", json!(1)).await;
    assert_eq!(live.next().await["space"], json!(spaces[1]));
}

#[tokio::test]
async fn a_push_is_answered_as_over_http_and_comes_back_in_the_feed() {
    let world = World::new().await;
    let ada = world.user("ada").await;
    let mut live = world.live(&ada).await;
    live.subscribe(&ada.space, None).await;
    let mutation = json!({"op": "put", "collection": "notes", "id": "1", "data": "milk"});
    let batch = json!({"client_id": "kQ3vXk1aQ1m0f8e2", "first": 1, "mutations": [mutation]});
    for _ in 0..2 {
        live.send(json!({"type": "push", "ref": "a", "space": ada.space, "push": batch})).await;
    }
    // Exactly once: the second is given the answer of the first.
    let (one, two) = (live.next_of("pushed").await, live.next_of("pushed").await);
    assert_eq!((&one["reply"], &one["ref"]), (&two["reply"], &json!("a")));
    let path = format!("POST /v1/spaces/{}/changes", ada.space);
    let (status, over_http) = world.ask(&path, &ada.token, batch).await;
    assert_eq!((status, &over_http), (200, &one["reply"]));
    // What HTTP refuses is refused here, with the same words.
    let gap = json!({"client_id": "kQ3vXk1aQ1m0f8e2", "first": 9, "mutations": [mutation]});
    live.send(json!({"type": "push", "ref": "b", "space": ada.space, "push": gap})).await;
    let refused = live.next_of("error").await;
    assert_eq!(
        (&refused["code"], &refused["expected"], &refused["ref"]),
        (&json!("mutation_gap"), &json!(2), &json!("b"))
    );
}

#[tokio::test]
async fn pushes_are_carried_out_one_after_the_other() {
    let world = World::new().await;
    let ada = world.user("ada").await;
    let mut live = world.live(&ada).await;
    for n in 1..=50 {
        let mutation = json!({"op": "put", "collection": "notes", "id": format!("{n}"), "data": n});
        let batch = json!({"client_id": "kQ3vXk1aQ1m0f8e2", "first": n, "mutations": [mutation]});
        live.send(json!({"type": "push", "ref": format!("{n}"), "space": ada.space, "push": batch})).await;
    }
    for n in 1..=50 {
        let pushed = live.next().await;
        assert_eq!((&pushed["type"], &pushed["ref"]), (&json!("pushed"), &json!(format!("{n}"))), "{pushed}");
    }
}

#[tokio::test]
async fn only_the_collections_that_were_asked_for_are_told() {
    let world = World::new().await;
    let ada = world.user("ada").await;
    let mut live = world.live(&ada).await;
    live.send(json!({"type": "subscribe", "space": ada.space, "collections": ["other"]})).await;
    let first = live.next().await;
    world.put(&ada, &ada.space, "1", json!(1)).await;
    // A number to keep comes by itself, later; nothing of what is in it.
    let quiet = live.next().await;
    assert_eq!((&quiet["changes"], &quiet["from"]), (&json!([]), &first["to"]));
    assert_eq!(quiet["to"], json!(world.cursor(&ada, &ada.space).await));
}

#[tokio::test]
async fn a_second_subscription_takes_the_place_of_the_first() {
    let world = World::new().await;
    let ada = world.user("ada").await;
    world.put(&ada, &ada.space, "1", json!(1)).await;
    let mut live = world.live(&ada).await;
    let first = live.subscribe(&ada.space, None).await;
    let again = live.subscribe(&ada.space, first["to"].as_str()).await;
    assert_eq!(again["changes"], json!([]));
    world.put(&ada, &ada.space, "2", json!(2)).await;
    assert_eq!(live.next().await["changes"][0]["id"], json!("2"));
    live.send(json!({"type": "ping"})).await;
    assert_eq!(live.next().await["type"], json!("pong"));
}

#[tokio::test]
async fn how_far_a_client_is_can_be_told_and_only_what_is_true() {
    let world = World::new().await;
    let ada = world.user("ada").await;
    let before = world.cursor(&ada, &ada.space).await;
    world.put(&ada, &ada.space, "1", json!(1)).await;
    let mut live = world.live(&ada).await;
    live.subscribe(&ada.space, Some(&before)).await;
    let now = world.cursor(&ada, &ada.space).await;
    for (at, expected) in [(&now, "pong"), (&now, "pong"), (&before, "error")] {
        live.send(json!({"type": "ping", "at": {&ada.space: at}})).await;
        assert_eq!(live.next().await["type"], json!(expected), "{at}");
    }
    live.next_of("pong").await;
    let bob = world.user("bob").await;
    live.send(json!({"type": "ping", "at": {&bob.space: now}})).await;
    assert_eq!(live.next().await["code"], json!("space_not_found"));
}

#[tokio::test]
async fn a_server_that_stops_says_so() {
    let mut world = World::new().await;
    let ada = world.user("ada").await;
    let mut live = world.live(&ada).await;
    live.subscribe(&ada.space, None).await;
    let mut anonymous = world.open("/v1/live?auth=message", &[]).await.unwrap();
    let ended = world.stop();
    assert_eq!(live.end().await, Some(1012));
    let farewell = futures_util::StreamExt::next(&mut anonymous).await.unwrap().unwrap();
    assert!(
        matches!(farewell, tokio_tungstenite::tungstenite::Message::Close(Some(frame)) if u16::from(frame.code) == 1012)
    );
    drop((live, anonymous));
    tokio::time::timeout(crate::world::PATIENCE, ended).await.unwrap().unwrap();
}
