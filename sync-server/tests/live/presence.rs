//! Who is there: several tabs, clients that vanish, and what others see of it.

use serde_json::{Value, json};

use crate::world::{Client, World};

async fn enter(client: &mut Client, space: &str, state: Value) -> Value {
    client.send(json!({"type": "subscribe", "space": space, "presence": true})).await;
    let told = client.next_of("presence").await;
    client.send(json!({"type": "presence", "space": space, "state": state})).await;
    told
}

/// Waits until it is told that a connection is there, with its state, or gone.
async fn sees(client: &mut Client, connection: &str, expected: Option<Value>) {
    loop {
        let told = client.next_of("presence").await;
        let here = told["here"].as_array().unwrap().iter().find(|one| one["connection"] == connection);
        let is_gone = told["gone"].as_array().unwrap().contains(&json!(connection));
        match &expected {
            Some(state) if here.is_some_and(|one| one["state"] == *state) => return,
            None if is_gone => return,
            _ => {}
        }
    }
}

#[tokio::test]
async fn two_tabs_are_there_twice_and_closing_one_leaves_the_other() {
    let world = World::new().await;
    let (ada, bob) = (world.user("ada").await, world.user("bob").await);
    world.join(&ada, &bob, "viewer").await;
    let mut watcher = world.live(&bob).await;
    assert_eq!(enter(&mut watcher, &ada.space, json!("watching")).await["all"], json!(true));
    let (mut first, mut second) = (world.live(&ada).await, world.live(&ada).await);
    enter(&mut first, &ada.space, json!({"row": 1})).await;
    sees(&mut watcher, &first.name, Some(json!({"row": 1}))).await;
    let everyone = enter(&mut second, &ada.space, json!({"row": 2})).await;
    assert_eq!(everyone["here"].as_array().unwrap().len(), 2, "{everyone}");
    sees(&mut watcher, &second.name, Some(json!({"row": 2}))).await;
    drop(first.socket);
    sees(&mut watcher, &first.name, None).await;
    second.send(json!({"type": "presence", "space": ada.space, "state": {"row": 3}})).await;
    sees(&mut watcher, &second.name, Some(json!({"row": 3}))).await;
}

#[tokio::test]
async fn who_says_that_they_are_not_there_or_unsubscribes_is_gone() {
    let world = World::new().await;
    let ada = world.user("ada").await;
    let (mut watcher, mut other) = (world.live(&ada).await, world.live(&ada).await);
    enter(&mut watcher, &ada.space, Value::Null).await;
    for last in [
        json!({"type": "presence", "space": ada.space, "state": null}),
        json!({"type": "unsubscribe", "space": ada.space}),
    ] {
        enter(&mut other, &ada.space, json!(1)).await;
        sees(&mut watcher, &other.name, Some(json!(1))).await;
        other.send(last).await;
        sees(&mut watcher, &other.name, None).await;
    }
}

#[tokio::test]
async fn subscribing_again_is_no_leaving() {
    let world = World::new().await;
    let ada = world.user("ada").await;
    let (mut watcher, mut other) = (world.live(&ada).await, world.live(&ada).await);
    enter(&mut watcher, &ada.space, Value::Null).await;
    enter(&mut other, &ada.space, json!(1)).await;
    sees(&mut watcher, &other.name, Some(json!(1))).await;
    other.subscribe(&ada.space, None).await;
    other.send(json!({"type": "presence", "space": ada.space, "state": 2})).await;
    let told = watcher.next_of("presence").await;
    assert_eq!((&told["gone"], &told["here"][0]["state"]), (&json!([]), &json!(2)));
}

#[tokio::test]
async fn a_removed_member_is_seen_no_more() {
    let world = World::new().await;
    let (ada, bob) = (world.user("ada").await, world.user("bob").await);
    world.join(&ada, &bob, "viewer").await;
    let (mut host, mut guest) = (world.live(&ada).await, world.live(&bob).await);
    enter(&mut host, &ada.space, Value::Null).await;
    enter(&mut guest, &ada.space, json!(1)).await;
    sees(&mut host, &guest.name, Some(json!(1))).await;
    let path = format!("DELETE /v1/spaces/{}/members/{}", ada.space, bob.id);
    world.ask(&path, &ada.token, Value::Null).await;
    sees(&mut host, &guest.name, None).await;
}
