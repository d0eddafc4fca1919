//! `GET /v1/spaces/{space}/trees/{tree}?after&limit`: 200 with the vertices of a tree, and how it is doing.
//!
//! `GET /v1/spaces/{space}/trees/{tree}/ops?after&limit`: 200 with `{ops, next}`.
//!
//! `POST /v1/spaces/{space}/trees/{tree}/ops`: body `{ops}`. 200 with how many are new, 409 `op_conflict`; all or none.
//!
//! `POST /v1/spaces/{space}/trees/{tree}/missing`: body `{vector, limit?}`. 200 with the `{ops, next}` that someone with that
//! state vector lacks.

use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde_json::json;
use sync_core::protocol::{OpsRequest, decode, write_ops};
use sync_core::service::{Actor, OpsPage, TreePage};
use sync_core::tree::StateVector;
use sync_core::{OpId, SpaceId, TreeId, VertexId};
use warp::Filter;
use warp::filters::BoxedFilter;

use super::first_of;
use super::request::{Request, json, json_of};
use super::resource::{Answer, get, post, resource};
use crate::app::App;
use crate::problem::{Code, Problem};
use crate::query::Query;
use crate::reply::Response;

/// Ops or vertices a client may ask for at once; the service has a smaller limit of its own and keeps to it.
const LIMIT_MAX: u32 = 1_000_000;

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
    Ok(listed(&app.service.ops(&actor, &space, &tree, after, limit(&query)?).await?))
}

fn listed(page: &OpsPage) -> Response {
    let mut body = String::from("{\"ops\":");
    write_ops(&page.ops, &mut body);
    let next = page.next.as_ref().map(OpId::to_string);
    body.push_str(&format!(",\"next\":{}}}", json!(next)));
    json(StatusCode::OK, body)
}

async fn add(app: App, request: Request) -> Answer {
    let (actor, space, tree) = asked(&app, &request).await?;
    request.query(&[])?;
    let ops = OpsRequest::from_json(&request.body, &space, &tree)?.ops;
    let added = app.service.add_ops(&actor, &space, &tree, ops).await?;
    Ok(json_of(&json!({"n_new": added.n_new, "n_known": added.n_known, "head": added.head})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Missing {
    vector: StateVector,
    limit: Option<u32>,
}

async fn lacking(app: App, request: Request) -> Answer {
    let (actor, space, tree) = asked(&app, &request).await?;
    request.query(&[])?;
    let Missing { vector, limit } = decode(&request.body)?;
    if limit.is_some_and(|limit| !(1..=LIMIT_MAX).contains(&limit)) {
        let why = format!("a limit is from 1 to {LIMIT_MAX}");
        return Err(Problem::new(Code::ValidationFailed).detail(why).pointer("/limit"));
    }
    let limit = limit.and_then(|limit| usize::try_from(limit).ok());
    Ok(listed(&app.service.missing_ops(&actor, &space, &tree, vector, limit).await?))
}
