//! `GET /v1/spaces?after&limit`: 200 with the caller's spaces and roles. `POST /v1/spaces`: body `{space?}`. 201 with the
//! name of the new space, 409 `id_conflict`, 422 `quota_exceeded`.
//!
//! `GET /v1/spaces/{space}`: 200 with the caller's role. `DELETE /v1/spaces/{space}`: 204; owners alone. Everything in it
//! is gone.

use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde_json::json;
use sync_core::SpaceId;
use warp::Filter;
use warp::filters::BoxedFilter;

use super::first_of;
use super::request::{Request, json, json_of, no_content};
use super::resource::{Answer, get, resource};
use crate::app::App;
use crate::problem::{Code, Problem};
use crate::reply::Response;

/// Spaces listed at once. 1,000: more than anyone reads.
const LISTED_MAX: u32 = 1000;

pub(super) fn routes(app: &App) -> BoxedFilter<(Response,)> {
    let one = warp::path!("spaces" / String).map(|space| vec![space]);
    first_of([
        resource(warp::path!("spaces").map(Vec::new), app, get(list).on(Method::POST, create)),
        resource(one, app, get(show).on(Method::DELETE, delete)),
    ])
}

async fn list(app: App, request: Request) -> Answer {
    let who = request.signed_in(&app).await?;
    let query = request.query(&["after", "limit"])?;
    let after = query.string("after").map(SpaceId::new).transpose();
    let after = after.map_err(|error| Problem::new(Code::InvalidQuery).detail(error.to_string()))?;
    let limit = query.u32_in("limit", 1..=LISTED_MAX)?.unwrap_or(LISTED_MAX);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let spaces = app.identity.spaces(&who, after.as_ref(), limit).await?;
    let next = spaces.last().filter(|_| spaces.len() == limit).map(|(space, _)| space.clone());
    let spaces: Vec<_> = spaces.iter().map(|(space, role)| json!({"space": space, "role": role})).collect();
    Ok(json_of(&json!({"spaces": spaces, "next": next})))
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Creating {
    space: Option<SpaceId>,
}

async fn create(app: App, request: Request) -> Answer {
    let who = request.signed_in(&app).await?;
    request.query(&[])?;
    let given: Creating = if request.body.is_empty() { Creating::default() } else { request.decode()? };
    let space = app.identity.create_space(&who, given.space).await?;
    Ok(json(StatusCode::CREATED, json!({"space": space, "role": "owner"}).to_string()))
}

async fn show(app: App, request: Request) -> Answer {
    let (actor, space) = request.member(&app).await?;
    request.query(&[])?;
    Ok(json_of(&json!({"space": space, "role": actor.role})))
}

async fn delete(app: App, request: Request) -> Answer {
    let who = request.signed_in(&app).await?;
    let space = request.space()?;
    request.query(&[])?;
    app.identity.delete_space(&who, &space).await?;
    Ok(no_content())
}
