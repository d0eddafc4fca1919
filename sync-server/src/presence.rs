//! Who is there: a room for each space, in memory only.
//!
//! People are in a room by their connections, so two tabs of one user are there twice, and an old connection that ends late takes
//! nobody else away. Who watches a room is not queued for: they remember up to which change they know it, and are told the
//! difference, or everything when too much has happened since.

mod room;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use sync_core::SpaceId;

use room::Room;
pub(crate) use room::{Here, Watcher};

/// Rooms at which those that nobody is in or watches are looked for. It grows with what is left then.
const SWEEP_AT: usize = 256;

/// All rooms that someone is in or watches.
#[derive(Debug, Default)]
pub(crate) struct Rooms(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    rooms: HashMap<SpaceId, Weak<Room>>,
    sweep_at: usize,
}

impl Rooms {
    /// Watches a room.
    pub(crate) fn watch(&self, space: &SpaceId) -> Watcher {
        Watcher::new(self.room(space))
    }

    /// A place in a room for a connection, at which it shows nothing yet.
    pub(crate) fn enter(&self, space: &SpaceId, connection: &str) -> Here {
        Here::new(self.room(space), connection.to_owned())
    }

    fn room(&self, space: &SpaceId) -> Arc<Room> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(room) = known.rooms.get(space).and_then(Weak::upgrade) {
            return room;
        }
        if known.rooms.len() >= known.sweep_at.max(SWEEP_AT) {
            known.rooms.retain(|_, room| room.strong_count() > 0);
            known.sweep_at = 2 * known.rooms.len();
        }
        let room = Arc::new(Room::new(space.clone()));
        known.rooms.insert(space.clone(), Arc::downgrade(&room));
        room
    }
}

#[cfg(test)]
mod tests;
