//! What clients got away with at the edge, named after what was seen.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use sync_server::gate::GateLimits;
use sync_server::listen::ListenLimits;

use crate::world::{PATIENCE, World};

const PEER: &str = "GET /peer HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";

/// More than the system keeps for a connection on both sides together.
const N_BYTES: usize = 8 << 20;

/// 1,100 of them kept everyone out for good.
#[tokio::test]
async fn a_connection_that_never_reads_its_answers_is_cut_off() {
    let stall_timeout = Duration::from_millis(300);
    let limits = ListenLimits { connections_max: 1, stall_timeout, ..ListenLimits::default() };
    let world = World::with(GateLimits::default(), limits).await;
    let mut greedy = world.connect().await;
    let sending = tokio::spawn(async move {
        let head = "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: ";
        let request = format!("{head}{N_BYTES}\r\n\r\n{}", " ".repeat(N_BYTES));
        while greedy.try_send(&request).await {}
        greedy
    });
    let served = async {
        while world.served.load(SeqCst) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        while !world.ask(PEER).await.contains("200 OK") {}
    };
    tokio::time::timeout(PATIENCE, served).await.expect("its slot is free again");
    sending.await.unwrap();
}

/// 32 of them, with bodies of 8 MiB, kept everyone from writing for a minute.
#[tokio::test]
async fn a_request_that_waits_holds_no_body() {
    /// Few enough for the system to take them at once, whether they are read or not.
    const N_BYTES: usize = 256 << 10;
    let gate = GateLimits { bodies_bytes_max: 4 * N_BYTES, ..GateLimits::default() };
    let world = World::with(gate, ListenLimits::default()).await;
    let head =
        "HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: ";
    let rest = format!("{head}{N_BYTES}\r\n\r\n{}", " ".repeat(N_BYTES));
    let mut waiting = Vec::new();
    for _ in 0..4 {
        let mut client = world.connect().await;
        client.send(format!("GET /slow {rest}")).await;
        waiting.push(client);
    }
    let all_wait = async {
        while world.served.load(SeqCst) < waiting.len() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, all_wait).await.expect("all wait");
    let echoed = world.ask(format!("POST /echo {rest}")).await;
    assert!(echoed.starts_with("HTTP/1.1 200 "), "{}", &echoed[..echoed.len().min(300)]);
    let answer = world.ask(format!("GET /peer {rest}")).await;
    assert!(
        answer.starts_with("HTTP/1.1 200 "),
        "a body that means nothing is no reason to refuse: {answer}"
    );
}
