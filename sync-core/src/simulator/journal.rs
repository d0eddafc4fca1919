//! The journal: what happened, in a hash, in counts, and the last of it in words.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use xxhash_rust::xxh3::Xxh3;

use crate::simulator::{Invariant, Process, Violation};

/// Events that are kept in words, unless `SYNC_EVENTS` says how many: what a person reads before they use the seed.
const EVENTS_MAX: usize = 150;
/// Bytes of an event that are kept: records and batches are longer.
const EVENT_BYTES_MAX: usize = 1000;

/// Takes down what happens. The first violation that is reported counts; the simulation ends soon after it.
pub(crate) struct Journal {
    /// Tells the time.
    process: Process,
    events_max: usize,
    page: Mutex<Page>,
}

#[derive(Default)]
struct Page {
    events: VecDeque<String>,
    hash: Xxh3,
    counts: BTreeMap<&'static str, u64>,
    step: usize,
    found: Option<(Invariant, String, usize, Vec<String>)>,
}

impl Journal {
    pub(crate) fn new(process: Process) -> Self {
        let wanted = std::env::var("SYNC_EVENTS").ok().and_then(|text| text.parse().ok());
        Self { process, events_max: wanted.unwrap_or(EVENTS_MAX), page: Mutex::default() }
    }

    fn page(&self) -> MutexGuard<'_, Page> {
        self.page.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that `who` did or met something.
    pub(crate) fn note(&self, who: &dyn fmt::Display, what: fmt::Arguments<'_>) {
        let now = self.process.elapsed();
        let mut event = format!("{:>10.6} {who}: {what}", now.as_secs_f64());
        let page = &mut *self.page();
        page.hash.update(event.as_bytes());
        if event.len() > EVENT_BYTES_MAX {
            let end = (0..=EVENT_BYTES_MAX).rev().find(|end| event.is_char_boundary(*end)).unwrap_or(0);
            event.truncate(end);
            event.push('…');
        }
        if page.events.len() >= self.events_max {
            page.events.pop_front();
        }
        page.events.push_back(event);
    }

    /// Counts something that happened.
    pub(crate) fn count(&self, what: &'static str) {
        *self.page().counts.entry(what).or_default() += 1;
    }

    /// The script is at this step now.
    pub(crate) fn at_step(&self, step: usize) {
        self.page().step = step;
    }

    /// Reports a broken promise.
    pub(crate) fn broken(&self, invariant: Invariant, detail: impl Into<String>) {
        let page = &mut *self.page();
        if page.found.is_none() {
            let events = page.events.iter().cloned().collect();
            page.found = Some((invariant, detail.into(), page.step, events));
        }
    }

    /// Reports a broken promise unless something holds.
    pub(crate) fn expect(&self, holds: bool, invariant: Invariant, detail: impl FnOnce() -> String) {
        if !holds {
            self.broken(invariant, detail());
        }
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.page().found.is_some()
    }

    /// The first violation, if there was one.
    pub(crate) fn violation(&self, seed: u64) -> Option<Violation> {
        let found = self.page().found.clone();
        found.map(|(invariant, detail, step, events)| Violation { seed, invariant, step, detail, events })
    }

    pub(crate) fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.page().counts.clone()
    }

    /// A hash over all events: equal for two runs in which the same happened.
    pub(crate) fn hash(&self) -> u64 {
        self.page().hash.digest()
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").finish_non_exhaustive()
    }
}
