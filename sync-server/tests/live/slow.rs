//! Clients that do not read: row W-13 of the bad inputs, and F-56.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use crate::world::World;

#[tokio::test]
async fn who_does_not_read_is_told_so_and_comes_back_with_nothing_missing() {
    let world = World::new().await;
    let ada = world.user("ada").await;
    let (mut slow, mut quick) = (world.live(&ada).await, world.live(&ada).await);
    let first = slow.subscribe(&ada.space, None).await;
    quick.subscribe(&ada.space, None).await;
    let writing = Instant::now();
    // More than the window; the buffers of the system would hold it.
    for n in 0..40 {
        world.put(&ada, &ada.space, &format!("{n}"), json!("x".repeat(50_000))).await;
        assert_eq!(quick.next_of("frame").await["changes"][0]["id"], json!(format!("{n}")));
    }
    // While it does not read: it is cut off within 15 s of the time at which it took nothing any more.
    tokio::time::sleep(Duration::from_secs(15)).await;
    let (mut position, mut seen) = (first["to"].clone(), Vec::new());
    let end = loop {
        match slow.receive().await {
            Ok(message) if message["type"] == "frame" => {
                assert_eq!(message["from"], position);
                position = message["to"].clone();
                let changes = message["changes"].as_array().unwrap();
                seen.extend(changes.iter().map(|change| change["id"].as_str().unwrap().to_owned()));
            }
            Ok(_) => {}
            Err(end) => break end,
        }
    };
    assert_eq!(end, Some(1013), "after {:?}", writing.elapsed());
    assert!(seen.len() < 20, "the window bounds what is sent to one who does not read: {}", seen.len());
    let mut back = world.live(&ada).await;
    let mut frame = back.subscribe(&ada.space, position.as_str()).await;
    loop {
        let changes = frame["changes"].as_array().unwrap();
        seen.extend(changes.iter().map(|change| change["id"].as_str().unwrap().to_owned()));
        if frame["has_more"] == json!(false) {
            break;
        }
        frame = back.next_of("frame").await;
    }
    let expected: Vec<_> = (0..40).map(|n| n.to_string()).collect();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn who_pauses_for_a_moment_is_only_late() {
    let world = World::new().await;
    let ada = world.user("ada").await;
    let mut slow = world.live(&ada).await;
    let mut position = slow.subscribe(&ada.space, None).await["to"].clone();
    for n in 0..40 {
        world.put(&ada, &ada.space, &format!("{n}"), json!("x".repeat(50_000))).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut seen = Vec::new();
    while seen.len() < 40 {
        let frame = slow.next_of("frame").await;
        assert_eq!(frame["from"], position);
        position = frame["to"].clone();
        let changes = frame["changes"].as_array().unwrap();
        seen.extend(changes.iter().map(|change| change["id"].as_str().unwrap().to_owned()));
    }
    assert_eq!(seen, (0..40).map(|n| n.to_string()).collect::<Vec<_>>());
}
