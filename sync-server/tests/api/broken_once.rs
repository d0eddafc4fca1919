//! What someone once got away with, named after what was seen.

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
