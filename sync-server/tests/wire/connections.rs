//! Connections over time: idle, slow, too many, and at the end.

use std::time::Duration;

use sync_server::gate::GateLimits;
use sync_server::listen::ListenLimits;
use sync_server::problem::{Code, Problem};

use crate::world::{PATIENCE, World};

const PEER: &str = "GET /peer HTTP/1.1\r\nHost: h\r\n\r\n";

async fn world(limits: ListenLimits) -> World {
    World::with(GateLimits::default(), limits).await
}

fn hurried() -> ListenLimits {
    ListenLimits { header_timeout: Duration::from_millis(100), ..ListenLimits::default() }
}

#[tokio::test]
async fn a_half_sent_head_is_closed_without_reaching_a_route() {
    let world = world(hurried()).await;
    let answer = world.ask("GET /peer HTTP/1.1\r\nHos").await;
    assert!(!answer.contains("200"), "{answer}");
}

#[tokio::test]
async fn a_silent_connection_is_reaped() {
    let world = world(hurried()).await;
    assert_eq!(world.ask("").await, "");
}

#[tokio::test]
async fn a_connection_is_kept_for_the_next_request_and_reaped_when_idle() {
    let world = world(hurried()).await;
    let mut client = world.connect().await;
    client.send(PEER).await;
    client.until("127.0.0.1").await;
    client.send(PEER).await;
    let both = client.until_closed().await;
    assert_eq!(both.matches("HTTP/1.1 200 ").count(), 2, "{both}");
}

#[tokio::test]
async fn a_connection_over_the_cap_is_told_so_and_the_next_one_is_served() {
    for limits in [
        ListenLimits { connections_max: 1, ..ListenLimits::default() },
        ListenLimits { connections_per_address_max: 1, exempt_loopback: false, ..ListenLimits::default() },
    ] {
        let world = world(limits).await;
        let mut first = world.connect().await;
        first.send(PEER).await;
        first.until("127.0.0.1").await;
        let refused = world.ask("").await;
        assert!(refused.starts_with("HTTP/1.1 503 ") && refused.contains("retry-after: 1"), "{refused}");
        let (head, body) = refused.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("content-type: application/problem+json"), "{head}");
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{head}");
        let document: serde_json::Value = serde_json::from_str(body).unwrap();
        let problem = Problem::new(Code::Overloaded);
        let expected = serde_json::json!({
            "code": "overloaded", "status": 503, "title": problem.text(), "detail": "too many connections",
            "type": "urn:sync:problem:overloaded",
        });
        assert_eq!(document, expected);
        drop(first);
        let request = PEER.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
        let served = async { while !world.ask(&request).await.contains("200 OK") {} };
        tokio::time::timeout(PATIENCE, served).await.expect("a slot should be free again");
    }
}

#[tokio::test]
async fn stopping_closes_idle_connections_and_finishes_what_is_in_flight() {
    let never = Duration::from_secs(3600);
    let limits = ListenLimits { header_timeout: never, drain_timeout: never, ..ListenLimits::default() };
    let mut world = world(limits).await;
    let (mut idle, mut busy) = (world.connect().await, world.connect().await);
    idle.send(PEER).await;
    idle.until("127.0.0.1").await;
    busy.send("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n").await;
    while world.served.load(std::sync::atomic::Ordering::SeqCst) < 2 {
        tokio::task::yield_now().await;
    }
    world.stop();
    idle.until_closed().await;
    drop(idle);
    assert!(tokio::net::TcpStream::connect(world.address).await.is_err(), "nothing new is accepted");
    world.finish_slow.notify_one();
    assert!(busy.until("done").await.starts_with("HTTP/1.1 200 "));
    drop(busy);
    world.ended().await;
}

#[tokio::test]
async fn stopping_waits_no_longer_than_the_drain_timeout() {
    let limits = ListenLimits { drain_timeout: Duration::from_millis(100), ..ListenLimits::default() };
    let mut world = world(limits).await;
    let mut busy = world.connect().await;
    busy.send("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n").await;
    while world.served.load(std::sync::atomic::Ordering::SeqCst) < 1 {
        tokio::task::yield_now().await;
    }
    world.stop();
    world.ended().await;
    assert_eq!(busy.until_closed().await, "");
}

#[tokio::test]
async fn an_upgraded_connection_works_and_keeps_its_slot() {
    let world = world(ListenLimits { connections_max: 1, ..ListenLimits::default() }).await;
    let mut upgraded = world.connect().await;
    upgraded.send("GET /upgrade HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n").await;
    assert!(upgraded.until("\r\n\r\n").await.starts_with("HTTP/1.1 101 "));
    assert!(world.ask("").await.starts_with("HTTP/1.1 503 "));
    upgraded.send("ping").await;
    upgraded.until("ping").await;
}
