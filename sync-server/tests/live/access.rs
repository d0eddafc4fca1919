//! Who may go on: row W-16 of the bad inputs, and a newer token in time.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::world::World;

/// What is promised for the time until a right that was taken away is gone everywhere.
const SOON: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_revoked_device_is_hung_up_on() {
    let world = World::new().await;
    let ada = world.user("ada").await;
    let (mut idle, mut live) = (world.live(&ada).await, world.live(&ada).await);
    live.subscribe(&ada.space, None).await;
    let begun = Instant::now();
    let (status, _) = world.ask("POST /v1/auth/logout", &ada.token, Value::Null).await;
    assert_eq!(status, 204);
    assert_eq!((live.end().await, idle.end().await), (Some(4401), Some(4401)));
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_removed_member_hears_nothing_that_was_written_after_it() {
    let world = World::new().await;
    let (ada, bob) = (world.user("ada").await, world.user("bob").await);
    world.join(&ada, &bob, "editor").await;
    for n in 0..20 {
        let mut theirs = world.live(&bob).await;
        theirs.subscribe(&ada.space, None).await;
        let path = format!("DELETE /v1/spaces/{}/members/{}", ada.space, bob.id);
        let begun = Instant::now();
        let (status, answer) = world.ask(&path, &ada.token, Value::Null).await;
        assert_eq!(status, 204, "{answer}");
        world.put(&ada, &ada.space, &format!("s{n}"), json!("secret")).await;
        let end = loop {
            match theirs.receive().await {
                Ok(message) => assert!(!message.to_string().contains("secret"), "{message}"),
                Err(end) => break end,
            }
        };
        assert_eq!(end, Some(4403));
        assert!(begun.elapsed() < SOON);
        world.join(&ada, &bob, "editor").await;
        world
            .ask(
                &format!("POST /v1/spaces/{}/changes", ada.space),
                &ada.token,
                json!({"mutations": [
            {"op": "delete", "collection": "notes", "id": format!("s{n}"), "base_version": 0}]}),
            )
            .await;
        let (status, _) =
            world.ask(&format!("GET /v1/spaces/{}/changes", ada.space), &bob.token, Value::Null).await;
        assert_eq!(status, 200);
    }
}

#[tokio::test]
async fn someone_whose_role_changed_goes_on_as_what_they_are_now() {
    let world = World::new().await;
    let (ada, bob) = (world.user("ada").await, world.user("bob").await);
    world.join(&ada, &bob, "editor").await;
    let mut theirs = world.live(&bob).await;
    theirs.subscribe(&ada.space, None).await;
    let path = format!("PUT /v1/spaces/{}/members/{}", ada.space, bob.id);
    let (status, answer) = world.ask(&path, &ada.token, json!({"role": "viewer"})).await;
    assert!(status < 300, "{status} {answer}");
    theirs.push(&ada.space, "1", json!("no")).await;
    assert_eq!(theirs.next_of("error").await["code"], json!("forbidden_role"));
    world.put(&ada, &ada.space, "2", json!("yes")).await;
    // That it goes on as someone else may be told by a frame of its own, with nothing in it.
    let mut frame = theirs.next_of("frame").await;
    if frame["changes"] == json!([]) {
        frame = theirs.next_of("frame").await;
    }
    assert_eq!(frame["changes"][0]["data"], json!("yes"));
}

#[tokio::test]
async fn a_deleted_space_ends_it() {
    let world = World::new().await;
    let ada = world.user("ada").await;
    world.ask("POST /v1/spaces", &ada.token, json!({"space": "club", "name": "club"})).await;
    let mut live = world.live(&ada).await;
    live.subscribe("club", None).await;
    let (status, _) = world.ask("DELETE /v1/spaces/club", &ada.token, Value::Null).await;
    assert_eq!(status, 204);
    assert_eq!(live.end().await, Some(4403));
}

#[tokio::test]
async fn a_token_that_ends_ends_it_unless_a_newer_one_comes_in_time() {
    let world = World::with(|settings| settings.jwt_expire = Some("3s".into())).await;
    let ada = world.user("ada").await;
    let (mut fades, mut stays) = (world.live(&ada).await, world.live(&ada).await);
    stays.subscribe(&ada.space, None).await;
    let body = json!({"username": "ada", "password": "correct horse battery"});
    let (_, grant) = world.ask("POST /v1/auth/login", "", body).await;
    let bob = world.user("bob").await;
    stays.send(json!({"type": "auth", "ref": "b", "token": bob.token})).await;
    let refused = stays.next().await;
    assert_eq!((&refused["code"], &refused["ref"]), (&json!("invalid_token"), &json!("b")));
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let (_, grant_later) =
        world.ask("POST /v1/auth/refresh", "", json!({"refresh_token": grant["refresh_token"]})).await;
    stays.send(json!({"type": "auth", "token": grant_later["access_token"]})).await;
    assert_eq!(stays.next().await["type"], json!("ready"));
    assert_eq!(fades.end().await, Some(4401));
    // The newer token is of a time after the older one's end.
    let ada = crate::world::User { token: grant_later["access_token"].as_str().unwrap().into(), ..ada };
    world.put(&ada, &ada.space, "1", json!(1)).await;
    assert_eq!(stays.next().await["type"], json!("frame"));
    assert_eq!(stays.end().await, Some(4401));
}
