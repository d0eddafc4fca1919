//! `kill -9` in the middle of concurrent pushes.
//!
//! It shows that recovery and retries are right, and nothing about the disk: the system keeps what a killed process
//! wrote. That is what `power` is for.

use std::thread::sleep;

use crate::support::crowd::{Crowd, account};
use crate::support::rng::{Rng, from_env};
use crate::support::server::{Layout, World};

#[test]
fn a_killed_server_with_one_file_loses_and_repeats_nothing() {
    survive_kills("kill, one file", Layout::OneFile);
}

#[test]
fn a_killed_server_with_a_file_per_space_loses_and_repeats_nothing() {
    survive_kills("kill, file per space", Layout::FilePerSpace);
}

fn survive_kills(test: &str, layout: Layout) {
    let mut rng = Rng::seeded(test);
    let world = World::new(layout);
    let mut server = world.start();
    let accounts = [account(&world, "ada"), account(&world, "bob")];
    let crowds = accounts.each_ref().map(|account| Crowd::new(&world, account, (4, 2), &mut rng));
    let n_cycles = from_env("SYNC_CRASH_CYCLES", 9);
    for _ in 0..n_cycles {
        sleep(rng.millis(50..800));
        server.kill();
        server = world.start();
    }
    sleep(rng.millis(50..300));
    crowds.iter().for_each(Crowd::stop_writing);
    for crowd in crowds {
        let (counts, n_pages) = crowd.finish(&world);
        println!("{test}: {n_cycles} kills, {counts:?}, {n_pages} pages");
        assert_eq!(counts.refused(), 0, "a kill is no fault of the storage: {counts:?}");
        assert!(counts.unanswered > 0 && counts.repeated > 0, "the kills should hit something: {counts:?}");
    }
    server.stop();
    world.check_files(&accounts);
}
