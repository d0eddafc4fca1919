//! What someone once got away with when signing in, pairing and refreshing, named after what was seen.

use std::sync::Arc;

use futures_util::future::{join, join_all};
use serde_json::json;
use sync_core::SeededIds;
use sync_server::auth::address::MailAddress;
use sync_server::auth::password::Passwords;
use sync_server::auth::registration::Registration;
use sync_server::auth::secret::JwtSecret;
use sync_server::auth::token::Tokens;
use sync_server::identity::{self, Identity, NewSignIn, Rights, SyncNotes};

use super::steps::{link, login, must, newcomer, offer, refusal, refused, register, with_token};
use super::world::{Answer, CHEAP, LIFETIME_S, World};

const REDEEM: &str = "POST /v1/pairings/redeem";
const INVALID: (u16, &str) = (400, "pairing_invalid");

/// The claim of a device that redeemed a code whose maker wants to be asked, and the code's id.
async fn claimed(world: &World, token: &str) -> (String, String) {
    let code = offer(world, token, true).await;
    let waiting = must(world, REDEEM, None, Some(&with_token(&code.member("token"))), 202).await;
    (json!({"claim": waiting.member("claim")}).to_string(), code.member("pairing"))
}

async fn end(world: &World, owner: &Answer, thief: &Answer, by_logout: bool) {
    let (token, device) = (owner.member("access_token"), thief.member("device"));
    if by_logout {
        must(world, "POST /v1/auth/logout", Some(&thief.member("access_token")), None, 204).await;
    } else {
        must(world, &format!("DELETE /v1/devices/{device}"), Some(&token), None, 204).await;
    }
}

