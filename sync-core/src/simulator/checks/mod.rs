//! What is looked up when all is quiet: one small function for each promise.

mod counters;
mod durable;
mod edits;
mod isolation;
mod reading;
mod rest;
mod revoked;
mod trees;
mod view;

use crate::simulator::world::World;

pub(crate) use reading::{Reader, begin as begin_reading};
pub(crate) use rest::unrest;
pub(crate) use view::{View, expected};

/// Checks everything that must hold when all is quiet. What does not is in the journal.
pub(crate) async fn all(world: &mut World<'_>) {
    if let Some(unrest) = rest::unrest(world).await {
        world.journal.broken(crate::simulator::Invariant::Convergent, unrest.detail);
    }
    for space in 0..world.spaces.len() {
        let Some(view) = View::of(world, space).await else { return };
        durable::acknowledged_versions_are_there(world, &view);
        counters::every_step_counts_once(world, &view);
        edits::every_edit_is_accounted_for(world, &view);
        edits::what_is_set_aside_was_refused(world, &view);
        edits::nobody_is_in_conflict_with_oneself(world, &view);
        edits::what_was_deleted_stays_away(world, &view);
        edits::pairs_stay_together(world, &view);
        trees::trees_are_valid_and_the_same(world, &view).await;
        isolation::nothing_crosses(world, &view).await;
        revoked::nothing_is_left_and_nothing_is_lost(world, &view).await;
        reading::a_reader_has_everything(world, &view).await;
        reading::one_traversal_yields_each_record_once(world, &view).await;
    }
}
