//! `POST /v1/auth/register`: body `{username, password, invite?, device_name?, platform?}`. 201 with tokens and the user's
//! personal space, 403 `registration_closed`, 409 `username_taken`, 400 `invite_invalid`.
//!
//! `POST /v1/auth/login`: body `{username, password, device_name?, platform?}`. 200 with tokens, 401 `invalid_credentials`
//! alike for a wrong password, for a user who does not exist, and for a name or password that no account can have.
//!
//! `POST /v1/auth/refresh`: body `{refresh_token, exchange?}`. 200 with the next tokens. A token works once; with the
//! same `exchange`, a word of the client's choice, a lost answer can be asked for again.
//!
//! `POST /v1/auth/logout`: signs out whatever is shown. 204, also when it was signed out already.
//!
//! `POST /v1/auth/password`: body `{current, new}`. 204; every other device is signed out. 401 `invalid_credentials` for a wrong
//! `current`, or none; 422 for an account without a password.

use hyper::StatusCode;
use hyper::header::SET_COOKIE;
use serde::Deserialize;
use warp::Filter;
use warp::filters::BoxedFilter;

use super::first_of;
use super::grant::granted;
use super::request::{Request, no_content};
use super::resource::{Answer, post, resource};
use crate::app::App;
use crate::auth::password::Password;
use crate::auth::username::UserName;
use crate::identity::{NewDevice, Presented};
use crate::limit::{Bucket, Rule};
use crate::problem::Code;
use crate::reply::Response;

pub(super) fn routes(app: &App) -> BoxedFilter<(Response,)> {
    first_of([
        resource(warp::path!("auth" / "register").map(Vec::new), app, post(register)),
        resource(warp::path!("auth" / "login").map(Vec::new), app, post(login)),
        resource(warp::path!("auth" / "refresh").map(Vec::new), app, post(refresh)),
        resource(warp::path!("auth" / "logout").map(Vec::new), app, post(logout)),
        resource(warp::path!("auth" / "password").map(Vec::new), app, post(password)),
    ])
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Registering {
    username: String,
    password: String,
    invite: Option<String>,
    device_name: Option<String>,
    platform: Option<String>,
}

async fn register(app: App, request: Request) -> Answer {
    request.query(&[])?;
    let given: Registering = request.decode()?;
    let name = UserName::new(&given.username)?;
    let password = Password::new(&given.password)?;
    let device = NewDevice::new(given.device_name.as_deref(), given.platform.as_deref())?;
    app.limiter.check(app.limiter.client(Rule::Register, request.client))?;
    let grant = app.identity.register(&name, password, given.invite.as_deref(), &device).await?;
    Ok(granted(&app, StatusCode::CREATED, &grant))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SigningIn {
    username: String,
    password: String,
    device_name: Option<String>,
    platform: Option<String>,
}

async fn login(app: App, request: Request) -> Answer {
    request.query(&[])?;
    let given: SigningIn = request.decode()?;
    let device = NewDevice::new(given.device_name.as_deref(), given.platform.as_deref())?;
    let buckets = guesses(&app, &request, &account(&given.username));
    let work = app.identity.sign_in(&given.username, &given.password, &device);
    let grant = app.guarded(&buckets, &[Code::InvalidCredentials], work).await?;
    Ok(granted(&app, StatusCode::OK, &grant))
}

/// A name as accounts are told apart, so that no other spelling of it is counted apart.
fn account(username: &str) -> String {
    UserName::new(username).map_or_else(|_| username.to_owned(), |name| name.normal().to_owned())
}

/// What guesses at the password of an account count against.
pub(super) fn guesses(app: &App, request: &Request, account: &str) -> [Bucket; 2] {
    let (limiter, client) = (&app.limiter, request.client);
    [limiter.bucket(Rule::Login, (account, client.counted())), limiter.client(Rule::LoginAddress, client)]
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Refreshing {
    refresh_token: String,
    exchange: Option<String>,
}

async fn refresh(app: App, request: Request) -> Answer {
    request.query(&[])?;
    let given: Refreshing = request.decode()?;
    let work = app.identity.refresh(&given.refresh_token, given.exchange.as_deref());
    let misses = [Code::InvalidToken, Code::TokenRevoked, Code::TokenExpired];
    let grant = app.guarded(&[app.limiter.client(Rule::Refresh, request.client)], &misses, work).await?;
    Ok(granted(&app, StatusCode::OK, &grant))
}

async fn logout(app: App, request: Request) -> Answer {
    request.query(&[])?;
    let presented = request.presented(&app)?;
    app.identity.sign_out(presented).await?;
    let mut response = no_content();
    if matches!(presented, Presented::Cookie(_)) {
        response.headers_mut().append(SET_COOKIE, app.cookie.removal());
    }
    Ok(response)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Changing {
    current: Option<String>,
    new: String,
}

async fn password(app: App, request: Request) -> Answer {
    let who = request.signed_in(&app).await?;
    request.query(&[])?;
    let given: Changing = request.decode()?;
    let new = Password::new(&given.new).map_err(|problem| problem.pointer("/new"))?;
    let buckets = guesses(&app, &request, who.user.as_str());
    let work = app.identity.change_password(&who, given.current.as_deref(), new);
    app.guarded(&buckets, &[Code::InvalidCredentials], work).await?;
    Ok(no_content())
}
