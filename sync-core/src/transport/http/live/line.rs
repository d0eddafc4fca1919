//! A line: those who are seated at one connection, what they ask for, and who is told what.
//!
//! Of a space that was left and is followed again, frames of the earlier subscription may still be on their way. A `ping` goes
//! before the new one, and until its `pong` has come nothing that is told of the space is for the new seat.
//!
//! A seat is left by dropping its stream, which takes no lock: a runtime that shuts down drops streams in the middle of anything.
//! That it was left is found when someone else wants it, when something is told there, and at the next sign of life.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_channel::mpsc;
use futures_util::StreamExt;

use super::ending::{Ending, refused};
use super::heard::{Heard, LastWord};
use crate::error::{Error, ErrorKind};
use crate::protocol::{Ask, Asked, Heads, Refusal, Subscribe, Tell};
use crate::transport::{LiveNews, LiveStream};
use crate::types::{CursorToken, SpaceId};

/// News that wait for one seat at most. 8: frames are taken in faster than they come, or not at all for a while, and then a
/// sync is better than a queue.
const NEWS_MAX: usize = 8;
/// Seats at one line. 100: servers take as many messages at once, and let more than that be followed.
const SEATS_MAX: usize = 100;
/// What waits to be sent at most. 256: two messages for each seat, and some more.
const ASKS_MAX: usize = 256;
/// The `ref` of a newer token.
const SIGN_IN: &str = "sign-in";
/// The `ref` of what was taken in. That the server does not want to know it, is no reason to do anything.
const TAKEN: &str = "taken";

/// What waits to be sent.
pub(super) type Asks = mpsc::Receiver<Asked>;

/// One connection, as those see it who are seated there.
#[derive(Debug)]
pub(super) struct Line(Mutex<State>);

#[derive(Debug)]
struct State {
    seats: HashMap<SpaceId, Seat>,
    /// Spaces that were ever followed here.
    used: HashSet<SpaceId>,
    n_seats_ever: u64,
    asks: mpsc::Sender<Asked>,
    /// A newer token that the server has not taken yet.
    newer: Option<Ask>,
    is_over: bool,
}

#[derive(Debug)]
struct Seat {
    number: u64,
    news: mpsc::Sender<LiveNews>,
    last_word: LastWord,
    /// What is told may still be for the one who sat there before.
    is_fenced: bool,
    /// Where the last frame leads that was taken in.
    taken: Option<CursorToken>,
}

impl Line {
    pub(super) fn new() -> (Arc<Self>, Asks) {
        let (asks, asked) = mpsc::channel(ASKS_MAX);
        let (seats, used) = (HashMap::new(), HashSet::new());
        let state = State { seats, used, n_seats_ever: 0, asks, newer: None, is_over: false };
        (Arc::new(Self(Mutex::new(state))), asked)
    }

    /// Every change is whole when the lock is let go.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A seat, unless the line is over or full, somebody has that of the space, or too much waits to be sent.
    pub(super) fn sit(self: &Arc<Self>, space: &SpaceId, subscribe: &Subscribe) -> Option<LiveStream> {
        let state = &mut *self.state();
        state.clear(space);
        if state.is_over || state.seats.len() >= SEATS_MAX || state.seats.contains_key(space) {
            return None;
        }
        state.n_seats_ever += 1;
        let number = state.n_seats_ever;
        let is_fenced = !state.used.insert(space.clone());
        if is_fenced {
            state.ask(Some(number.to_string()), Ask::Ping { at: BTreeMap::new() })?;
        }
        let (subscribe, space) = (subscribe.clone(), space.clone());
        let ask = Ask::Subscribe { space: space.clone(), subscribe, presence: false };
        state.ask(Some(number.to_string()), ask)?;
        let (news, heard) = mpsc::channel(NEWS_MAX - 1);
        let last_word = LastWord::default();
        let seat = Seat { number, news, last_word: Arc::clone(&last_word), is_fenced, taken: None };
        state.seats.insert(space.clone(), seat);
        let line = Arc::clone(self);
        Some(Heard { line, space, number, news: heard, last_word, given: None, is_over: false }.boxed())
    }

    /// What was given at a seat was taken in up to here.
    pub(super) fn has_taken(&self, space: &SpaceId, number: u64, cursor: CursorToken) {
        if let Some(seat) = self.state().seats.get_mut(space).filter(|seat| seat.number == number) {
            seat.taken = Some(cursor);
        }
    }

    /// A ping that says what was taken in so far. A token that the server could not look at is shown again with it.
    pub(super) fn ping(&self) -> Asked {
        let state = &mut *self.state();
        state.show_newer();
        let taken = |(space, seat): (&SpaceId, &Seat)| Some((space.clone(), seat.taken.clone()?));
        let at = state.seats.iter().filter_map(taken).collect();
        Asked { reference: Some(TAKEN.into()), ask: Ask::Ping { at } }
    }

