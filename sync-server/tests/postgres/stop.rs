//! SIGTERM on Postgres: what is in flight is answered, and no connection stays behind.

use std::thread::sleep;
use std::time::{Duration, Instant};

use postgres_testing::Cluster;

use crate::line::Line;
use crate::site::{Session, Site};
use crate::support::crowd::account;
use crate::support::in_flight::{ARRIVED, END_MAX, all_answered_at_stop, fill, small_push};

/// How long Postgres may take to notice that a connection was closed.
const GONE_WITHIN: Duration = Duration::from_secs(2);

#[track_caller]
fn assert_no_connections(site: &Site) {
    let begun = Instant::now();
    while site.n_connections() > 0 {
        assert!(begun.elapsed() < GONE_WITHIN, "connections are left behind");
    }
}

#[test]
fn everything_in_flight_is_answered_before_the_end() {
    let Some(mut site) = Site::start(1) else { return };
    let (ada, bob) = (account(&site.world, "ada"), account(&site.world, "bob"));
    fill(&site.world, &ada);
    all_answered_at_stop(&site.world, site.processes.remove(0), &ada, &bob);
    assert_no_connections(&site);
    site.processes.push(site.world.start());
    site.world.http(&ada).get(&ada.path("records/small/0")).unwrap().ok();
    site.stop();
}

#[test]
fn a_push_that_waits_for_a_lock_is_answered_before_the_end() {
    for (is_released, status) in [(true, 200), (false, 503)] {
        let Some(mut site) = Site::start(1) else { return };
        let ada = account(&site.world, "ada");
        let mut foreign = Session::open(&site.cluster.url());
        foreign.ask("BEGIN; SELECT space FROM sync.spaces FOR UPDATE");
        let mut pushing = site.world.http(&ada);
        let body = small_push(0);
        pushing.send_head("POST", &ada.path("changes"), body.len(), "").unwrap();
        pushing.send_body(&body).unwrap();
        sleep(ARRIVED);
        let mut server = site.processes.remove(0);
        server.terminate();
        let begun = Instant::now();
        if is_released {
            foreign.ask("ROLLBACK");
        }
        let answer = pushing.answer().unwrap();
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(
            server.ended(END_MAX.saturating_sub(begun.elapsed())).code(),
            Some(0),
            "{}",
            site.world.log()
        );
        // Also while the lock is still held: nobody waits for it any more.
        assert_no_connections(&site);
    }
}

#[test]
fn a_database_that_has_fallen_silent_cannot_hold_the_end() {
    let Some(cluster) = Cluster::start(&[]) else { return };
    let line = Line::to(cluster.socket_dir());
    let mut site = Site::on(cluster, &format!("postgres://postgres@{}/postgres", line.address), 1);
    let ada = account(&site.world, "ada");
    line.fall_silent();
    let mut pulling = site.world.http(&ada);
    pulling.send_head("GET", &ada.path("changes"), 0, "").unwrap();
    sleep(ARRIVED);
    let mut server = site.processes.remove(0);
    server.terminate();
    // Orchestrators wait that long; a machine that stalls is forgiven twice as much.
    assert_eq!(server.ended(END_MAX * 2).code(), Some(0), "{}", site.world.log());
}
