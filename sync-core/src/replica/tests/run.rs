//! Replicas that run by themselves, in virtual time.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::weather::{Sky, VirtualClock, Weather};
use super::world::*;
use crate::error::{Error, ErrorKind};
use crate::replica::{Replica, SyncState};
use crate::service::Limits;
use crate::store::{MemoryStore, Mode, Store};

/// Within this time after the last fault everything is in sync.
const HEALED_WITHIN: Duration = Duration::from_secs(30);

async fn open(world: &World) -> Replica {
    open_on(world, &MemoryStore::default()).await
}

async fn open_on(world: &World, store: &MemoryStore) -> Replica {
    let mut options = world.options();
    options.clock = Arc::new(VirtualClock::new());
    Replica::open(Arc::new(store.clone()), space(), options).await.unwrap()
}

fn start(replica: &Replica, sky: &Arc<Sky>) -> JoinHandle<Error> {
    let (replica, sky) = (replica.clone(), Arc::clone(sky));
    tokio::spawn(async move { replica.run(&*sky).await })
}

fn sky(world: &World) -> Arc<Sky> {
    Arc::new(Sky::over(world.loopback()))
}

/// How long it takes until the replica has this record.
async fn until(replica: &Replica, id: &str) -> Duration {
    let began = Instant::now();
    let arrived = async {
        while value(replica, id).await.is_none() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(3600), arrived).await.expect("it never arrives");
    began.elapsed()
}

#[tokio::test(start_paused = true)]
async fn an_edit_reaches_others_at_once_and_by_itself() {
    let world = World::new().await;
    let (one, two, sky) = (open(&world).await, open(&world).await, sky(&world));
    let _tasks = [start(&one, &sky), start(&two, &sky)];
    for round in 0..5 {
        one.put("notes", &format!("{round}"), &1).await.unwrap();
        assert!(until(&two, &format!("{round}")).await < Duration::from_secs(1));
        sleep(Duration::from_secs(37)).await;
    }
    assert_eq!((one.sync_state(), two.sync_state()), (SyncState::Idle, SyncState::Idle));
    let n_before = sky.n_requests();
    sleep(Duration::from_secs(600)).await;
    assert!(sky.n_requests() - n_before <= 2 * 31, "nothing happens, so little is asked");
}

