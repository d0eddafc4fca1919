//! One address that asks too much, and all others.

use std::sync::atomic::Ordering::SeqCst;

use crate::world::World;

/// Requests that one address may send at once.
const BURST: usize = 600;

/// The whole burst of a client behind the proxy, whose last answers come back.
async fn used_up(world: &World, head: &str) -> String {
    let mut client = world.connect().await;
    for n in 0..BURST {
        // However a request is written, it counts.
        let line =
            ["GET /peer", "GET /PEER", "GET /peer/", "GET //peer", "FOO /peer", "OPTIONS /echo"][n % 6];
        let asks = "Origin: https://app.example\r\nAccess-Control-Request-Method: POST\r\n";
        client.send(format!("{line} HTTP/1.1\r\nHost: h\r\n{asks}X-Real-IP: 192.0.2.1\r\n\r\n")).await;
        client.until_answered(n + 1).await;
    }
    client.send(head).await;
    client.until_closed().await
}

#[tokio::test]
async fn an_address_over_the_limit_is_refused_unread_and_others_are_served() {
    let world = World::behind_a_proxy().await;
    let head = "POST /echo HTTP/1.1\r\nHost: h\r\nX-Real-IP: 192.0.2.1\r\nContent-Type: application/json\r\n\
                Content-Length: 1000000\r\n\r\n";
    let answers = used_up(&world, head).await;
    assert_eq!(answers.matches("HTTP/1.1 429 ").count(), 1, "{answers}");
    let refused = answers.rsplit("HTTP/1.1 ").next().unwrap();
    for part in ["429 ", "retry-after: 1\r\n", "connection: close\r\n", r#""code":"rate_limited""#] {
        assert!(refused.contains(part), "{part}: {refused}");
    }
    let served = world.served.load(SeqCst);
    let other = "GET /peer HTTP/1.1\r\nHost: h\r\nX-Real-IP: 192.0.2.2\r\nConnection: close\r\n\r\n";
    assert!(world.ask(other).await.starts_with("HTTP/1.1 200 "));
    assert!(world.ask(other.replace("192.0.2.2", "192.0.2.1")).await.starts_with("HTTP/1.1 429 "));
    assert_eq!(world.served.load(SeqCst), served + 1);
}

#[tokio::test]
async fn this_machine_is_not_limited() {
    let world = World::new().await;
    let mut client = world.connect().await;
    for n in 0..BURST + 10 {
        client.send("GET /peer HTTP/1.1\r\nHost: h\r\n\r\n").await;
        client.until_answered(n + 1).await;
    }
}
