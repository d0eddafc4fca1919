//! `POST /v1/devices`: body `{device_name, platform?}`. 201 with a token that stays; 422 `quota_exceeded`.
//!
//! `GET /v1/devices`: 200 with the caller's devices, sign-ins and browsers among them, and how far each is.
//!
//! `GET /v1/devices/{id}`: 200 with one. `PATCH /v1/devices/{id}`: body `{device_name}`, 204; 429 `rate_limited`. `DELETE /v1/devices/{id}`:
//! 204; its next request is refused and its open connections end. Each 404 `not_found` alike for a device that is not there
//! and for somebody else's.

use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use sync_core::CredentialId;
use warp::Filter;
use warp::filters::BoxedFilter;

use super::first_of;
use super::grant::granted;
use super::request::{Request, json_of, no_content};
use super::resource::{Answer, get, resource};
use crate::app::App;
use crate::identity::{DeviceStatus, NewDevice, SignedIn, SyncedSpace};
use crate::limit::Rule;
use crate::problem::Problem;
use crate::reply::Response;

pub(super) fn routes(app: &App) -> BoxedFilter<(Response,)> {
    let one = warp::path!("devices" / String).map(|id| vec![id]);
    first_of([
        resource(warp::path!("devices").map(Vec::new), app, get(list).on(Method::POST, add)),
        resource(one, app, get(show).on(Method::PATCH, rename).on(Method::DELETE, revoke)),
    ])
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Adding {
    device_name: String,
    platform: Option<String>,
}

async fn add(app: App, request: Request) -> Answer {
    let who = request.signed_in(&app).await?;
    request.query(&[])?;
    let given: Adding = request.decode()?;
    let device = NewDevice::new(Some(&given.device_name), given.platform.as_deref())?;
    Ok(granted(&app, StatusCode::CREATED, &app.identity.add_device(&who, &device).await?))
}

async fn list(app: App, request: Request) -> Answer {
    let who = request.signed_in(&app).await?;
    request.query(&[])?;
    let mut listed = Vec::new();
    for device in app.identity.devices(&who.user).await? {
        listed.push(shown(&app, &who, &device).await?);
    }
    Ok(json_of(&json!({"devices": listed})))
}

async fn show(app: App, request: Request) -> Answer {
    let who = request.signed_in(&app).await?;
    request.query(&[])?;
    let device = app.identity.device(&who.user, &id(&request)?).await?;
    Ok(json_of(&shown(&app, &who, &device).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Renaming {
    device_name: String,
}

async fn rename(app: App, request: Request) -> Answer {
    let who = request.signed_in(&app).await?;
    request.query(&[])?;
    let (id, given) = (id(&request)?, request.decode::<Renaming>()?);
    app.limiter.check(app.limiter.bucket(Rule::Rename, &who.user))?;
    app.identity.rename_device(&who, &id, &given.device_name).await?;
    Ok(no_content())
}

async fn revoke(app: App, request: Request) -> Answer {
    let who = request.signed_in(&app).await?;
    request.query(&[])?;
    app.identity.revoke_device(&who, &id(&request)?).await?;
    Ok(no_content())
}

fn id(request: &Request) -> Result<CredentialId, Problem> {
    request.name(0, CredentialId::new)
}

/// A device, with how far it lies behind each space that its user is still in.
async fn shown(app: &App, who: &SignedIn, device: &DeviceStatus) -> Result<Value, Problem> {
    let mut spaces = Vec::new();
    for synced in &device.synced {
        let lag_us = app.identity.lag_us(&who.user, synced).await?;
        let SyncedSpace { space, at, position } = synced;
        let Some(lag_us) = lag_us else { continue };
        spaces.push(json!({"space": space, "last_sync_at": at, "position": position, "lag_us": lag_us}));
    }
    Ok(json!({
        "device": device.id,
        "name": device.name,
        "platform": device.platform,
        "kind": device.kind(),
        "current": device.id == who.device,
        "created_at": device.created_at,
        "expires_at": device.expires_at,
        "last_sync_at": device.synced.iter().map(|synced| synced.at).max(),
        "spaces": spaces,
    }))
}
