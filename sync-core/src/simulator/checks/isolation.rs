//! I11: nothing of a space reaches someone without access to it.

use super::View;
use super::view::{expected, read_all};
use crate::error::Result;
use crate::simulator::world::World;
use crate::simulator::{Invariant, token};
use crate::store::Store;
use crate::types::Record;

/// No disk of a replica holds anything of another space, and those of devices that lost their right nothing that others
/// wrote since.
pub(super) async fn nothing_crosses(world: &mut World<'_>, view: &View) {
    for device in world.devices.clone() {
        if device.space_number != view.number {
            continue;
        }
        let Some(store) = world.look_at_disk(&device.disk).await else { return };
        let Some(records) = expected(world, everything_on(&*store).await) else { return };
        let until = world.revoked.get(&device.number).copied();
        for record in records {
            let tokens = record.data.as_ref().map(|data| token::all_in(data.as_str())).unwrap_or_default();
            for token in tokens {
                let Some(origin) = world.facts.tokens.origin(&token) else { continue };
                world.journal.expect(origin.space == view.number, Invariant::Isolated, || {
                    format!("{device} has {token} of another space in {}", record.key)
                });
                let is_late = until.is_some_and(|until| origin.n > until && origin.device != device.number);
                world.journal.expect(!is_late, Invariant::Isolated, || {
                    format!("{device} has {token}, written after it lost its right, in {}", record.key)
                });
            }
        }
    }
}

/// Everything on a disk, whatever the replica keeps it under.
async fn everything_on(disk: &dyn Store) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    for space in disk.spaces(None, 100).await? {
        records.extend(read_all(disk, &space).await?.1.into_values());
    }
    Ok(records)
}
