//! Requests of every kind that are under way when the server is told to stop.

use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::http::{Head, Http};
use super::server::{Account, Process, World};

/// What orchestrators wait before they kill.
pub(crate) const END_MAX: Duration = Duration::from_secs(10);

/// For a request to get from a socket to where it waits, which nobody outside can see.
pub(crate) const ARRIVED: Duration = Duration::from_millis(500);

/// Bytes of a large record, and how many are pushed at once: together within what a body may have.
const RECORD_BYTES: usize = 60_000;
const RECORDS: usize = 120;
/// Pushes of large records: several times what the sockets of both sides hold.
const PUSHES: usize = 4;

fn put(collection: &str, id: usize, n_bytes: usize) -> Value {
    json!({"op": "put", "collection": collection, "id": id.to_string(), "data": "x".repeat(n_bytes)})
}

/// A push of one small record.
pub(crate) fn small_push(id: usize) -> String {
    json!({"mutations": [put("small", id, 10)]}).to_string()
}

/// Writes more than sockets hold.
pub(crate) fn fill(world: &World, account: &Account) {
    let mut http = world.http(account);
    for push in 0..PUSHES {
        let puts = (push * RECORDS..(push + 1) * RECORDS).map(|id| put("large", id, RECORD_BYTES));
        let body = json!({"mutations": puts.collect::<Vec<_>>()}).to_string();
        http.post(&account.path("changes"), &body).unwrap().ok();
    }
}

/// Begins to load everything, without reading more than the first lines.
pub(crate) fn snapshot(world: &World, account: &Account) -> (Http, Head) {
    let mut http = world.http(account);
    http.send_head("GET", &account.path("snapshot"), 0, "").unwrap();
    let head = http.head().unwrap();
    assert_eq!(head.status, 200);
    (http, head)
}

/// A pull that waits for a change.
pub(crate) fn long_poll(world: &World, account: &Account) -> Http {
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

/// Stops a server in the middle of a snapshot, a long poll and a push, which must be answered before it ends in order.
///
/// Of `ada` there must be more than sockets hold; `bob` must not change.
pub(crate) fn all_answered_at_stop(world: &World, mut server: Process, ada: &Account, bob: &Account) {
    let (mut loading, head) = snapshot(world, ada);
    let mut polling = long_poll(world, bob);
    let mut idle = world.http(bob);
    idle.get("/health").unwrap().ok();
    let mut pushing = world.http(ada);
    let body = small_push(0);
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
    assert!(Http::new(&world.addresses, None).get("/health").is_err(), "nothing new is accepted");
    pushing.send_body(&body).unwrap();
    pushing.answer().unwrap().ok();
    let lines = loading.body(&head).unwrap();
    assert!(lines.lines().last().unwrap().starts_with(r#"{"end":"#), "the snapshot was cut");
    let n_lines = lines.lines().filter(|line| line.contains(r#""collection":"large""#)).count();
    assert!(n_lines >= PUSHES * RECORDS);
    assert_eq!(server.ended(END_MAX.saturating_sub(begun.elapsed())).code(), Some(0), "{}", world.log());
}