#[tokio::test(start_paused = true)]
async fn edits_in_quick_succession_are_sent_together() {
    let world = World::new().await;
    let (one, sky) = (open(&world).await, sky(&world));
    let _task = start(&one, &sky);
    sleep(Duration::from_secs(5)).await;
    for n in 0..50 {
        one.put("notes", &n.to_string(), &n).await.unwrap();
        sleep(Duration::from_millis(3)).await;
    }
    sleep(Duration::from_secs(2)).await;
    assert!(!one.has_unsent().await.unwrap());
    assert_eq!(sky.n_pushes.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn everything_is_in_sync_soon_after_the_last_fault() {
    let faults = [
        Weather::Failing(ErrorKind::Unavailable),
        Weather::Failing(ErrorKind::Distrusted),
        Weather::Busy(Duration::from_secs(3)),
        Weather::Lost,
        Weather::AnswersLost,
        Weather::Unheld,
        Weather::Failing(ErrorKind::Contended),
    ];
    for seed in 0..40u64 {
        println!("seed {seed}");
        let limits = Limits { page_rows_max: 7, mutations_max: 9, ..Limits::default() };
        let world = World::with(Default::default(), limits).await;
        let (one, two) = (open(&world).await, open(&world).await);
        let skies = [sky(&world), sky(&world)];
        let _tasks = [start(&one, &skies[0]), start(&two, &skies[1])];
        let mut dice = super::laws::Dice(seed);
        for step in 0..30 {
            let who = usize::from(dice.roll(2) == 0);
            let replica = if who == 0 { &one } else { &two };
            let weather = match dice.roll(9) {
                0 | 1 => Weather::Fine,
                n => faults[usize::try_from(n - 2).unwrap()],
            };
            skies[who].set(weather);
            replica.put("notes", &format!("{}", dice.roll(20)), &json!({ "x": step })).await.unwrap();
            sleep(Duration::from_millis(dice.roll(40_000))).await;
        }
        skies.iter().for_each(|sky| sky.set(Weather::Fine));
        sleep(HEALED_WITHIN).await;
        // A conflict that the last push made is fetched by the others a moment later.
        world.assert_converged(&[&one, &two]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_is_heard_although_the_request_that_waits_for_it_was_lost() {
    let world = World::new().await;
    let (one, two) = (open(&world).await, open(&world).await);
    let skies = [sky(&world), sky(&world)];
    let _tasks = [start(&one, &skies[0]), start(&two, &skies[1])];
    sleep(Duration::from_secs(19)).await;
    skies[1].set(Weather::Lost);
    sleep(Duration::from_secs(2)).await;
    skies[1].set(Weather::Fine);
    one.put("notes", "a", &1).await.unwrap();
    assert!(until(&two, "a").await < HEALED_WITHIN);
}

#[tokio::test(start_paused = true)]
async fn a_push_whose_answer_is_lost_is_asked_again_and_counts_once() {
    let world = World::new().await;
    let (one, sky) = (open(&world).await, sky(&world));
    let _task = start(&one, &sky);
    sleep(Duration::from_secs(5)).await;
    sky.set(Weather::AnswersLost);
    one.put("notes", "a", &1).await.unwrap();
    sleep(Duration::from_secs(5)).await;
    sky.set(Weather::Fine);
    sleep(Duration::from_secs(9)).await;
    assert!(!one.has_unsent().await.unwrap(), "within the same sync");
    assert_eq!(sky.n_pushes.load(Ordering::SeqCst), 2);
    world.assert_converged(&[&one]).await;
}

#[tokio::test(start_paused = true)]
async fn what_the_server_asks_to_wait_is_waited_although_it_is_long() {
    let world = World::new().await;
    let (one, sky) = (open(&world).await, sky(&world));
    sky.set(Weather::Busy(Duration::from_secs(120)));
    let _task = start(&one, &sky);
    one.put("notes", "a", &1).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    let n_before = sky.n_requests();
    let SyncState::Offline { retry_at: Some(_), why: ErrorKind::Overloaded } = one.sync_state() else {
        panic!("{:?}", one.sync_state())
    };
    sky.set(Weather::Fine);
    sleep(Duration::from_secs(115)).await;
    assert_eq!(sky.n_requests(), n_before);
    sleep(Duration::from_secs(10)).await;
    world.assert_converged(&[&one]).await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_hold_requests_is_asked_at_intervals() {
    let world = World::new().await;
    let (one, two) = (open(&world).await, open(&world).await);
    let skies = [sky(&world), sky(&world)];
    skies[1].set(Weather::Unheld);
    let _tasks = [start(&one, &skies[0]), start(&two, &skies[1])];
    sleep(Duration::from_secs(120)).await;
    let n_before = skies[1].n_requests();
    sleep(Duration::from_secs(600)).await;
    let n = skies[1].n_requests() - n_before;
    assert!((30..=60).contains(&n), "{n} requests in ten minutes");
    one.put("notes", "a", &1).await.unwrap();
    assert!(until(&two, "a").await < Duration::from_secs(21));
    two.put("notes", "b", &1).await.unwrap();
    assert!(until(&one, "b").await < Duration::from_secs(1), "own edits do not wait for the interval");
}

#[tokio::test(start_paused = true)]
async fn a_refused_sign_in_is_left_alone_until_someone_wakes_it() {
    let world = World::new().await;
    let (one, sky) = (open(&world).await, sky(&world));
    let _task = start(&one, &sky);
    sleep(Duration::from_secs(5)).await;
    sky.set(Weather::Failing(ErrorKind::Unauthorized));
    one.put("notes", "a", &1).await.unwrap();
    sleep(Duration::from_secs(5)).await;
    assert_eq!(one.sync_state(), SyncState::NeedsSignIn);
    let n_before = sky.n_requests();
    for n in 0..10 {
        one.put("notes", &n.to_string(), &1).await.unwrap();
        sleep(Duration::from_secs(5)).await;
    }
    assert_eq!(sky.n_requests(), n_before, "edits change nothing about it");
    sky.set(Weather::Fine);
    one.wake();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(one.sync_state(), SyncState::Idle);
    world.assert_converged(&[&one]).await;
    // Someone else may have signed in: it notices by itself, later.
    sky.set(Weather::Failing(ErrorKind::Unauthorized));
    one.put("notes", "b", &1).await.unwrap();
    sleep(Duration::from_secs(5)).await;
    sky.set(Weather::Fine);
    sleep(Duration::from_secs(65)).await;
    world.assert_converged(&[&one]).await;
}

#[tokio::test(start_paused = true)]
async fn a_space_that_cannot_be_found_costs_nothing_and_is_tried_slowly() {
    let world = World::new().await;
    let (one, sky) = (open(&world).await, sky(&world));
    let _task = start(&one, &sky);
    one.put("notes", "a", &1).await.unwrap();
    sleep(Duration::from_secs(5)).await;
    for kind in [ErrorKind::NotFound, ErrorKind::Forbidden] {
        sky.set(Weather::Failing(kind));
        one.put("notes", &format!("{kind:?}"), &2).await.unwrap();
        sleep(Duration::from_secs(5)).await;
        assert_eq!(one.sync_state(), SyncState::NoAccess);
        let n_before = sky.n_requests();
        sleep(Duration::from_secs(600)).await;
        assert!(sky.n_requests() - n_before <= 2 * 11);
        assert_eq!(value(&one, "a").await, Some(json!(1)));
        assert!(one.has_unsent().await.unwrap());
        sky.set(Weather::Fine);
        sleep(Duration::from_secs(70)).await;
        world.assert_converged(&[&one]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_may_only_read_still_hears_what_others_do() {
    let world = World::new().await;
    let (one, two) = (open(&world).await, open(&world).await);
    let skies = [sky(&world), sky(&world)];
    skies[1].set(Weather::ReadOnly);
    let _tasks = [start(&one, &skies[0]), start(&two, &skies[1])];
    two.put("notes", "mine", &1).await.unwrap();
    sleep(Duration::from_secs(10)).await;
    assert_eq!(two.sync_state(), SyncState::ReadOnly);
    one.put("notes", "theirs", &1).await.unwrap();
    assert!(until(&two, "theirs").await < Duration::from_secs(1));
    assert_eq!(two.sync_state(), SyncState::ReadOnly);
    let n_before = skies[1].n_pushes.load(Ordering::SeqCst);
    sleep(Duration::from_secs(600)).await;
    assert!(skies[1].n_pushes.load(Ordering::SeqCst) - n_before <= 11, "it is tried, but slowly");
    skies[1].set(Weather::Fine);
    sleep(Duration::from_secs(90)).await;
    assert_eq!(two.sync_state(), SyncState::Idle);
    world.assert_converged(&[&one, &two]).await;
}

#[tokio::test(start_paused = true)]
async fn it_ends_only_when_a_person_is_needed() {
    let world = World::new().await;
    for kind in [ErrorKind::Corrupt, ErrorKind::Incompatible] {
        let (one, sky) = (open(&world).await, sky(&world));
        let task = start(&one, &sky);
        sleep(Duration::from_secs(5)).await;
        sky.set(Weather::Failing(kind));
        let error = timeout(Duration::from_secs(60), task).await.unwrap().unwrap();
        assert_eq!((error.kind(), one.sync_state()), (kind, SyncState::Stopped { why: kind }));
    }
    let store = MemoryStore::default();
    let (one, sky) = (open_on(&world, &store).await, sky(&world));
    let task = start(&one, &sky);
    sleep(Duration::from_secs(5)).await;
    let lost = crate::store::CommitWrite {
        purges: vec![crate::replica::local::row::row_key("$state", "replica")],
        ..Default::default()
    };
    let live = one.0.place.space(crate::replica::local::place::Side::Live).clone();
    let mut txn = store.begin(&live, Mode::Write).await.unwrap();
    txn.apply(&lost).await.unwrap();
    txn.commit().await.unwrap();
    let error = timeout(Duration::from_secs(60), task).await.unwrap().unwrap();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_does_not_run_any_more_does_not_say_when_it_tries_again() {
    let world = World::new().await;
    let (one, sky) = (open(&world).await, sky(&world));
    sky.set(Weather::Failing(ErrorKind::Unavailable));
    let task = start(&one, &sky);
    sleep(Duration::from_secs(60)).await;
    assert!(matches!(one.sync_state(), SyncState::Offline { retry_at: Some(_), .. }));
    task.abort();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(one.sync_state(), SyncState::Offline { retry_at: None, why: ErrorKind::Unavailable });
    let n_before = sky.n_requests();
    sleep(Duration::from_secs(600)).await;
    assert_eq!(sky.n_requests(), n_before);
}

#[tokio::test(start_paused = true)]
async fn an_app_may_sync_beside_a_replica_that_runs() {
    let world = World::new().await;
    let (one, two, sky) = (open(&world).await, open(&world).await, sky(&world));
    let _tasks = [start(&one, &sky), start(&two, &sky)];
    for n in 0..50 {
        one.put("notes", &n.to_string(), &n).await.unwrap();
        two.put("notes", &format!("two{n}"), &n).await.unwrap();
        one.sync(&*sky).await.unwrap();
        two.sync(&*sky).await.unwrap();
        sleep(Duration::from_millis(150)).await;
    }
    sleep(Duration::from_secs(2)).await;
    world.assert_converged(&[&one, &two]).await;
}
