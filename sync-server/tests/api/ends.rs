//! The end of users and spaces, over each store: what they leave, and what comes after.

use serde_json::json;
use sync_core::store::Mode;
use sync_core::{ActorId, Holder, SpaceId};

use super::log;
use super::steps::{PASSWORD, invite, must, newcomer, offer, refused, register, with_token};
use super::world::{SECRET, World};

#[tokio::test]
async fn what_ends_is_gone_over_memory() {
    run(&World::memory()).await;
}

#[tokio::test]
async fn what_ends_is_gone_over_sqlite() {
    run(&World::sqlite().await).await;
}

#[tokio::test]
async fn what_ends_is_gone_over_postgres() {
    let Some(world) = World::postgres().await else { return };
    run(&world).await;
}

async fn run(world: &World) {
    let mark = log::mark();
    a_deleted_space_leaves_nothing(world).await;
    a_space_that_is_created_again_knows_nothing_of_the_old_one(world).await;
    a_deleted_user_leaves_nothing(world).await;
    log::shows_nothing(&log::since(mark), &[PASSWORD, SECRET]);
}

const NOTE: &str = r#"{"mutations":[{"op":"put","collection":"notes","id":"n","data":{"title":"mine"}}]}"#;

async fn a_deleted_space_leaves_nothing(world: &World) {
    let (owner, member) = (newcomer(world, "endowner").await, newcomer(world, "endmember").await);
    must(world, "POST /v1/spaces", Some(&owner), Some(r#"{"space":"ending","name":"The end"}"#), 201).await;
    let body = with_token(&invite(world, &owner, "ending", "editor").await);
    let open = with_token(&invite(world, &owner, "ending", "editor").await);
    must(world, "POST /v1/invites/accept", Some(&member), Some(&body), 200).await;
    must(world, "POST /v1/spaces/ending/changes", Some(&member), Some(NOTE), 200).await;
    must(world, "DELETE /v1/spaces/ending", Some(&owner), None, 204).await;
    for token in [&owner, &member] {
        refused(world, "GET /v1/spaces/ending", Some(token), None, (404, "space_not_found")).await;
        let push = "POST /v1/spaces/ending/changes";
        refused(world, push, Some(token), Some(NOTE), (404, "space_not_found")).await;
    }
    refused(world, "POST /v1/invites/accept", Some(&member), Some(&open), (400, "invite_invalid")).await;
    assert_nothing_of(world, &SpaceId::new("ending").unwrap()).await;
}

async fn assert_nothing_of(world: &World, space: &SpaceId) {
    assert!(world.accounts.members(space, None, 10).await.unwrap().is_empty());
    assert!(world.accounts.space_infos(std::slice::from_ref(space)).await.unwrap().is_empty());
    assert!(world.accounts.credentials(&Holder::Space(space.clone()), None, 10).await.unwrap().is_empty());
    assert!(!world.app.store.spaces(None, 10_000).await.unwrap().contains(space));
    assert!(world.app.store.begin(space, Mode::Read).await.is_err());
}

/// The name may be had again, by anyone; what was under it before is not, and cursors into it end.
async fn a_space_that_is_created_again_knows_nothing_of_the_old_one(world: &World) {
    let (first, second) = (newcomer(world, "again1").await, newcomer(world, "again2").await);
    let body = Some(r#"{"space":"again"}"#);
    must(world, "POST /v1/spaces", Some(&first), body, 201).await;
    let guests = with_token(&invite(world, &first, "again", "editor").await);
    must(world, "POST /v1/spaces/again/changes", Some(&first), Some(NOTE), 200).await;
    let old = must(world, "GET /v1/spaces/again/changes", Some(&first), None, 200).await.member("cursor");
    must(world, "DELETE /v1/spaces/again", Some(&first), None, 204).await;
    must(world, "POST /v1/spaces", Some(&second), body, 201).await;
    refused(world, "GET /v1/spaces/again", Some(&first), None, (404, "space_not_found")).await;
    refused(world, "POST /v1/invites/accept", Some(&first), Some(&guests), (400, "invite_invalid")).await;
    let changes = must(world, "GET /v1/spaces/again/changes", Some(&second), None, 200).await.json();
    assert_eq!(changes["changes"], json!([]));
    let log = must(world, "GET /v1/spaces/again/log", Some(&second), None, 200).await.json();
    assert_eq!(log["entries"], json!([]));
    let members = must(world, "GET /v1/spaces/again/members", Some(&second), None, 200).await.json();
    assert_eq!(members["members"].as_array().unwrap().len(), 1);
    let ask = format!("GET /v1/spaces/again/changes?after={old}");
    let resync = must(world, &ask, Some(&second), None, 410).await;
    assert_eq!(
        (resync.member("code").as_str(), resync.member("reason").as_str()),
        ("resync_required", "epoch_changed")
    );
}

async fn a_deleted_user_leaves_nothing(world: &World) {
    let (gone, other) = (register(world, "gone").await, register(world, "stays").await);
    let (token, id) = (gone.member("access_token"), gone.json()["user"]["id"].as_str().unwrap().to_owned());
    let (others, shared) = (other.member("access_token"), other.member("space"));
    let body = with_token(&invite(world, &others, &shared, "owner").await);
    must(world, "POST /v1/invites/accept", Some(&token), Some(&body), 200).await;
    let theirs = with_token(&invite(world, &token, &shared, "viewer").await);
    must(world, &format!("POST /v1/spaces/{shared}/changes"), Some(&token), Some(NOTE), 200).await;
    must(world, "POST /v1/spaces", Some(&token), Some(r#"{"space":"theirs-alone"}"#), 201).await;
    let phone = must(world, "POST /v1/devices", Some(&token), Some(r#"{"device_name":"phone"}"#), 201).await;
    let code = with_token(&offer(world, &token, false).await.member("token"));
    must(world, &format!("GET /v1/spaces/{shared}/changes"), Some(&token), None, 200).await;
    world.app.identity.write_notes().await.unwrap();
    must(world, "DELETE /v1/me", Some(&token), Some(&json!({"password": PASSWORD}).to_string()), 204).await;

    let actor = ActorId::new(&id).unwrap();
    assert!(world.accounts.user(&actor).await.unwrap().is_none());
    assert!(world.accounts.user_by_name("gone").await.unwrap().is_none());
    assert!(world.accounts.credentials(&Holder::User(actor.clone()), None, 10).await.unwrap().is_empty());
    assert!(world.accounts.spaces_of(&actor, None, 10).await.unwrap().is_empty());
    for space in [gone.member("space"), "theirs-alone".to_owned()] {
        assert_nothing_of(world, &SpaceId::new(space).unwrap()).await;
    }
    for token in [token, phone.member("device_token")] {
        refused(world, "GET /v1/me", Some(&token), None, (401, "token_revoked")).await;
    }
    let refresh = json!({"refresh_token": gone.member("refresh_token")}).to_string();
    refused(world, "POST /v1/auth/refresh", None, Some(&refresh), (401, "token_revoked")).await;
    refused(world, "POST /v1/pairings/redeem", None, Some(&code), (400, "pairing_invalid")).await;
    let guest = newcomer(world, "guest").await;
    refused(world, "POST /v1/invites/accept", Some(&guest), Some(&theirs), (400, "invite_invalid")).await;
    // What they wrote in the space of another is that other's; the name can be had again, by somebody else.
    let note = format!("GET /v1/spaces/{shared}/records/notes/n");
    must(world, &note, Some(&others), None, 200).await;
    let again = register(world, "gone").await;
    assert_ne!(again.json()["user"]["id"].as_str(), Some(id.as_str()));
    refused(world, &note, Some(&again.member("access_token")), None, (404, "space_not_found")).await;
}
