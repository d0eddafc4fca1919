//! Many who want what there is once: over each store one of them gets it.

use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::join_all;
use serde_json::json;

use super::log;
use super::steps::{
    PASSWORD, at_once, credentials, invite, link, login, must, newcomer, offer, only_one, refused, register,
    with_token,
};
use super::world::{Answer, SECRET, World};

/// How many want the same.
const MANY: usize = 50;

/// How many of those who are people of their own, or hash a password.
const SOME: usize = 20;

#[tokio::test]
async fn what_is_there_once_is_had_once_over_memory() {
    run(&World::memory(), 300).await;
}

#[tokio::test]
async fn what_is_there_once_is_had_once_over_sqlite() {
    run(&World::sqlite().await, 30).await;
}

#[tokio::test]
async fn what_is_there_once_is_had_once_over_postgres() {
    let Some(world) = World::postgres().await else { return };
    run(&world, 20).await;
}

async fn run(world: &World, n_rounds: usize) {
    let mark = log::mark();
    of_many_who_redeem_a_link_one_is_signed_in(world).await;
    of_many_who_redeem_a_code_one_is_signed_in(world).await;
    of_many_who_use_one_refresh_token_one_goes_on(world).await;
    of_many_who_register_a_name_one_gets_it(world).await;
    of_many_who_accept_an_invite_one_comes_in(world).await;
    of_many_who_create_a_space_one_owns_it(world).await;
    of_two_last_owners_who_leave_at_once_one_stays(world).await;
    nothing_is_acknowledged_after_a_removal(world, n_rounds).await;
    log::shows_nothing(&log::since(mark), &[PASSWORD, SECRET]);
}

async fn of_many_who_redeem_a_link_one_is_signed_in(world: &World) {
    // Once for somebody new, once for somebody known.
    for _ in 0..2 {
        let body = with_token(&link(world, "race@example.org").await);
        let answers = at_once(world, MANY, "POST /v1/auth/link/redeem", &body).await;
        let signed_in = only_one(&answers, 200, (400, "link_invalid"));
        assert!(signed_in.header("set-cookie").starts_with("__Host-session=sc_"));
    }
}

async fn of_many_who_redeem_a_code_one_is_signed_in(world: &World) {
    let token = newcomer(world, "pairing").await;
    let code = offer(world, &token, false).await;
    let redeem = "POST /v1/pairings/redeem";
    only_one(
        &at_once(world, MANY, redeem, &with_token(&code.member("token"))).await,
        200,
        (400, "pairing_invalid"),
    );
    let code = offer(world, &token, true).await;
    let answers = at_once(world, MANY, redeem, &with_token(&code.member("token"))).await;
    let waiting = only_one(&answers, 202, (400, "pairing_invalid"));
    let confirm = format!("POST /v1/pairings/{}/confirm", code.member("pairing"));
    must(world, &confirm, Some(&token), None, 204).await;
    let claim = json!({"claim": waiting.member("claim")}).to_string();
    only_one(&at_once(world, MANY, redeem, &claim).await, 200, (400, "pairing_invalid"));
    let devices = must(world, "GET /v1/devices", Some(&token), None, 200).await.json();
    assert_eq!(devices["devices"].as_array().unwrap().len(), 3, "itself, and one for each code");
}

async fn of_many_who_use_one_refresh_token_one_goes_on(world: &World) {
    let signed_in = register(world, "refreshing").await;
    let body = json!({"refresh_token": signed_in.member("refresh_token")}).to_string();
    let answers = at_once(world, MANY, "POST /v1/auth/refresh", &body).await;
    let next = only_one(&answers, 200, (401, "token_revoked"));
    // The others showed what was spent by then: nobody can tell which of them is the owner.
    refused(world, "GET /v1/me", Some(&next.member("access_token")), None, (401, "token_revoked")).await;
}

async fn of_many_who_register_a_name_one_gets_it(world: &World) {
    let body = credentials("Contested", PASSWORD);
    let n_before = world.app.store.spaces(None, 10_000).await.unwrap().len();
    let answers = at_once(world, SOME, "POST /v1/auth/register", &body).await;
    let one = only_one(&answers, 201, (409, "username_taken"));
    must(world, "GET /v1/me", Some(&one.member("access_token")), None, 200).await;
    assert_eq!(
        world.app.store.spaces(None, 10_000).await.unwrap().len(),
        n_before + 1,
        "of the others nothing is left"
    );
}

async fn of_many_who_accept_an_invite_one_comes_in(world: &World) {
    let owner = register(world, "inviting").await;
    let (owner, space) = (owner.member("access_token"), owner.member("space"));
    let body = with_token(&invite(world, &owner, &space, "editor").await);
    let guests =
        join_all((0..SOME).map(|idx| async move { newcomer(world, &format!("guest{idx}")).await })).await;
    let accept = |guest: String| {
        let body = body.clone();
        async move { world.ask("POST /v1/invites/accept", Some(&guest), Some(&body)).await }
    };
    only_one(&join_all(guests.into_iter().map(accept)).await, 200, (400, "invite_invalid"));
    let members = must(world, &format!("GET /v1/spaces/{space}/members"), Some(&owner), None, 200).await;
    assert_eq!(members.json()["members"].as_array().unwrap().len(), 2);
}

