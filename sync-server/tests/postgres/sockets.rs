//! Live connections to several processes on one database.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Message, WebSocket, client};

use crate::site::Site;
use crate::support::crowd::account;
use crate::support::http::PATIENCE;
use crate::support::in_flight::small_push;
use crate::support::server::{Account, World};

/// Commits that are told.
const ROUNDS: usize = 60;

/// What is promised is a second; the rest is what a busy machine may take to say so.
const AT_ONCE: Duration = Duration::from_secs(3);

/// A live connection that follows a space.
struct Live(WebSocket<TcpStream>);

impl Live {
    /// Opens one to the first server of a world.
    fn open(world: &World, account: &Account, space: &str) -> Self {
        let stream = TcpStream::connect(world.addresses[0].get()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut request = "ws://h/v1/live".into_client_request().unwrap();
        let bearer = HeaderValue::try_from(format!("Bearer {}", account.token)).unwrap();
        request.headers_mut().insert("authorization", bearer);
        let mut live = Self(client(request, stream).unwrap().0);
        live.0.send(Message::text(json!({"type": "subscribe", "space": space}).to_string())).unwrap();
        live
    }

    /// The next frame, or the number of the end.
    fn next(&mut self) -> Result<Value, u16> {
        loop {
            match self.0.read().unwrap() {
                Message::Text(text) => {
                    let told: Value = serde_json::from_str(&text).unwrap();
                    if told["type"] == "frame" {
                        return Ok(told);
                    }
                    assert!(told["type"] == "ready" || told["type"] == "beat", "{told}");
                }
                Message::Close(frame) => return Err(frame.unwrap().code.into()),
                _ => {}
            }
        }
    }
}

#[test]
fn what_any_process_commits_is_told_by_all_in_order_and_without_a_gap() {
    let Some(site) = Site::start(3) else { return };
    let ada = account(&site.world, "ada");
    let mut readers: Vec<_> = (0..3).map(|n| Live::open(&site.world.only(n), &ada, &ada.space)).collect();
    let firsts: Vec<_> = readers.iter_mut().map(|reader| reader.next().unwrap()).collect();
    for id in 0..ROUNDS {
        let writer = site.world.only(id % 3);
        writer.http(&ada).post(&ada.path("changes"), &small_push(id)).unwrap().ok();
        if id == ROUNDS / 2 {
            println!("sockets: cut {} listeners", site.cut_listeners());
        }
    }
    for (reader, first) in readers.iter_mut().zip(firsts) {
        let (mut position, mut ids) = (first["to"].clone(), Vec::new());
        while ids.len() < ROUNDS {
            let frame = reader.next().unwrap();
            assert_eq!(frame["from"], position);
            position = frame["to"].clone();
            ids.extend(frame["changes"].as_array().unwrap().iter().map(|change| change["id"].clone()));
        }
        assert_eq!(ids, (0..ROUNDS).map(|id| json!(id.to_string())).collect::<Vec<_>>());
    }
    site.stop();
}

#[test]
fn who_is_removed_by_one_process_is_hung_up_on_by_another() {
    let Some(site) = Site::start(2) else { return };
    let (here, there) = (site.world.only(0), site.world.only(1));
    let (ada, bob) = (here.register("ada"), here.register("bob"));
    let me = here.http(&bob).get("/v1/me").unwrap().ok();
    let bobs_id = me["user"]["id"].as_str().unwrap().to_owned();
    let invited = here.http(&ada).post(&ada.path("invites"), r#"{"role":"editor"}"#).unwrap().ok();
    let body = json!({"token": invited["token"]}).to_string();
    here.http(&bob).post("/v1/invites/accept", &body).unwrap().ok();
    let (mut theirs, mut own) = (Live::open(&there, &bob, &ada.space), Live::open(&there, &ada, &ada.space));
    theirs.next().unwrap();
    own.next().unwrap();
    let begun = Instant::now();
    let removed = here.http(&ada).delete(&ada.path(&format!("members/{bobs_id}"))).unwrap();
    assert_eq!(removed.status, 204);
    assert_eq!(theirs.next().unwrap_err(), 4403);
    assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
    here.http(&ada).post(&ada.path("changes"), &small_push(1)).unwrap().ok();
    assert_eq!(own.next().unwrap()["changes"][0]["id"], json!("1"));
    site.stop();
}
