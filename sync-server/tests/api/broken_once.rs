//! What someone once got away with, named after what was seen.

use std::cell::Cell;

use futures_util::future::{join, join_all};
use serde_json::json;
use sync_core::{AccountsExt, ActorId, Role, SpaceId};
use sync_server::auth::registration::Registration;

use super::world::{Answer, World};

const PASSWORD: &str = "correct horse";

async fn register(world: &World, name: &str) -> Answer {
    let body = json!({"username": name, "password": PASSWORD}).to_string();
    world.ask("POST /v1/auth/register", None, Some(&body)).await
}

fn user(answer: &Answer) -> ActorId {
    ActorId::new(answer.json()["user"]["id"].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn a_revoked_device_does_not_come_back_by_a_code_it_made_before() {
    let world = World::memory();
    let (owner, body) = (register(&world, "ada").await, json!({"username": "ada", "password": PASSWORD}));
    let thief = world.ask("POST /v1/auth/login", None, Some(&body.to_string())).await;
    let code = world.ask("POST /v1/pairings", Some(&thief.member("access_token")), Some("{}")).await;
    let revoke = format!("DELETE /v1/devices/{}", thief.member("device"));
    assert_eq!(world.ask(&revoke, Some(&owner.member("access_token")), None).await.status, 204);
    let body = json!({"token": code.member("token"), "device_name": "again"}).to_string();
    let redeemed = world.ask("POST /v1/pairings/redeem", None, Some(&body)).await;
    assert_eq!((redeemed.status, redeemed.member("code").as_str()), (400, "pairing_invalid"));
}

#[tokio::test]
async fn of_two_who_change_a_password_at_once_one_does_and_the_other_hears_so() {
    let world = World::memory();
    let tokens = {
        let owner = register(&world, "ada").await.member("access_token");
        let body = json!({"username": "ada", "password": PASSWORD}).to_string();
        [owner, world.ask("POST /v1/auth/login", None, Some(&body)).await.member("access_token")]
    };
    let change = async |n: usize| {
        let body = json!({"current": PASSWORD, "new": format!("new password {n}")}).to_string();
        world.ask("POST /v1/auth/password", Some(&tokens[n]), Some(&body)).await.status
    };
    let mut statuses = join(change(0), change(1)).await;
    if statuses.0 > statuses.1 {
        statuses = (statuses.1, statuses.0);
    }
    assert_eq!(statuses, (204, 401));
}

#[tokio::test]
async fn a_refresh_token_from_long_ago_is_known_for_a_copy() {
    let world = World::memory();
    let owner = register(&world, "ada").await;
    let refresh = async |token: &str| {
        let body = json!({"refresh_token": token}).to_string();
        world.ask("POST /v1/auth/refresh", None, Some(&body)).await
    };
    let mut stolen = refresh(&owner.member("refresh_token")).await;
    for _ in 0..12 {
        stolen = refresh(&stolen.member("refresh_token")).await;
        assert_eq!(stolen.status, 200);
    }
    let shown = refresh(&owner.member("refresh_token")).await;
    assert_eq!((shown.status, shown.member("code").as_str()), (401, "token_revoked"));
    assert_eq!(refresh(&stolen.member("refresh_token")).await.member("code"), "token_revoked");
}

#[tokio::test]
async fn owners_who_delete_themselves_at_once_leave_no_space_without_an_owner() {
    for _ in 0..10 {
        let world = World::memory();
        let [ada, bob, ed] = ["ada", "bob", "ed"].map(|name| register(&world, name));
        let (ada, bob, ed) = (ada.await, bob.await, ed.await);
        let space = SpaceId::new(ada.member("space")).unwrap();
        world.accounts.set_role(&space, &user(&bob), Some(Role::Owner)).await.unwrap();
        world.accounts.set_role(&space, &user(&ed), Some(Role::Editor)).await.unwrap();
        let leave = async |who: &Answer| {
            let body = json!({"password": PASSWORD}).to_string();
            world.ask("DELETE /v1/me", Some(&who.member("access_token")), Some(&body)).await.status
        };
        let _ = join(leave(&ada), leave(&bob)).await;
        let members = world.accounts.members(&space, None, 10).await.unwrap();
        assert!(members.iter().any(|(_, role)| *role == Role::Owner), "{members:?}");
    }
}

#[tokio::test]
async fn a_role_in_a_space_that_is_gone_hides_no_devices() {
    let world = World::memory();
    let ada = register(&world, "ada").await;
    let token = ada.member("access_token");
    let space = ada.member("space");
    let page = world.ask(&format!("GET /v1/spaces/{space}/changes"), Some(&token), None).await;
    let after = format!("GET /v1/spaces/{space}/changes?after={}", page.member("cursor"));
    assert_eq!(world.ask(&after, Some(&token), None).await.status, 200);
    assert!(world.app.service.delete_space(&SpaceId::new(space).unwrap()).await.unwrap());
    assert_eq!(world.ask("GET /v1/devices", Some(&token), None).await.status, 200);
}

#[tokio::test]
async fn nobody_fills_a_mailbox_with_invites() {
    let world = World::strict(Registration::Open);
    let ada = register(&world, "ada").await;
    let ask = format!("POST /v1/spaces/{}/invites", ada.member("space"));
    let (token, body) = (ada.member("access_token"), r#"{"role":"viewer","address":"bob@example.org"}"#);
    let statuses = join_all((0..7).map(|_| world.ask(&ask, Some(&token), Some(body)))).await;
    let n_sent = statuses.iter().filter(|answer| answer.status == 201).count();
    assert_eq!((n_sent, statuses.iter().filter(|answer| answer.status == 429).count()), (5, 2));
}

#[tokio::test]
async fn who_waits_and_gets_another_role_does_not_wait_on_with_the_old_one() {
    let world = World::memory();
    let [ada, bob] = ["ada", "bob"].map(|name| register(&world, name));
    let (ada, bob) = (ada.await, bob.await);
    let space = SpaceId::new(ada.member("space")).unwrap();
    world.accounts.set_role(&space, &user(&bob), Some(Role::Owner)).await.unwrap();
    let (token, changes) = (bob.member("access_token"), format!("GET /v1/spaces/{space}/changes"));
    let cursor = world.ask(&changes, Some(&token), None).await.member("cursor");
    let wait = format!("{changes}?wait=25&after={cursor}");
    let demote = async {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        let put = format!("PUT /v1/spaces/{space}/members/{}", user(&bob));
        let answer = world.ask(&put, Some(&ada.member("access_token")), Some(r#"{"role":"viewer"}"#)).await;
        assert_eq!(answer.status, 204, "{answer:?}");
        answer
    };
    let both = join(world.ask(&wait, Some(&token), None), demote);
    let (answer, demoted) = tokio::time::timeout(std::time::Duration::from_secs(10), both).await.unwrap();
    assert_eq!((answer.status, demoted.status), (200, 204));
}

#[tokio::test]
async fn nobody_who_signs_in_with_the_old_password_stays_in_after_it_was_changed() {
    let world = World::sqlite().await;
    let owner = register(&world, "ada").await.member("access_token");
    let old = json!({"username": "ada", "password": PASSWORD}).to_string();
    let change = json!({"current": PASSWORD, "new": "battery staple"}).to_string();
    let is_changed = Cell::new(false);
    // They go on until it is changed, so that some have looked at the old one by then, and wait to hash it.
    let thieves = join_all((0..8).map(|_| async {
        while !is_changed.get() {
            world.ask("POST /v1/auth/login", None, Some(&old)).await;
        }
    }));
    let changing = async {
        let changed = world.ask("POST /v1/auth/password", Some(&owner), Some(&change)).await;
        is_changed.set(true);
        changed
    };
    let (_, changed) = join(thieves, changing).await;
    assert_eq!(changed.status, 204);
    let devices = world.ask("GET /v1/devices", Some(&owner), None).await;
    assert_eq!(devices.json()["devices"].as_array().unwrap().len(), 1, "{}", devices.text());
}

/// A viewer whom an owner makes an owner while they accept an invite for editors.
#[tokio::test]
async fn accepting_an_invite_takes_no_higher_role_away() {
    let world = World::sqlite().await;
    let [ada, bob] = ["ada", "bob"].map(|name| register(&world, name));
    let (ada, bob) = (ada.await, bob.await);
    let (owner, space) = (ada.member("access_token"), SpaceId::new(ada.member("space")).unwrap());
    let invites = format!("POST /v1/spaces/{space}/invites");
    let promote = format!("PUT /v1/spaces/{space}/members/{}", user(&bob));
    for _ in 0..30 {
        world.accounts.set_role(&space, &user(&bob), Some(Role::Viewer)).await.unwrap();
        let invited = world.ask(&invites, Some(&owner), Some(r#"{"role":"editor"}"#)).await;
        let body = json!({"token": invited.member("token")}).to_string();
        let token = bob.member("access_token");
        let accept = world.ask("POST /v1/invites/accept", Some(&token), Some(&body));
        let (_, promoted) =
            join(accept, world.ask(&promote, Some(&owner), Some(r#"{"role":"owner"}"#))).await;
        let role = world.accounts.role(&space, &user(&bob)).await.unwrap();
        assert!(promoted.status != 204 || role == Some(Role::Owner), "{role:?}");
    }
}

#[tokio::test]
async fn a_space_that_someone_joins_while_its_owner_leaves_stays() {
    for _ in 0..20 {
        let world = World::sqlite().await;
        let [ada, vic] = ["ada", "vic"].map(|name| register(&world, name));
        let (ada, vic) = (ada.await, vic.await);
        let (owner, space) = (ada.member("access_token"), ada.member("space"));
        let invites = format!("POST /v1/spaces/{space}/invites");
        let invited = world.ask(&invites, Some(&owner), Some(r#"{"role":"owner"}"#)).await;
        let accept = json!({"token": invited.member("token")}).to_string();
        let (vics, leave) = (vic.member("access_token"), json!({"password": PASSWORD}).to_string());
        let leaving = world.ask("DELETE /v1/me", Some(&owner), Some(&leave));
        let joining = world.ask("POST /v1/invites/accept", Some(&vics), Some(&accept));
        let (_, joined) = join(leaving, joining).await;
        let seen = world.ask(&format!("GET /v1/spaces/{space}/changes"), Some(&vics), None).await;
        assert_eq!(seen.status == 200, joined.status == 200, "{joined:?} {seen:?}");
    }
}

#[tokio::test]
async fn a_space_that_is_deleted_twice_takes_no_new_one_of_its_name_along() {
    let world = World::sqlite().await;
    let [ada, bob] = ["ada", "bob"].map(|name| register(&world, name));
    let (ada, bob) = (ada.await.member("access_token"), bob.await.member("access_token"));
    for n in 0..30 {
        let (name, body) = (format!("name-{n}"), json!({"space": format!("name-{n}")}).to_string());
        assert_eq!(world.ask("POST /v1/spaces", Some(&ada), Some(&body)).await.status, 201);
        let delete = format!("DELETE /v1/spaces/{name}");
        let deleting = join_all((0..8).map(|_| world.ask(&delete, Some(&ada), None)));
        let creating = async {
            while world.ask("POST /v1/spaces", Some(&bob), Some(&body)).await.status != 201 {
                tokio::task::yield_now().await;
            }
        };
        join(deleting, creating).await;
        let seen = world.ask(&format!("GET /v1/spaces/{name}/changes"), Some(&bob), None).await;
        assert_eq!(seen.status, 200, "{}", seen.text());
    }
}
