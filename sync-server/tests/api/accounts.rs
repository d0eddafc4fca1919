//! Accounts under attack: who exists is not told by an answer or its time, and hashing is bounded.

use std::time::Duration;

use futures_util::future::join_all;
use sync_server::auth::password::{HASHES_AT_ONCE, HashCost, WAITING_MAX};

use super::world::{Answer, World};

const LOGIN: &str = "POST /v1/auth/login";

async fn with_ada(cost: HashCost) -> World {
    let world = World::with_hash_cost(cost);
    let body = r#"{"username":"ada","password":"correct horse"}"#;
    assert_eq!(world.ask("POST /v1/auth/register", None, Some(body)).await.status, 201);
    world
}

async fn login(world: &World, name: &str, password: &str) -> Answer {
    let body = format!(r#"{{"username":"{name}","password":"{password}"}}"#);
    world.ask(LOGIN, None, Some(&body)).await
}

#[tokio::test]
async fn an_unknown_user_and_a_wrong_password_get_the_same_answer() {
    let world = with_ada(HashCost { memory_kib: 8, passes: 1 }).await;
    let wrong = login(&world, "ada", "wrong horse").await;
    assert_eq!(wrong.status, 401);
    assert_eq!(wrong, login(&world, "bob", "wrong horse").await);
    assert_eq!(wrong, login(&world, "b\\u0000b", "wrong horse").await, "a name that cannot be");
    assert_eq!(wrong, login(&world, "ada", "short").await, "a password that cannot be");
}

#[expect(clippy::disallowed_methods, reason = "what is tested is the time it takes")]
async fn took(world: &World, name: &str) -> Duration {
    let start = std::time::Instant::now();
    assert_eq!(login(world, name, "wrong horse").await.status, 401);
    start.elapsed()
}

/// Without the hash of nobody an unknown user would be answered some hundred times faster. The band is wide: this is
/// no measurement, and the machine is busy.
#[tokio::test]
async fn an_unknown_user_costs_as_much_as_a_wrong_password() {
    let world = with_ada(HashCost::default()).await;
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for _ in 0..15 {
        known.push(took(&world, "ada").await);
        unknown.push(took(&world, "bob").await);
    }
    let median = |times: &mut Vec<Duration>| {
        times.sort_unstable();
        times[times.len() / 2].as_secs_f64()
    };
    let ratio = median(&mut unknown) / median(&mut known);
    assert!((0.5..2.0).contains(&ratio), "an unknown user takes {ratio} times as long");
}

#[tokio::test]
async fn logins_beyond_what_can_be_hashed_are_turned_away() {
    let world = with_ada(HashCost { memory_kib: 4096, passes: 1 }).await;
    let n_at_once = HASHES_AT_ONCE + WAITING_MAX + 50;
    let answers = join_all((0..n_at_once).map(|_| login(&world, "ada", "correct horse"))).await;
    let turned_away: Vec<_> = answers.iter().filter(|answer| answer.status == 503).collect();
    // A few of those that come last may find room that the first have left.
    assert!((1..=50).contains(&turned_away.len()), "{} were turned away", turned_away.len());
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), n_at_once - turned_away.len());
    for answer in turned_away {
        assert_eq!((answer.member("code").as_str(), answer.header("retry-after")), ("overloaded", "1"));
    }
    assert_eq!(login(&world, "ada", "correct horse").await.status, 200, "nobody is locked out");
}
