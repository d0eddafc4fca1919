//! The answer to everyone who has just signed in, whichever way they came.

use hyper::StatusCode;
use hyper::header::SET_COOKIE;
use serde_json::{Value, json};
use sync_core::{Proof, User};

use super::request::json;
use crate::app::App;
use crate::identity::{AccessToken, Grant};
use crate::reply::Response;

/// The tokens, who they are for, and where their own space is. A cookie is for the browser alone, and no script sees it.
pub(super) fn granted(app: &App, status: StatusCode, grant: &Grant) -> Response {
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
    let mut response = json(status, body.to_string());
    if let (Proof::Cookie, Some(end)) = (grant.proof, grant.expires_at) {
        let lifetime_s = u32::try_from(end.since(app.identity.now()).as_secs()).unwrap_or(u32::MAX);
        response.headers_mut().append(SET_COOKIE, app.cookie.set(&grant.token, lifetime_s));
    }
    response
}

/// A user as they see themselves.
pub(super) fn user(user: &User) -> Value {
    let mut shown = json!({"id": user.id, "username": user.name});
    if let Some(address) = &user.address {
        shown["address"] = address.as_str().into();
    }
    shown
}
