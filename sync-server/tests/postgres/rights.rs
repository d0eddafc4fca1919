//! What one process takes away is gone in all others: on the next request, in pushes that are on their way, and on open
//! connections within a second.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::site::Site;
use crate::support::http::Http;
use crate::support::server::{Account, World};

/// Members removed while they push.
const ROUNDS: usize = 20;

/// What is promised is a second; the rest is what a busy machine may take to say so.
const AT_ONCE: Duration = Duration::from_secs(3);

/// Makes `member` an editor of ada's space, by an invite.
fn invite(world: &World, ada: &Account, member: &Account) {
    let invited = world.http(ada).post(&ada.path("invites"), r#"{"role":"editor"}"#).unwrap().ok();
    let body = json!({"token": invited["token"]}).to_string();
    world.http(member).post("/v1/invites/accept", &body).unwrap().ok();
}

fn user(world: &World, account: &Account) -> String {
    let me = world.http(account).get("/v1/me").unwrap().ok();
    me["user"]["id"].as_str().unwrap().to_owned()
}

fn head(http: &mut Http, ada: &Account) -> Value {
    http.get(&ada.path("status")).unwrap().ok()["head"].clone()
}

#[test]
fn who_is_removed_by_one_process_is_refused_by_the_next_request_to_another() {
    let Some(site) = Site::start(2) else { return };
    let (here, there) = (site.world.only(0), site.world.only(1));
    let (ada, bob) = (here.register("ada"), here.register("bob"));
    let bobs_id = user(&here, &bob);
    let mut bob_there = there.http(&bob);
    for _ in 0..ROUNDS {
        invite(&here, &ada, &bob);
        bob_there.get(&ada.path("changes")).unwrap().ok();
        let removed = here.http(&ada).delete(&ada.path(&format!("members/{bobs_id}"))).unwrap();
        assert_eq!(removed.status, 204);
        assert_eq!(bob_there.get(&ada.path("changes")).unwrap().code(), "space_not_found");
    }
    site.stop();
}

#[test]
fn nothing_of_a_removed_member_is_accepted_by_any_process_after_the_removal() {
    let Some(site) = Site::start(2) else { return };
    let (here, there) = (site.world.only(0), site.world.only(1));
    let (ada, bob) = (here.register("ada"), here.register("bob"));
    let bobs_id = user(&here, &bob);
    let put = r#"{"mutations":[{"op":"put","collection":"notes","id":"n","data":NOW}]}"#;
    let mut n_accepted = 0;
    for round in 0..ROUNDS {
        invite(&here, &ada, &bob);
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let pushing: Vec<_> = (0..3)
                .map(|n| {
                    let (there, bob, ada, is_over) = (&there, &bob, &ada, &is_over);
                    scope.spawn(move || {
                        let mut http = there.http(bob);
                        let mut n_accepted = 0;
                        while !is_over.load(Relaxed) {
                            let body = put.replace("\"n\"", &format!("\"{round}-{n}-{n_accepted}\""));
                            let body = body.replace("NOW", &n_accepted.to_string());
                            let answer = http.post(&ada.path("changes"), &body).unwrap();
                            n_accepted += usize::from(answer.status == 200);
                        }
                        n_accepted
                    })
                })
                .collect();
            std::thread::sleep(Duration::from_millis(60));
            let mut http = here.http(&ada);
            let removed = http.delete(&ada.path(&format!("members/{bobs_id}"))).unwrap();
            assert_eq!(removed.status, 204);
            let head_then = head(&mut http, &ada);
            std::thread::sleep(Duration::from_millis(100));
            is_over.store(true, Relaxed);
            n_accepted += pushing.into_iter().map(|pushing| pushing.join().unwrap()).sum::<usize>();
            assert_eq!(head(&mut http, &ada), head_then, "something was accepted after the removal");
        });
    }
    assert!(n_accepted > ROUNDS, "only {n_accepted} pushes were accepted before: nothing was tried");
    site.stop();
}

#[test]
fn a_device_that_one_process_revokes_loses_its_connection_to_another_within_a_second() {
    let Some(site) = Site::start(2) else { return };
    let (here, there) = (site.world.only(0), site.world.only(1));
    let ada = here.register("ada");
    let added = here.http(&ada).post("/v1/devices", r#"{"device_name":"phone"}"#).unwrap().ok();
    let text = |name: &str| added[name].as_str().unwrap().to_owned();
    let phone = Account { space: ada.space.clone(), token: text("device_token") };
    let cursor = there.http(&phone).get(&phone.path("changes")).unwrap().ok()["cursor"].clone();
    let path = phone.path(&format!("changes?wait=25&after={}", cursor.as_str().unwrap()));
    let waiting = std::thread::spawn({
        let there = there.clone();
        move || (there.http(&phone).get(&path).unwrap(), Instant::now())
    });
    std::thread::sleep(Duration::from_millis(500));
    let revoked = here.http(&ada).delete(&format!("/v1/devices/{}", text("device"))).unwrap();
    assert_eq!(revoked.status, 204);
    let revoked_at = Instant::now();
    let (answer, ended_at) = waiting.join().unwrap();
    assert_eq!(answer.code(), "token_revoked");
    let took = ended_at.saturating_duration_since(revoked_at);
    assert!(took < AT_ONCE, "the connection ended after {took:?}");
    site.stop();
}

#[test]
fn a_device_that_one_process_revokes_does_nothing_more_at_another_not_even_once() {
    let Some(site) = Site::start(2) else { return };
    let (here, there) = (site.world.only(0), site.world.only(1));
    let ada = here.register("ada");
    for _ in 0..ROUNDS {
        let added = here.http(&ada).post("/v1/devices", r#"{"device_name":"lost"}"#).unwrap().ok();
        let text = |name: &str| added[name].as_str().unwrap().to_owned();
        let lost = Account { space: ada.space.clone(), token: text("device_token") };
        let mut lost_there = there.http(&lost);
        lost_there.get(&lost.path("changes")).unwrap().ok();
        let revoked = here.http(&ada).delete(&format!("/v1/devices/{}", text("device"))).unwrap();
        assert_eq!(revoked.status, 204);
        for (path, body) in [
            ("/v1/devices".to_owned(), r#"{"device_name":"in for good"}"#),
            ("/v1/pairings".to_owned(), "{}"),
            (lost.path("invites"), r#"{"role":"owner"}"#),
            (lost.path("changes"), r#"{"mutations":[{"op":"put","collection":"n","id":"1","data":1}]}"#),
        ] {
            assert_eq!(lost_there.post(&path, body).unwrap().code(), "token_revoked", "{path}");
        }
    }
    site.stop();
}
