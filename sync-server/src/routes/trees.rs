//! `GET /v1/spaces/{space}/trees/{tree}?after&limit`: 200 with the vertices of a tree, and how it is doing.
//!
//! `GET /v1/spaces/{space}/trees/{tree}/ops?after&limit`: 200 with `{ops, next}`.
//!
//! `POST /v1/spaces/{space}/trees/{tree}/ops`: body `{ops}`. 200 with how many are new, 409 `op_conflict`; all or none.
//!
//! `POST /v1/spaces/{space}/trees/{tree}/missing`: body `{vector, limit?}`. 200 with the `{ops, next}` that someone with that
//! state vector lacks.

use hyper::{Method, StatusCode};
use serde_json::json;
use sync_core::service::{Actor, TreePage};
use sync_core::{OpId, SpaceId, TreeId, VertexId};
use warp::Filter;
use warp::filters::BoxedFilter;

use super::first_of;
use super::request::{Request, json, json_of};
use super::resource::{Answer, get, post, resource};
use crate::app::App;
use crate::exchange::{self, LIMIT_MAX};
use crate::problem::Problem;
use crate::query::Query;
use crate::reply::Response;

pub(super) fn routes(app: &App) -> BoxedFilter<(Response,)> {
    let one = warp::path!("spaces" / String / "trees" / String).map(|space, tree| vec![space, tree]);
    let ops = warp::path!("spaces" / String / "trees" / String / "ops").map(|space, tree| vec![space, tree]);
    let missing =
        warp::path!("spaces" / String / "trees" / String / "missing").map(|space, tree| vec![space, tree]);
    first_of([
        resource(one, app, get(state)),
        resource(ops, app, get(list).on(Method::POST, add)),
        resource(missing, app, post(lacking)),
    ])
}

/// Who asks, and about which tree.
async fn asked(app: &App, request: &Request) -> Result<(Actor, SpaceId, TreeId), Problem> {
    let (actor, space) = request.member(app).await?;
    Ok((actor, space, request.name(1, TreeId::new)?))
}

fn limit(query: &Query) -> Result<Option<usize>, Problem> {
    Ok(query.u32_in("limit", 1..=LIMIT_MAX)?.and_then(|limit| usize::try_from(limit).ok()))
}

async fn state(app: App, request: Request) -> Answer {
    let (actor, space, tree) = asked(&app, &request).await?;
    let query = request.query(&["after", "limit"])?;
    let after = query.parsed::<VertexId>("after")?;
    let page = app.service.tree(&actor, &space, &tree, after, limit(&query)?).await?;
    Ok(json_of(&shown(&page)))
}

fn shown(page: &TreePage) -> serde_json::Value {
    let vertices = page.vertices.iter().map(|vertex| {
        let properties =
            vertex.properties.iter().map(|(key, value)| (key.as_str().to_owned(), value.to_value()));
        let properties: serde_json::Map<_, _> = properties.collect();
        json!({"id": vertex.id, "parentId": vertex.parent, "properties": properties})
    });
    json!({
        "head": page.head,
        "n_ops": page.n_ops,
        "n_waiting": page.n_waiting,
        "hash": page.hash.to_string(),
        "vector": page.vector,
        "vertices": vertices.collect::<Vec<_>>(),
        "next": page.next,
    })
}

async fn list(app: App, request: Request) -> Answer {
    let (actor, space, tree) = asked(&app, &request).await?;
    let query = request.query(&["after", "limit"])?;
    let after = query.parsed::<OpId>("after")?;
    let page = app.service.ops(&actor, &space, &tree, after, limit(&query)?).await?;
    Ok(json(StatusCode::OK, exchange::ops_to_json(&page)))
}

async fn add(app: App, request: Request) -> Answer {
    let (actor, space, tree) = asked(&app, &request).await?;
    request.query(&[])?;
    Ok(json(StatusCode::OK, exchange::add_ops(&app, &actor, &space, &tree, &request.body).await?))
}

async fn lacking(app: App, request: Request) -> Answer {
    let (actor, space, tree) = asked(&app, &request).await?;
    request.query(&[])?;
    Ok(json(StatusCode::OK, exchange::missing_ops(&app, &actor, &space, &tree, &request.body).await?))
}
