//! `GET /v1/live`: a WebSocket for many spaces. 101, 426 `upgrade_required`.
//!
//! `GET /v1/live?space&after&collections&wait`: one frame of one space, held back until there is something in it; or all of
//! them as events with `Accept: text/event-stream`. 200, 410 `resync_required`.

use std::time::Duration;

use hyper::header::{ACCEPT, HeaderName};
use sync_core::protocol::Subscribe;
use sync_core::{CursorToken, SpaceId};
use warp::Filter;
use warp::filters::BoxedFilter;

use super::request::Request;
use super::resource::{Answer, get, resource};
use crate::app::App;
use crate::live::upgrade::{agree, check};
use crate::live::{Opening, events};
use crate::problem::{Code, Problem};
use crate::query::Query;
use crate::reply::Response;

/// Longest wait a client may name, in seconds; it is held for a smaller time, below what proxies cut.
const WAIT_S_MAX: u32 = 3_600;

/// Longest time an answer is held back.
const HELD_MAX: Duration = Duration::from_secs(50);

/// Where a browser says how far it has come when it connects again.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

pub(super) fn routes(app: &App) -> BoxedFilter<(Response,)> {
    let path = warp::path!("live").map(Vec::new);
    resource(path, app, get(live))
}

async fn live(app: App, request: Request) -> Answer {
    let query = request.query(&["auth", "space", "after", "collections", "wait"])?;
    match query.string("space") {
        Some(space) => follow(app, request, &query, space).await,
        None => upgrade(app, request, &query).await,
    }
}

async fn upgrade(app: App, request: Request, query: &Query) -> Answer {
    let says_later = match query.string("auth") {
        None => false,
        Some("message") => request.is_anonymous(&app),
        Some(_) => return Err(Problem::new(Code::InvalidQuery).detail("auth is message, or left out")),
    };
    let who = if says_later { None } else { Some(request.signed_in(&app).await?) };
    let accept = check(&request.headers)?;
    let mut open = app.sockets().open();
    if let Some(who) = &who {
        open.is_of(&who.user)?;
    }
    let client = request.client;
    agree(accept, request.on_upgrade, Opening { app, open, who, client })
}

async fn follow(app: App, request: Request, query: &Query, space: &str) -> Answer {
    let who = request.signed_in(&app).await?;
    let space =
        SpaceId::new(space).map_err(|error| Problem::new(Code::InvalidId).detail(error.to_string()))?;
    let is_stream = request.headers.get_all(ACCEPT).iter().any(|accept| is_event_stream(accept.as_bytes()));
    let last = request.headers.get(&LAST_EVENT_ID).and_then(|id| id.to_str().ok());
    let after = last.filter(|_| is_stream).or(query.string("after"));
    let wish = Subscribe {
        after: after.map(CursorToken::new),
        collections: query.collections("collections")?,
        receipt: None,
    };
    let wait = Duration::from_secs(query.u32_in("wait", 0..=WAIT_S_MAX)?.unwrap_or_default().into());
    let mut open = app.sockets().open();
    open.is_of(&who.user)?;
    if is_stream {
        events::stream(&app, who, open, &space, wish).await
    } else {
        events::poll(&app, who, &space, wish, wait.min(HELD_MAX)).await
    }
}

fn is_event_stream(accept: &[u8]) -> bool {
    let accept = String::from_utf8_lossy(accept);
    accept.split(',').any(|kind| {
        kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("text/event-stream")
    })
}
