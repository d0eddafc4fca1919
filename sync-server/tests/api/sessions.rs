//! Ways in and out that take several steps: refreshing, signing out, changing passwords, links and who may register.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use sync_core::Clock;
use sync_core::store::MemoryStore;
use sync_server::auth::registration::Registration;

use super::steps::{
    PASSWORD, credentials, invite, link, login, must, newcomer, offer, refusal, refused, register, with_token,
};
use super::world::{Answer, CHEAP, World, request, set_header};

const REVOKED: (u16, &str) = (401, "token_revoked");

async fn refresh(world: &World, token: &str, exchange: Option<&str>) -> Answer {
    let body = json!({"refresh_token": token, "exchange": exchange}).to_string();
    world.ask("POST /v1/auth/refresh", None, Some(&body)).await
}

/// Asks who shows this.
async fn me(world: &World, token: &str) -> u16 {
    world.ask("GET /v1/me", Some(token), None).await.status
}

/// Asks with the cookie of a browser, from a page of this site.
async fn with_cookie(world: &World, ask: &str, cookie: &str) -> Answer {
    let mut headers = Default::default();
    for (name, value) in
        [("host", "h"), ("origin", "http://h"), ("cookie", &format!("__Host-session={cookie}"))]
    {
        set_header(&mut headers, name, value, true);
    }
    world.send(request(ask, headers, None)).await
}

