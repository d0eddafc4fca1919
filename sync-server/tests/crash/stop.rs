//! SIGTERM: what is in flight is answered, and the data is closed in order.

use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::crowd::account;
use crate::support::http::Http;
use crate::support::server::{Account, Layout, World};

/// What orchestrators wait before they kill.
const END_MAX: Duration = Duration::from_secs(10);

/// For a request to get from a socket to where it waits, which nobody outside can see.
const ARRIVED: Duration = Duration::from_millis(500);

/// Bytes of a large record, and how many are pushed at once: together within what a body may have.
const RECORD_BYTES: usize = 60_000;
const RECORDS: usize = 120;
/// Pushes of large records: several times what the sockets of both sides hold.
const PUSHES: usize = 4;

fn put(collection: &str, id: usize, n_bytes: usize) -> Value {
    json!({"op": "put", "collection": collection, "id": id.to_string(), "data": "x".repeat(n_bytes)})
}

fn fill(world: &World, account: &Account) {
    let mut http = world.http(account);
    for push in 0..PUSHES {
        let puts = (push * RECORDS..(push + 1) * RECORDS).map(|id| put("large", id, RECORD_BYTES));
        let body = json!({"mutations": puts.collect::<Vec<_>>()}).to_string();
        http.post(&account.path("changes"), &body).unwrap().ok();
    }
}

/// Begins to load everything, without reading more than the first lines.
fn snapshot(world: &World, account: &Account) -> (Http, crate::support::http::Head) {
    let mut http = world.http(account);
    http.send_head("GET", &account.path("snapshot"), 0, "").unwrap();
    let head = http.head().unwrap();
    assert_eq!(head.status, 200);
    (http, head)
}

/// A pull that waits for a change.
fn long_poll(world: &World, account: &Account) -> Http {
    let mut http = world.http(account);
    let mut path = account.path("changes?limit=1000");
    loop {
        let page = http.get(&path).unwrap().ok();
        path = account.path(&format!("changes?wait=50&after={}", page["cursor"].as_str().unwrap()));
        if page["has_more"] == false {
            break;
        }
    }
    http.send_head("GET", &path, 0, "").unwrap();
    http
}

#[test]
fn everything_in_flight_is_answered_before_the_end() {
    let world = World::new(Layout::FilePerSpace);
    let mut server = world.start();
    let (ada, bob) = (account(&world, "ada"), account(&world, "bob"));
    fill(&world, &ada);

    let (mut loading, head) = snapshot(&world, &ada);
    let mut polling = long_poll(&world, &bob);
    let mut idle = world.http(&bob);
    idle.get("/health").unwrap().ok();
    let mut pushing = world.http(&ada);
    let body = json!({"mutations": [put("late", 0, 10)]}).to_string();
    pushing.send_head("POST", &ada.path("changes"), body.len(), "expect: 100-continue\r\n").unwrap();
    assert_eq!(pushing.head().unwrap().status, 100);
    sleep(ARRIVED);

    server.terminate();
    let begun = Instant::now();
    let page = polling.answer().unwrap().ok();
    assert!(begun.elapsed() < Duration::from_secs(2), "a long poll held the end for {:?}", begun.elapsed());
    assert_eq!((page["changes"].as_array().unwrap().len(), &page["has_more"]), (0, &json!(false)));
    assert!(idle.answer().is_err(), "an idle connection is closed");
    server.terminate();
    assert!(Http::new(&world.address, None).get("/health").is_err(), "nothing new is accepted");
    pushing.send_body(&body).unwrap();
    pushing.answer().unwrap().ok();
    let lines = loading.body(&head).unwrap();
    assert!(lines.lines().last().unwrap().starts_with(r#"{"end":"#), "the snapshot was cut");
    assert!(
        lines.lines().filter(|line| line.contains(r#""collection":"large""#)).count() >= PUSHES * RECORDS
    );

    assert_eq!(server.ended(END_MAX.saturating_sub(begun.elapsed())).code(), Some(0), "{}", world.log());
    assert_closed(&world, &[&ada, &bob]);
    let server = world.start();
    world.http(&ada).get(&ada.path("records/late/0")).unwrap().ok();
    server.stop();
    world.check_files(&[ada, bob]);
}

/// Nothing is left in a WAL.
fn assert_closed(world: &World, accounts: &[&Account]) {
    for file in accounts.iter().map(|account| world.file_of(account)).chain([world.main_file()]) {
        for ending in ["-wal", "-shm"] {
            let companion = format!("{}{ending}", file.display());
            assert!(!std::fs::exists(&companion).unwrap(), "{companion} is left: {}", world.log());
        }
    }
}

#[test]
fn a_client_that_does_not_read_cannot_hold_the_end() {
    let world = World::new(Layout::OneFile);
    let mut server = world.start();
    let ada = account(&world, "ada");
    fill(&world, &ada);
    let _never_read = snapshot(&world, &ada);
    server.terminate();
    assert_eq!(server.ended(END_MAX).code(), Some(0), "{}", world.log());
    assert_closed(&world, &[&ada]);
}

#[test]
fn a_server_that_is_stopped_as_soon_as_it_listens_ends_in_order() {
    let world = World::new(Layout::OneFile);
    for _ in 0..5 {
        world.start().stop();
    }
}
