//! One room: who is in it, and what changed when.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sync_core::json::Json;
use sync_core::protocol::{Presence, Present};
use sync_core::{ActorId, SpaceId};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::problem::{Code, Problem};

/// Connections in one room. 200 with states of up to 2 KiB: more than a screen can show, and everyone in one message of less
/// than 512 KiB, which any client takes.
pub(super) const PEOPLE_MAX: usize = 200;

/// Departures that are remembered. 256: who was told longer ago is told everyone.
const GONE_MAX: usize = 256;

/// How soon a watcher is told of the next change while few are there. 50 ms: what people see as at once.
const TOLD_EVERY: Duration = Duration::from_millis(50);

/// People for whom that holds. For each 20 more it takes as long again, up to half a second: each of a crowd is told of all of
/// it, and so what that costs would grow with the square of their number.
const FEW: usize = 20;

/// The people in one space.
#[derive(Debug)]
pub(super) struct Room {
    space: SpaceId,
    people: Mutex<People>,
    /// Grows with each change.
    changed: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct People {
    version: u64,
    here: BTreeMap<String, (Present, u64)>,
    gone: VecDeque<(String, u64)>,
    /// Departures up to this version are forgotten.
    forgotten: u64,
}

impl Room {
    pub(super) fn new(space: SpaceId) -> Self {
        Self { space, people: Mutex::default(), changed: watch::Sender::new(0) }
    }

    /// Every change is whole when the lock is let go.
    fn lock(&self) -> MutexGuard<'_, People> {
        self.people.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn show(&self, present: Present) -> Result<(), Problem> {
        let mut people = self.lock();
        if people.here.len() >= PEOPLE_MAX && !people.here.contains_key(&present.connection) {
            return Err(Problem::new(Code::QuotaExceeded)
                .detail("too many are there")
                .limit(PEOPLE_MAX as u64));
        }
        if people.here.get(&present.connection).is_some_and(|(shown, _)| *shown == present) {
            return Ok(());
        }
        people.version += 1;
        let version = people.version;
        people.gone.retain(|(connection, _)| *connection != present.connection);
        people.here.insert(present.connection.clone(), (present, version));
        drop(people);
        self.tell(version);
        Ok(())
    }

    fn leave(&self, connection: &str) {
        let mut people = self.lock();
        if people.here.remove(connection).is_none() {
            return;
        }
        people.version += 1;
        let version = people.version;
        people.gone.push_back((connection.to_owned(), version));
        if people.gone.len() > GONE_MAX
            && let Some((_, forgotten)) = people.gone.pop_front()
        {
            people.forgotten = forgotten;
        }
        drop(people);
        self.tell(version);
    }

    /// Wakes who watches. It is done without the lock, as those who are woken may leave at that; so of two changes the later
    /// one may be told first, and the earlier one is no news any more.
    pub(super) fn tell(&self, version: u64) {
        self.changed.send_if_modified(|told| {
            let is_news = *told < version;
            *told = version.max(*told);
            is_news
        });
    }

    /// What someone does not know who knows the room as it was at a version; its version now, and how long that is enough.
    fn since(&self, known: Option<u64>) -> (Presence, u64, Duration) {
        let people = self.lock();
        let known = known.filter(|known| *known >= people.forgotten);
        let after = known.unwrap_or_default();
        let here = people.here.values().filter(|(_, at)| known.is_none() || *at > after);
        let gone = people.gone.iter().filter(|(_, at)| known.is_some() && *at > after);
        let presence = Presence {
            space: self.space.clone(),
            all: known.is_none(),
            here: here.map(|(present, _)| present.clone()).collect(),
            gone: gone.map(|(connection, _)| connection.clone()).collect(),
        };
        (presence, people.version, told_every(people.here.len()))
    }
}

/// How soon a watcher of so many is told of the next change.
fn told_every(n_people: usize) -> Duration {
    let n_times = n_people.div_ceil(FEW).max(1);
    TOLD_EVERY * u32::try_from(n_times).expect("a room has a limit")
}

/// A connection in a room. Dropping it leaves the room.
#[derive(Debug)]
pub(crate) struct Here {
    room: Arc<Room>,
    connection: String,
}

impl Here {
    pub(super) fn new(room: Arc<Room>, connection: String) -> Self {
        Self { room, connection }
    }

    /// Shows something, or something else than before. Who someone is, is said by the server.
    ///
    /// # Errors
    ///
    /// `quota_exceeded` when the room is full.
    pub(crate) fn show(&self, user: &ActorId, state: Json) -> Result<(), Problem> {
        self.room.show(Present { connection: self.connection.clone(), user: user.clone(), state })
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        self.room.leave(&self.connection);
    }
}

/// Someone who watches a room.
#[derive(Debug)]
pub(crate) struct Watcher {
    room: Arc<Room>,
    changed: watch::Receiver<u64>,
    known: Option<u64>,
    /// They are told nothing more before this.
    rests_until: Option<Instant>,
}

impl Watcher {
    pub(super) fn new(room: Arc<Room>) -> Self {
        let changed = room.changed.subscribe();
        Self { room, changed, known: None, rests_until: None }
    }

    /// What is new; at first everyone, also if that is nobody. It may be dropped at any time.
    pub(crate) async fn next(&mut self) -> Presence {
        let known = self.known;
        // It cannot fail: the room, which has the sender, is held here.
        let _ = self.changed.wait_for(|version| known.is_none_or(|known| *version > known)).await;
        if let Some(rests_until) = self.rests_until {
            tokio::time::sleep_until(rests_until).await;
        }
        let (presence, version, enough_for) = self.room.since(self.known);
        (self.known, self.rests_until) = (Some(version), Some(Instant::now() + enough_for));
        presence
    }
}
