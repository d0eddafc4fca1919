//! Running simulations: one seed, or the seeds that the environment names.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use crate::simulator::journal::Journal;
use crate::simulator::world::World;
use crate::simulator::{Dice, Disks, Executor, Invariant, Report, Scenario, Violation};

/// Runs the simulation of a seed over disks that were never used.
///
/// # Errors
///
/// The first promise that was broken.
pub fn run(seed: u64, scenario: &Scenario, disks: &dyn Disks) -> Result<Report, Violation> {
    let dice = Dice::new(seed);
    let executor = Executor::new(dice.fork());
    let journal = Arc::new(Journal::new(executor.machine(Duration::ZERO).start()));
    let mut world = World::new(scenario, &executor, disks, Arc::clone(&journal), dice);
    if let Err(stuck) = executor.run(world.play()) {
        journal.broken(Invariant::Live, stuck.to_string());
    }
    match journal.violation(seed) {
        Some(violation) => Err(violation),
        None => Ok(Report {
            seed,
            virtual_time: executor.now(),
            n_polls: executor.n_polls(),
            event_hash: journal.hash(),
            counts: journal.counts(),
        }),
    }
}

/// The seeds to try: the one that `SYNC_SEED` names, as many as `SYNC_SEEDS` says, or else `n`.
pub fn seeds(n: u64) -> Range<u64> {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    match (number("SYNC_SEED"), number("SYNC_SEEDS")) {
        (Some(seed), _) => seed..seed.saturating_add(1),
        (None, n_wanted) => 0..n_wanted.unwrap_or(n),
    }
}
