//! SIGTERM: what is in flight is answered, and the data is closed in order.

use crate::support::crowd::account;
use crate::support::in_flight::{END_MAX, all_answered_at_stop, fill, snapshot};
use crate::support::server::{Account, Layout, World};

#[test]
fn everything_in_flight_is_answered_before_the_end() {
    let world = World::new(Layout::FilePerSpace);
    let server = world.start();
    let (ada, bob) = (account(&world, "ada"), account(&world, "bob"));
    fill(&world, &ada);
    all_answered_at_stop(&world, server, &ada, &bob);
    assert_closed(&world, &[&ada, &bob]);
    let server = world.start();
    world.http(&ada).get(&ada.path("records/small/0")).unwrap().ok();
    server.stop();
    world.check_files(&[ada, bob]);
}

/// Nothing is left in a WAL.
fn assert_closed(world: &World, accounts: &[&Account]) {
    for file in accounts.iter().map(|account| world.file_of(account)).chain([world.main_file()]) {
        for ending in ["-wal", "-shm"] {
            let companion = format!("{}{ending}", file.display());
            assert!(!std::fs::exists(&companion).unwrap(), "{companion} is left: {}", world.log());
        }
    }
}

#[test]
fn a_client_that_does_not_read_cannot_hold_the_end() {
    let world = World::new(Layout::OneFile);
    let mut server = world.start();
    let ada = account(&world, "ada");
    fill(&world, &ada);
    let _never_read = snapshot(&world, &ada);
    server.terminate();
    assert_eq!(server.ended(END_MAX).code(), Some(0), "{}", world.log());
    assert_closed(&world, &[&ada]);
}

#[test]
fn a_server_that_is_stopped_as_soon_as_it_listens_ends_in_order() {
    let world = World::new(Layout::OneFile);
    for _ in 0..5 {
        world.start().stop();
    }
}
