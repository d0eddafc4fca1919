//! Live connections: one WebSocket for all the spaces that are followed through a transport.
//!
//! ```text
//! replica of a ─▶ seat ┐                       ┌─▶ frames of a, into a short queue
//! replica of b ─▶ seat ┼─ line: one WebSocket ─┼─▶ frames of b, into another one
//! replica of b ─▶ seat ┘─ another line (a server keeps one subscription to a space for each connection)
//! ```
//! - `open`: the handshake, and how it is found out that there is no such way
//! - `line`: who is seated, and who is told what
//! - `heard`: what one seat is told, as a stream
//! - `talk`: the task that talks to the server
//! - `ending`: what refusals and the end of a connection mean
//!
//! A line is opened when it is needed and closed when nobody was seated for a while. It is never opened again by itself: whoever
//! sat there is told, waits a random time, syncs, and takes a seat at a new one.

mod ending;
mod heard;
mod line;
mod open;
mod talk;

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use tokio::time::Instant;

use super::HttpTransport;
use super::answer::JSON;
use crate::error::Result;
use crate::id_source::IdSource;
use crate::protocol::Subscribe;
use crate::transport::LiveStream;
use crate::types::SpaceId;
use ending::Ending;
use line::{Asks, Line};
use open::Opening;

/// How long it is remembered that there is no such way. 5 min: a held request is as good meanwhile, and a laptop that comes to
/// another network finds the way there soon.
const NOT_HERE_FOR: Duration = Duration::from_secs(5 * 60);
/// Lines in a row of which it was not clear why they failed, before it is taken for granted that there is no such way. 3: servers
/// that restart do not cut the same client off three times.
const UNCLEAR_MAX: u32 = 3;

/// The lines of a transport, in the order in which they were opened.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    open: Vec<Arc<Line>>,
    /// Until then there is no such way.
    not_here_until: Option<Instant>,
    n_unclear: u32,
}

impl Lines {
    /// Every change is whole when the lock is let go.
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A seat at a line where nobody follows this space, or at a new one. `None` when there is no such way.
    pub(super) fn follow(
        &self,
        transport: &HttpTransport,
        space: &SpaceId,
        subscribe: &Subscribe,
    ) -> Option<LiveStream> {
        let known = &mut *self.known();
        if known.not_here_until.is_some_and(|until| Instant::now() < until) {
            return None;
        }
        known.open.retain(|line| !line.is_over());
        if let Some(stream) = known.open.iter().find_map(|line| line.sit(space, subscribe)) {
            return Some(stream);
        }
        let (line, asks) = Line::new();
        let stream = line.sit(space, subscribe)?;
        known.open.push(Arc::clone(&line));
        let opening = Opening::begin(transport);
        tokio::spawn(run(self.clone(), line, asks, opening, Arc::clone(&transport.ids)));
        Some(stream)
    }

    /// The token is another one now: open lines go on with it, and end when there is none.
    pub(super) fn sign_in(&self, token: Option<&str>) {
        self.known().open.iter().for_each(|line| line.sign_in(token));
    }

    /// What the end of a line means after those before it. What is not clear is a failure at first, as of a server that ends,
    /// and no way when it happens again and again. It is not forgotten with that: one more such end later on is enough.
    fn judged(&self, ending: Ending) -> Ending {
        let known = &mut *self.known();
        known.n_unclear = match ending {
            Ending::Unclear(_) => known.n_unclear.saturating_add(1),
            Ending::NotHere => known.n_unclear,
            Ending::Failed(_) | Ending::Behind | Ending::Over => 0,
        };
        match ending {
            Ending::Unclear(error) if known.n_unclear < UNCLEAR_MAX => Ending::Failed(error),
            Ending::Unclear(_) | Ending::NotHere => {
                known.not_here_until = Some(Instant::now() + NOT_HERE_FOR);
                Ending::NotHere
            }
            clear => clear,
        }
    }
}

/// Ends a line, however its task ends: a runtime that shuts down drops it.
struct Running {
    line: Arc<Line>,
    ending: Ending,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.line.end(&self.ending);
    }
}

/// From the handshake to the end of a line.
async fn run(lines: Lines, line: Arc<Line>, asks: Asks, opening: Result<Opening>, ids: Arc<dyn IdSource>) {
    let mut running = Running { line, ending: Ending::Failed(ending::cut()) };
    let opened = match opening {
        Ok(opening) => opening.finish().await,
        Err(error) => Err(Ending::Failed(error)),
    };
    let ending = match opened {
        Ok(socket) => talk::talk(&running.line, asks, socket, &*ids).await,
        Err(ending) => ending,
    };
    running.ending = lines.judged(ending);
}

impl HttpTransport {
    /// The first half of a handshake.
    fn upgrade(&self, key: &str) -> Result<Request<Full<Bytes>>> {
        let mut request = self.request(hyper::Method::GET, "/v1/live", JSON, String::new())?;
        for (name, value) in
            [("connection", "Upgrade"), ("upgrade", "websocket"), ("sec-websocket-version", "13")]
        {
            request.headers_mut().insert(name, hyper::header::HeaderValue::from_static(value));
        }
        let key = key.parse().expect("base64 is fit for a header");
        request.headers_mut().insert("sec-websocket-key", key);
        Ok(request)
    }
}
