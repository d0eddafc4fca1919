//! How often something may be asked, by a server that limits: who is held, who is not, and what it costs.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use sync_core::store::MemoryStore;
use sync_core::{AccountsExt, ActorId, Change, Role, SpaceId, Timestamp};
use sync_server::auth::registration::Registration;
use sync_server::identity::Rights;

use super::counted::Counted;
use super::steps::{PASSWORD, credentials, invite, must, newcomer, offer, refused, register, with_token};
use super::world::{Answer, CHEAP, World};

const LOGIN: &str = "POST /v1/auth/login";
const HERE: &str = "192.0.2.1";
const ELSEWHERE: &str = "198.51.100.7";

fn strict() -> World {
    World::strict(Registration::Open)
}

async fn login(world: &World, ip: &str, name: &str, password: &str) -> Answer {
    world.ask_from(ip, LOGIN, None, Some(&credentials(name, password))).await
}

fn is_limited(answer: &Answer) -> bool {
    if answer.status != 429 {
        return false;
    }
    let seconds: u32 = answer.header("retry-after").parse().unwrap();
    assert!(seconds > 0 && answer.header("content-type") == "application/problem+json");
    answer.member("code") == "rate_limited"
}

#[tokio::test]
async fn after_ten_wrong_passwords_the_right_one_has_to_wait_there_and_nowhere_else() {
    let world = strict();
    register(&world, "ada").await;
    register(&world, "bob").await;
    for _ in 0..10 {
        assert_eq!(login(&world, HERE, "ada", "wrong horse").await.status, 401);
    }
    assert!(is_limited(&login(&world, HERE, "ada", PASSWORD).await));
    assert_eq!(login(&world, ELSEWHERE, "ada", PASSWORD).await.status, 200, "nobody locks ada out");
    assert_eq!(login(&world, HERE, "bob", PASSWORD).await.status, 200);
    world.clock.advance(Duration::from_secs(5 * 60));
    assert_eq!(login(&world, HERE, "ada", PASSWORD).await.status, 200);
}

#[tokio::test]
async fn another_spelling_of_a_name_is_counted_with_it() {
    let world = strict();
    register(&world, "ada").await;
    for name in ["ada", "ADA", "Ada", "ａｄａ", "aDa", "ada", "ADA", "Ada", "ａｄａ", "aDa"] {
        assert_eq!(login(&world, HERE, name, "wrong horse").await.status, 401);
    }
    assert!(is_limited(&login(&world, HERE, "adA", PASSWORD).await));
}

#[tokio::test]
async fn right_passwords_are_not_counted() {
    let world = strict();
    register(&world, "ada").await;
    for _ in 0..30 {
        assert_eq!(login(&world, HERE, "ada", PASSWORD).await.status, 200);
    }
}

#[tokio::test]
async fn guesses_at_the_password_of_who_is_signed_in_are_counted_too() {
    let world = strict();
    let token = newcomer(&world, "ada").await;
    let wrong = json!({"current": "wrong horse", "new": "battery staple"}).to_string();
    let leave = json!({"password": "wrong horse"}).to_string();
    for idx in 0..10 {
        let (ask, body) = match idx % 2 {
            0 => ("POST /v1/auth/password", &wrong),
            _ => ("DELETE /v1/me", &leave),
        };
        refused(&world, ask, Some(&token), Some(body), (401, "invalid_credentials")).await;
    }
    let right = json!({"current": PASSWORD, "new": "battery staple"}).to_string();
    assert!(is_limited(&world.ask("POST /v1/auth/password", Some(&token), Some(&right)).await));
}

