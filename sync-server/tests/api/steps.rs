//! Steps that many tests take: someone registers, signs in, invites, pairs; and many do one thing at once.

use futures_util::future::join_all;
use serde_json::json;

use super::world::{Answer, World};

/// The password of everyone here.
pub(crate) const PASSWORD: &str = "correct horse";

/// Asks, and gets this status.
pub(crate) async fn must(
    world: &World,
    ask: &str,
    token: Option<&str>,
    body: Option<&str>,
    status: u16,
) -> Answer {
    let answer = world.ask(ask, token, body).await;
    assert_eq!(answer.status, status, "{ask}: {answer:?}");
    answer
}

/// The body by which someone registers or signs in.
pub(crate) fn credentials(name: &str, password: &str) -> String {
    json!({"username": name, "password": password}).to_string()
}

/// Somebody new, signed in.
pub(crate) async fn register(world: &World, name: &str) -> Answer {
    must(world, "POST /v1/auth/register", None, Some(&credentials(name, PASSWORD)), 201).await
}

/// Signs somebody in.
pub(crate) async fn login(world: &World, name: &str) -> Answer {
    must(world, "POST /v1/auth/login", None, Some(&credentials(name, PASSWORD)), 200).await
}

/// The access token of somebody new.
pub(crate) async fn newcomer(world: &World, name: &str) -> String {
    register(world, name).await.member("access_token")
}

/// The body of a request with a token in it.
pub(crate) fn with_token(token: &str) -> String {
    json!({"token": token}).to_string()
}

/// Has a link sent, and takes it out of the letter.
pub(crate) async fn link(world: &World, address: &str) -> String {
    let n_before = world.letters.to(address).len();
    let body = json!({"address": address}).to_string();
    must(world, "POST /v1/auth/link", None, Some(&body), 202).await;
    world.nth_letter(address, n_before + 1).await
}

/// The code of a new pairing.
pub(crate) async fn offer(world: &World, token: &str, confirm: bool) -> Answer {
    must(world, "POST /v1/pairings", Some(token), Some(&json!({"confirm": confirm}).to_string()), 201).await
}

/// The token of a new invite into a space.
pub(crate) async fn invite(world: &World, token: &str, space: &str, role: &str) -> String {
    let body = json!({"role": role}).to_string();
    must(world, &format!("POST /v1/spaces/{space}/invites"), Some(token), Some(&body), 201)
        .await
        .member("token")
}

/// What a refusal says.
pub(crate) fn refusal(answer: &Answer) -> (u16, String) {
    (answer.status, answer.member("code"))
}

/// Asks as someone, and is refused.
pub(crate) async fn refused(
    world: &World,
    ask: &str,
    token: Option<&str>,
    body: Option<&str>,
    with: (u16, &str),
) {
    let answer = world.ask(ask, token, body).await;
    assert_eq!((answer.status, answer.member("code").as_str()), with, "{ask}");
}

/// Asks the same `n` times at once.
pub(crate) async fn at_once(world: &World, n: usize, ask: &str, body: &str) -> Vec<Answer> {
    join_all((0..n).map(|_| world.ask(ask, None, Some(body)))).await
}

/// Exactly one of them is answered with `status`, all others are refused in this way. Returns that one.
pub(crate) fn only_one(answers: &[Answer], status: u16, others: (u16, &str)) -> Answer {
    let (good, bad): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == status);
    for answer in bad {
        assert_eq!((answer.status, answer.member("code").as_str()), others);
    }
    assert_eq!(good.len(), 1, "of {} one should have been let through", answers.len());
    good[0].clone()
}
