//! Slow lines, floods, and clients that do not do what they should.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::tungstenite::Message;

use crate::raw::{end, frame, open};
use crate::world::World;

/// A line that brings so many bytes a second, and takes as many as it is given.
async fn slow_line(server: SocketAddr, bytes_per_s: u32) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (mut from_client, mut to_client) = client.into_split();
            let (mut from_server, mut to_server) = TcpStream::connect(server).await.unwrap().into_split();
            tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
            tokio::spawn(async move {
                let mut bytes = [0; 4096];
                while let Ok(n @ 1..) = from_server.read(&mut bytes).await {
                    if to_client.write_all(&bytes[..n]).await.is_err() {
                        return;
                    }
                    sleep(Duration::from_secs(1) * u32::try_from(n).unwrap() / bytes_per_s).await;
                }
            });
        }
    });
    address
}

#[tokio::test]
async fn a_large_record_reaches_who_is_on_a_slow_line() {
    let mut world = World::new().await;
    let ada = world.user("ada").await;
    world.put(&ada, &ada.space, "photo", json!("x".repeat(1_000_000))).await;
    // Half a megabit each second.
    world.address = slow_line(world.address, 64_000).await;
    let mut live = world.live(&ada).await;
    live.send(json!({"type": "subscribe", "space": ada.space})).await;
    loop {
        match live.receive().await {
            Ok(message) if message["type"] == "frame" => break,
            Ok(_) => {}
            Err(end) => panic!("cut off with {end:?} while it took all that came"),
        }
    }
    live.send(json!({"type": "ping"})).await;
    assert_eq!(live.receive().await.map(|message| message["type"].clone()), Ok(json!("pong")));
}

#[tokio::test]
async fn who_sends_what_they_wrote_while_they_catch_up_is_not_cut_off() {
    let world = World::new().await;
    let ada = world.user("ada").await;
    for n in 0..40 {
        world.put(&ada, &ada.space, &format!("{n}"), json!("x".repeat(50_000))).await;
    }
    let mut live = world.live(&ada).await;
    live.send(json!({"type": "subscribe", "space": ada.space})).await;
    for n in 0..10 {
        live.push(&ada.space, &format!("mine-{n}"), json!("y".repeat(30_000))).await;
    }
    let mut n_pushed = 0;
    while n_pushed < 10 {
        match live.receive().await {
            Ok(message) => n_pushed += usize::from(message["type"] == "pushed"),
            Err(end) => panic!("cut off with {end:?} after {n_pushed} pushes, though it read everything"),
        }
    }
}

#[tokio::test]
async fn every_push_is_answered_however_many_come_at_once() {
    let world = World::new().await;
    let ada = world.user("ada").await;
    let mut live = world.live(&ada).await;
    let expected: BTreeSet<String> = (0..1500).map(|n| n.to_string()).collect();
    for n in 0..1500 {
        live.push(&ada.space, &n.to_string(), json!(n)).await;
    }
    let mut answered = BTreeSet::new();
    while answered.len() < expected.len() {
        match timeout(Duration::from_secs(10), live.receive()).await {
            Ok(Ok(message)) => answered.extend(message["ref"].as_str().map(str::to_owned)),
            Ok(Err(end)) => panic!("ended with {end:?}"),
            Err(_) => break,
        }
    }
    let lost: Vec<_> = expected.difference(&answered).collect();
    assert!(lost.is_empty(), "{} pushes were lost without a word: {:?}", lost.len(), &lost[..3]);
}

/// Sends `count` of these each ten milliseconds for four seconds; the number of the end, if there is one.
async fn flood(world: &World, user: &crate::world::User, message: &[u8], count: usize) -> Option<u16> {
    let stream = open(world, user).await;
    let (mut reader, mut writer) = stream.into_split();
    let batch = message.repeat(count);
    let flooding = tokio::spawn(async move {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(4) && writer.write_all(&batch).await.is_ok() {
            sleep(Duration::from_millis(10)).await;
        }
        sleep(Duration::from_secs(1)).await;
        drop(writer);
    });
    let number = end(&mut reader).await;
    flooding.abort();
    number
}

