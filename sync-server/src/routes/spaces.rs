//! `GET /v1/spaces?after&limit`: 200 with the caller's spaces, roles and what they are called. `POST /v1/spaces`: body
//! `{space?, name?}`. 201 with the new space, 409 `id_conflict`, 422 `quota_exceeded`.
//!
//! `GET /v1/spaces/{space}`: 200 with the caller's role, and what the space is called. `PATCH /v1/spaces/{space}`: body
//! `{name}`, of which null takes it away. 204; owners alone. `DELETE /v1/spaces/{space}`: 204; owners alone. Everything in
//! it is gone.

use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use sync_core::SpaceId;
use warp::Filter;
use warp::filters::BoxedFilter;

use super::first_of;
use super::request::{Request, json, json_of, no_content};
use super::resource::{Answer, get, resource};
use crate::app::App;
use crate::identity::{MemberSpace, NewSpace, space_name};
use crate::problem::{Code, Problem};
use crate::reply::Response;

/// Spaces listed at once. 1,000: more than anyone reads.
const LISTED_MAX: u32 = 1000;

pub(super) fn routes(app: &App) -> BoxedFilter<(Response,)> {
    let one = warp::path!("spaces" / String).map(|space| vec![space]);
    first_of([
        resource(warp::path!("spaces").map(Vec::new), app, get(list).on(Method::POST, create)),
        resource(one, app, get(show).on(Method::PATCH, rename).on(Method::DELETE, delete)),
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
    let next = spaces.last().filter(|_| spaces.len() == limit).map(|last| last.space.clone());
    let spaces: Vec<_> = spaces.iter().map(shown).collect();
    Ok(json_of(&json!({"spaces": spaces, "next": next})))
}

/// A space as the caller sees it.
fn shown(seen: &MemberSpace) -> Value {
    let MemberSpace { space, role, name, created_at } = seen;
    json!({"space": space, "role": role, "name": name, "created_at": created_at})
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Creating {
    space: Option<SpaceId>,
    name: Option<String>,
}

async fn create(app: App, request: Request) -> Answer {
    let who = request.signed_in(&app).await?;
    request.query(&[])?;
    let given: Creating = if request.body.is_empty() { Creating::default() } else { request.decode()? };
    let name = given.name.as_deref().map(space_name).transpose()?;
    let made = app.identity.create_space(&who, NewSpace { space: given.space, name }).await?;
    Ok(json(StatusCode::CREATED, shown(&made).to_string()))
}

async fn show(app: App, request: Request) -> Answer {
    let who = request.signed_in(&app).await?;
    let space = request.space()?;
    let seen = app.identity.space(&who, &space).await?;
    request.query(&[])?;
    Ok(json_of(&shown(&seen)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Renaming {
    /// Without a default: a name is not taken away by saying nothing.
    #[serde(deserialize_with = "Option::deserialize")]
    name: Option<String>,
}

async fn rename(app: App, request: Request) -> Answer {
    let who = request.signed_in(&app).await?;
    let space = request.space()?;
    request.query(&[])?;
    app.identity.owner(&who, &space).await?;
    let given: Renaming = request.decode()?;
    let name = given.name.as_deref().map(space_name).transpose()?;
    app.identity.rename_space(&who, &space, name).await?;
    Ok(no_content())
}

async fn delete(app: App, request: Request) -> Answer {
    let who = request.signed_in(&app).await?;
    let space = request.space()?;
    request.query(&[])?;
    app.identity.delete_space(&who, &space).await?;
    Ok(no_content())
}
