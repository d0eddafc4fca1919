//! `GET /v1/spaces/{space}/changes?after&collections&limit&wait&receipt`: pull. 200 with a page, 410 `resync_required`.
//!
//! `POST /v1/spaces/{space}/changes`: push, and pull in the same transaction when the body has `after`. 200 with the
//! outcomes, 409 `client_forked` or `mutation_gap`, 410 `resync_required`.

use std::time::Duration;

use hyper::{Method, StatusCode};
use sync_core::protocol::{PullReply, PullRequest};
use sync_core::service::Actor;
use sync_core::{Cursor, CursorToken, SpaceId};
use warp::Filter;
use warp::filters::BoxedFilter;

use super::request::{Request, json};
use super::resource::{Answer, get, resource};
use crate::app::App;
use crate::exchange;
use crate::identity::{Lost, SignedIn};
use crate::problem::Problem;
use crate::query::Query;
use crate::reply::Response;

/// Pages larger than this are asked for by mistake; the service has a smaller limit of its own and keeps to it.
const LIMIT_MAX: u32 = 1_000_000;

/// Longest wait a client may name, in seconds; the service has a smaller limit of its own and keeps to it.
const WAIT_S_MAX: u32 = 3_600;

pub(super) fn routes(app: &App) -> BoxedFilter<(Response,)> {
    let changes = warp::path!("spaces" / String / "changes").map(|space| vec![space]);
    resource(changes, app, get(pull).on(Method::POST, push))
}

async fn pull(app: App, request: Request) -> Answer {
    let (who, actor, space) = request.at_work(&app).await?;
    let query = request.query(&["after", "collections", "limit", "wait", "receipt"])?;
    let asked = pull_request(&query)?;
    if let Some(cursor) = asked.after.as_ref().and_then(|after| Cursor::decode(after, &space).ok()) {
        app.identity.note_synced(&who, &space, cursor.seq);
    }
    match page(&app, &who, &actor, &space, asked).await? {
        PullReply::Page(page) => Ok(json(StatusCode::OK, page.to_json())),
        PullReply::ResyncRequired(resync) => Err(exchange::resync_required(resync)),
    }
}

/// The next page. Who waits for a change gets what there is when the server stops, as they must not hold up its end, and
/// nothing any more when they lose their access.
async fn page(
    app: &App,
    who: &SignedIn,
    actor: &Actor,
    space: &SpaceId,
    request: PullRequest,
) -> Result<PullReply, Problem> {
    let now = PullRequest { wait: None, ..request.clone() };
    if request.wait.is_none() {
        return Ok(app.service.pull(actor, space, now).await?);
    }
    let lost = tokio::select! {
        biased;
        lost = app.identity.lost(who, space, actor) => lost,
        reply = app.service.pull(actor, space, request) => match app.identity.still(who, space, actor).await {
            Ok(()) => return Ok(reply?),
            // In the very moment in which there was something to tell.
            Err(lost) => lost,
        },
        () = app.stopping.begun() => return Ok(app.service.pull(actor, space, now).await?),
    };
    match lost {
        Lost::Refused(problem) => Err(problem),
        Lost::Changed(actor) => Ok(app.service.pull(&actor, space, now).await?),
    }
}

fn pull_request(query: &Query) -> Result<PullRequest, Problem> {
    Ok(PullRequest {
        after: query.string("after").map(CursorToken::new),
        collections: query.collections("collections")?,
        limit: query.u32_in("limit", 1..=LIMIT_MAX)?.and_then(|limit| usize::try_from(limit).ok()),
        wait: query.u32_in("wait", 0..=WAIT_S_MAX)?.map(|wait| Duration::from_secs(wait.into())),
        receipt: query.string("receipt").map(CursorToken::new),
    })
}

async fn push(app: App, request: Request) -> Answer {
    let (actor, space) = request.member(&app).await?;
    request.query(&[])?;
    let reply = exchange::push(&app, &actor, &space, &request.body).await?;
    Ok(json(StatusCode::OK, reply))
}