#[tokio::test]
async fn another_method_or_spelling_of_a_route_is_counted_together() {
    let world = strict();
    let asked =
        ["GET /health", "POST /health", "GET /HEALTH", "GET /health/", "GET /v1/me", "OPTIONS /v1/me"];
    for idx in 0..600 {
        assert_ne!(world.ask_from(HERE, asked[idx % asked.len()], None, None).await.status, 429);
    }
    for ask in asked {
        assert!(is_limited(&world.ask_from(HERE, ask, None, None).await), "{ask}");
    }
    assert_eq!(world.ask_from(ELSEWHERE, "GET /health", None, None).await.status, 200);
    assert!(is_limited(&world.ask_from(HERE, "GET /health", None, None).await));
}

/// Asks `n` times the same and is refused so, and once more and is limited.
async fn guesses(world: &World, n: usize, ask: &str, token: Option<&str>, body: &str, code: &str) {
    for _ in 0..n {
        let answer = world.ask_from(HERE, ask, token, Some(body)).await;
        assert_eq!(answer.member("code"), code);
    }
    assert!(is_limited(&world.ask_from(HERE, ask, token, Some(body)).await), "{ask}");
    let elsewhere = world.ask_from(ELSEWHERE, ask, token, Some(body)).await;
    assert_eq!(elsewhere.member("code"), code, "others are not held");
}

#[tokio::test]
async fn guesses_at_codes_are_counted_by_address() {
    let body = with_token(&format!("sp_{}_{}", "0".repeat(32), "A".repeat(43)));
    guesses(&strict(), 5, "POST /v1/pairings/redeem", None, &body, "pairing_invalid").await;
}

#[tokio::test]
async fn guesses_at_links_are_counted_by_address() {
    let body = with_token(&format!("sl_{}_{}", "0".repeat(32), "A".repeat(43)));
    guesses(&strict(), 20, "POST /v1/auth/link/redeem", None, &body, "link_invalid").await;
}

#[tokio::test]
async fn guesses_at_invites_are_counted_by_address() {
    let world = strict();
    let token = newcomer(&world, "ada").await;
    let body = with_token(&format!("si_{}_{}", "0".repeat(32), "A".repeat(43)));
    guesses(&world, 20, "POST /v1/invites/accept", Some(&token), &body, "invite_invalid").await;
}

#[tokio::test]
async fn a_code_dies_of_five_misses() {
    let world = World::memory();
    let token = newcomer(&world, "ada").await;
    for (n_misses, status) in [(4, 200), (5, 400)] {
        let code = offer(&world, &token, false).await;
        let wrong = with_token(&format!("sp_{}_{}", code.member("pairing"), "A".repeat(43)));
        for _ in 0..n_misses {
            must(&world, "POST /v1/pairings/redeem", None, Some(&wrong), 400).await;
            world.quiet().await;
        }
        let right = with_token(&code.member("token"));
        must(&world, "POST /v1/pairings/redeem", None, Some(&right), status).await;
    }
}

#[tokio::test]
async fn a_device_that_waits_is_told_to_slow_down() {
    let world = strict();
    let token = newcomer(&world, "ada").await;
    let code = with_token(&offer(&world, &token, true).await.member("token"));
    let waiting = must(&world, "POST /v1/pairings/redeem", None, Some(&code), 202).await;
    assert_eq!(waiting.header("retry-after"), "2");
    let claim = json!({"claim": waiting.member("claim")}).to_string();
    let again = "POST /v1/pairings/redeem";
    for _ in 0..3 {
        must(&world, again, None, Some(&claim), 202).await;
    }
    let slow_down = must(&world, again, None, Some(&claim), 429).await;
    assert_eq!((slow_down.member("code").as_str(), slow_down.header("retry-after")), ("slow_down", "2"));
    world.clock.advance(Duration::from_secs(1));
    must(&world, again, None, Some(&claim), 202).await;
}

#[tokio::test]
async fn one_machine_asks_for_fifty_links_an_hour() {
    let world = strict();
    let ask = |ip: &'static str, idx: usize| {
        let body = json!({"address": format!("a{idx}@example.org")}).to_string();
        let world = &world;
        async move { world.ask_from(ip, "POST /v1/auth/link", None, Some(&body)).await }
    };
    for idx in 0..50 {
        assert_eq!(ask(HERE, idx).await.status, 202);
    }
    assert!(is_limited(&ask(HERE, 50).await));
    assert_eq!(ask(ELSEWHERE, 50).await.status, 202);
}

