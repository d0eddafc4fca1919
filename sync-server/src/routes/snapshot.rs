//! `GET /v1/spaces/{space}/snapshot?collections&resume`: first load as a stream of JSON lines, resumable.

use bytes::Bytes;
use futures_channel::mpsc;
use futures_util::SinkExt;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use sync_core::protocol::{SnapshotPage, SnapshotRequest, SnapshotToken};
use sync_core::service::Actor;
use sync_core::{Error, SpaceId};
use warp::filters::BoxedFilter;
use warp::{Filter, Reply};

use super::request::Request;
use super::resource::{Answer, get, resource};
use crate::app::App;
use crate::reply::Response;

/// Pages that are read ahead of a client. 1: reading the next overlaps with sending this one, and no more is held.
const PAGES_AHEAD: usize = 1;

pub(super) fn routes(app: &App) -> BoxedFilter<(Response,)> {
    let path = warp::path!("spaces" / String / "snapshot").map(|space| vec![space]);
    resource(path, app, get(snapshot))
}

async fn snapshot(app: App, request: Request) -> Answer {
    let (who, actor, space) = request.at_work(&app).await?;
    let query = request.query(&["collections", "resume"])?;
    let request = SnapshotRequest {
        collections: query.collections("collections")?,
        from: query.string("resume").map(SnapshotToken::new),
    };
    // The first page decides about the status; what fails later can only cut the stream.
    let first = app.service.snapshot(&actor, &space, &request).await?;
    let (pages, body) = mpsc::channel(PAGES_AHEAD);
    tokio::spawn(async move {
        let lost = app.identity.lost(&who, &space, &actor);
        tokio::select! {
            biased;
            _ = lost => tracing::debug!("a snapshot was cut: its reader's rights have changed"),
            () = send(&app, &actor, &space, request, first, pages) => {}
        }
    });
    let mut response = warp::reply::stream(body).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    Ok(response)
}

/// Sends page after page until the end, or until the client is gone.
async fn send(
    app: &App,
    actor: &Actor,
    space: &SpaceId,
    mut request: SnapshotRequest,
    mut page: SnapshotPage,
    mut pages: mpsc::Sender<Result<Bytes, Error>>,
) {
    loop {
        if pages.send(Ok(page.to_lines().into())).await.is_err() {
            return;
        }
        if page.next.is_none() {
            return;
        }
        request.from = page.next;
        match app.service.snapshot(actor, space, &request).await {
            Ok(next) => page = next,
            Err(error) => {
                tracing::warn!(%space, %error, "a snapshot was cut");
                let _ = pages.send(Err(error)).await;
                return;
            }
        }
    }
}
