//! What an application can show about its server: when it was last heard, what is wrong, when it is tried again.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::faults::Failing;
use super::weather::{Sky, VirtualClock, Weather};
use super::world::*;
use crate::clock::Timestamp;
use crate::error::ErrorKind;
use crate::replica::{Replica, Status, SyncState};
use crate::store::MemoryStore;

async fn running(world: &World) -> (Replica, Arc<Sky>) {
    let mut options = world.options();
    options.clock = Arc::new(VirtualClock::new());
    let replica = Replica::open(Arc::new(MemoryStore::default()), space(), options).await.unwrap();
    let sky = Arc::new(Sky::over(world.loopback()));
    let (runs, over) = (replica.clone(), Arc::clone(&sky));
    tokio::spawn(async move { runs.run(&*over).await });
    (replica, sky)
}

fn last_contact(replica: &Replica) -> Timestamp {
    replica.status().last_contact.expect("it has heard of the server")
}

fn retry_at(state: SyncState) -> Option<Timestamp> {
    let SyncState::Offline { retry_at, .. } = state else { panic!("{state:?}") };
    retry_at
}

#[tokio::test(start_paused = true)]
async fn the_last_contact_moves_on_while_nothing_happens() {
    let world = World::new().await;
    let (one, sky) = running(&world).await;
    sleep(Duration::from_secs(5)).await;
    for _ in 0..3 {
        let before = last_contact(&one);
        sleep(Duration::from_secs(21)).await;
        assert_eq!(one.sync_state(), SyncState::Idle);
        assert!(last_contact(&one) > before);
    }
    sky.set(Weather::Lost);
    sleep(Duration::from_secs(300)).await;
    let silent_for = one.0.options.clock.now().since(last_contact(&one));
    assert!(silent_for >= Duration::from_secs(280), "{silent_for:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_is_told_in_words_until_it_is_over() {
    let world = World::new().await;
    let (one, sky) = running(&world).await;
    sky.set(Weather::Failing(ErrorKind::Unavailable));
    sleep(Duration::from_secs(60)).await;
    let Status { state, last_error, .. } = one.status();
    assert!(retry_at(state).is_some());
    assert_eq!(last_error.map(|error| error.kind()), Some(ErrorKind::Unavailable));
    sky.set(Weather::Fine);
    sleep(Duration::from_secs(30)).await;
    assert!(one.status().last_error.is_none());

    sky.set(Weather::ReadOnly);
    one.put("notes", "a", &1).await.unwrap();
    sleep(Duration::from_secs(45)).await;
    let Status { state, last_error, .. } = one.status();
    assert_eq!(state, SyncState::ReadOnly);
    assert_eq!(last_error.map(|error| error.kind()), Some(ErrorKind::Forbidden), "also after more was heard");
}

#[tokio::test(start_paused = true)]
async fn a_sync_by_hand_that_fails_shows_when_the_replica_that_runs_tries_again() {
    let world = World::new().await;
    let (one, sky) = running(&world).await;
    sleep(Duration::from_secs(5)).await;
    one.sync(&Failing(ErrorKind::Unavailable)).await.unwrap_err();
    let listens_until = retry_at(one.sync_state()).expect("it is in touch with the server");
    assert!(listens_until > one.0.options.clock.now());
    sky.set(Weather::Failing(ErrorKind::Unavailable));
    sleep(Duration::from_secs(60)).await;
    let before = one.sync_state();
    one.sync(&Failing(ErrorKind::Unavailable)).await.unwrap_err();
    assert_eq!((one.sync_state(), retry_at(before).is_some()), (before, true));
}