    /// The token is another one.
    pub(super) fn sign_in(&self, token: Option<&str>) {
        let state = &mut *self.state();
        state.newer = token.map(|token| Ask::Auth { token: token.into() });
        match state.newer {
            Some(_) => state.show_newer(),
            None => {
                let nobody = Error::new(ErrorKind::Unauthorized, "nobody is signed in any more");
                state.end(&Ending::Failed(nobody));
            }
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.state().is_over
    }

    /// How many seats were ever taken, and how many are now.
    pub(super) fn n_seats(&self) -> (u64, usize) {
        let state = self.state();
        (state.n_seats_ever, state.seats.values().filter(|seat| !seat.is_left()).count())
    }

    /// Ends the line if nobody is seated.
    pub(super) fn ends_empty(&self) -> bool {
        let state = &mut *self.state();
        if state.seats.values().all(Seat::is_left) {
            state.end(&Ending::Over);
        }
        state.is_over
    }

    /// Ends the line; everyone who is seated hears why.
    pub(super) fn end(&self, ending: &Ending) {
        self.state().end(ending);
    }

    /// The connection is alive, although nothing whole has come for a while.
    pub(super) fn is_alive(&self) {
        self.state().beat(&Heads::new());
    }

    /// Passes on what the server tells. Breaks with an error that is about the whole connection.
    pub(super) fn told(&self, tell: Tell) -> ControlFlow<Error> {
        let state = &mut *self.state();
        match tell {
            Tell::Frame(frame) => {
                let space = frame.space.clone();
                state.give(&space, LiveNews::Frame(Arc::new(frame)));
            }
            Tell::Resync { space, resync } => state.give_last(&space, LiveNews::Resync(resync)),
            Tell::Beat { heads } => state.beat(&heads),
            Tell::Pong { reference, heads } => {
                state.unfence(reference.as_deref());
                state.beat(&heads);
            }
            Tell::Error(refusal) => return state.refused(&refusal),
            Tell::Ready { .. } => state.newer = None,
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

impl State {
    fn end(&mut self, ending: &Ending) {
        self.is_over = true;
        // So the task hears of it.
        self.asks.close_channel();
        self.seats.drain().for_each(|(_, seat)| seat.end(ending.clone()));
    }

    /// `None` when too much waits to be sent.
    fn ask(&mut self, reference: Option<String>, ask: Ask) -> Option<()> {
        self.asks.try_send(Asked { reference, ask }).ok()
    }

    /// Where there is no room, the next ping comes soon.
    fn show_newer(&mut self) {
        if let Some(auth) = self.newer.clone() {
            let _ = self.ask(Some(SIGN_IN.into()), auth);
        }
    }

    /// Whether there was someone to give it to, and room for it.
    fn give(&mut self, space: &SpaceId, news: LiveNews) -> bool {
        let Some(seat) = self.seats.get_mut(space).filter(|seat| !seat.is_fenced) else { return false };
        let has_room = seat.news.try_send(news).is_ok();
        if !has_room {
            self.unsubscribe(space, Ending::Behind);
        }
        has_room
    }

    /// Gives something that nothing follows.
    fn give_last(&mut self, space: &SpaceId, news: LiveNews) {
        if self.give(space, news) {
            self.lose(space, Ending::Over);
        }
    }

    /// Tells the server of a seat that was left.
    fn clear(&mut self, space: &SpaceId) {
        if self.seats.get(space).is_some_and(Seat::is_left) {
            self.unsubscribe(space, Ending::Over);
        }
    }

    fn beat(&mut self, heads: &Heads) {
        let spaces: Vec<SpaceId> = self.seats.keys().cloned().collect();
        spaces.iter().for_each(|space| self.clear(space));
        for (space, seat) in self.seats.iter_mut().filter(|(_, seat)| !seat.is_fenced) {
            // Where there is no room, enough was heard.
            let _ = seat.news.try_send(LiveNews::Alive(heads.get(space).copied()));
        }
    }

    fn unfence(&mut self, reference: Option<&str>) {
        if let Some(seat) = self.seats.values_mut().find(|seat| seat.is_asked_with(reference)) {
            seat.is_fenced = false;
        }
    }

    fn refused(&mut self, refusal: &Refusal) -> ControlFlow<Error> {
        let reference = refusal.reference.as_deref();
        let is_about_all = reference.is_none() && refusal.space.is_none();
        if reference == Some(SIGN_IN) {
            return not_signed_in(refusal);
        }
        if is_about_all {
            return ControlFlow::Break(refused(refusal));
        }
        let is_meant = |(space, seat): &(&SpaceId, &Seat)| match reference {
            Some(_) => seat.is_asked_with(reference),
            None => refusal.space.as_ref() == Some(*space) && !seat.is_fenced,
        };
        if let Some(space) = self.seats.iter().find(is_meant).map(|(space, _)| space.clone()) {
            self.lose(&space, Ending::Failed(refused(refusal)));
        }
        ControlFlow::Continue(())
    }

    /// Takes a seat away, and tells the server so.
    fn unsubscribe(&mut self, space: &SpaceId, ending: Ending) {
        self.lose(space, ending);
        // Where there is no room, what comes of the space is let go.
        let _ = self.ask(None, Ask::Unsubscribe { space: space.clone() });
    }

    fn lose(&mut self, space: &SpaceId, ending: Ending) {
        if let Some(seat) = self.seats.remove(space) {
            seat.end(ending);
        }
    }
}

/// What it means that a newer token is not taken. While it cannot be looked at, the one before is good enough. One that was
/// looked at may be somebody else's, for whom this connection is not; what it is worth is said to the next one who shows it.
fn not_signed_in(refusal: &Refusal) -> ControlFlow<Error> {
    let error = refused(refusal);
    if matches!(error.kind(), ErrorKind::Overloaded | ErrorKind::Unavailable) {
        return ControlFlow::Continue(());
    }
    let message = "the live connection is not for the newer token";
    ControlFlow::Break(Error::new(ErrorKind::Unavailable, message).with_source(error))
}

impl Seat {
    /// Whether nobody listens any more.
    fn is_left(&self) -> bool {
        self.news.is_closed()
    }

    fn is_asked_with(&self, reference: Option<&str>) -> bool {
        reference.is_some_and(|reference| reference == self.number.to_string())
    }

    /// The queue ends with the seat; what is in it is still heard.
    fn end(self, ending: Ending) {
        *self.last_word.lock().unwrap_or_else(PoisonError::into_inner) = Some(ending);
    }
}
