//! Writers at all processes commit to one space at the same time, and readers at each page while they do.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use serde_json::json;

use crate::site::Site;
use crate::support::reader::Reader;
use crate::support::server::{Account, World};

const N_SERVERS: usize = 3;
/// Writers at each server, and the batches of each.
const WRITERS: usize = 3;
const BATCHES: usize = 40;
/// Every so many batches there is a large one, which takes so long that others commit before it and after it.
const LARGE_EVERY: usize = 10;
const LARGE: usize = 300;

/// Pushes records that nobody ever changes, so that a reader who skips one never sees it. Says how many.
fn write(world: &World, account: &Account, writer: &str) -> usize {
    let mut http = world.http(account);
    let sizes = (1..=BATCHES).map(|batch| if batch % LARGE_EVERY == 0 { LARGE } else { 1 });
    let n_written = sizes.enumerate().map(|(batch, n)| {
        let put =
            |idx| json!({"op": "put", "collection": writer, "id": format!("{batch}-{idx}"), "data": idx});
        let body = json!({"mutations": (0..n).map(put).collect::<Vec<_>>()}).to_string();
        http.post(&account.path("changes"), &body).unwrap().ok();
        n
    });
    n_written.sum()
}

/// Pulls all the time, until all is written and read.
fn read(world: &World, account: &Account, is_written: &AtomicBool) -> Reader {
    let mut reader = Reader::new(world, account, 50, 0);
    while !is_written.load(Relaxed) {
        reader.step();
    }
    reader.finish();
    reader
}

#[test]
fn no_reader_skips_a_commit_of_any_process_and_all_see_the_same_order() {
    let Some(site) = Site::start(N_SERVERS) else { return };
    let ada = site.world.register("ada");
    let worlds: Vec<World> = (0..N_SERVERS).map(|n| site.world.only(n)).collect();
    let is_written = AtomicBool::new(false);
    let (ada, worlds, is_written) = (&ada, &worlds, &is_written);
    std::thread::scope(|scope| {
        let readers: Vec<_> =
            worlds.iter().map(|world| scope.spawn(move || read(world, ada, is_written))).collect();
        let writers: Vec<_> = (0..WRITERS * N_SERVERS)
            .map(|n| scope.spawn(move || write(&worlds[n % N_SERVERS], ada, &format!("writer-{n}"))))
            .collect();
        let written: Vec<_> = writers.into_iter().map(|writer| writer.join()).collect();
        // Also when a writer has failed: the readers wait for it.
        is_written.store(true, Relaxed);
        let n_written: usize = written.into_iter().map(|written| written.unwrap()).sum();
        let readers: Vec<Reader> = readers.into_iter().map(|reader| reader.join().unwrap()).collect();
        let pages: Vec<_> = readers.iter().map(|reader| reader.n_pages).collect();
        println!("race: {n_written} written, {:?} pages", pages);
        for reader in &readers {
            // That each reader saw versions ascend is checked as it reads (I5), so the same versions are the same order.
            assert_eq!(reader.view.0.len(), n_written, "I3: changes were skipped");
            reader.view.assert_is(&readers[0].view, "I5: another order");
        }
        let in_order: BTreeMap<i64, _> =
            readers[0].view.0.iter().map(|(key, seen)| (seen.version, key)).collect();
        assert_eq!(in_order.len(), n_written, "I5: a version was used twice");
    });
    site.stop();
}
