//! Live streams through the network: frames are late, lost, repeated and swapped, and connections end, also without a word.
//!
//! ```text
//! replica ◀── link ◀── (delay, loss, repetition, order; cut or half open) ◀── subscription at a server of its branch
//! ```

use std::sync::Arc;
use std::time::Duration;

use futures_channel::mpsc;
use futures_util::future::{Either, select};
use futures_util::{FutureExt, StreamExt};

use super::message::seen_from_outside;
use super::{Caller, Endpoint, Network};
use crate::error::{Error, ErrorKind, Result};
use crate::protocol::{LiveFrame, Subscribe, Tell};
use crate::runtime::Runtime;
use crate::simulator::Invariant;
use crate::transport::{LiveNews, Loopback};

/// What is heard at one end of a stream.
type Heard = mpsc::Receiver<Result<LiveNews>>;
/// Where it is told.
pub(super) type Told = mpsc::Sender<Result<LiveNews>>;

/// How often a server says that it lives: two of it, and whoever misses something has noticed.
const BEAT: Duration = Duration::from_secs(5);
/// Within this time a device that was turned away hears nothing more.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long a connection that is half open says nothing: longer than anyone listens to silence.
const SILENCE: Duration = Duration::from_secs(60);
/// News on their way to one replica. Who is slower loses the connection.
pub(super) const ON_THE_WAY_MAX: usize = 8;
/// Every fourth device is behind a proxy that does not let live connections through.
const PROXY_EVERY: usize = 4;

impl Network {
    /// Whether a device has a way to live streams, this time.
    pub(super) fn has_live(&self, device: usize) -> bool {
        device % PROXY_EVERY != PROXY_EVERY - 1
    }

    /// Carries what a server tells about a space, until the stream ends.
    pub(super) async fn carry_live(self: Arc<Self>, caller: Caller, subscribe: Subscribe, mut told: Told) {
        self.journal.count("live streams");
        self.delay().await;
        if self.is_offline(caller.device) || self.happens(|w| w.loses_request, "lost subscriptions") {
            return self.break_off(told).await;
        }
        if let Some(error) = self.turned_away(caller.device) {
            let _ = told.try_send(Err(error));
            return;
        }
        let Some(endpoint) = self.endpoint(caller.device) else { return self.break_off(told).await };
        let (source, subscribe) = self.perhaps_another(&caller, subscribe);
        let mut heard = serve(&endpoint, &source, &subscribe);
        let mut later = None;
        loop {
            let news = match select(heard.next(), self.process.sleep(LOOK_EVERY)).await {
                Either::Left((Some(news), _)) => Some(news),
                // The server has died.
                Either::Left((None, _)) => return self.break_off(told).await,
                Either::Right(_) => None,
            };
            self.delay().await;
            if let Some(error) = self.shut_out(caller.device) {
                let _ = told.try_send(Err(error));
                return;
            }
            if told.is_closed() {
                return;
            }
            if self.is_apart(caller.device, endpoint.server) || self.happens(|w| w.cuts, "cut live streams") {
                return self.break_off(told).await;
            }
            if let Some(news) = news
                && !self.pass_on(news, &mut later, &mut told)
            {
                return;
            }
        }
    }

    /// Sometimes a server confuses two spaces.
    fn perhaps_another(&self, caller: &Caller, subscribe: Subscribe) -> (Caller, Subscribe) {
        let other = self.spaces.iter().find(|space| **space != caller.space);
        match other {
            Some(other) if self.happens(|w| w.lies, "live streams of another space") => {
                (Caller { space: other.clone(), ..caller.clone() }, Subscribe::default())
            }
            _ => (caller.clone(), subscribe),
        }
    }

    /// Passes on one thing as the weather has it. Whether the stream goes on.
    fn pass_on(&self, news: Result<LiveNews>, later: &mut Option<LiveNews>, told: &mut Told) -> bool {
        let mut news = match news {
            Ok(news) => vec![self.through_text(news)],
            Err(error) => {
                let _ = told.try_send(Err(error));
                return false;
            }
        };
        if let [frame @ LiveNews::Frame(_)] = &news[..] {
            if self.happens(|w| w.loses_answer, "lost frames") {
                return true;
            }
            if self.happens(|w| w.repeats, "repeated frames") {
                news.push(frame.clone());
            } else if later.is_none() && self.happens(|w| w.repeats, "swapped frames") {
                *later = news.pop();
                return true;
            }
        }
        let all = news.into_iter().chain(later.take());
        all.map(|news| told.try_send(Ok(news))).all(|sent| sent.is_ok())
    }

    /// A frame as it is read from what was written; half of them, because it costs more than everything else.
    fn through_text(&self, news: LiveNews) -> LiveNews {
        let LiveNews::Frame(frame) = &news else { return news };
        if self.dice.chance(500) {
            return news;
        }
        let text = frame.text();
        let text = std::str::from_utf8(&text).unwrap_or_default();
        let cut = self.dice.below(text.len());
        let is_refused = text.get(..cut).is_none_or(|cut| Tell::from_json(cut).is_err());
        self.journal.expect(is_refused, Invariant::RefusedCleanly, || "a frame that was cut was read".into());
        match Tell::from_json(text) {
            Ok(Tell::Frame(LiveFrame { space, from, page, .. })) => {
                LiveNews::Frame(Arc::new(LiveFrame::new(space, from, page)))
            }
            other => {
                let detail = format!("a frame that was written cannot be read: {other:?}");
                self.journal.broken(Invariant::RefusedCleanly, detail);
                news
            }
        }
    }

    /// Why a connection ends that is already there: too much to do is no reason.
    fn shut_out(&self, device: usize) -> Option<Error> {
        let error = self.turned_away(device)?;
        (error.kind() != ErrorKind::Overloaded).then_some(error)
    }

    /// Whether nothing comes from a server to a device, although both live.
    fn is_apart(&self, device: usize, server: usize) -> bool {
        let now = self.process.elapsed();
        let is_cut_off = self.state().closures.cut_off.get(&server).is_some_and(|until| *until > now);
        is_cut_off || self.is_offline(device)
    }

    /// The connection is gone: its end is noticed at once, or it stays half open until someone has listened long enough.
    async fn break_off(&self, told: Told) {
        if self.dice.chance(500) {
            self.journal.count("half-open connections");
            self.process.sleep(SILENCE).await;
        }
        drop(told);
    }
}

/// Has a server tell about a space. It ends with the server, or when nobody listens any more.
fn serve(endpoint: &Endpoint, caller: &Caller, subscribe: &Subscribe) -> Heard {
    let (told, heard) = mpsc::channel(1);
    let service = Loopback::new(endpoint.service.clone(), caller.actor.clone());
    let news = service.live_with_beat(&caller.space, subscribe, BEAT);
    let seen = news.map(|news| Ok(news.map_err(|error| seen_from_outside(&error))));
    endpoint.process.spawn(seen.forward(told).map(drop).boxed());
    heard
}
