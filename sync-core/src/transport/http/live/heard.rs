//! What is heard at one seat, as a stream.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use futures_channel::mpsc;
use futures_util::{Stream, StreamExt};

use super::ending::{self, Ending};
use super::line::Line;
use crate::error::Result;
use crate::transport::LiveNews;
use crate::types::{CursorToken, SpaceId};

/// Why a seat was lost, told after everything else.
pub(super) type LastWord = Arc<Mutex<Option<Ending>>>;

/// The stream of one seat. Dropping it leaves the seat.
pub(super) struct Heard {
    pub(super) line: Arc<Line>,
    pub(super) space: SpaceId,
    pub(super) number: u64,
    pub(super) news: mpsc::Receiver<LiveNews>,
    pub(super) last_word: LastWord,
    /// Where the frame leads that was given last. It was taken in when the next one is asked for.
    pub(super) given: Option<CursorToken>,
    pub(super) is_over: bool,
}

impl Stream for Heard {
    type Item = Result<LiveNews>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.is_over {
            return Poll::Ready(None);
        }
        if let Some(cursor) = this.given.take() {
            this.line.has_taken(&this.space, this.number, cursor);
        }
        let Some(news) = ready!(this.news.poll_next_unpin(cx)) else {
            this.is_over = true;
            return Poll::Ready(this.say_last_word());
        };
        if let LiveNews::Frame(frame) = &news {
            this.given = Some(frame.page.cursor.clone());
        }
        Poll::Ready(Some(Ok(news)))
    }
}

impl Heard {
    fn say_last_word(&self) -> Option<Result<LiveNews>> {
        match self.last_word.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(Ending::NotHere | Ending::Over) => None,
            Some(Ending::Behind) => Some(Ok(LiveNews::Behind)),
            Some(Ending::Failed(error) | Ending::Unclear(error)) => Some(Err(error)),
            None => Some(Err(ending::cut())),
        }
    }
}
