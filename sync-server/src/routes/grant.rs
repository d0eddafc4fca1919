//! The answer to everyone who has just signed in, whichever way they came.

use hyper::StatusCode;
use serde_json::{Value, json};
use sync_core::{Proof, User};

use super::request::json;
use crate::identity::{AccessToken, Grant};
use crate::reply::Response;

/// The tokens, who they are for, and where their own space is. A cookie is not shown here: its browser keeps it.
pub(super) fn granted(status: StatusCode, grant: &Grant) -> Response {
    let mut body = json!({
        "user": user(&grant.user),
        "space": grant.user.home,
        "device": grant.device,
    });
    if let Some(AccessToken { token, expires_in_s }) = &grant.access {
        body["access_token"] = token.as_str().into();
        body["token_type"] = "Bearer".into();
        body["expires_in"] = (*expires_in_s).into();
    }
    match grant.proof {
        Proof::Refresh => body["refresh_token"] = grant.token.as_str().into(),
        Proof::Token => body["device_token"] = grant.token.as_str().into(),
        Proof::Cookie => {}
    }
    if let Some(end) = grant.expires_at {
        body["signed_in_until"] = end.as_micros().into();
    }
    json(status, body.to_string())
}

/// A user as they see themselves.
pub(super) fn user(user: &User) -> Value {
    let mut shown = json!({"id": user.id, "username": user.name});
    if let Some(address) = &user.address {
        shown["address"] = address.as_str().into();
    }
    shown
}
