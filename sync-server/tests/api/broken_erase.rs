//! What someone once got away with, or lost, when spaces and users are made and deleted.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{join, join_all};
use serde_json::json;
use sync_core::{AccountsExt, ActorId, Change, Role, SpaceId};
use sync_server::identity::SharedSpaces;

use super::steps::{PASSWORD, invite, must, newcomer, refused, register, with_token};
use super::world::World;

const NOTE: &str = r#"{"mutations":[{"op":"put","collection":"notes","id":"n","data":{"title":"mine"}}]}"#;

fn space(name: &str) -> SpaceId {
    SpaceId::new(name).unwrap()
}

async fn in_store(world: &World) -> BTreeSet<SpaceId> {
    world.app.store.spaces(None, 100_000).await.unwrap().into_iter().collect()
}

async fn create(world: &World, token: &str, name: &str) -> u16 {
    world.ask("POST /v1/spaces", Some(token), Some(&json!({ "space": name }).to_string())).await.status
}

/// What upkeep does at the start of a server, and now and then.
async fn tidy(world: &World) {
    world.app.identity.erase_left_over(&mut BTreeSet::new()).await.unwrap();
}

/// Work that is given up on after so many steps, as when its client goes away.
async fn cut_off<T>(work: impl Future<Output = T>, n_steps: usize) -> Option<T> {
    let mut work = Box::pin(work);
    for _ in 0..n_steps {
        if let Some(done) = work.as_mut().now_or_never() {
            return Some(done);
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    None
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_hears_that_they_stay_has_lost_nothing() {
    let world = World::sqlite().await;
    for round in 0..6 {
        let (ada, vic) =
            (register(&world, &format!("ada{round}")).await, newcomer(&world, &format!("vic{round}")).await);
        let token = ada.member("access_token");
        let names: Vec<String> = (0..40).map(|n| format!("z{round}-{n:02}")).collect();
        for name in &names {
            assert_eq!(create(&world, &token, name).await, 201);
        }
        let body = with_token(&invite(&world, &token, &names[39], "editor").await);
        let before = in_store(&world).await;
        let leaving = json!({ "password": PASSWORD }).to_string();
        let accept = async {
            tokio::time::sleep(Duration::from_millis(3 + 4 * round)).await;
            world.ask("POST /v1/invites/accept", Some(&vic), Some(&body)).await.status
        };
        let (left, accepted) = join(world.ask("DELETE /v1/me", Some(&token), Some(&leaving)), accept).await;
        let gone = before.len() - in_store(&world).await.len();
        match left.status {
            204 => assert_eq!((gone, accepted), (41, 400)),
            409 => assert_eq!((gone, accepted), (0, 200), "refused, and yet spaces are gone"),
            other => panic!("{other}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_goes_on_making_spaces_is_deleted_all_the_same() {
    let world = World::sqlite().await;
    let ada = register(&world, "ada").await;
    let (token, home) = (ada.member("access_token"), in_store(&world).await);
    let id = ActorId::new(ada.json()["user"]["id"].as_str().unwrap()).unwrap();
    let make = async || while world.ask("POST /v1/spaces", Some(&token), Some("{}")).await.status == 201 {};
    let delete = async {
        while in_store(&world).await.len() < 100 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        world.app.identity.delete_user(&id, SharedSpaces::Keep).await.unwrap();
    };
    let work = join(delete, join_all((0..8).map(|_| make())));
    tokio::time::timeout(Duration::from_secs(30), work)
        .await
        .expect("nobody is deleted while they make spaces");
    assert!(world.accounts.user(&id).await.unwrap().is_none());
    tidy(&world).await;
    assert_eq!((home.len(), in_store(&world).await.len()), (1, 0));
}

#[tokio::test]
async fn a_name_is_not_lost_when_making_its_space_is_cut_off() {
    let world = World::memory();
    let token = newcomer(&world, "ada").await;
    for n_steps in 0..20 {
        let name = format!("cut-{n_steps}");
        let _ = cut_off(create(&world, &token, &name), n_steps).await;
        // The client asks again: either it was made, or it is now.
        assert!(matches!(create(&world, &token, &name).await, 201 | 409), "{name}");
        must(&world, &format!("GET /v1/spaces/{name}"), Some(&token), None, 200).await;
        must(&world, &format!("POST /v1/spaces/{name}/changes"), Some(&token), Some(NOTE), 200).await;
    }
    let before = in_store(&world).await;
    tidy(&world).await;
    assert_eq!(in_store(&world).await, before);
}

#[tokio::test]
async fn what_is_left_of_a_registration_that_was_cut_off_is_erased() {
    let world = World::memory();
    for n_steps in 0..20 {
        let _ = cut_off(register(&world, &format!("user{n_steps}")), n_steps).await;
    }
    tidy(&world).await;
    let users = world.accounts.users(None, 100).await.unwrap();
    let homes: BTreeSet<_> = users.into_iter().filter_map(|user| user.home).collect();
    assert_eq!(in_store(&world).await, homes);
}

#[tokio::test]
async fn a_space_whose_deletion_was_cut_off_is_whole_or_gone() {
    let world = World::memory();
    let (ada, bob) = (newcomer(&world, "ada").await, newcomer(&world, "bob").await);
    for n_steps in 0..12 {
        let name = format!("cut-{n_steps}");
        assert_eq!(create(&world, &ada, &name).await, 201);
        must(&world, &format!("POST /v1/spaces/{name}/changes"), Some(&ada), Some(NOTE), 200).await;
        let _ = cut_off(world.ask(&format!("DELETE /v1/spaces/{name}"), Some(&ada), None), n_steps).await;
        let look = format!("GET /v1/spaces/{name}/records/notes/n");
        if world.ask(&look, Some(&ada), None).await.status == 200 {
            assert_eq!(create(&world, &bob, &name).await, 409);
            continue;
        }
        if n_steps % 2 == 0 {
            tidy(&world).await;
            assert!(!in_store(&world).await.contains(&space(&name)));
        }
        assert_eq!(create(&world, &bob, &name).await, 201, "{name}");
        refused(&world, &look, Some(&bob), None, (404, "not_found")).await;
        tidy(&world).await;
        must(&world, &format!("GET /v1/spaces/{name}"), Some(&bob), None, 200).await;
    }
}

#[tokio::test]
async fn a_user_whose_deletion_was_cut_off_is_there_or_gone_with_all_that_is_theirs() {
    let world = World::memory();
    for n_steps in 0..14 {
        let ada = register(&world, &format!("ada{n_steps}")).await;
        let token = ada.member("access_token");
        assert_eq!(create(&world, &token, &format!("more{n_steps}")).await, 201);
        let before = in_store(&world).await;
        let leaving = json!({ "password": PASSWORD }).to_string();
        let _ = cut_off(world.ask("DELETE /v1/me", Some(&token), Some(&leaving)), n_steps).await;
        let is_there = world.ask("GET /v1/me", Some(&token), None).await.status == 200;
        tidy(&world).await;
        let n_gone = before.len() - in_store(&world).await.len();
        assert_eq!(n_gone, if is_there { 0 } else { 2 }, "after {n_steps} steps");
    }
}

#[tokio::test]
async fn nobody_gets_nor_erases_a_space_that_holds_something() {
    let world = World::memory();
    let token = newcomer(&world, "ada").await;
    assert_eq!(create(&world, &token, "full").await, 201);
    must(&world, "POST /v1/spaces/full/changes", Some(&token), Some(NOTE), 200).await;
    let head = world.app.service.head(&space("full")).await.unwrap();
    let nobodys = Change::ForgetSpace(space("full"));
    for is_marked in [false, true] {
        assert!(world.accounts.change(std::slice::from_ref(&nobodys)).await.unwrap().is_done());
        if is_marked {
            let maker = ActorId::new("~making").unwrap();
            world.accounts.set_role(&space("full"), &maker, Some(Role::Owner)).await.unwrap();
        }
        assert_eq!(create(&world, &token, "full").await, 409);
        tidy(&world).await;
        assert_eq!(world.app.service.head(&space("full")).await.unwrap(), head);
    }
}
