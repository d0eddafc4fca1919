//! `GET /v1/spaces/{space}/status?hash`: 200 with head, counts, and how far each replica is; with `hash=true` also the
//! canonical hash of all records.
//!
//! `GET /v1/spaces/{space}/log?before&limit`: 200 with `{entries, next}`, the audit log, newest first.

use serde_json::json;
use warp::Filter;
use warp::filters::BoxedFilter;

use super::first_of;
use super::request::{Request, json_of};
use super::resource::{Answer, get, resource};
use crate::app::App;
use crate::reply::Response;

/// Entries of the log a client may ask for at once.
const ENTRIES_MAX: u32 = 1000;

pub(super) fn routes(app: &App) -> BoxedFilter<(Response,)> {
    let one = warp::path!("spaces" / String / "status").map(|space| vec![space]);
    let its_log = warp::path!("spaces" / String / "log").map(|space| vec![space]);
    first_of([resource(one, app, get(status)), resource(its_log, app, get(log))])
}

async fn status(app: App, request: Request) -> Answer {
    let (actor, space) = request.member(&app).await?;
    let with_hash = request.query(&["hash"])?.flag("hash")?;
    Ok(json_of(&app.service.status(&actor, &space, with_hash).await?))
}

async fn log(app: App, request: Request) -> Answer {
    let (actor, space) = request.member(&app).await?;
    let query = request.query(&["before", "limit"])?;
    let before = query.u32_in("before", 1..=u32::MAX)?.map(i64::from);
    let limit = query.u32_in("limit", 1..=ENTRIES_MAX)?.and_then(|limit| usize::try_from(limit).ok());
    let entries = app.service.log(&actor, &space, before, limit).await?;
    let next = entries.last().map(|entry| entry.entry).filter(|entry| *entry > 1);
    Ok(json_of(&json!({"entries": entries, "next": next})))
}
