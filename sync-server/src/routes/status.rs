//! `GET /v1/spaces`: 200 with the caller's spaces and roles.
//!
//! `GET /v1/spaces/{space}/status?hash`: 200 with head, counts, and how far each replica is; with `hash=true` also the
//! canonical hash of all records.
//!
//! `GET /v1/spaces/{space}/log?before&limit`: 200 with `{entries, next}`, the audit log, newest first.

use hyper::Method;
use serde_json::json;
use warp::Filter;
use warp::filters::BoxedFilter;

use super::request::{Request, json_of};
use super::{Answer, not_allowed, resource};
use crate::app::App;
use crate::problem::{Code, Problem};
use crate::reply::Response;

/// Spaces listed. 1,000: more than anyone reads; a space beyond them is still reachable by name.
const SPACES_MAX: usize = 1000;

/// Entries of the log a client may ask for at once.
const ENTRIES_MAX: u32 = 1000;

pub(super) fn routes(app: &App) -> BoxedFilter<(Response,)> {
    let spaces_path = warp::path!("spaces").map(Vec::new);
    let status_path = warp::path!("spaces" / String / "status").map(|space| vec![space]);
    let log_path = warp::path!("spaces" / String / "log").map(|space| vec![space]);
    let spaces = resource(spaces_path, app, |app, _, request| async move {
        match request.method {
            Method::GET => spaces(&app, &request).await,
            _ => not_allowed("GET"),
        }
    });
    let status = resource(status_path, app, |app, segments, request| async move {
        match request.method {
            Method::GET => status(&app, &segments[0], &request).await,
            _ => not_allowed("GET"),
        }
    });
    let log = resource(log_path, app, |app, segments, request| async move {
        match request.method {
            Method::GET => log(&app, &segments[0], &request).await,
            _ => not_allowed("GET"),
        }
    });
    spaces.or(status).unify().or(log).unify().boxed()
}

async fn spaces(app: &App, request: &Request) -> Answer {
    let actor = app.signed_in(&request.headers)?;
    request.query(&[])?;
    let spaces = app.accounts.spaces_of(&actor, SPACES_MAX).await?;
    let spaces: Vec<_> = spaces.iter().map(|(space, role)| json!({"space": space, "role": role})).collect();
    Ok(json_of(&json!({"spaces": spaces})))
}

async fn status(app: &App, space: &str, request: &Request) -> Answer {
    let (_, space) = app.member(&request.headers, space).await?;
    let with_hash = match request.query(&["hash"])?.string("hash") {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => {
            return Err(Problem::new(Code::InvalidQuery).detail("query parameter `hash`: true or false"));
        }
    };
    Ok(json_of(&app.service.status(&space, with_hash).await?))
}

async fn log(app: &App, space: &str, request: &Request) -> Answer {
    let (_, space) = app.member(&request.headers, space).await?;
    let query = request.query(&["before", "limit"])?;
    let before = query.u32_in("before", 1..=u32::MAX)?.map(i64::from);
    let limit = query.u32_in("limit", 1..=ENTRIES_MAX)?.and_then(|limit| usize::try_from(limit).ok());
    let entries = app.service.log(&space, before, limit).await?;
    let next = entries.last().map(|entry| entry.entry).filter(|entry| *entry > 1);
    Ok(json_of(&json!({"entries": entries, "next": next})))
}
