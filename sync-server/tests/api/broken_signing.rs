//! What someone once got away with when signing in, pairing and refreshing, named after what was seen.

use serde_json::json;

use super::steps::{login, must, newcomer, offer, refused, register, with_token};
use super::world::{Answer, World};

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