#[tokio::test]
async fn an_address_gets_five_letters_an_hour_in_any_spelling() {
    let world = strict();
    let spellings = ["ada@example.org", "Ada@Example.ORG", "a.d.a@example.org", "ada+sync@example.org"];
    for idx in 0..12 {
        let body = json!({"address": spellings[idx % spellings.len()]}).to_string();
        let answer = must(&world, "POST /v1/auth/link", None, Some(&body), 202).await;
        assert_eq!(answer.text(), r#"{"sent":true}"#);
        world.quiet().await;
        assert_eq!(world.letters.count(), 5.min(idx + 1));
    }
    must(&world, "POST /v1/auth/link", None, Some(r#"{"address":"bob@example.org"}"#), 202).await;
    world.nth_letter("bob@example.org", 1).await;
    world.clock.advance(Duration::from_secs(12 * 60));
    must(&world, "POST /v1/auth/link", None, Some(r#"{"address":"ada@example.org"}"#), 202).await;
    world.nth_letter("ada@example.org", 3).await;
}

#[tokio::test]
async fn a_limit_costs_neither_a_hash_nor_a_look_into_the_store() {
    let store = MemoryStore::default();
    let counted = Arc::new(Counted::over(store.clone()));
    let world = World::strict_over(Arc::new(store), counted.clone(), CHEAP, Registration::Open);
    let (token, other) = (newcomer(&world, "ada").await, newcomer(&world, "bob").await);
    let invited = with_token(&format!("si_{}_{}", "0".repeat(32), "A".repeat(43)));
    let asked = [
        (LOGIN, None, credentials("ada", "wrong horse")),
        ("POST /v1/pairings/redeem", None, with_token(&format!("sp_{}_{}", "0".repeat(32), "A".repeat(43)))),
        ("POST /v1/auth/link/redeem", None, with_token(&format!("sl_{}_{}", "0".repeat(32), "A".repeat(43)))),
        ("POST /v1/auth/refresh", None, json!({"refresh_token": "sr_x"}).to_string()),
        ("POST /v1/auth/register", None, credentials("ada", PASSWORD)),
        ("POST /v1/auth/link", None, json!({"address": "a@example.org"}).to_string()),
    ];
    for (ask, token, body) in &asked {
        let n_asked = ask_until_limited(&world, ask, *token, body).await;
        assert!(n_asked <= 101, "{ask}");
        world.quiet().await;
        let n_before = counted.n_asked();
        for _ in 0..10 {
            assert!(is_limited(&world.ask_from(HERE, ask, *token, Some(body)).await), "{ask}");
        }
        world.quiet().await;
        assert_eq!(counted.n_asked(), n_before, "{ask} looked");
    }
    // Who it is has to be known where it takes a token; whether the guess is right is not asked.
    ask_until_limited(&world, "POST /v1/invites/accept", Some(&token), &invited).await;
    // Of too many requests nothing is looked at, whoever sends them.
    while !is_limited(&world.ask_from(HERE, "GET /health", None, None).await) {}
    let n_before = counted.n_asked();
    assert!(is_limited(&world.ask_from(HERE, "GET /v1/me", Some(&other), None).await));
    assert_eq!(counted.n_asked(), n_before);
}

async fn ask_until_limited(world: &World, ask: &str, token: Option<&str>, body: &str) -> usize {
    for idx in 0..200 {
        if is_limited(&world.ask_from(HERE, ask, token, Some(body)).await) {
            return idx;
        }
    }
    panic!("{ask} has no limit");
}

#[tokio::test]
async fn a_user_has_as_many_spaces_as_there_may_be() {
    let world = World::memory();
    let ada = register(&world, "ada").await;
    let actor = ActorId::new(ada.json()["user"]["id"].as_str().unwrap()).unwrap();
    let role = Some(Role::Viewer);
    let seat =
        |idx| Change::SetRole { space: SpaceId::new(format!("s{idx}")).unwrap(), actor: actor.clone(), role };
    let seats: Vec<_> = (1..10_000).map(seat).collect();
    assert!(world.accounts.change(&seats).await.unwrap().is_done());
    let answer = must(&world, "POST /v1/spaces", Some(&ada.member("access_token")), None, 422).await;
    assert_eq!(
        (answer.member("code").as_str(), answer.member("limit").as_str()),
        ("quota_exceeded", "10000")
    );
}

#[tokio::test]
async fn a_space_has_as_many_members_as_there_may_be() {
    let world = World::memory();
    let ada = register(&world, "ada").await;
    let (token, space) = (ada.member("access_token"), ada.member("space"));
    let body = with_token(&invite(&world, &token, &space, "viewer").await);
    let guest = newcomer(&world, "guest").await;
    let (space, role) = (SpaceId::new(&space).unwrap(), Some(Role::Viewer));
    let seat =
        |idx| Change::SetRole { space: space.clone(), actor: ActorId::new(format!("m{idx}")).unwrap(), role };
    let seats: Vec<_> = (1..1000).map(seat).collect();
    assert!(world.accounts.change(&seats).await.unwrap().is_done());
    let answer = must(&world, "POST /v1/invites/accept", Some(&guest), Some(&body), 422).await;
    assert_eq!((answer.member("code").as_str(), answer.member("limit").as_str()), ("quota_exceeded", "1000"));
}

/// Where nothing may be remembered, everyone who asks at the same time is asked for together.
#[tokio::test]
async fn however_many_ask_at_once_the_store_is_asked_a_few_times() {
    let store = MemoryStore::default();
    let accounts = Arc::new(Counted::over(store.clone()));
    let rights = Rights::new(accounts.clone(), true);
    let space = SpaceId::new("team").unwrap();
    let names = (0..300).map(|n| ActorId::new(format!("u{n}")).unwrap()).collect::<Vec<_>>();
    for user in names.iter().step_by(3) {
        store.set_role(&space, user, Some(Role::Editor)).await.unwrap();
    }
    let ask = |user| rights.role(&space, user, Timestamp::ZERO);
    let found = join_all(names.iter().map(ask)).await;
    for (n, role) in found.into_iter().enumerate() {
        assert_eq!(role.unwrap(), n.is_multiple_of(3).then_some(Role::Editor), "u{n}");
    }
    let n_asked = accounts.n_asked();
    assert!((2..=4).contains(&n_asked), "{n_asked} times for 300, of which 256 fit into one question");
}

/// Whoever asks after something was done is told of it, whatever others are asking just then.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_is_told_what_was_read_before_they_asked() {
    let accounts = Arc::new(MemoryStore::default());
    let rights = Arc::new(Rights::new(accounts.clone(), true));
    let tasks = (0..8).map(|n| {
        let (accounts, rights) = (accounts.clone(), rights.clone());
        tokio::spawn(async move {
            let (space, user) = (SpaceId::new("team").unwrap(), ActorId::new(format!("u{}", n % 4)).unwrap());
            for round in 0..500 {
                // Half of them write and read their own; the others ask about the same all the time.
                let role = [Role::Viewer, Role::Editor][round % 2];
                if n < 4 {
                    accounts.set_role(&space, &user, Some(role)).await.unwrap();
                }
                let found = rights.role(&space, &user, Timestamp::ZERO).await.unwrap();
                assert!(n >= 4 || found == Some(role), "round {round}: {found:?} after {role:?}");
            }
        })
    });
    for ended in join_all(tasks).await {
        ended.unwrap();
    }
}
