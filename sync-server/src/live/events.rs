//! The frames of one space for who asks without a WebSocket: as server-sent events, or one as the answer to a long poll.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_channel::mpsc;
use futures_util::stream::BoxStream;
use futures_util::{SinkExt, StreamExt};
use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use sync_core::protocol::{Heads, LiveFrame, Resync, Subscribe, Tell};
use sync_core::service::Live;
use sync_core::{Seq, SpaceId};
use tokio::sync::watch;
use warp::Reply;

use super::BEAT;
use super::following::{Event, Recipient, Wish, follow};
use super::refused::refused;
use crate::app::App;
use crate::exchange::resync_required;
use crate::identity::SignedIn;
use crate::problem::Problem;
use crate::reply::Response;
use crate::sockets::Open;

/// What browsers wait before they connect again, as text of an event. 3 s.
const RETRY: &str = "retry: 3000\n\n";

/// How long a reader may take to find out why there is no more. 2 s, as for a WebSocket.
const FAREWELL: Duration = Duration::from_secs(2);

/// Why nothing follows.
enum Last {
    Resync(Resync),
    Refused(Problem),
}

impl From<Last> for Problem {
    fn from(last: Last) -> Self {
        match last {
            Last::Resync(resync) => resync_required(resync),
            Last::Refused(problem) => problem,
        }
    }
}

/// One who is told of a space.
struct Listener {
    /// Nothing newer comes here; it is held because those who follow watch it.
    _recipient: watch::Sender<Recipient>,
    events: BoxStream<'static, Event>,
}

impl Listener {
    fn new(app: &App, who: SignedIn, space: &SpaceId, wish: Subscribe) -> Self {
        // What they are told is taken when it is asked for.
        let recipient = watch::Sender::new(Recipient { who, takes_news: true });
        let wish = Wish { subscribe: wish, presence: false };
        let events = follow(app.clone(), recipient.subscribe(), space.clone(), wish).boxed();
        Self { _recipient: recipient, events }
    }

    /// The next frame.
    async fn frame(&mut self) -> Result<Arc<LiveFrame>, Last> {
        loop {
            match self.events.next().await {
                Some(Event::News(Live::Frame(frame))) => return Ok(frame),
                Some(Event::News(Live::Resync(resync))) => return Err(Last::Resync(resync)),
                Some(Event::Failed(problem) | Event::Lost(problem)) => return Err(Last::Refused(problem)),
                Some(Event::Began | Event::Presence(_)) => {}
                None => std::future::pending().await,
            }
        }
    }

    /// Goes on from a frame until one has something in it. What it yields is the way so far as one frame, so it begins where
    /// the first one did; those on the way that said only where the reader stands are no end of it.
    async fn join_until(
        &mut self,
        mut joined: Arc<LiveFrame>,
        over: impl Future<Output = ()>,
    ) -> Result<Arc<LiveFrame>, Last> {
        tokio::pin!(over);
        while joined.page.changes.is_empty() && !joined.page.has_more {
            let next = tokio::select! {
                next = self.frame() => next?,
                () = &mut over => break,
            };
            let (space, from) = (joined.space.clone(), joined.from.clone());
            joined = Arc::new(LiveFrame::new(space, from, next.page.clone()));
        }
        Ok(joined)
    }
}

/// Answers with one frame, which begins at the cursor that was asked for. It is held back until it has something in it, or
/// the time is over.
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
    if !wait.is_zero() {
        let over = async {
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = app.stopping.begun() => {}
            }
        };
        frame = listener.join_until(frame, over).await?;
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
    let mut listener = Listener::new(app, who.clone(), space, wish);
    let first = listener.frame().await?;
    let (mut events, body) = mpsc::channel(0);
    let (app, space) = (app.clone(), space.clone());
    tokio::spawn(async move {
        let last = tokio::select! {
            biased;
            () = app.stopping.begun() => return,
            last = send(listener, first, &space, &mut events, right_ends(&app, &who, &space)) => last,
        };
        drop(open);
        if let Some(last) = last {
            // One who does not read is not waited for.
            let _ = tokio::time::timeout(FAREWELL, events.send(Ok(last_event(last, &space).into()))).await;
        }
    });
    let mut response = warp::reply::stream(body).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    Ok(response)
}