#[tokio::test]
async fn who_sends_ten_thousand_messages_each_second_is_cut_off() {
    let world = World::new().await;
    let ada = world.user("ada").await;
    let ping = frame(0x81, br#"{"type":"ping"}"#);
    assert_eq!(flood(&world, &ada, &ping, 100).await, Some(1008));
}

#[tokio::test]
async fn who_sends_a_flood_of_pongs_is_cut_off() {
    let world = World::new().await;
    let ada = world.user("ada").await;
    assert_eq!(flood(&world, &ada, &frame(0x8a, b"12345678"), 1000).await, Some(1008));
}

#[tokio::test]
async fn one_message_is_not_answered_with_thousands() {
    let world = World::new().await;
    let ada = world.user("ada").await;
    let mut live = world.live(&ada).await;
    let at: serde_json::Map<_, _> = (0..4000).map(|n| (format!("s{n:04}"), json!("x"))).collect();
    live.send(json!({"type": "ping", "ref": "r", "at": at})).await;
    let refused = live.next().await;
    assert_eq!((&refused["code"], &refused["ref"]), (&json!("validation_failed"), &json!("r")));
    live.send(json!({"type": "ping"})).await;
    assert_eq!(live.next().await["type"], json!("pong"));
}

#[tokio::test]
async fn a_removed_member_who_does_not_read_is_not_shown_any_more() {
    let world = World::new().await;
    let (ada, bob) = (world.user("ada").await, world.user("bob").await);
    world.join(&ada, &bob, "editor").await;
    let mut watcher = world.live(&ada).await;
    watcher.send(json!({"type": "subscribe", "space": ada.space, "presence": true})).await;
    watcher.next_of("presence").await;
    let mut guest = world.live(&bob).await;
    guest.subscribe(&ada.space, None).await;
    guest.send(json!({"type": "presence", "space": ada.space, "state": "here"})).await;
    watcher.next_of("presence").await;
    // Bob's machine reads nothing from here on.
    for n in 0..30 {
        world.put(&ada, &ada.space, &format!("{n}"), json!("x".repeat(50_000))).await;
    }
    let path = format!("DELETE /v1/spaces/{}/members/{}", ada.space, bob.id);
    let (status, _) = world.ask(&path, &ada.token, Value::Null).await;
    assert_eq!(status, 204);
    let begun = Instant::now();
    watcher.next_of("presence").await;
    assert!(begun.elapsed() < Duration::from_secs(2), "shown for {:?} after the removal", begun.elapsed());
}

#[tokio::test]
async fn who_never_reads_is_cut_off_whatever_they_answer() {
    let world = World::new().await;
    let ada = world.user("ada").await;
    let mut stream = open(&world, &ada).await;
    let subscribe = json!({"type": "subscribe", "space": ada.space}).to_string();
    stream.write_all(&frame(0x81, subscribe.as_bytes())).await.unwrap();
    for n in 0..40 {
        world.put(&ada, &ada.space, &format!("{n}"), json!("x".repeat(50_000))).await;
    }
    // Answers to pings that it has not seen.
    for n in 1..=25u64 {
        sleep(Duration::from_secs(1)).await;
        if stream.write_all(&frame(0x8a, &n.to_be_bytes())).await.is_err() {
            return;
        }
    }
    let number = timeout(Duration::from_secs(3), end(&mut stream)).await;
    assert_eq!(number, Ok(Some(1013)), "it is kept though it has read nothing for 25 s");
}

#[tokio::test]
async fn who_has_too_many_connections_is_told_that_and_not_that_they_talk_too_much() {
    let world = World::new().await;
    let ada = world.user("ada").await;
    let mut held = Vec::new();
    for _ in 0..500 {
        held.push(open(&world, &ada).await);
    }
    let mut socket = world.open("/v1/live?auth=message", &[]).await.unwrap();
    let auth = json!({"type": "auth", "token": ada.token}).to_string();
    socket.send(Message::text(auth)).await.unwrap();
    let mut told = Vec::new();
    while let Some(Ok(message)) = socket.next().await {
        told.push(message.to_string());
    }
    assert!(told[0].contains("rate_limited") && told[0].contains("retry_after"), "{told:?}");
}
