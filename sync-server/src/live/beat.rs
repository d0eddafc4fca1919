//! What happens by itself: signs of life, and an end for those who give none.

use std::pin::Pin;
use std::time::Duration;

use sync_core::protocol::{Heads, Tell};
use tokio::time::{Instant, Sleep};

use super::connection::Connection;
use super::end::End;
use super::line::Reader;
use super::{BEAT, TICK};

/// How long a client may be silent. 35 s: with a ping every 20 s it is seen within two beats.
const SILENCE_MAX: Duration = Duration::from_secs(35);

/// How long a message may take to be whole. 10 s: what fits into one comes in one.
const MESSAGE_MAX: Duration = Duration::from_secs(10);

/// The clocks of one connection.
#[derive(Debug)]
pub(super) struct Clocks {
    tick: Pin<Box<Sleep>>,
    beat_at: Instant,
    heard_at: Instant,
    /// Since when there is a message that is not whole, as far as that was looked at.
    within_since: Option<Instant>,
}

impl Clocks {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self {
            tick: Box::pin(tokio::time::sleep(TICK)),
            beat_at: now + BEAT,
            heard_at: now,
            within_since: None,
        }
    }

    /// They are there.
    pub(super) fn heard(&mut self) {
        self.heard_at = Instant::now();
    }

    /// A message is whole. What comes between its pieces says nothing about when it will be.
    pub(super) fn heard_whole(&mut self) {
        self.within_since = None;
    }

    /// Ready when it is time to look at the clocks. It may be dropped at any time.
    pub(super) async fn tick(&mut self) {
        self.tick.as_mut().await;
        self.tick.as_mut().reset(Instant::now() + TICK);
    }
}

impl Connection {
    /// Looks at the clocks.
    pub(super) fn look(&mut self, reader: &Reader, clocks: &mut Clocks) -> Result<(), End> {
        let now = Instant::now();
        if self.writer.is_stalled() {
            return Err(End::SLOW);
        }
        if !self.backlog.has_room() {
            // It is not read: what is not heard then says nothing about the client.
            clocks.heard();
            clocks.heard_whole();
        }
        if now - clocks.heard_at >= SILENCE_MAX {
            return Err(End::SILENT);
        }
        if reader.is_within_message() {
            let since = *clocks.within_since.get_or_insert(now);
            if now - since >= MESSAGE_MAX {
                return Err(End::SILENT);
            }
        } else {
            clocks.heard_whole();
        }
        if now >= clocks.beat_at {
            clocks.beat_at = now + BEAT;
            let heads = self.heads();
            self.tell(&Tell::Beat { heads });
            self.writer.mark();
        }
        Ok(())
    }

    /// Where the spaces stand that are followed.
    pub(super) fn heads(&self) -> Heads {
        let begun = self.followed.iter().filter(|(_, followed)| followed.has_begun);
        begun.map(|(space, followed)| (space.clone(), followed.head)).collect()
    }
}