fn cookie_of(answer: &Answer) -> String {
    let set = answer.header("set-cookie").strip_prefix("__Host-session=").unwrap();
    set.split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_refresh_token_that_is_used_twice_signs_its_device_out() {
    let world = World::memory();
    let first = register(&world, "ada").await;
    let other = login(&world, "ada").await.member("access_token");
    let next = refresh(&world, &first.member("refresh_token"), None).await;
    assert_eq!(me(&world, &next.member("access_token")).await, 200);
    assert_eq!(
        refusal(&refresh(&world, &first.member("refresh_token"), None).await),
        (401, "token_revoked".into())
    );
    for token in [first.member("access_token"), next.member("access_token")] {
        refused(&world, "GET /v1/me", Some(&token), None, REVOKED).await;
    }
    assert_eq!(
        refusal(&refresh(&world, &next.member("refresh_token"), None).await),
        (401, "token_revoked".into())
    );
    assert_eq!(me(&world, &other).await, 200, "other devices go on");
}

#[tokio::test]
async fn a_lost_answer_can_be_asked_for_again() {
    let world = World::memory();
    let shown = register(&world, "ada").await.member("refresh_token");
    let mut lost = Vec::new();
    for _ in 0..3 {
        let answer = refresh(&world, &shown, Some("a word")).await;
        assert_eq!((answer.status, me(&world, &answer.member("access_token")).await), (200, 200));
        lost.push(answer.member("refresh_token"));
    }
    let newest = lost.pop().unwrap();
    let next = refresh(&world, &newest, Some("another word")).await;
    assert_eq!(next.status, 200);
    // One that was thought lost turns up: someone else may have heard it.
    assert_eq!(refusal(&refresh(&world, &lost[0], None).await), (401, "token_revoked".into()));
    refused(&world, "GET /v1/me", Some(&next.member("access_token")), None, REVOKED).await;
}

#[tokio::test]
async fn a_word_that_was_used_does_not_bring_older_tokens_back() {
    let world = World::memory();
    let first = register(&world, "ada").await.member("refresh_token");
    let second = refresh(&world, &first, Some("a word")).await.member("refresh_token");
    assert_eq!(refresh(&world, &second, Some("a word")).await.status, 200);
    assert_eq!(refusal(&refresh(&world, &first, Some("a word")).await), (401, "token_revoked".into()));
}

#[tokio::test]
async fn refreshing_goes_on_for_a_year_and_ends_after_a_month_without() {
    let world = World::memory();
    let day = Duration::from_secs(24 * 3600);
    let mut token = register(&world, "ada").await.member("refresh_token");
    for _ in 0..14 {
        world.clock.advance(day * 26);
        let next = refresh(&world, &token, None).await;
        assert_eq!(next.status, 200);
        token = next.member("refresh_token");
    }
    world.clock.advance(day * 2);
    assert_eq!(
        refusal(&refresh(&world, &token, None).await),
        (401, "token_expired".into()),
        "a year is over"
    );
    let idle = login(&world, "ada").await.member("refresh_token");
    world.clock.advance(day * 30);
    assert_eq!(refusal(&refresh(&world, &idle, None).await), (401, "token_expired".into()));
}

#[tokio::test]
async fn signing_out_twice_is_done_and_then_nothing_works() {
    let world = World::memory();
    let signed_in = register(&world, "ada").await;
    let other = login(&world, "ada").await.member("access_token");
    let token = signed_in.member("access_token");
    for _ in 0..2 {
        must(&world, "POST /v1/auth/logout", Some(&token), None, 204).await;
    }
    refused(&world, "GET /v1/me", Some(&token), None, REVOKED).await;
    refused(&world, "GET /v1/devices", Some(&token), None, REVOKED).await;
    assert_eq!(
        refusal(&refresh(&world, &signed_in.member("refresh_token"), None).await),
        (401, "token_revoked".into())
    );
    assert_eq!(me(&world, &other).await, 200);
}

#[tokio::test]
async fn a_cookie_is_for_this_host_and_no_script() {
    let world = World::memory();
    let body = with_token(&link(&world, "mara@example.org").await);
    let answer = must(&world, "POST /v1/auth/link/redeem", None, Some(&body), 200).await;
    let cookie = cookie_of(&answer);
    let expected =
        format!("__Host-session={cookie}; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax; Secure");
    assert_eq!(answer.header("set-cookie"), expected);
    assert!(
        !answer.text().contains(&cookie) && !answer.text().contains("access_token"),
        "a script could read it"
    );
    let out = with_cookie(&world, "POST /v1/auth/logout", &cookie).await;
    let removal = "__Host-session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure";
    assert_eq!((out.status, out.header("set-cookie")), (204, removal));
    assert_eq!(refusal(&with_cookie(&world, "GET /v1/me", &cookie).await), (401, "token_revoked".into()));
}

#[tokio::test]
async fn a_browser_is_signed_in_for_thirty_days() {
    let world = World::memory();
    let body = with_token(&link(&world, "mara@example.org").await);
    let cookie = cookie_of(&must(&world, "POST /v1/auth/link/redeem", None, Some(&body), 200).await);
    world.clock.advance(Duration::from_secs(30 * 24 * 3600 - 1));
    assert_eq!(with_cookie(&world, "GET /v1/me", &cookie).await.status, 200);
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(refusal(&with_cookie(&world, "GET /v1/me", &cookie).await), (401, "token_expired".into()));
}

#[tokio::test]
async fn a_changed_password_signs_out_every_other_device() {
    let world = World::memory();
    let own = newcomer(&world, "ada").await;
    let phone = must(&world, "POST /v1/devices", Some(&own), Some(r#"{"device_name":"phone"}"#), 201).await;
    let elsewhere = login(&world, "ada").await;
    let code = offer(&world, &own, false).await.member("token");
    let change = json!({"current": PASSWORD, "new": "battery staple"}).to_string();
    must(&world, "POST /v1/auth/password", Some(&own), Some(&change), 204).await;
    assert_eq!(me(&world, &own).await, 200);
    for token in [phone.member("device_token"), elsewhere.member("access_token")] {
        refused(&world, "GET /v1/me", Some(&token), None, REVOKED).await;
    }
    let shown = elsewhere.member("refresh_token");
    assert_eq!(refusal(&refresh(&world, &shown, None).await), (401, "token_revoked".into()));
    let redeem = "POST /v1/pairings/redeem";
    refused(&world, redeem, None, Some(&with_token(&code)), (400, "pairing_invalid")).await;
    let login = "POST /v1/auth/login";
    refused(&world, login, None, Some(&credentials("ada", PASSWORD)), (401, "invalid_credentials")).await;
    must(&world, login, None, Some(&credentials("ada", "battery staple")), 200).await;
}

#[tokio::test]
async fn a_device_that_revokes_itself_is_signed_out() {
    let world = World::memory();
    let signed_in = register(&world, "ada").await;
    let token = signed_in.member("access_token");
    let ask = format!("DELETE /v1/devices/{}", signed_in.member("device"));
    must(&world, &ask, Some(&token), None, 204).await;
    refused(&world, &ask, Some(&token), None, REVOKED).await;
}

#[tokio::test]
async fn the_hundred_and_first_sign_in_takes_the_place_of_the_oldest() {
    let world = World::memory();
    let first = register(&world, "ada").await.member("access_token");
    for _ in 1..100 {
        world.clock.advance(Duration::from_secs(1));
        login(&world, "ada").await;
    }
    assert_eq!(me(&world, &first).await, 200);
    let newest = login(&world, "ada").await.member("access_token");
    refused(&world, "GET /v1/me", Some(&first), None, REVOKED).await;
    let devices = must(&world, "GET /v1/devices", Some(&newest), None, 200).await.json();
    assert_eq!(devices["devices"].as_array().unwrap().len(), 100);
}

#[tokio::test]
async fn known_and_unknown_addresses_get_the_same_answer() {
    let world = World::strict(Registration::Closed);
    let known = json!({"address": "known@example.org"}).to_string();
    let unknown = json!({"address": "nobody@example.org"}).to_string();
    let address = sync_server::auth::address::MailAddress::new("known@example.org").unwrap();
    world.app.identity.add_user(sync_server::identity::NewSignIn::Address(address)).await.unwrap();
    let ask = "POST /v1/auth/link";
    let known = world.ask(ask, None, Some(&known)).await;
    assert_eq!(known, world.ask(ask, None, Some(&unknown)).await);
    assert_eq!(known.status, 202);
    world.nth_letter("known@example.org", 1).await;
    assert_eq!(
        world.letters.to("nobody@example.org"),
        Vec::<String>::new(),
        "nobody is told that they have no account"
    );
}

#[tokio::test]
async fn a_server_without_mail_says_so() {
    let world = World::without_mail();
    let owner = register(&world, "owner").await;
    let without = (503, "mail_unavailable");
    refused(&world, "POST /v1/auth/link", None, Some(r#"{"address":"a@example.org"}"#), without).await;
    let ask = format!("POST /v1/spaces/{}/invites", owner.member("space"));
    let (token, body) = (owner.member("access_token"), r#"{"role":"viewer","address":"a@example.org"}"#);
    refused(&world, &ask, Some(&token), Some(body), without).await;
    must(&world, &ask, Some(&token), Some(r#"{"role":"viewer"}"#), 201).await;
}

/// The same accounts behind a server that takes everyone, and one that does not.
fn two(registration: Registration) -> (World, World) {
    let store = MemoryStore::default();
    let open = World::over(Arc::new(store.clone()), Arc::new(store.clone()), CHEAP, None);
    let strict = World::strict_over(Arc::new(store.clone()), Arc::new(store), CHEAP, registration);
    (open, strict)
}

#[tokio::test]
async fn a_closed_server_takes_nobody_and_keeps_those_it_has() {
    let (open, closed) = two(Registration::Closed);
    let ada = register(&open, "ada").await;
    let invited = invite(&open, &ada.member("access_token"), &ada.member("space"), "editor").await;
    link(&open, "known@example.org").await;
    let known = link(&open, "known@example.org").await;
    must(&open, "POST /v1/auth/link/redeem", None, Some(&with_token(&known)), 200).await;
    let mut body: serde_json::Value = serde_json::from_str(&credentials("bob", PASSWORD)).unwrap();
    let refusal = (403, "registration_closed");
    refused(&closed, "POST /v1/auth/register", None, Some(&body.to_string()), refusal).await;
    body["invite"] = invited.into();
    refused(&closed, "POST /v1/auth/register", None, Some(&body.to_string()), refusal).await;
    login(&closed, "ada").await;
    for (address, n_letters) in [("known@example.org", 1), ("new@example.org", 0)] {
        must(&closed, "POST /v1/auth/link", None, Some(&json!({"address": address}).to_string()), 202).await;
        closed.quiet().await;
        assert_eq!(closed.letters.to(address).len(), n_letters);
    }
}

#[tokio::test]
async fn a_letter_from_before_the_server_closed_makes_no_user() {
    let (open, closed) = two(Registration::Closed);
    let body = with_token(&link(&open, "new@example.org").await);
    let redeem = "POST /v1/auth/link/redeem";
    refused(&closed, redeem, None, Some(&body), (403, "registration_closed")).await;
    assert!(closed.accounts.users(None, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn where_invites_are_asked_for_one_makes_one_user() {
    let world = World::strict(Registration::Invite);
    let invited = world.app.identity.invite_user().await.unwrap().token;
    let register = "POST /v1/auth/register";
    let body = |name: &str, invite: Option<&str>| {
        json!({"username": name, "password": PASSWORD, "invite": invite}).to_string()
    };
    refused(&world, register, None, Some(&body("ada", None)), (403, "registration_closed")).await;
    must(&world, register, None, Some(&body("ada", Some(&invited))), 201).await;
    refused(&world, register, None, Some(&body("bob", Some(&invited))), (400, "invite_invalid")).await;
}

#[tokio::test]
async fn someone_new_with_an_invite_for_their_address_comes_in_by_link() {
    let world = World::strict(Registration::Invite);
    let server = world.app.identity.invite_user().await.unwrap().token;
    let body = json!({"username": "ada", "password": PASSWORD, "invite": server}).to_string();
    let ada = must(&world, "POST /v1/auth/register", None, Some(&body), 201).await;
    let (token, space) = (ada.member("access_token"), ada.member("space"));
    let body = r#"{"role":"editor","address":"eve@example.org"}"#;
    must(&world, &format!("POST /v1/spaces/{space}/invites"), Some(&token), Some(body), 201).await;
    let invite = world.nth_letter("eve@example.org", 1).await;
    let body = json!({"address": "eve@example.org", "invite": invite}).to_string();
    must(&world, "POST /v1/auth/link", None, Some(&body), 202).await;
    let link = world.nth_letter("eve@example.org", 2).await;
    let redeem = "POST /v1/auth/link/redeem";
    refused(&world, redeem, None, Some(&with_token(&link)), (403, "registration_closed")).await;
    let body = json!({"token": link, "invite": invite, "session": "token"}).to_string();
    let eve = must(&world, redeem, None, Some(&body), 200).await.member("access_token");
    let role = must(&world, &format!("GET /v1/spaces/{space}"), Some(&eve), None, 200).await.member("role");
    assert_eq!(role, "editor");
}

#[tokio::test]
async fn a_code_names_the_configured_address() {
    let world = World::memory();
    let token = newcomer(&world, "ada").await;
    let mut headers = Default::default();
    for (name, value) in [("host", "evil.example"), ("authorization", &format!("Bearer {token}"))] {
        set_header(&mut headers, name, value, true);
    }
    let answer = world.send(request("POST /v1/pairings", headers, None)).await;
    assert_eq!(answer.member("url"), format!("https://sync.example/pair#{}", answer.member("token")));
}

#[tokio::test]
async fn what_has_ended_stays_ended_when_the_clock_goes_back() {
    // Noticed by someone who tried, or by the upkeep.
    for by_upkeep in [false, true] {
        let world = World::memory();
        let token = newcomer(&world, "ada").await;
        let start = world.clock.now();
        let link = with_token(&link(&world, "mara@example.org").await);
        let code = with_token(&offer(&world, &token, false).await.member("token"));
        let asked = [
            ("POST /v1/auth/link/redeem", &link, (400, "link_invalid")),
            ("POST /v1/pairings/redeem", &code, (400, "pairing_invalid")),
        ];
        world.clock.advance(Duration::from_secs(10 * 60));
        if by_upkeep {
            world.app.identity.forget_expired().await.unwrap();
        } else {
            for (ask, body, answer) in asked {
                refused(&world, ask, None, Some(body), answer).await;
            }
            world.quiet().await;
        }
        world.clock.set(start);
        for (ask, body, answer) in asked {
            refused(&world, ask, None, Some(body), answer).await;
        }
    }
}

#[tokio::test]
async fn links_and_codes_live_to_the_second() {
    let world = World::memory();
    let token = newcomer(&world, "ada").await;
    for (seconds, link_status, code_status) in
        [(119, 200, 200), (120, 200, 400), (599, 200, 400), (600, 400, 400)]
    {
        let link = with_token(&link(&world, "mara@example.org").await);
        let code = with_token(&offer(&world, &token, false).await.member("token"));
        world.clock.advance(Duration::from_secs(seconds));
        must(&world, "POST /v1/auth/link/redeem", None, Some(&link), link_status).await;
        must(&world, "POST /v1/pairings/redeem", None, Some(&code), code_status).await;
    }
}
