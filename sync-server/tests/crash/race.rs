//! Readers that page while writers commit: no position may ever pass a change that is not yet visible.

use std::thread::sleep;
use std::time::Duration;

use serde_json::json;

use crate::support::crowd::{Crowd, account};
use crate::support::rng::Rng;
use crate::support::server::{Layout, World};

/// Rounds with a batch that takes long.
const ROUNDS: usize = 4;

#[test]
fn readers_never_skip_a_change_of_a_slow_batch() {
    let mut rng = Rng::seeded("race");
    let world = World::new(Layout::OneFile);
    let server = world.start();
    let ada = account(&world, "ada");
    let crowd = Crowd::new(&world, &ada, (8, 4), &mut rng);
    let mut slow = world.http(&ada);
    for round in 0..ROUNDS {
        // While this is parsed, staged and written, the others commit before it and after it.
        let put = |idx| json!({"op": "put", "collection": "slow", "id": format!("{round}-{idx}"), "data": "x".repeat(4000)});
        let body = json!({"mutations": (0..1000).map(put).collect::<Vec<_>>()}).to_string();
        slow.post(&ada.path("changes"), &body).unwrap().ok();
        sleep(Duration::from_millis(20));
    }
    let (counts, n_pages) = crowd.finish(&world);
    println!("race: {counts:?}, {n_pages} pages");
    assert_eq!(counts.unanswered + counts.refused(), 0, "{counts:?}");
    server.stop();
    world.check_files(&[ada]);
}
