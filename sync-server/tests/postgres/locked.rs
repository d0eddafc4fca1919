//! Someone else holds the row of a space, as a person with `psql` may.

use std::time::{Duration, Instant};

use crate::site::{Session, Site};
use crate::support::in_flight::small_push;

/// How long a refusal may take: 5 s for the turn to wait, 5 s for the lock, and as long for the push that was first.
const REFUSED_WITHIN: Duration = Duration::from_secs(30);

#[test]
fn a_space_that_someone_else_locks_refuses_pushes_and_nothing_else() {
    let Some(site) = Site::start(2) else { return };
    let [ada, bob] = ["ada", "bob"].map(|name| site.world.register(name));
    let mut foreign = Session::open(&site.cluster.url());
    foreign.ask(&format!("BEGIN; SELECT space FROM sync.spaces WHERE space = '{}' FOR UPDATE", ada.space));
    let begun = Instant::now();
    std::thread::scope(|scope| {
        // More than there are connections: who waits for the same lock must not take what others need.
        let pushes: Vec<_> = (0..40)
            .map(|n| {
                let (mut http, ada) = (site.world.only(n % 2).http(&ada), &ada);
                scope.spawn(move || http.post(&ada.path("changes"), &small_push(n)).unwrap())
            })
            .collect();
        for n in 0..2 {
            let world = site.world.only(n);
            world.http(&ada).get(&ada.path("changes")).unwrap().ok();
            world.http(&ada).get(&ada.path("status")).unwrap().ok();
            world.http(&bob).post(&bob.path("changes"), &small_push(n)).unwrap().ok();
            world.http(&bob).get("/ready").unwrap().ok();
        }
        assert!(pushes.iter().all(|push| !push.is_finished()), "the others should not wait for the lock");
        for push in pushes {
            let answer = push.join().unwrap();
            assert_eq!((answer.status, answer.code().as_str()), (503, "overloaded"), "{answer:?}");
        }
    });
    println!("locked: refused after {:?}", begun.elapsed());
    assert!(begun.elapsed() < REFUSED_WITHIN, "refused only after {:?}", begun.elapsed());
    foreign.ask("ROLLBACK");
    site.world.http(&ada).post(&ada.path("changes"), &small_push(0)).unwrap().ok();
    site.stop();
}
