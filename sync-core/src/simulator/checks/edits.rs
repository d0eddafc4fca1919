//! I7, I8, I10: what became of every edit.

use std::collections::{BTreeMap, BTreeSet};

use super::View;
use crate::conflict::ConflictBody;
use crate::protocol::code;
use crate::replica::LOST_IN_RESTORE;
use crate::simulator::network::refusal;
use crate::simulator::scenario::{OWN, PAIRS};
use crate::simulator::world::World;
use crate::simulator::{Invariant, token};
use crate::types::{Collection, Version};

/// The code of an edit that was not tried.
const SUPERSEDED: &str = "superseded";

/// Everything in a space that someone can look at: records, conflicts, refused edits.
pub(super) fn kept(view: &View) -> BTreeSet<String> {
    let mut kept = BTreeSet::new();
    for record in view.records.values() {
        kept.extend(record.data.iter().flat_map(|data| token::all_in(data.as_str())));
    }
    for (_, shown) in &view.devices {
        for edit in &shown.set_aside {
            kept.extend(token::all_in(&edit.mutation.to_json()));
        }
    }
    kept
}

/// I7: what was written and not knowingly replaced is visible, in a conflict, or set aside.
///
/// A backup that is restored loses what was acknowledged since. Replicas keep what they have of that, and what none of
/// them has is only counted.
pub(super) fn every_edit_is_accounted_for(world: &World<'_>, view: &View) {
    let mut kept = kept(view);
    // What a policy overruled may have been collected; until then it could be seen.
    kept.extend(world.facts.settled());
    let lost = world.facts.lost_with_a_life(&world.branch, &view.space);
    for token in world.facts.tokens.owed(view.number) {
        let device = world.facts.tokens.origin(&token).map(|origin| origin.device);
        let is_kept =
            kept.contains(&token) || device.is_some_and(|device| world.revoked.contains_key(&device));
        if !is_kept && lost.contains(&token) {
            world.journal.count("acknowledged edits that went with a restore");
            continue;
        }
        world.journal.expect(is_kept, Invariant::NoSilentLoser, || {
            format!("{token} of {device:?} was written and is nowhere")
        });
    }
}

/// I10: what is set aside is what a server refused, or what a restored one has lost.
pub(super) fn what_is_set_aside_was_refused(world: &World<'_>, view: &View) {
    for (device, shown) in &view.devices {
        for edit in &shown.set_aside {
            let is_known = match edit.code.as_str() {
                LOST_IN_RESTORE => world.facts.n_restores() > 0,
                // Also decided by the replica: it was made on top of what was refused.
                SUPERSEDED => world.facts.was_anything_refused(),
                // Together they are more than the servers of this world take: a batch was refused before it had outcomes.
                code::BODY_TOO_LARGE => true,
                code => world.facts.was_refused(&refusal(&edit.mutation, code)),
            };
            let invariant =
                if edit.code == LOST_IN_RESTORE { Invariant::RestoreNoticed } else { Invariant::Outbox };
            world.journal.expect(is_known, invariant, || {
                format!("{device} has set aside {edit:?}, which no server has refused")
            });
        }
    }
}

/// I7: records that only one device touches are never in conflict and never refused, unless the server went back.
pub(super) fn nobody_is_in_conflict_with_oneself(world: &World<'_>, view: &View) {
    if world.facts.n_restores() > 0 {
        return;
    }
    let is_own = |collection: &Collection, id: &str| {
        let name = id.split('-').next().unwrap_or(id);
        collection.as_str() == OWN && !world.facts.is_shared(name)
    };
    // Anyone may have decided about an earlier conflict, and their decision is an edit.
    let is_decided = |body: &ConflictBody| world.facts.is_decided(view.number, &body.key);
    for (device, shown) in &view.devices {
        let conflict = shown.conflicts.iter().find(|conflict| {
            let body = &conflict.body;
            is_own(&body.key.collection, body.key.id.as_str())
                && !is_of_collected_tombstone(body)
                && !is_decided(body)
        });
        world.journal.expect(conflict.is_none(), Invariant::NoSilentLoser, || {
            format!("nobody else touches it, and it is in conflict: {conflict:?}")
        });
        // Anyone may decide about a conflict, of which two may come to another end.
        let mut edits =
            shown.set_aside.iter().map(|edit| &edit.mutation).filter(|edit| edit.resolves.is_none());
        let refused = edits.find(|edit| is_own(&edit.key.collection, edit.key.id.as_str()));
        world.journal.expect(refused.is_none(), Invariant::NoSilentLoser, || {
            format!("nobody else touches it, and it was refused to {device}: {refused:?}")
        });
    }
}

/// Whether an edit made a record anew whose tombstone is gone. The server cannot tell whether its author has seen the
/// deletion, and asks.
fn is_of_collected_tombstone(conflict: &ConflictBody) -> bool {
    conflict.theirs_version == Version::ZERO && conflict.base_version.is_some_and(|base| base > Version::ZERO)
}

/// I8: what was deleted where deletes win is not seen again, unless someone wanted it back.
pub(super) fn what_was_deleted_stays_away(world: &World<'_>, view: &View) {
    if world.facts.n_restores() > 0 {
        return;
    }
    let banned = world.facts.tokens.banned();
    for record in view.visible() {
        let tokens = record.data.as_ref().map(|data| token::all_in(data.as_str())).unwrap_or_default();
        let back: Vec<&String> = tokens.intersection(&banned).collect();
        world.journal.expect(back.is_empty(), Invariant::NoResurrection, || {
            format!("{} was deleted with {back:?}, and they are back", record.key)
        });
    }
}

/// Two records that were written together are both from the same transaction.
pub(super) fn pairs_stay_together(world: &World<'_>, view: &View) {
    if !world.scenario.pairs_stay_together {
        return;
    }
    let mut pairs: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for record in view.visible().filter(|record| record.key.collection.as_str() == PAIRS) {
        let id = record.key.id.as_str();
        let name = id.trim_end_matches(['a', 'b']).to_owned();
        let pair = record.data.as_ref().map(|data| data.to_value()["pair"].to_string());
        pairs.entry(name).or_default().extend(pair);
    }
    for (name, tokens) in pairs {
        world.journal.expect(tokens.len() == 1, Invariant::NoSilentLoser, || {
            format!("the pair {name} was written together and is from {tokens:?}")
        });
    }
}
