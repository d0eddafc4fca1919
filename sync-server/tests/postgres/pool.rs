//! More requests than connections: some wait, some are told to come back, and none hangs.

use std::time::{Duration, Instant};

use crate::site::{Session, Site};
use crate::support::http::Answer;
use crate::support::in_flight::small_push;
use crate::support::server::{Account, World};

/// Requests at the same time, for each of which there is a client.
const N_REQUESTS: usize = 200;
/// How long an answer may take: a request waits for a connection up to 5 s, at most twice, and machines stall.
const ANSWERED_WITHIN: Duration = Duration::from_secs(30);

/// Pushes and pulls at once; says how many were told to come back.
fn rush(world: &World, account: &Account) -> usize {
    let begun = Instant::now();
    let ask = |n: usize| -> Answer {
        let (mut http, path) = (world.http(account), account.path("changes"));
        let answer = if n.is_multiple_of(2) { http.post(&path, &small_push(n)) } else { http.get(&path) };
        answer.unwrap()
    };
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..N_REQUESTS).map(|n| scope.spawn(move || ask(n))).collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    assert!(begun.elapsed() < ANSWERED_WITHIN, "answered only after {:?}", begun.elapsed());
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status != 200).collect();
    for answer in &refused {
        assert_eq!((answer.status, answer.code().as_str()), (503, "overloaded"), "{answer:?}");
    }
    println!("pool: {} of {N_REQUESTS} refused, after {:?}", refused.len(), begun.elapsed());
    refused.len()
}

#[test]
fn more_requests_than_connections_are_answered_or_told_to_come_back() {
    let Some(site) = Site::with(&[], "&connections=2", 1) else { return };
    let [ada, bob, eve] = ["ada", "bob", "eve"].map(|name| site.world.register(name));
    rush(&site.world, &ada);
    let n_connections = site.n_connections();
    assert!(n_connections <= 7, "{n_connections} connections, four of them for accounts and one to listen");

    // Pushes to spaces that someone else holds keep both connections.
    let mut foreign = Session::open(&site.cluster.url());
    foreign.ask("BEGIN; SELECT space FROM sync.spaces FOR UPDATE");
    std::thread::scope(|scope| {
        for account in [&bob, &eve] {
            let mut http = site.world.http(account);
            scope.spawn(move || {
                let answer = http.post(&account.path("changes"), &small_push(0)).unwrap();
                assert_eq!((answer.status, answer.code().as_str()), (503, "overloaded"), "{answer:?}");
            });
        }
        assert!(rush(&site.world, &ada) > 0, "there should be too few connections");
    });
    foreign.ask("ROLLBACK");
    for account in [&ada, &bob, &eve] {
        let mut http = site.world.http(account);
        http.post(&account.path("changes"), &small_push(0)).unwrap().ok();
        http.get(&account.path("changes")).unwrap().ok();
    }
    site.stop();
}
