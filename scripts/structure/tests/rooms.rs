//! The code keeps to the code map of `ARCHITECTURE.md`.

use std::collections::BTreeSet;

use structure::plan::{GUARDED, Plan};
use structure::rooms::{mentions, module_of};
use structure::sources::{Source, sources};

#[test]
fn no_room_touches_what_the_map_does_not_allow() {
    let plan = Plan::read();
    let objections: Vec<String> =
        mentions(&sources(), &GUARDED).iter().filter_map(|mention| plan.objection(mention)).collect();
    assert!(objections.is_empty(), "{}", objections.join("\n"));
}

#[test]
fn the_map_reads_from_the_bottom_up() {
    let against = Plan::read().against_the_order();
    assert!(against.is_empty(), "these may touch a room further down the table: {}", against.join(", "));
}

#[test]
fn every_file_lies_in_a_room_of_the_map() {
    let plan = Plan::read();
    let sources = sources();
    let is_homeless = |source: &&Source| {
        let module =
            module_of(&source.path).filter(|module| module.len() > 1 && module[0].starts_with("sync_"));
        !source.is_test() && module.is_some_and(|module| plan.room_of(&module).is_none())
    };
    let homeless: Vec<&str> = sources.iter().filter(is_homeless).map(|source| source.path.as_str()).collect();
    assert!(homeless.is_empty(), "ARCHITECTURE.md has no room for {}", homeless.join(", "));
}

#[test]
fn every_room_of_the_map_is_there() {
    let plan = Plan::read();
    let modules: Vec<Vec<String>> = sources().iter().filter_map(|source| module_of(&source.path)).collect();
    let lived_in: BTreeSet<&str> = modules.iter().filter_map(|module| plan.room_of(module)).collect();
    let empty: Vec<&str> = plan.rooms().filter(|room| !lived_in.contains(room)).collect();
    assert!(!lived_in.is_empty());
    assert!(empty.is_empty(), "ARCHITECTURE.md speaks of rooms that are not there: {}", empty.join(", "));
}
