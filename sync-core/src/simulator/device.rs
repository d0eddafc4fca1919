//! A device: a machine with a disk, on which an app runs with a replica, is killed and starts again.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::lock::Mutex as AsyncMutex;

use crate::replica::Replica;
use crate::simulator::disk::Seat;
use crate::simulator::{Machine, Process};
use crate::types::{ActorId, RecordKey, SpaceId, Version};

/// A device and what is known of it from outside.
#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) number: usize,
    /// Which space, from zero.
    pub(crate) space_number: usize,
    pub(crate) space: SpaceId,
    pub(crate) actor: ActorId,
    pub(crate) machine: Machine,
    pub(crate) disk: String,
    /// Held while it syncs, and while someone decides about what they see.
    pub(crate) alone: AsyncMutex<()>,
    /// Whether its app is to come to its end.
    pub(crate) is_done: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    running: Option<Running>,
    /// What the ids of its own records begin with.
    own_name: String,
    n_names: usize,
    /// Version of each record at the server, as it was seen last.
    seen: BTreeMap<RecordKey, Version>,
    /// Steps it ever counted, by counter, and those of the device whose copy it is.
    steps: BTreeMap<String, i64>,
}

/// What runs on a device.
#[derive(Clone, Debug)]
pub(crate) struct Running {
    pub(crate) process: Process,
    pub(crate) replica: Replica,
    pub(crate) seat: Arc<Seat>,
}

impl Device {
    pub(crate) fn new(
        number: usize,
        (space_number, space): (usize, SpaceId),
        actor: ActorId,
        machine: Machine,
    ) -> Self {
        let device = Self {
            number,
            space_number,
            space,
            actor,
            machine,
            disk: format!("r{number}"),
            alone: AsyncMutex::new(()),
            is_done: AtomicBool::new(false),
            state: Mutex::default(),
        };
        device.take_new_name();
        device
    }

    /// The same device with another disk.
    pub(crate) fn on(self, disk: String) -> Self {
        Self { disk, ..self }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What runs on it now, if it lives.
    pub(crate) fn running(&self) -> Option<Running> {
        self.state().running.clone().filter(|running| running.process.is_alive())
    }

    pub(crate) fn runs(&self, running: Running) {
        self.state().running = Some(running);
    }

    /// Forgets the process that was killed, so that nobody holds its store.
    pub(crate) fn is_dead(&self) {
        let dead = self.state().running.take();
        drop(dead);
    }

    /// What the ids of its own records begin with.
    pub(crate) fn own_name(&self) -> String {
        self.state().own_name.clone()
    }

    /// Begins to call other records its own, because a copy of it has the same ones. Says what it called them before.
    pub(crate) fn take_new_name(&self) -> String {
        let mut state = self.state();
        state.n_names += 1;
        let name = format!("r{}n{}", self.number, state.n_names);
        std::mem::replace(&mut state.own_name, name)
    }

    /// Compares what is seen of records with what was seen before, and says which of them went back.
    pub(crate) fn sees(&self, now: BTreeMap<RecordKey, Version>) -> Option<(RecordKey, Version, Version)> {
        let mut state = self.state();
        let went_back = now.iter().find_map(|(key, version)| {
            let before = state.seen.get(key).copied()?;
            // Zero is no older state: the server does not have it (any more).
            (*version > Version::ZERO && *version < before).then(|| (key.clone(), before, *version))
        });
        state.seen = now;
        went_back
    }

    /// Counts a step of a counter.
    pub(crate) fn counts(&self, counter: &str) {
        *self.state().steps.entry(counter.to_owned()).or_default() += 1;
    }

    /// The steps that a copy of its disk may send once more.
    pub(crate) fn steps(&self) -> BTreeMap<String, i64> {
        self.state().steps.clone()
    }

    /// Takes over what a copy of a disk brings along.
    pub(crate) fn begin_as_copy_of(&self, other: &Self) {
        let steps = other.steps();
        self.state().steps = steps;
    }

    pub(crate) fn end(&self) {
        self.is_done.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_ending(&self) -> bool {
        self.is_done.load(Ordering::Relaxed)
    }
}

impl std::fmt::Display for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "r{}", self.number)
    }
}
