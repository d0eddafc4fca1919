//! What is committed through one process reaches those who wait at the others.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::site::Site;
use crate::support::crowd::account;
use crate::support::in_flight::{ARRIVED, long_poll, small_push};
use crate::support::server::{Account, World};

/// Commits whose way is timed.
const ROUNDS: usize = 15;
/// How long a hint may take, in the middle of all. Looking once a second takes twice as long; a hint a few milliseconds.
const HINT_MAX: Duration = Duration::from_millis(250);
/// How long it may take without hints: they look once a second, and machines stall.
const LOOK_MAX: Duration = Duration::from_secs(5);

/// Commits at the first server while someone waits at each, and says how long the others took to tell. `meanwhile` is
/// what happens before the commit and after it.
fn times(world: &World, account: &Account, id: usize, meanwhile: impl Fn()) -> Vec<Duration> {
    let mut waiting: Vec<_> =
        (0..world.addresses.len()).map(|n| long_poll(&world.only(n), account)).collect();
    sleep(ARRIVED);
    meanwhile();
    let begun = Instant::now();
    world.only(0).http(account).post(&account.path("changes"), &small_push(id)).unwrap().ok();
    meanwhile();
    let times = waiting.iter_mut().map(|http| {
        let page = http.answer().unwrap().ok();
        assert_eq!(page["changes"][0]["id"], id.to_string(), "{page}");
        begun.elapsed()
    });
    times.skip(1).collect()
}

#[test]
fn a_commit_is_told_to_who_waits_at_any_process() {
    let Some(site) = Site::start(3) else { return };
    let ada = account(&site.world, "ada");
    let mut times: Vec<_> = (0..ROUNDS).flat_map(|id| times(&site.world, &ada, id, || ())).collect();
    times.sort_unstable();
    println!("hints took {times:?}");
    assert!(times[times.len() / 2] < HINT_MAX, "commits are found, not told: {times:?}");
    site.stop();
}

#[test]
fn a_commit_is_found_by_who_waits_at_a_process_that_hears_nothing() {
    // Behind a pooler a process does not listen at all.
    let Some(site) = Site::with(&[], "&pooler=transaction", 2) else { return };
    let ada = account(&site.world, "ada");
    assert_eq!(site.cut_listeners(), 0);
    for id in 0..3 {
        let times = times(&site.world, &ada, id, || ());
        println!("looking took {times:?}");
        assert!(times.iter().all(|time| *time < LOOK_MAX), "{times:?}");
    }
    site.stop();
}

#[test]
fn a_commit_is_found_by_who_waits_when_the_listeners_are_cut() {
    let Some(site) = Site::start(3) else { return };
    let ada = account(&site.world, "ada");
    for id in 0..3 {
        let times = times(&site.world, &ada, id, || println!("live: cut {}", site.cut_listeners()));
        println!("with listeners cut it took {times:?}");
        assert!(times.iter().all(|time| *time < LOOK_MAX), "{times:?}");
    }
    // They listen again.
    let listens =
        || site.sql("SELECT count(*)::text FROM pg_stat_activity WHERE query LIKE 'LISTEN %'").unwrap();
    let begun = Instant::now();
    while listens() != "3" {
        assert!(begun.elapsed() < Duration::from_secs(30), "nobody listens any more");
    }
    site.stop();
}