/// Sends event after event, each when the one before was taken, until the reader is gone or nothing may follow. The listener
/// notices the end of their right while they read, and `right_ends` while they do not.
async fn send(
    mut listener: Listener,
    first: Arc<LiveFrame>,
    space: &SpaceId,
    events: &mut mpsc::Sender<Result<Bytes, sync_core::Error>>,
    right_ends: impl Future<Output = Problem>,
) -> Option<Last> {
    tokio::pin!(right_ends);
    let mut head = first.page.head;
    let mut next = format!("{RETRY}{}", frame_event(&first));
    loop {
        tokio::select! {
            biased;
            sent = events.send(Ok(next.into())) => sent.ok()?,
            problem = &mut right_ends => return Some(Last::Refused(problem)),
        }
        next = tokio::select! {
            frame = listener.frame() => match frame {
                Ok(frame) => {
                    head = head.max(frame.page.head);
                    frame_event(&frame)
                }
                Err(last) => return Some(last),
            },
            () = tokio::time::sleep(BEAT) => beat(space, head),
        };
    }
}

/// Ready when someone may not know of a space any more.
async fn right_ends(app: &App, who: &SignedIn, space: &SpaceId) -> Problem {
    let mut vigil = app.identity.vigil();
    loop {
        if let Err(problem) = app.identity.acting_surely(who, space).await {
            return problem;
        }
        vigil.doubt(who, Some(space)).await;
    }
}

fn last_event(last: Last, space: &SpaceId) -> String {
    match last {
        Last::Resync(resync) => {
            event("resync", None, &Tell::Resync { space: space.clone(), resync }.to_json())
        }
        Last::Refused(problem) => {
            event("error", None, &Tell::Error(refused(&problem, Some(space), None)).to_json())
        }
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

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, stream};
    use sync_core::protocol::{PullPage, ResyncReason};
    use sync_core::{ActorId, CredentialId, CursorToken, Epoch};

    use super::*;
    use crate::problem::Code;

    fn space() -> SpaceId {
        SpaceId::new("family").unwrap()
    }

    fn empty() -> Arc<LiveFrame> {
        let cursor = CursorToken::new("B");
        let page = PullPage { changes: vec![], cursor, has_more: false, head: Seq::ZERO };
        Arc::new(LiveFrame::new(space(), None, page))
    }

    /// One who is told of these, and then of nothing.
    fn listener(events: Vec<Event>) -> Listener {
        let user = ActorId::new("ada").unwrap();
        let device = CredentialId::new("0123456789abcdef").unwrap();
        let who = SignedIn { user, device, until: None };
        Listener {
            _recipient: watch::Sender::new(Recipient { who, takes_news: true }),
            events: stream::iter(events).chain(stream::pending()).boxed(),
        }
    }

    #[tokio::test]
    async fn who_reads_nothing_is_sent_nothing_more_when_their_right_ends() {
        let news = || Event::News(Live::Frame(empty()));
        let (mut events, mut body) = mpsc::channel(0);
        let right_ends = std::future::ready(Problem::new(Code::TokenRevoked));
        let last = send(listener(vec![news(), news()]), empty(), &space(), &mut events, right_ends).await;
        assert!(matches!(last, Some(Last::Refused(problem)) if problem.code() == Code::TokenRevoked));
        let sent = body.next().await.unwrap().unwrap();
        assert!(sent.starts_with(RETRY.as_bytes()));
        assert!(body.next().now_or_never().is_none(), "what they had not taken was sent after it");
    }

    #[tokio::test]
    async fn the_last_event_says_why() {
        let resync = Resync {
            reason: ResyncReason::EpochChanged,
            epoch: Epoch::from_bytes([7; 16]),
            floor: Seq::new(3).unwrap(),
        };
        for (last, expected) in [
            (
                Event::News(Live::Resync(resync)),
                "event: resync\ndata: {\"type\":\"resync\",\"space\":\"family\",\"reason\":\"epoch_changed\",\"epoch\":\"07070707070707070707070707070707\",\"floor\":3}\n\n",
            ),
            (
                Event::Lost(Problem::new(Code::SpaceNotFound).detail("no")),
                "event: error\ndata: {\"type\":\"error\",\"code\":\"space_not_found\",\"detail\":\"no\",\"space\":\"family\"}\n\n",
            ),
        ] {
            let (mut events, mut body) = mpsc::channel(0);
            let (listener, space) = (listener(vec![last]), space());
            let sending = send(listener, empty(), &space, &mut events, std::future::pending());
            let (last, _) = tokio::join!(sending, body.next());
            assert_eq!(last_event(last.unwrap(), &space), expected);
        }
    }
}
