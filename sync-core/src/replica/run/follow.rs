//! Following: a live stream that is kept from step to step of a replica that runs, and the frames that are heard on it.
//!
//! ```text
//! stream:  ──frame A→B──frame B→C──────────────frame C→D──▶      the next frame begins at D
//! replica: at A ─ at B ── at C ─ own push: at E                  so the stream is let go, and another one begins at E
//! ```
//! A frame leaves the stream before it is taken in, and whether it was is not noted: that the replica stands where the stream
//! goes on says it. So a step may be given up at any point, and what does not fit together begins anew from the cursor.

use std::sync::Arc;

use futures_util::StreamExt;

use crate::error::{Error, ErrorKind, Result};
use crate::protocol::{LiveFrame, Subscribe};
use crate::replica::Replica;
use crate::replica::run::backoff::Outcome;
use crate::replica::sync::page::Asked;
use crate::transport::{LiveNews, LiveStream, Transport};
use crate::types::{Cursor, CursorToken, Seq, SpaceId};

/// The live stream of a replica that runs, if it has one.
#[derive(Default)]
pub(crate) struct Line {
    stream: Option<LiveStream>,
    /// What the stream yields next: what was asked for, from where the newest frame ended.
    next: Subscribe,
    /// A head beyond where the replica stands, of which a sign of life has told; the frames that lead there are on their way.
    promised: Option<Seq>,
}

impl Line {
    /// What is heard next; `None` when there is no such way. What is asked for decides whether the stream goes on or
    /// another one begins. It may be dropped: then nothing was taken off the stream.
    async fn hear(
        &mut self,
        transport: &dyn Transport,
        space: &SpaceId,
        wanted: &Subscribe,
    ) -> Option<Result<LiveNews>> {
        if !self.goes_on_with(wanted) {
            // Before the next one: a transport may have room for one of each space.
            self.hang_up();
            self.stream = transport.live(space, wanted);
            self.next = wanted.clone();
        }
        let news = self.stream.as_mut()?.next().await;
        match &news {
            Some(Ok(LiveNews::Frame(frame))) => self.next.after = Some(frame.page.cursor.clone()),
            Some(Ok(LiveNews::Alive(_))) => {}
            None | Some(Ok(LiveNews::Resync(_) | LiveNews::Behind) | Err(_)) => self.hang_up(),
        }
        news
    }

    /// Whether the stream yields what is wanted. What was to be confirmed once needs not be again.
    fn goes_on_with(&self, wanted: &Subscribe) -> bool {
        self.stream.is_some()
            && self.next.after == wanted.after
            && self.next.collections == wanted.collections
            && (wanted.receipt.is_none() || wanted.receipt == self.next.receipt)
    }

    fn hang_up(&mut self) {
        (self.stream, self.promised) = (None, None);
    }

    /// A sign of life tells where the space stands. Whether what was promised before is still missing: then frames were lost.
    fn misses(&mut self, head: Option<Seq>, here: Seq) -> bool {
        let promised = std::mem::replace(&mut self.promised, head.filter(|head| *head > here));
        promised.is_some_and(|promised| promised > here)
    }
}

impl Replica {
    /// Waits for the next thing to be heard on a live stream, and takes it in; `None` when there is no such way.
    pub(super) async fn follow(
        &self,
        line: &mut Line,
        transport: &dyn Transport,
        asked: &Asked,
        wanted: &Subscribe,
    ) -> Option<Result<Outcome>> {
        let heard = match line.hear(transport, self.space(), wanted).await? {
            Ok(LiveNews::Frame(frame)) => self.take_in_frame(frame, asked).await,
            Ok(LiveNews::Alive(head)) => self.take_in_life(line, head, &asked.after),
            Ok(LiveNews::Resync(_) | LiveNews::Behind) => Ok(Outcome::Behind),
            Err(error) => Err(error),
        };
        if heard.is_err() {
            line.hang_up();
        }
        Some(heard)
    }

    async fn take_in_frame(&self, frame: Arc<LiveFrame>, asked: &Asked) -> Result<Outcome> {
        if frame.space != *self.space() {
            return Err(Error::new(ErrorKind::Distrusted, "a frame of another space was sent"));
        }
        // Something is missing before it, or it came twice. A sync finds out, and waits longer each time it must.
        if frame.from.as_ref() != Some(&asked.after) {
            return Ok(Outcome::Behind);
        }
        let page = Arc::try_unwrap(frame).map_or_else(|shared| shared.page.clone(), |own| own.page);
        self.take_in_page(page, asked.clone(), Outcome::Heard).await
    }

    fn take_in_life(&self, line: &mut Line, head: Option<Seq>, after: &CursorToken) -> Result<Outcome> {
        let here = Cursor::decode(after, self.space()).map_or(Seq::ZERO, |cursor| cursor.seen);
        Ok(if line.misses(head, here) { Outcome::Behind } else { Outcome::Heard })
    }
}
