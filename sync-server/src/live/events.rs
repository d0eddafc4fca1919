//! The frames of one space for who asks without a WebSocket: as server-sent events, or one as the answer to a long poll.

use std::time::Duration;

use bytes::Bytes;
use futures_channel::mpsc;
use futures_util::stream::BoxStream;
use futures_util::{SinkExt, StreamExt};
use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use sync_core::Seq;
use sync_core::SpaceId;
use sync_core::protocol::{Heads, LiveFrame, Refusal, Subscribe, Tell};
use sync_core::service::Live;
use tokio::sync::watch;
use warp::Reply;

use super::BEAT;
use super::following::{Event, Wish, follow};
use crate::app::App;
use crate::exchange::resync_required;
use crate::identity::SignedIn;
use crate::problem::Problem;
use crate::reply::Response;
use crate::sockets::Open;

/// What browsers wait before they connect again, as text of an event. 3 s.
const RETRY: &str = "retry: 3000\n\n";

/// One who is told of a space.
struct Listener {
    /// Nothing newer comes here; it is held because those who follow watch it.
    _who: watch::Sender<SignedIn>,
    /// What they are told is taken when it is asked for.
    _gate: watch::Sender<bool>,
    events: BoxStream<'static, Event>,
}

impl Listener {
    fn new(app: &App, who: SignedIn, space: &SpaceId, wish: Subscribe) -> Self {
        let who = watch::Sender::new(who);
        let gate = watch::Sender::new(true);
        let wish = Wish { subscribe: wish, presence: false, gate: gate.subscribe() };
        let events = follow(app.clone(), who.subscribe(), space.clone(), wish);
        Self { _who: who, _gate: gate, events }
    }

    /// The next frame.
    async fn frame(&mut self) -> Result<std::sync::Arc<LiveFrame>, Problem> {
        loop {
            match self.events.next().await {
                Some(Event::News(Live::Frame(frame))) => return Ok(frame),
                Some(Event::News(Live::Resync(resync))) => return Err(resync_required(resync)),
                Some(Event::Failed(problem) | Event::Lost(problem)) => return Err(problem),
                Some(Event::Began | Event::Presence(_)) => {}
                None => std::future::pending().await,
            }
        }
    }
}

/// Answers with one frame: the first that has something in it, or the first of all when the time is over.
///
/// # Errors
///
/// `resync_required`, and what a pull would be told.
pub(crate) async fn poll(
    app: &App,
    who: SignedIn,
    space: &SpaceId,
    wish: Subscribe,
    wait: Duration,
) -> Result<Response, Problem> {
    let mut listener = Listener::new(app, who, space, wish);
    let mut frame = listener.frame().await?;
    if frame.page.changes.is_empty() && !frame.page.has_more && !wait.is_zero() {
        tokio::select! {
            next = listener.frame() => frame = next?,
            () = tokio::time::sleep(wait) => {}
            () = app.stopping.begun() => {}
        }
    }
    let mut response = Response::new(frame.text().into());
    *response.status_mut() = StatusCode::OK;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

/// Answers with all frames, as events. What can be refused is refused as any request is.
///
/// # Errors
///
/// What a pull would be told.
pub(crate) async fn stream(
    app: &App,
    who: SignedIn,
    open: Open,
    space: &SpaceId,
    wish: Subscribe,
) -> Result<Response, Problem> {
    let mut listener = Listener::new(app, who, space, wish);
    let first = listener.frame().await?;
    let (events, body) = mpsc::channel(0);
    let (app, space) = (app.clone(), space.clone());
    tokio::spawn(async move {
        tokio::select! {
            biased;
            () = app.stopping.begun() => {}
            () = send(listener, first, &space, events) => {}
        }
        drop(open);
    });
    let mut response = warp::reply::stream(body).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    Ok(response)
}

/// Sends event after event, each when the one before was taken, until the reader or their right is gone.
async fn send(
    mut listener: Listener,
    first: std::sync::Arc<LiveFrame>,
    space: &SpaceId,
    mut events: mpsc::Sender<Result<Bytes, sync_core::Error>>,
) {
    let mut head = first.page.head;
    let mut next = format!("{RETRY}{}", frame_event(&first));
    loop {
        if events.send(Ok(next.into())).await.is_err() {
            return;
        }
        next = tokio::select! {
            frame = listener.frame() => match frame {
                Ok(frame) => {
                    head = head.max(frame.page.head);
                    frame_event(&frame)
                }
                Err(problem) => {
                    let last = event("error", None, &Tell::Error(refusal(&problem, space)).to_json());
                    let _ = events.send(Ok(last.into())).await;
                    return;
                }
            },
            () = tokio::time::sleep(BEAT) => beat(space, head),
        };
    }
}

fn frame_event(frame: &LiveFrame) -> String {
    let text = frame.text();
    event("frame", Some(frame.page.cursor.as_str()), &String::from_utf8_lossy(&text))
}

fn beat(space: &SpaceId, head: Seq) -> String {
    event("beat", None, &Tell::Beat { heads: Heads::from([(space.clone(), head)]) }.to_json())
}

/// JSON of ours has no line ends, so it is one line of data.
fn event(name: &str, id: Option<&str>, data: &str) -> String {
    let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    format!("event: {name}\n{id}data: {data}\n\n")
}

fn refusal(problem: &Problem, space: &SpaceId) -> Refusal {
    Refusal {
        code: problem.code().as_str().into(),
        detail: problem.text().into(),
        space: Some(space.clone()),
        retry_after: problem.retry_after_s(),
        ..Refusal::default()
    }
}
