//! What holds for all copies, whatever is done and whenever they are connected.

use serde_json::json;

use crate::world::World;

/// Each is another order of edits, cuts and reloads. A single edit that got lost silently was found by one in a hundred: for
/// that sort let it run longer after changing anything about edits.
const SEEDS: u32 = 12;

#[test]
fn copies_that_were_edited_at_random_become_the_same_and_nothing_is_lost() {
    let Some(world) = World::start() else { return };
    let ada = world.device("");
    ada.enter("ada", "register");
    for seed in 1..=SEEDS {
        let found = ada.page.value(&format!("({})({seed})", include_str!("random.js")));
        assert_eq!(found, json!({"lost": [], "refused": []}), "seed {seed}");
    }
    ada.page.assert_no_faults();
}
