//! What a simulation that found nothing has to say.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// What happened in a simulation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Its seed.
    pub seed: u64,
    /// How much virtual time passed.
    pub virtual_time: Duration,
    /// How often a task was polled.
    pub n_polls: u64,
    /// A hash over all events: two runs of a seed have the same one.
    pub event_hash: u64,
    /// How often what happened, faults included.
    pub counts: BTreeMap<&'static str, u64>,
}

impl Report {
    /// How often something happened.
    pub fn n(&self, what: &str) -> u64 {
        self.counts.get(what).copied().unwrap_or(0)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, virtual_time, n_polls, event_hash, counts } = self;
        write!(
            f,
            "seed {seed}: {:.1} s, {n_polls} polls, events {event_hash:016x}",
            virtual_time.as_secs_f64()
        )?;
        counts.iter().try_for_each(|(what, n)| write!(f, ", {n} {what}"))
    }
}
