//! A hub: one task that reads the feed of a space once, for everyone who follows the space here.
//!
//! ```text
//! commit ─▶ hint ─▶ hub: one read ─▶ ring of frames ─▶ seat, seat, seat …
//!                                    (bounded)         each knows the seq it stands at, and nothing else
//! ```
//! A seat that falls out of the ring reads from the store what it has missed. So a slow reader costs a number and never a
//! queue, and nobody else notices it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::protocol::{LiveFrame, PullPage};
use crate::types::{Cursor, CursorToken, Seq, SpaceId};

/// Frames that a ring holds at most. 64: what a reader on a busy line is behind by, at a commit for each.
const FRAMES_MAX: usize = 64;

/// Bytes that a ring holds at most, if it holds more than one frame. 512 KiB: some of the largest frames.
const BYTES_MAX: usize = 512 << 10;

/// The frames of one space, and who waits for the next.
#[derive(Debug)]
pub(super) struct Hub {
    pub(super) space: SpaceId,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    n_seats: usize,
    n_seats_ever: u64,
    /// Where the newest frame leads; nowhere before the first look at the space.
    end: Option<(Cursor, CursorToken)>,
    frames: VecDeque<Framed>,
    n_bytes: usize,
    is_over: bool,
    waiting: HashMap<u64, Waker>,
    /// The hub's own task, when it waits.
    task: Option<Waker>,
}

/// A frame, and the cursors of its ends, which its readers need not decode.
#[derive(Clone, Debug)]
pub(super) struct Framed {
    from: Cursor,
    pub(super) to: Cursor,
    pub(super) frame: Arc<LiveFrame>,
}

/// What a seat finds.
#[derive(Debug)]
pub(super) enum Found {
    /// A frame that begins at the seat's place or before it, and ends after it.
    Frame(Framed),
    /// What comes next has left the ring, which ends here.
    Behind(Cursor),
    /// This hub ends; another may begin.
    Over,
}

/// A look into the store for what has left the ring. Whoever stands at the same place after it would find the same again:
/// the ring ends in a history that the store has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tried {
    pub(super) place: Cursor,
    pub(super) end: Cursor,
}

/// A place at a hub.
#[derive(Debug)]
pub(super) struct Seat {
    hub: Arc<Hub>,
    number: u64,
}

impl Hub {
    pub(super) fn new(space: SpaceId) -> Self {
        Self { space, state: Mutex::default() }
    }

    /// Every change of the state is whole when the lock is let go.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A seat, unless the hub is over.
    pub(super) fn sit(self: &Arc<Self>) -> Option<Seat> {
        let mut state = self.lock();
        if state.is_over {
            return None;
        }
        state.n_seats += 1;
        state.n_seats_ever += 1;
        Some(Seat { hub: Arc::clone(self), number: state.n_seats_ever })
    }

    /// Ready when the last one has left, or it is over; nobody takes a seat here after that.
    pub(super) fn poll_left(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.n_seats == 0 || state.is_over {
            state.is_over = true;
            return Poll::Ready(());
        }
        state.task = Some(cx.waker().clone());
        Poll::Pending
    }

    /// The space stands at `cursor`: frames will begin there.
    pub(super) fn begin(&self, cursor: Cursor, token: CursorToken) {
        let mut state = self.lock();
        state.end = Some((cursor, token));
        wake(state);
    }

    /// The next page, read after the end of the one before.
    pub(super) fn publish(&self, to: Cursor, page: PullPage) {
        let mut state = self.lock();
        let token = page.cursor.clone();
        let Some((from, from_token)) = state.end.replace((to, token)) else { return };
        state.n_bytes += page.n_bytes();
        let frame = Arc::new(LiveFrame::new(self.space.clone(), Some(from_token), page));
        state.frames.push_back(Framed { from, to, frame });
        while state.frames.len() > FRAMES_MAX || (state.n_bytes > BYTES_MAX && state.frames.len() > 1) {
            state.drop_oldest();
        }
        wake(state);
    }

    /// Lets go of all frames; those who have not read them read the store.
    pub(super) fn clear(&self) {
        let mut state = self.lock();
        (state.frames, state.n_bytes) = (VecDeque::new(), 0);
    }

    /// Nothing more will come from here.
    pub(super) fn end(&self) {
        let mut state = self.lock();
        state.is_over = true;
        wake(state);
    }
}

/// Wakes all who wait, without the lock: a runtime that shuts down drops the tasks it should wake, and with them their seats.
fn wake(mut state: MutexGuard<'_, State>) {
    let waiting = std::mem::take(&mut state.waiting);
    let task = if state.is_over { state.task.take() } else { None };
    drop(state);
    waiting.into_values().chain(task).for_each(Waker::wake);
}

impl State {
    fn drop_oldest(&mut self) {
        if let Some(oldest) = self.frames.pop_front() {
            self.n_bytes -= oldest.frame.page.n_bytes();
        }
    }

    /// Whether the space was in another life when it was read for this hub.
    fn is_of_another_life(&self, place: Cursor) -> bool {
        self.end.as_ref().is_some_and(|(end, _)| end.epoch != place.epoch)
    }

    /// What comes after `place`, if anything does yet.
    fn after(&self, place: Cursor, tried: Option<Tried>) -> Option<Found> {
        if self.is_over {
            return Some(Found::Over);
        }
        let end = self.end.as_ref()?.0;
        if end.seq <= place.seq {
            return None;
        }
        // The newest frame that begins at the place or before it: most readers stand close to the end.
        let begun = self.frames.iter().rev().find(|framed| framed.from.seq <= place.seq);
        match begun {
            Some(framed) => Some(Found::Frame(framed.clone())),
            None if tried == Some(Tried { place, end }) => None,
            None => Some(Found::Behind(end)),
        }
    }
}

impl Seat {
    /// The next frame for someone who stands at `place`. What they have tried they are not sent to again.
    ///
    /// Someone who was in another life of the space ends the hub. Which of the two is out of date is found out by looking
    /// at the space: they do so, and so does the next hub.
    pub(super) fn poll_next(&self, place: Cursor, tried: Option<Tried>, cx: &Context<'_>) -> Poll<Found> {
        let mut state = self.hub.lock();
        if state.is_of_another_life(place) {
            state.is_over = true;
            wake(state);
            return Poll::Ready(Found::Over);
        }
        match state.after(place, tried) {
            Some(found) => Poll::Ready(found),
            None => {
                state.waiting.insert(self.number, cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// Whether a cursor is one of the ring's own, so that it need not be judged, and where the ring ends.
    pub(super) fn knows(&self, token: &CursorToken) -> Option<(Cursor, Seq)> {
        let state = self.hub.lock();
        let (end, end_token) = state.end.as_ref()?;
        if token == end_token {
            return Some((*end, end.seq));
        }
        let known = state.frames.iter().find(|framed| framed.frame.from.as_ref() == Some(token));
        known.map(|framed| (framed.from, end.seq))
    }

    /// Where the newest frame leads; nowhere before the first look at the space.
    pub(super) fn end(&self) -> Option<Cursor> {
        self.hub.lock().end.as_ref().map(|(cursor, _)| *cursor)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut state = self.hub.lock();
        state.waiting.remove(&self.number);
        state.n_seats -= 1;
        let task = if state.n_seats == 0 { state.task.take() } else { None };
        drop(state);
        task.into_iter().for_each(Waker::wake);
    }
}
