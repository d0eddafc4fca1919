//! I7, I11: what is left on a device that lost its right to a space.

use super::View;
use super::edits::kept;
use super::view::expected;
use crate::simulator::app::everything;
use crate::simulator::world::World;
use crate::simulator::{Invariant, token};

/// Nothing of the space is shown any more, and whatever its people wrote was taken by a server or is set aside.
pub(super) async fn nothing_is_left_and_nothing_is_lost(world: &mut World<'_>, view: &View) {
    for number in world.revoked.keys().copied().collect::<Vec<usize>>() {
        let Some(device) = world.devices.get(number).cloned() else { continue };
        let Some(running) = device.running().filter(|_| device.space_number == view.number) else { continue };
        let Some(shown) = expected(world, everything(&running.replica).await) else { return };
        let n_left = shown.records.len() + shown.conflicts.len();
        world.journal.expect(n_left == 0, Invariant::Isolated, || {
            format!("{device} lost its right and still shows {n_left} records and conflicts")
        });
        // What went with a restore is looked for on devices that may still tell.
        if world.facts.n_restores() > 0 {
            continue;
        }
        let mut kept = kept(view);
        kept.extend(world.facts.settled());
        kept.extend(shown.set_aside.iter().flat_map(|edit| token::all_in(&edit.mutation.to_json())));
        for token in world.facts.tokens.owed(view.number) {
            let is_own = world.facts.tokens.origin(&token).is_some_and(|origin| origin.device == number);
            world.journal.expect(!is_own || kept.contains(&token), Invariant::NoSilentLoser, || {
                format!("{token} of {device}, which lost its right, was written and is nowhere")
            });
        }
    }
}
