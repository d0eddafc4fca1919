//! Whole worlds of servers and replicas, all of which keep their data in redb files.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a test")]

use std::sync::Arc;

use sync_core::simulator::{OpenedDisks, Scenario, run, seeds};
use sync_store_redb::RedbStore;

/// Runs `n` worlds, each with files of its own. The store works on threads of the runtime that this thread has entered.
fn all(n: u64, scenario: &Scenario) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _entered = runtime.enter();
    for seed in seeds(n) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_owned();
        let disks = OpenedDisks::new(move |name: String| {
            let file = path.join(format!("{name}.redb"));
            async move { Ok(Arc::new(RedbStore::open(file).await?)) }
        });
        match run(seed, scenario, &disks) {
            Ok(report) => println!("{report}"),
            Err(violation) => panic!("{violation}"),
        }
    }
}

#[test]
fn a_calm_world_comes_to_rest() {
    all(2, &Scenario::calm());
}

#[test]
fn a_world_in_which_everything_goes_wrong_keeps_its_promises() {
    all(5, &Scenario::small());
}

#[test]
fn a_restored_server_costs_nobody_an_edit() {
    all(3, &Scenario::restored());
}

#[test]
fn replicas_that_run_by_themselves_keep_their_promises() {
    all(2, &Scenario { replicas_run: true, ..Scenario::small() });
}
