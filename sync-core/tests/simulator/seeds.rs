//! Many seeds over the memory store.

use sync_core::simulator::{FaultKind, MemoryDisks, Report, Scenario, run, seeds};

/// Runs `n` seeds and adds up what happened.
fn all(n: u64, scenario: &Scenario) -> Vec<Report> {
    let one = |seed| match run(seed, scenario, &MemoryDisks::default()) {
        Ok(report) => report,
        Err(violation) => panic!("{violation}"),
    };
    seeds(n).map(one).collect()
}

#[test]
fn a_calm_world_comes_to_rest() {
    for report in all(20, &Scenario::calm()) {
        println!("{report}");
    }
}

#[test]
fn a_world_in_which_everything_goes_wrong_keeps_its_promises() {
    for report in all(100, &Scenario::small()) {
        println!("{report}");
    }
}

#[test]
fn a_restored_server_costs_nobody_an_edit() {
    for report in all(100, &Scenario::restored()) {
        println!("{report}");
    }
}

#[test]
fn replicas_that_run_by_themselves_keep_their_promises() {
    for report in all(20, &Scenario { replicas_run: true, ..Scenario::small() }) {
        println!("{report}");
    }
}

#[test]
fn replicas_that_follow_live_keep_their_promises_whatever_becomes_of_frames() {
    let faults = vec![FaultKind::Network, FaultKind::ServerCrashes, FaultKind::Lies, FaultKind::Revocations];
    let reports = all(40, &Scenario { replicas_run: true, faults, ..Scenario::small() });
    let n = |what| reports.iter().map(|report| report.n(what)).sum::<u64>();
    for what in [
        "live frames taken in",
        "lost frames",
        "repeated frames",
        "swapped frames",
        "cut live streams",
        "half-open connections",
        "live streams of another space",
    ] {
        println!("{} {what}", n(what));
        assert!(n(what) > 0, "{what}");
    }
}

#[test]
fn in_a_calm_world_what_others_do_is_heard_live() {
    for report in all(5, &Scenario { replicas_run: true, ..Scenario::calm() }) {
        assert!(report.n("live frames taken in") > 10, "{report}");
    }
}
