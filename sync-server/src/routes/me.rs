//! `GET /v1/me`: 200 with who is signed in, and where their own space is.
//!
//! `DELETE /v1/me`: body `{password?, shared_spaces?: "keep" | "delete"}`. 204; everything that is theirs is gone. 409
//! `last_owner` with the spaces that others are in and nobody would own.

use hyper::Method;
use serde::Deserialize;
use serde_json::json;
use warp::Filter;
use warp::filters::BoxedFilter;

use super::auth::guesses;
use super::grant::user;
use super::request::{Request, json_of, no_content};
use super::resource::{Answer, get, resource};
use crate::app::App;
use crate::identity::SharedSpaces;
use crate::problem::Code;
use crate::reply::Response;

pub(super) fn routes(app: &App) -> BoxedFilter<(Response,)> {
    resource(warp::path!("me").map(Vec::new), app, get(show).on(Method::DELETE, delete))
}

async fn show(app: App, request: Request) -> Answer {
    let who = request.signed_in(&app).await?;
    request.query(&[])?;
    let profile = app.identity.profile(&who).await?;
    let home = profile.home.clone();
    Ok(json_of(&json!({"user": user(&profile), "space": home, "device": who.device})))
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Shared {
    #[default]
    Keep,
    Delete,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Leaving {
    password: Option<String>,
    shared_spaces: Shared,
}

async fn delete(app: App, request: Request) -> Answer {
    let who = request.signed_in(&app).await?;
    request.query(&[])?;
    let given: Leaving = if request.body.is_empty() { Leaving::default() } else { request.decode()? };
    let shared = match given.shared_spaces {
        Shared::Keep => SharedSpaces::Keep,
        Shared::Delete => SharedSpaces::Delete,
    };
    let work = app.identity.delete_self(&who, given.password.as_deref(), shared);
    app.guarded(&guesses(&app, &request, who.user.as_str()), &[Code::InvalidCredentials], work).await?;
    Ok(no_content())
}