#[tokio::test]
async fn a_device_that_is_signed_out_does_not_come_back_by_a_code_it_agreed_to_itself() {
    for by_logout in [false, true] {
        let world = World::memory();
        let (owner, thief) = (register(&world, "ada").await, login(&world, "ada").await);
        let (claim, pairing) = claimed(&world, &thief.member("access_token")).await;
        let confirm = format!("POST /v1/pairings/{pairing}/confirm");
        must(&world, &confirm, Some(&thief.member("access_token")), None, 204).await;
        end(&world, &owner, &thief, by_logout).await;
        refused(&world, REDEEM, None, Some(&claim), INVALID).await;
        let devices = must(&world, "GET /v1/devices", Some(&owner.member("access_token")), None, 200).await;
        assert_eq!(devices.json()["devices"].as_array().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn nobody_claims_or_agrees_to_a_code_of_a_device_that_is_signed_out() {
    let world = World::memory();
    let (owner, thief) = (register(&world, "ada").await, login(&world, "ada").await);
    let bob = newcomer(&world, "bob").await;
    let code = offer(&world, &thief.member("access_token"), false).await.member("token");
    let (claim, pairing) = claimed(&world, &thief.member("access_token")).await;
    end(&world, &owner, &thief, false).await;
    refused(&world, REDEEM, Some(&bob), Some(&with_token(&code)), INVALID).await;
    let token = owner.member("access_token");
    for ask in ["POST /v1/pairings/{}/confirm", "GET /v1/pairings/{}"] {
        refused(&world, &ask.replace("{}", &pairing), Some(&token), None, (404, "not_found")).await;
    }
    refused(&world, REDEEM, None, Some(&claim), INVALID).await;
}

#[tokio::test]
async fn codes_of_a_device_that_is_signed_out_keep_nobody_from_making_others() {
    let world = World::memory();
    let (owner, thief) = (register(&world, "ada").await, login(&world, "ada").await);
    for _ in 0..10 {
        offer(&world, &thief.member("access_token"), false).await;
    }
    end(&world, &owner, &thief, false).await;
    offer(&world, &owner.member("access_token"), false).await;
}

/// What was read of a device before its end is over when it happens: nothing is done on its behalf any more.
#[tokio::test]
async fn who_is_signed_out_while_they_ask_neither_agrees_nor_renames_nor_revokes_nor_takes_back() {
    let world = World::memory();
    let (owner, thief) = (register(&world, "ada").await, login(&world, "ada").await);
    let identity = &world.app.identity;
    let token = thief.member("access_token");
    let shown = sync_server::identity::Presented::Bearer(&token);
    let who = identity.signed_in(shown).await.unwrap();
    let (_, pairing) = claimed(&world, &owner.member("access_token")).await;
    let space = sync_core::SpaceId::new(owner.member("space")).unwrap();
    let body = Some(r#"{"role":"viewer"}"#);
    let invites = format!("POST /v1/spaces/{space}/invites");
    let invite = must(&world, &invites, Some(&owner.member("access_token")), body, 201).await;
    end(&world, &owner, &thief, false).await;
    let id = |text: String| sync_core::CredentialId::new(text).unwrap();
    let (pairing, device, invite) = (id(pairing), id(owner.member("device")), id(invite.member("invite")));
    for refused in [
        identity.confirm_pairing(&who, &pairing).await,
        identity.cancel_pairing(&who, &pairing).await,
        identity.rename_device(&who, &device, "mine").await,
        identity.revoke_device(&who, &device).await,
        identity.revoke_invite(&who, &space, &invite).await,
    ] {
        assert_eq!(refused.unwrap_err().code().as_str(), "token_revoked");
    }
}

async fn add_devices(world: &World, token: &str, n: usize) {
    for _ in 0..n {
        must(world, "POST /v1/devices", Some(token), Some(r#"{"device_name":"script"}"#), 201).await;
    }
}

#[tokio::test]
async fn a_hundred_devices_keep_nobody_out_and_sign_nobody_out() {
    let world = World::memory();
    let (owner, thief) = (newcomer(&world, "ada").await, login(&world, "ada").await.member("access_token"));
    add_devices(&world, &thief, 100).await;
    let body = Some(r#"{"device_name":"script"}"#);
    refused(&world, "POST /v1/devices", Some(&thief), body, (422, "quota_exceeded")).await;
    let again = login(&world, "ada").await.member("access_token");
    must(&world, "GET /v1/me", Some(&owner), None, 200).await;
    for token in [&owner, &again] {
        must(&world, "POST /v1/auth/logout", Some(token), None, 204).await;
    }
    let back = login(&world, "ada").await.member("access_token");
    let devices = must(&world, "GET /v1/devices", Some(&back), None, 200).await.json();
    assert_eq!(devices["devices"].as_array().unwrap().len(), 102);
}

#[tokio::test]
async fn who_signs_in_by_link_is_kept_out_by_no_number_of_devices() {
    let world = World::memory();
    let redeem = "POST /v1/auth/link/redeem";
    let body = |token: String| json!({"token": token, "session": "token"}).to_string();
    let first = must(&world, redeem, None, Some(&body(link(&world, "eve@example.org").await)), 200).await;
    add_devices(&world, &first.member("access_token"), 100).await;
    must(&world, redeem, None, Some(&body(link(&world, "eve@example.org").await)), 200).await;
}

async fn refresh(world: &World, token: &str, word: Option<&str>) -> Answer {
    let body = json!({"refresh_token": token, "exchange": word}).to_string();
    world.ask("POST /v1/auth/refresh", None, Some(&body)).await
}

#[tokio::test]
async fn it_does_not_matter_which_answer_to_a_repeated_refresh_arrives() {
    let world = World::memory();
    let mut shown = register(&world, "ada").await.member("refresh_token");
    for word in ["a", "b", "c"] {
        let many = join_all((0..8).map(|_| refresh(&world, &shown, Some(word)))).await;
        let late = refresh(&world, &shown, Some(word)).await;
        let answers: Vec<_> = many.iter().chain([&late]).collect();
        for answer in &answers {
            assert_eq!(answer.status, 200);
            must(&world, "GET /v1/me", Some(&answer.member("access_token")), None, 200).await;
            assert_eq!(answer.member("refresh_token"), late.member("refresh_token"));
        }
        shown = late.member("refresh_token");
    }
}

#[tokio::test]
async fn who_copied_a_token_with_its_word_is_noticed_at_the_next() {
    // A new word each time, as it should be, and always the same.
    for (owners, thiefs) in [("two", "three"), ("one", "one")] {
        let world = World::memory();
        let first = register(&world, "ada").await.member("refresh_token");
        let shared = refresh(&world, &first, Some("one")).await.member("refresh_token");
        assert_eq!(refresh(&world, &first, Some("one")).await.member("refresh_token"), shared);
        let stolen = refresh(&world, &shared, Some(thiefs)).await;
        assert_eq!(stolen.status, 200);
        assert_eq!(refusal(&refresh(&world, &shared, Some(owners)).await), (401, "token_revoked".into()));
        let stolen = stolen.member("refresh_token");
        assert_eq!(refusal(&refresh(&world, &stolen, None).await), (401, "token_revoked".into()));
    }
}

/// Two who refresh one token at once, one of them without its word.
#[tokio::test]
async fn an_empty_word_is_none() {
    let world = World::memory();
    let first = register(&world, "ada").await.member("refresh_token");
    let both = join(refresh(&world, &first, Some("")), refresh(&world, &first, Some(""))).await;
    let mut statuses = [both.0.status, both.1.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401]);
}

/// The same accounts behind a server that signs with another secret.
fn after_rotation(world: &World) -> Identity {
    let secret = JwtSecret::given("another-secret-Zy8TmXr5Lw2Nc7Ju1Gd6").unwrap();
    Identity::new(identity::Parts {
        accounts: Arc::clone(&world.accounts),
        service: world.app.service.clone(),
        tokens: Tokens::new(&secret, LIFETIME_S),
        token_lifetime_s: LIFETIME_S,
        passwords: Passwords::new(CHEAP).unwrap(),
        clock: world.clock.clone(),
        ids: Arc::new(SeededIds::new(9)),
        rights: Arc::new(Rights::new(Arc::clone(&world.accounts), false)),
        synced: SyncNotes::default(),
        registration: Registration::Open,
        post: None,
    })
}

#[tokio::test]
async fn a_copied_refresh_token_is_noticed_whatever_the_server_signs_with_by_now() {
    // The thief refreshes before the secret is changed, or after.
    for n_before in [0, 5, 10] {
        let world = World::memory();
        let first = register(&world, "ada").await.member("refresh_token");
        let (old, new) = (&world.app.identity, after_rotation(&world));
        let mut stolen = first.clone();
        for n in 0..10 {
            let server = if n < n_before { old } else { &new };
            stolen = server.refresh(&stolen, None).await.unwrap().token;
        }
        for token in [&first, &stolen] {
            assert_eq!(new.refresh(token, None).await.unwrap_err().code().as_str(), "token_revoked");
        }
    }
}

#[tokio::test]
async fn an_answer_that_was_lost_is_given_again_whatever_the_server_signs_with_by_now() {
    let world = World::memory();
    let first = register(&world, "ada").await.member("refresh_token");
    let lost = refresh(&world, &first, Some("a word")).await.member("refresh_token");
    assert_eq!(after_rotation(&world).refresh(&first, Some("a word")).await.unwrap().token, lost);
}

#[tokio::test]
async fn a_guess_at_a_refresh_token_signs_nobody_out() {
    let world = World::memory();
    let good = register(&world, "ada").await.member("refresh_token");
    let next = refresh(&world, &good, None).await.member("refresh_token");
    let (id, secret) = next.split_at(next.len() - 43);
    for guess in [format!("{id}{}", "A".repeat(43)), format!("{id}{}{}", "B".repeat(22), &secret[22..])] {
        for word in [None, Some("a word")] {
            assert_eq!(refusal(&refresh(&world, &guess, word).await), (401, "invalid_token".into()));
        }
    }
    assert_eq!(refresh(&world, &next, None).await.status, 200);
}

#[tokio::test]
async fn invites_use_up_nobodys_letters_that_sign_in() {
    let world = World::strict(Registration::Open);
    let ada = register(&world, "ada").await;
    let (token, ask) =
        (ada.member("access_token"), format!("POST /v1/spaces/{}/invites", ada.member("space")));
    let mut n_letters = 0;
    for n in 0..8 {
        let body = json!({"role": "viewer", "address": "bob@example.org"}).to_string();
        let answer = world.ask(&ask, Some(&token), Some(&body)).await;
        assert_eq!(answer.status, if n < 5 { 201 } else { 429 });
        n_letters += usize::from(n < 5);
    }
    let body = r#"{"address":"bob@example.org"}"#;
    must(&world, "POST /v1/auth/link", None, Some(body), 202).await;
    let link = world.nth_letter("bob@example.org", n_letters + 1).await;
    must(&world, "POST /v1/auth/link/redeem", None, Some(&with_token(&link)), 200).await;
}

#[tokio::test]
async fn nobody_advertises_with_invites() {
    let world = World::strict(Registration::Open);
    let ada = register(&world, "ada").await;
    let (token, ask) =
        (ada.member("access_token"), format!("POST /v1/spaces/{}/invites", ada.member("space")));
    for n in 0..31 {
        let body = json!({"role": "viewer", "address": format!("person-{n}@example.org")}).to_string();
        assert_eq!(world.ask(&ask, Some(&token), Some(&body)).await.status, if n < 30 { 201 } else { 429 });
    }
}

#[tokio::test]
async fn nobody_holds_up_their_revocation_by_renaming() {
    let world = World::strict(Registration::Open);
    let ada = register(&world, "ada").await;
    let token = ada.member("access_token");
    let (rename, body) =
        (format!("PATCH /v1/devices/{}", ada.member("device")), r#"{"device_name":"again"}"#);
    let statuses = join_all((0..80).map(|_| world.ask(&rename, Some(&token), Some(body)))).await;
    assert_eq!(statuses.iter().filter(|answer| answer.status == 429).count(), 20);
}

#[tokio::test]
async fn an_operator_is_told_that_the_address_is_taken_where_no_name_was_given() {
    let world = World::memory();
    let add = || world.app.identity.add_user(NewSignIn::Address(MailAddress::new("a@example.org").unwrap()));
    add().await.unwrap();
    assert_eq!(add().await.unwrap_err().text(), "a user with this mail address is there already");
}
