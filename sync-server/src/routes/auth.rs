//! `POST /v1/auth/register`: body `{username, password}`. 201 with a token and the user's personal space, 409
//! `username_taken`.
//!
//! `POST /v1/auth/login`: body `{username, password}`. 200 with a token, 401 `invalid_credentials` alike for a wrong
//! password, for a user who does not exist, and for a name or password that no account can have.

use hyper::StatusCode;
use serde::Deserialize;
use serde_json::json;
use sync_core::protocol::decode;
use sync_core::{ActorId, ErrorKind, Role, SpaceId, User};
use warp::Filter;
use warp::filters::BoxedFilter;

use super::first_of;
use super::request::{Request, json};
use super::resource::{Answer, post, resource};
use crate::app::App;
use crate::auth::password::Password;
use crate::auth::username::UserName;
use crate::problem::{Code, Problem};
use crate::reply::Response;

pub(super) fn routes(app: &App) -> BoxedFilter<(Response,)> {
    first_of([
        resource(warp::path!("auth" / "register").map(Vec::new), app, post(register)),
        resource(warp::path!("auth" / "login").map(Vec::new), app, post(login)),
    ])
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Credentials {
    username: String,
    password: String,
}

async fn register(app: App, request: Request) -> Answer {
    request.query(&[])?;
    let given: Credentials = decode(&request.body)?;
    let name = UserName::new(&given.username)?;
    let password = Password::new(&given.password)?;
    if app.accounts.user_by_name(name.normal()).await?.is_some() {
        return Err(Code::UsernameTaken.into());
    }
    let password_hash = app.passwords.hash(password, |salt| app.ids.fill(salt)).await?;
    let user = User {
        id: ActorId::new(app.ids.new_hex_id()).map_err(|_| Code::Internal)?,
        name: name.display().to_owned(),
        name_key: name.normal().to_owned(),
        password_hash,
        created_at: app.clock.now(),
    };
    let space = SpaceId::new(app.ids.new_hex_id()).map_err(|_| Code::Internal)?;
    create(&app, &user, &space).await?;
    Ok(signed_in(&app, StatusCode::CREATED, &user, &space))
}

/// The space first: if the process dies between the two, an empty space is left and no user without one. The same when
/// it is not known whether there is a user now: theirs must not be deleted.
async fn create(app: &App, user: &User, space: &SpaceId) -> Result<(), Problem> {
    app.service.create_space(space).await?;
    let owner = [(space.clone(), Role::Owner)];
    let Err(error) = app.accounts.create_user(user, &owner).await else { return Ok(()) };
    if nothing_happened(error.kind()) {
        app.service.delete_space(space).await?;
    }
    Err(if error.kind() == ErrorKind::AlreadyExists { Code::UsernameTaken.into() } else { error.into() })
}

/// Whether an error says for certain that nothing was written.
fn nothing_happened(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::AlreadyExists | ErrorKind::Contended | ErrorKind::Overloaded | ErrorKind::StorageFull
    )
}

async fn login(app: App, request: Request) -> Answer {
    request.query(&[])?;
    let given: Credentials = decode(&request.body)?;
    // A name or a password that no account can have is wrong like any other; the first costs a hash all the same.
    let password = Password::new(&given.password).map_err(|_| Code::InvalidCredentials)?;
    let user = match UserName::new(&given.username) {
        Ok(name) => app.accounts.user_by_name(name.normal()).await?,
        Err(_) => None,
    };
    let stored = user.as_ref().map(|user| user.password_hash.as_str());
    let matches = app.passwords.verify(password, stored).await?;
    let user = user.filter(|_| matches).ok_or(Code::InvalidCredentials)?;
    let spaces = app.accounts.spaces_of(&user.id, usize::from(u8::MAX)).await?;
    let own = spaces.into_iter().find(|(_, role)| *role == Role::Owner).ok_or(Code::Internal)?;
    Ok(signed_in(&app, StatusCode::OK, &user, &own.0))
}

fn signed_in(app: &App, status: StatusCode, user: &User, space: &SpaceId) -> Response {
    let token = app.tokens.issue(user.id.as_str(), &app.ids.new_id(), app.now_s());
    let body = json!({
        "user": {"id": user.id, "username": user.name},
        "space": space,
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": app.token_lifetime_s,
    });
    json(status, body.to_string())
}
