//! The names of spaces: who gives them, who sees them, and where they are not.

use std::sync::Arc;

use serde_json::{Value, json};
use sync_core::store::MemoryStore;
use sync_core::{AccountsExt, ActorId, Change, Role, SpaceId};
use sync_server::auth::registration::Registration;

use super::counted::Counted;
use super::log;
use super::steps::{invite, must, newcomer, refused, with_token};
use super::world::{CHEAP, START_US, World};

/// The time at which a world stands still.
const NOW: i64 = START_US;

#[tokio::test]
async fn spaces_have_names_over_memory() {
    run(&World::memory()).await;
}

#[tokio::test]
async fn spaces_have_names_over_sqlite() {
    run(&World::sqlite().await).await;
}

#[tokio::test]
async fn spaces_have_names_over_postgres() {
    let Some(world) = World::postgres().await else { return };
    run(&world).await;
}

async fn run(world: &World) {
    let mark = log::mark();
    a_space_has_the_name_that_its_owner_gives_it(world).await;
    a_space_that_is_created_again_has_no_name_of_before(world).await;
    a_space_of_before_gets_a_name_and_no_age(world).await;
    log::shows_nothing(&log::since(mark), &["Sekret", "Café"]);
}

async fn shown(world: &World, token: &str, space: &str) -> Value {
    let one = must(world, &format!("GET /v1/spaces/{space}"), Some(token), None, 200).await.json();
    let all = must(world, "GET /v1/spaces", Some(token), None, 200).await.json();
    let listed = all["spaces"].as_array().unwrap();
    assert_eq!(
        listed.iter().find(|listed| listed["space"] == space),
        Some(&one),
        "it is listed as it is shown"
    );
    one
}

async fn a_space_has_the_name_that_its_owner_gives_it(world: &World) {
    let (owner, member) = (newcomer(world, "nameowner").await, newcomer(world, "namemember").await);
    let body = r#"{"space":"named","name":" Sekret  society "}"#;
    let made = must(world, "POST /v1/spaces", Some(&owner), Some(body), 201).await.json();
    let named = |role: &str, name: Option<&str>| json!({"space": "named", "role": role, "name": name, "created_at": NOW});
    assert_eq!(made, named("owner", Some("Sekret  society")));
    assert_eq!(shown(world, &owner, "named").await, made);
    let rename = "PATCH /v1/spaces/named";
    refused(world, rename, Some(&member), Some(r#"{"name":"x"}"#), (404, "space_not_found")).await;
    let invited = with_token(&invite(world, &owner, "named", "editor").await);
    must(world, "POST /v1/invites/accept", Some(&member), Some(&invited), 200).await;
    refused(world, rename, Some(&member), Some(r#"{"name":"x"}"#), (403, "forbidden_role")).await;
    for (given, kept) in [("\"Cafe\u{301}\"", Some("Café")), ("null", None), ("\"Sekret\"", Some("Sekret"))]
    {
        must(world, rename, Some(&owner), Some(&format!(r#"{{"name":{given}}}"#)), 204).await;
        assert_eq!(shown(world, &owner, "named").await, named("owner", kept));
        assert_eq!(shown(world, &member, "named").await, named("editor", kept));
    }
    let me = must(world, "GET /v1/me", Some(&owner), None, 200).await.json();
    let home = shown(world, &owner, me["space"].as_str().unwrap()).await;
    assert_eq!((&home["name"], &home["created_at"]), (&Value::Null, &json!(NOW)));
}

async fn a_space_that_is_created_again_has_no_name_of_before(world: &World) {
    let (first, second) = (newcomer(world, "name1").await, newcomer(world, "name2").await);
    must(world, "POST /v1/spaces", Some(&first), Some(r#"{"space":"anew","name":"Sekret"}"#), 201).await;
    must(world, "DELETE /v1/spaces/anew", Some(&first), None, 204).await;
    refused(world, "PATCH /v1/spaces/anew", Some(&first), Some(r#"{"name":"x"}"#), (404, "space_not_found"))
        .await;
    must(world, "POST /v1/spaces", Some(&second), Some(r#"{"space":"anew"}"#), 201).await;
    assert_eq!(shown(world, &second, "anew").await["name"], Value::Null);
}

/// Nothing is known about it, and nobody makes up when it was created.
async fn a_space_of_before_gets_a_name_and_no_age(world: &World) {
    let owner = newcomer(world, "nameold").await;
    let me = must(world, "GET /v1/me", Some(&owner), None, 200).await.json();
    let (user, space) = (me["user"]["id"].as_str().unwrap(), SpaceId::new("older").unwrap());
    world.app.service.create_space(&space).await.unwrap();
    world.accounts.set_role(&space, &ActorId::new(user).unwrap(), Some(Role::Owner)).await.unwrap();
    let older = |name: Value| json!({"space": "older", "role": "owner", "name": name, "created_at": null});
    assert_eq!(shown(world, &owner, "older").await, older(Value::Null));
    must(world, "PATCH /v1/spaces/older", Some(&owner), Some(r#"{"name":"Sekret"}"#), 204).await;
    assert_eq!(shown(world, &owner, "older").await, older("Sekret".into()));
}

fn counted() -> (World, Arc<Counted>) {
    let store = MemoryStore::default();
    let counted = Arc::new(Counted::over(store.clone()));
    (World::strict_over(Arc::new(store), counted.clone(), CHEAP, Registration::Open), counted)
}

#[tokio::test]
async fn a_list_of_spaces_is_not_looked_up_one_by_one() {
    let (world, counted) = counted();
    let ada = newcomer(&world, "ada").await;
    let mut costs = Vec::new();
    for n in 0..20 {
        let body = json!({"space": format!("s{n}"), "name": format!("Space {n}")}).to_string();
        must(&world, "POST /v1/spaces", Some(&ada), Some(&body), 201).await;
        must(&world, "GET /v1/spaces", Some(&ada), None, 200).await;
        let before = counted.n_asked();
        let listed = must(&world, "GET /v1/spaces", Some(&ada), None, 200).await.json();
        assert_eq!(listed["spaces"].as_array().unwrap().len(), n + 2);
        costs.push(counted.n_asked() - before);
    }
    assert!(costs.iter().all(|cost| *cost == costs[0]), "{costs:?}");
}

/// Whoever asks is an owner when they are looked up, and none any more when it would be written.
#[tokio::test]
async fn who_is_demoted_while_renaming_does_not_rename() {
    let (world, counted) = counted();
    let ada = newcomer(&world, "ada").await;
    must(&world, "POST /v1/spaces", Some(&ada), Some(r#"{"space":"club","name":"The club"}"#), 201).await;
    let me = must(&world, "GET /v1/me", Some(&ada), None, 200).await.json();
    let (space, actor) =
        (SpaceId::new("club").unwrap(), ActorId::new(me["user"]["id"].as_str().unwrap()).unwrap());
    counted.meanwhile(vec![Change::SetRole { space, actor, role: Some(Role::Editor) }]);
    let body = Some(r#"{"name":"Mine"}"#);
    refused(&world, "PATCH /v1/spaces/club", Some(&ada), body, (403, "forbidden_role")).await;
    assert_eq!(shown(&world, &ada, "club").await["name"], "The club");
}
