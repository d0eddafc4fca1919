//! I6, I14: whether all hold the same and nothing waits.

use std::collections::BTreeSet;

use super::view::{View, expected};
use crate::conflict::Conflict;
use crate::replica::ShownConflict;
use crate::simulator::world::World;
use crate::state_hash::{at_rest, state_hash};
use crate::store::Mode;

/// Why a world is not at rest.
pub(crate) struct Unrest {
    pub(crate) detail: String,
    /// Whether nobody has anything left to send: what differs will differ for ever.
    pub(crate) is_idle: bool,
}

/// What is not in sync yet; `None` when all is.
pub(crate) async fn unrest(world: &mut World<'_>) -> Option<Unrest> {
    for number in 0..world.spaces.len() {
        let space = world.spaces.get(number)?.clone();
        let disk = world.branch.disk.clone();
        let store = world.look_at_disk(&disk).await?;
        let mut txn = expected(world, store.begin(&space, Mode::Read).await)?;
        let hash = expected(world, state_hash(&mut *txn, |meta| meta.version).await)?;
        drop(txn);
        let mut different = Vec::new();
        for device in world.devices_of(number) {
            let Some(running) = device.running() else {
                return Some(Unrest { detail: format!("{device} does not run"), is_idle: false });
            };
            let unsent = expected(world, running.replica.unsent().await)?;
            if !unsent.is_empty() {
                return Some(Unrest { detail: format!("{device} still has {unsent:?}"), is_idle: false });
            }
            if expected(world, running.replica.state_hash().await)? != hash {
                different.push(device);
            }
        }
        let view = View::of(world, number).await?;
        if let Some(detail) = differences(&view) {
            return Some(Unrest { detail, is_idle: true });
        }
        if !different.is_empty() {
            let detail = format!("{different:?} have another state hash and show the same");
            return Some(Unrest { detail, is_idle: true });
        }
    }
    None
}

/// What the replicas show that the server does not have, and the other way round.
fn differences(view: &View) -> Option<String> {
    let of_server: BTreeSet<String> = view
        .visible()
        .map(|record| at_rest(record, record.meta.version))
        .chain(
            view.conflicts().filter_map(|record| Conflict::from_record(record).ok().flatten()).map(written),
        )
        .collect();
    view.devices.iter().find_map(|(device, shown)| {
        let of_device: BTreeSet<String> = shown
            .records
            .iter()
            .map(|record| at_rest(record, record.meta.upstream))
            .chain(shown.conflicts.iter().cloned().map(|ShownConflict { id, version, body, .. }| {
                // What is there by now, and whose edit it was, differ from device to device.
                written(Conflict { id, version, body })
            }))
            .collect();
        let (more, less): (Vec<_>, Vec<_>) =
            (of_device.difference(&of_server).collect(), of_server.difference(&of_device).collect());
        (!more.is_empty() || !less.is_empty())
            .then(|| format!("{device} has {more:?}, which the server has not, and lacks {less:?}"))
    })
}

fn written(conflict: Conflict) -> String {
    format!("{conflict:?}")
}
