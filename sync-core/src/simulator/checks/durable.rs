//! I1: what was acknowledged is there, or superseded by something later.

use super::View;
use crate::simulator::Invariant;
use crate::simulator::facts::acked;
use crate::simulator::world::World;

/// No record is older than what was last acknowledged of it, unless it was deleted so long ago that nothing is left.
pub(super) fn acknowledged_versions_are_there(world: &World<'_>, view: &View) {
    for ((space, key), version) in acked(&world.branch) {
        if space != view.space {
            continue;
        }
        let now = view.records.get(&key).map(|record| record.meta.version);
        let is_there = match now {
            Some(now) => now >= version,
            None => version <= view.head.floor,
        };
        world.journal.expect(is_there, Invariant::Durable, || {
            format!("{key} was acknowledged at {version} and is at {now:?}, the floor is {}", view.head.floor)
        });
    }
}
