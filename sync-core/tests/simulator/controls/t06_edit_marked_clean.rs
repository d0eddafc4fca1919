//! T6: a record is edited again while its push is in flight, and the answer marks all of it clean.

use std::sync::Arc;

use sync_core::simulator::{Hooks, Invariant, Scenario};
use sync_core::store::CommitWrite;

use super::caught_as;
use super::front::{Bend, Bent};

/// The commit that removes the batch in flight also removes what says that its records were edited meanwhile.
#[derive(Debug)]
struct MarkedClean;

impl Bend for MarkedClean {
    fn apply(&self, mut write: CommitWrite) -> CommitWrite {
        if write.purges.iter().any(|key| key.collection.as_str() == "$outbox") {
            let is_base = |name: &str| name == "$base";
            let (bases, kept) = write.records.drain(..).partition(|r| is_base(r.key.collection.as_str()));
            write.records = kept;
            let bases: Vec<sync_core::Record> = bases;
            write.purges.extend(bases.into_iter().map(|record| record.key));
        }
        write
    }
}

#[test]
fn an_edit_that_is_marked_clean_with_the_one_before_is_caught() {
    let hooks =
        Hooks::default().replica_store(|store, _place| Arc::new(Bent { store, bend: Arc::new(MarkedClean) }));
    let scenario = Scenario::small().with_hooks(hooks);
    let broken = [Invariant::Convergent, Invariant::NoSilentLoser, Invariant::ExactlyOnce, Invariant::Live];
    caught_as("T6", 20, &scenario, &broken);
}
