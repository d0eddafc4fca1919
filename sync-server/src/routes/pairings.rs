//! `POST /v1/pairings`: body `{confirm?}`. 201 with the code for another device: id, token, the text of the picture, and
//! when it ends. With `confirm` its maker has to agree to whoever redeems it.
//!
//! `GET /v1/pairings/{id}`: 200 with what became of it. `GET /v1/pairings/{id}/qr.png`: 200 with the picture. `POST
//! /v1/pairings/{id}/confirm`: 204. `DELETE /v1/pairings/{id}`: 204, taken back or refused. Each 404 `not_found` for a
//! pairing that is over or somebody else's.
//!
//! `POST /v1/pairings/redeem`: body `{token, device_name, platform?}`, or `{claim}` from a device that waits. 200 with the
//! token of the device; 202 with a claim while its maker has not agreed; 400 `pairing_invalid`.

use hyper::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use sync_core::{Claim, CredentialId};
use warp::Filter;
use warp::filters::BoxedFilter;

use super::first_of;
use super::grant::granted;
use super::request::{Request, json, json_of, no_content};
use super::resource::{Answer, get, post, resource};
use crate::app::App;
use crate::identity::NewDevice;
use crate::identity::pairing::{Offered, PairingState, Redeemed};
use crate::limit::Rule;
use crate::problem::{Code, Problem};
use crate::qr::Qr;
use crate::reply::Response;

/// How long a device that waits should wait before it asks again, in seconds.
const ASK_AGAIN_S: u32 = 2;

pub(super) fn routes(app: &App) -> BoxedFilter<(Response,)> {
    let one = warp::path!("pairings" / String).map(|id| vec![id]);
    let picture = warp::path!("pairings" / String / "qr.png").map(|id| vec![id]);
    let agreed = warp::path!("pairings" / String / "confirm").map(|id| vec![id]);
    first_of([
        resource(warp::path!("pairings").map(Vec::new), app, post(offer)),
        resource(warp::path!("pairings" / "redeem").map(Vec::new), app, post(redeem)),
        resource(one, app, get(show).on(Method::DELETE, cancel)),
        resource(picture, app, get(draw)),
        resource(agreed, app, post(confirm)),
    ])
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Offering {
    confirm: bool,
}

async fn offer(app: App, request: Request) -> Answer {
    let who = request.signed_in(&app).await?;
    request.query(&[])?;
    let given: Offering = if request.body.is_empty() { Offering::default() } else { request.decode()? };
    let Offered { id, token, expires_at } = app.identity.offer_pairing(&who, given.confirm).await?;
    let body = json!({
        "pairing": id,
        "token": token,
        "url": app.pairing_code(&token)?.to_url(),
        "qr": format!("/v1/pairings/{id}/qr.png"),
        "expires_at": expires_at,
    });
    Ok(json(StatusCode::CREATED, body.to_string()))
}

async fn show(app: App, request: Request) -> Answer {
    let who = request.signed_in(&app).await?;
    request.query(&[])?;
    let state = app.identity.pairing(&who.user, &id(&request)?).await?;
    let body = match &state {
        PairingState::Offered => json!({"state": "offered"}),
        PairingState::Claimed(claim) => json!({"state": "claimed", "claim": claimed(claim)}),
        PairingState::Confirmed(claim) => json!({"state": "confirmed", "claim": claimed(claim)}),
    };
    Ok(json_of(&body))
}

/// What someone needs to know to decide whether to let a device in.
fn claimed(claim: &Claim) -> Value {
    let Claim { name, platform, from, at, .. } = claim;
    json!({"device_name": name, "platform": platform, "from": from, "at": at})
}

async fn draw(app: App, request: Request) -> Answer {
    let who = request.signed_in(&app).await?;
    request.query(&[])?;
    let token = app.identity.pairing_code(&who.user, &id(&request)?).await?;
    // A code that is too long for a picture is one that `pairing_code` refuses.
    let picture = Qr::new(&app.pairing_code(&token)?.to_url()).ok_or(Code::Internal)?.png();
    let mut response = Response::new(picture.into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("image/png"));
    Ok(response)
}

async fn confirm(app: App, request: Request) -> Answer {
    let who = request.signed_in(&app).await?;
    request.query(&[])?;
    app.identity.confirm_pairing(&who, &id(&request)?).await?;
    Ok(no_content())
}

async fn cancel(app: App, request: Request) -> Answer {
    let who = request.signed_in(&app).await?;
    request.query(&[])?;
    app.identity.cancel_pairing(&who, &id(&request)?).await?;
    Ok(no_content())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Redeeming {
    token: Option<String>,
    claim: Option<String>,
    device_name: Option<String>,
    platform: Option<String>,
}

async fn redeem(app: App, request: Request) -> Answer {
    request.query(&[])?;
    let given: Redeeming = request.decode()?;
    let work = async {
        match (&given.token, &given.claim) {
            (Some(token), None) => first(&app, &request, token, &given).await,
            (None, Some(claim)) => again(&app, claim).await,
            _ => {
                Err(Problem::new(Code::ValidationFailed).detail("give either `token` or `claim`").pointer(""))
            }
        }
    };
    let bucket = app.limiter.client(Rule::Pairing, request.client);
    Ok(match app.guarded(&[bucket], &[Code::PairingInvalid], work).await? {
        Redeemed::Granted(grant) => granted(&app, StatusCode::OK, &grant),
        Redeemed::Waiting { claim } => waiting(&claim),
    })
}

async fn first(app: &App, request: &Request, token: &str, given: &Redeeming) -> Result<Redeemed, Problem> {
    let device = NewDevice::new(given.device_name.as_deref(), given.platform.as_deref())?;
    // Who is signed in as someone else does not slip into another account by a code that was held before them.
    let other = match request.is_anonymous(app) {
        true => None,
        false => request.signed_in(app).await.ok().map(|other| other.user),
    };
    let from = request.client.ip().to_string();
    app.identity.redeem_pairing(token, &device, &from, other.as_ref()).await
}

async fn again(app: &App, claim: &str) -> Result<Redeemed, Problem> {
    if !app.limiter.allow(app.limiter.bucket(Rule::Poll, claim)) {
        return Err(Problem::new(Code::SlowDown).retry_after(ASK_AGAIN_S));
    }
    app.identity.fetch_paired(claim).await
}

fn waiting(claim: &str) -> Response {
    let body = json!({"claim": claim, "retry_after": ASK_AGAIN_S}).to_string();
    let mut response = json(StatusCode::ACCEPTED, body);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(ASK_AGAIN_S));
    response
}

fn id(request: &Request) -> Result<CredentialId, Problem> {
    request.name(0, CredentialId::new)
}
