//! Random commits: something of everything that a commit may write.

use std::collections::{BTreeMap, BTreeSet};

use crate::clock::Timestamp;
use crate::conformance::differential::content::{any_client, any_key, content};
use crate::conformance::differential::script::Drawing;
use crate::conformance::model::any_op;
use crate::conformance::{Change, actor, client_state, log_entry, stamp_at};
use crate::error::Result;
use crate::store::{ClientState, CommitInfo, CommitWrite, LogEntry, LogOutcome};
use crate::types::{Record, RecordKey, Seq, Tag};

/// Seqs between a commit and the last one: mostly none. Thirty of the largest use up a space.
const GAPS: [i64; 8] = [0, 0, 0, 0, 1, 7, 1_000_000, 1 << 48];
/// Records in the largest commits: more than most statements are prepared for.
const MANY_CHANGES: usize = 60;

impl Drawing<'_> {
    /// Something of everything a commit may write; `None` when there is no room left in the range of seqs.
    pub(super) async fn write(&mut self) -> Result<Option<CommitWrite>> {
        let changes = self.changes();
        let first = Seq::new(self.head.head.get() + 1 + self.dice.of(&GAPS));
        let Some(first) = first.ok().filter(|first| first.checked_add(changes.len()).is_some()) else {
            return Ok(None);
        };
        let mut write = if changes.is_empty() {
            CommitWrite::default()
        } else {
            stamp_at(&mut *self.txn, first, changes.into_values()).await?
        };
        write.records.iter_mut().for_each(|record| self.vary(record));
        let is_written = |key: &RecordKey| write.records.iter().any(|record| record.key == *key);
        let purges = (0..self.dice.below(3) * self.dice.below(2)).map(|_| any_key(self.dice));
        write.purges = purges.filter(|key| !is_written(key)).collect();
        self.split(&mut write);
        write.clients = self.clients();
        let head = write.records.last().map_or(self.head.head, |record| record.meta.version);
        write.log =
            (1..).take(self.dice.below(3)).map(|n| self.log_entry(self.head.log_head + n, head)).collect();
        Ok(Some(write))
    }

    /// Makes two commits of one, as when history is copied.
    fn split(&self, write: &mut CommitWrite) {
        let ([one], [first, _, ..]) = (write.commits.as_slice(), write.records.as_slice()) else { return };
        let end = first.meta.version;
        if let (true, Some(next)) = (self.dice.one_in(4), end.checked_add(1)) {
            let earlier = CommitInfo { last: end, tag: Tag::from_bytes([7; 16]), ..*one };
            write.commits = vec![earlier, CommitInfo { first: next, ..*one }];
        }
    }

    fn changes(&self) -> BTreeMap<RecordKey, Change> {
        let dice = self.dice;
        let n = if dice.one_in(100) { MANY_CHANGES } else { dice.below(6) };
        let changes = (0..n).map(|_| {
            let data = (!dice.one_in(4)).then(|| content(dice));
            let key = any_key(dice);
            // In a tree there is nothing but ops.
            if key.collection.is_tree() { any_op(dice) } else { Change { key, data } }
        });
        changes.map(|change| (change.key.clone(), change)).collect()
    }

    /// Gives a record a past of its own.
    fn vary(&self, record: &mut Record) {
        let meta = &mut record.meta;
        meta.revision += i64::try_from(self.dice.below(3)).unwrap_or(0) * 1_000_000_007;
        meta.edited_at = self.time();
        meta.author = actor(self.dice.word(&["anna", "Anna", "!", "a~b"]));
        meta.client = self.dice.one_in(2).then(|| any_client(self.dice));
        meta.upstream = self.position();
    }

    fn time(&self) -> Timestamp {
        let some = Timestamp::from_micros(1_700_000_000_000_000).unwrap_or_default();
        *self.dice.of(&[Timestamp::ZERO, some, Timestamp::MAX])
    }

    fn clients(&self) -> Vec<ClientState> {
        let dice = self.dice;
        let names: BTreeSet<_> = (0..dice.below(4)).map(|_| any_client(dice)).collect();
        let state = |client| ClientState {
            client,
            actor: actor(dice.word(&["anna", "Anna"])),
            batch_hash: [*dice.of(&[0, 0x7f, 0x80, 0xff]); 16],
            answer: content(dice).as_str().to_owned(),
            acked: self.position(),
            seen_at: self.time(),
            ..client_state("replica-0", *dice.of(&[1, 2, 1_000, Seq::MAX.get()]))
        };
        names.into_iter().map(state).collect()
    }

    fn log_entry(&self, entry: i64, head: Seq) -> LogEntry {
        let dice = self.dice;
        let outcome = |_| LogOutcome {
            key: any_key(dice),
            op: "put".into(),
            outcome: dice.word(&["applied", "", "\u{1e}\u{1f}\"\\ é"]).to_string(),
            version: dice.one_in(2).then_some(head),
            code: dice.one_in(2).then(|| "clock_drift".into()),
        };
        LogEntry {
            at: self.time(),
            client: dice.one_in(2).then(|| any_client(dice)),
            outcomes: (0..dice.below(4)).map(outcome).collect(),
            n_mutations: dice.below(1_000),
            ..log_entry(entry, head)
        }
    }
}
