//! T1: the number of a change is taken before its commit, so a later number is visible first. Readers see a head above
//! rows that are not there yet, and their cursors pass them for ever.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use sync_core::simulator::{Hooks, Invariant, Process, Scenario};
use sync_core::store::{CommitWrite, Page};
use sync_core::{RecordKey, Version};

use super::caught_as;
use super::front::{Bend, Bent};

/// How long rows stay invisible after their head.
const LAG: Duration = Duration::from_millis(20);

/// Rows that were written a moment ago are not in the feed yet.
#[derive(Debug)]
struct RowsAfterHead {
    process: Process,
    fresh: Arc<Mutex<Vec<(RecordKey, Version, Duration)>>>,
}

impl Bend for RowsAfterHead {
    fn feed(&self, mut page: Page) -> Page {
        let now = self.process.elapsed();
        let fresh = self.fresh.lock().unwrap();
        let is_visible = |key: &RecordKey, version: Version| {
            !fresh.iter().any(|(of, at, written)| of == key && *at == version && now < *written + LAG)
        };
        page.records.retain(|record| is_visible(&record.key, record.meta.version));
        page
    }

    fn apply(&self, write: CommitWrite) -> CommitWrite {
        let now = self.process.elapsed();
        let rows = write.records.iter().map(|record| (record.key.clone(), record.meta.version, now));
        self.fresh.lock().unwrap().extend(rows);
        write
    }
}

#[test]
fn rows_that_become_visible_after_their_head_are_caught() {
    // Whichever process reads them: the rows are in one database.
    let fresh = Arc::new(Mutex::new(Vec::new()));
    let hooks = Hooks::default().server_store(move |store, place| {
        let bend = RowsAfterHead { process: place.process.clone(), fresh: Arc::clone(&fresh) };
        Arc::new(Bent { store, bend: Arc::new(bend) })
    });
    let scenario = Scenario::small().with_hooks(hooks);
    caught_as("T1", 10, &scenario, &[Invariant::Gapless, Invariant::Convergent, Invariant::Monotone]);
}