async fn of_many_who_create_a_space_one_owns_it(world: &World) {
    let people = [newcomer(world, "maker1").await, newcomer(world, "maker2").await];
    let body = r#"{"space":"contested"}"#;
    let ask = |idx: usize| {
        let token = people[idx % 2].as_str();
        async move { (idx % 2, world.ask("POST /v1/spaces", Some(token), Some(body)).await) }
    };
    let answers = join_all((0..MANY).map(ask)).await;
    let owner = answers.iter().find(|(_, answer)| answer.status == 201).map(|(who, _)| *who).unwrap();
    let answers: Vec<Answer> = answers.into_iter().map(|(_, answer)| answer).collect();
    only_one(&answers, 201, (409, "id_conflict"));
    let space = "GET /v1/spaces/contested";
    assert_eq!(must(world, space, Some(&people[owner]), None, 200).await.member("role"), "owner");
    refused(world, space, Some(&people[1 - owner]), None, (404, "space_not_found")).await;
}

async fn of_two_last_owners_who_leave_at_once_one_stays(world: &World) {
    for name in ["one", "two"] {
        register(world, &format!("owner{name}")).await;
    }
    let (one, two) = (login(world, "ownerone").await, login(world, "ownertwo").await);
    let id = |answer: &Answer| answer.json()["user"]["id"].as_str().unwrap().to_owned();
    let (first, second) = ((one.member("access_token"), id(&one)), (two.member("access_token"), id(&two)));
    for round in 0..20 {
        let space = format!("owned-{round}");
        let body = json!({"space": space}).to_string();
        must(world, "POST /v1/spaces", Some(&first.0), Some(&body), 201).await;
        let body = with_token(&invite(world, &first.0, &space, "owner").await);
        must(world, "POST /v1/invites/accept", Some(&second.0), Some(&body), 200).await;
        let leave = |(token, id): (String, String)| {
            let ask = format!("DELETE /v1/spaces/{space}/members/{id}");
            async move { world.ask(&ask, Some(&token), None).await }
        };
        let answers = join_all([leave(first.clone()), leave(second.clone())]).await;
        only_one(&answers, 204, (409, "last_owner"));
    }
}

/// Someone is removed while they push: what was answered before the removal is there, and after it nothing is accepted,
/// not even what was on its way.
async fn nothing_is_acknowledged_after_a_removal(world: &World, n_rounds: usize) {
    let (owner, member) = (register(world, "removing").await, register(world, "removed").await);
    let (token, space) = (owner.member("access_token"), owner.member("space"));
    let (theirs, id) =
        (member.member("access_token"), member.json()["user"]["id"].as_str().unwrap().to_owned());
    for round in 0..n_rounds {
        let body = with_token(&invite(world, &token, &space, "editor").await);
        must(world, "POST /v1/invites/accept", Some(&theirs), Some(&body), 200).await;
        let is_removed = AtomicBool::new(false);
        let pushes = join_all((0..4).map(|idx| push_twice(world, &theirs, &space, round, idx, &is_removed)));
        let removal = async {
            let ask = format!("DELETE /v1/spaces/{space}/members/{id}");
            must(world, &ask, Some(&token), None, 204).await;
            is_removed.store(true, Ordering::SeqCst);
            head(world, &token, &space).await
        };
        let (pushed, at_removal) = tokio::join!(pushes, removal);
        assert_eq!(head(world, &token, &space).await, at_removal, "round {round}: written after the removal");
        for (record, is_there) in pushed.into_iter().flatten() {
            let ask = format!("GET /v1/spaces/{space}/records/notes/{record}");
            let found = world.ask(&ask, Some(&token), None).await.status == 200;
            assert_eq!(found, is_there, "round {round}: {record}");
        }
    }
}

/// Which records were acknowledged, and which were not.
async fn push_twice(
    world: &World,
    token: &str,
    space: &str,
    round: usize,
    idx: usize,
    is_removed: &AtomicBool,
) -> Vec<(String, bool)> {
    let mut pushed = Vec::new();
    for n in 0..2 {
        let record = format!("r{round}-{idx}-{n}");
        let body =
            format!(r#"{{"mutations":[{{"op":"put","collection":"notes","id":"{record}","data":1}}]}}"#);
        let was_removed = is_removed.load(Ordering::SeqCst);
        let answer = world.ask(&format!("POST /v1/spaces/{space}/changes"), Some(token), Some(&body)).await;
        assert!(answer.status == 200 && !was_removed || answer.status == 404, "round {round}: {answer:?}");
        pushed.push((record, answer.status == 200));
    }
    pushed
}

async fn head(world: &World, token: &str, space: &str) -> String {
    must(world, &format!("GET /v1/spaces/{space}/status"), Some(token), None, 200).await.member("head")
}
