//! I2: every step of a counter counts, and counts once.

use super::View;
use crate::simulator::Invariant;
use crate::simulator::scenario::{COUNTER_MEMBER, COUNTERS};
use crate::simulator::world::World;

/// Counters are as high as they were counted. Steps of a process that died may count or not; a restored server has lost
/// some, and a late message may bring one twice there.
pub(super) fn every_step_counts_once(world: &World<'_>, view: &View) {
    if world.facts.n_restores() > 0 {
        return;
    }
    for (id, count) in world.facts.counters(view.number) {
        let is_it =
            |key: &crate::types::RecordKey| key.collection.as_str() == COUNTERS && key.id.as_str() == id;
        let record = view.visible().find(|record| is_it(&record.key));
        let value = record.and_then(|record| record.data.as_ref()).map(|data| data.to_value());
        let n = value.and_then(|value| value[COUNTER_MEMBER].as_i64()).unwrap_or(0);
        // Steps of a device that may not send any more are among those that are sure, and are not there.
        let least = if world.revoked.is_empty() { count.n_sure } else { 0 };
        let is_right = (least..=count.n_sure + count.n_maybe).contains(&n);
        world.journal.expect(is_right, Invariant::ExactlyOnce, || {
            format!(
                "counter {id} was counted to {least} up to {} and is at {n}",
                count.n_sure + count.n_maybe
            )
        });
    }
}
