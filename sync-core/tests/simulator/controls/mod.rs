//! Negative controls: the traps that systems like this one fell into, each built as a front and put in between. The
//! simulator has to find every one of them, within a bounded number of seeds; a simulator that does not is blind.
//!
//! Numbers are those of the table of traps; each file holds one.

mod front;
mod t01_rows_after_head;
mod t06_edit_marked_clean;
mod t09_conflict_told_as_applied;
mod t11_sleep_without_end;
mod t17_tag_not_compared;

use sync_core::simulator::{Invariant, MemoryDisks, Scenario, Violation, run};

/// Runs seeds until one finds something, and says what and how many it took.
///
/// # Panics
///
/// When none of `n_max` seeds finds anything.
pub(crate) fn caught(trap: &str, n_max: u64, scenario: &Scenario) -> Violation {
    for seed in 0..n_max {
        if let Err(violation) = run(seed, scenario, &MemoryDisks::default()) {
            println!("{trap}: {} found it with seed {seed}: {}", violation.invariant, violation.detail);
            return violation;
        }
    }
    panic!("{trap}: {n_max} seeds found nothing");
}

/// The same, and it must be one of these promises that is found broken.
pub(crate) fn caught_as(trap: &str, n_max: u64, scenario: &Scenario, invariants: &[Invariant]) {
    let violation = caught(trap, n_max, scenario);
    assert!(invariants.contains(&violation.invariant), "{trap} was found for another reason:\n{violation}");
}
