//! I12: whatever call to the store fails, and however, nothing is acknowledged that did not happen, and retries lead to
//! exactly what would have happened without the fault.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use sync_core::merge::diff;
use sync_core::protocol::{PullReply, PullRequest, PushReply, PushRequest};
use sync_core::store::{Fault, FaultyStore, MemoryStore};
use sync_core::{CursorToken, Error, ErrorKind, Mutation, Outcome, Record, Seq};

use crate::world::{World, actor, batch, batch_of, create, key, limits, put};

const FAULTS: [Fault; 9] = [
    Fault::Error(ErrorKind::Contended),
    Fault::Error(ErrorKind::Overloaded),
    Fault::Error(ErrorKind::Unavailable),
    Fault::Error(ErrorKind::StorageFull),
    Fault::Error(ErrorKind::Corrupt),
    Fault::Error(ErrorKind::Invalid),
    Fault::Error(ErrorKind::Internal),
    Fault::AnswerLost,
    Fault::Panic,
];

/// What is left in the end: content, revision and version of each record, and the log.
#[derive(Debug, PartialEq)]
struct End {
    records: BTreeMap<String, (Option<Value>, i64, Seq)>,
    n_conflicts: usize,
    log: Vec<String>,
}

struct Script {
    /// Speaks to the store that fails.
    world: World,
    /// Speaks to the store behind it.
    truth: World,
    n_failures: usize,
    cursor: Option<CursorToken>,
    copy: BTreeMap<String, Option<Value>>,
}

impl Script {
    /// Does something until it works; one fault was planted, so it works the second time at the latest.
    async fn insist<T, F: Future<Output = Result<T, Error>>>(&mut self, mut attempt: impl FnMut() -> F) -> T {
        loop {
            match attempt().await {
                Ok(value) => return value,
                Err(error) => {
                    self.n_failures += 1;
                    assert_eq!(self.n_failures, 1, "{error}");
                }
            }
        }
    }

    async fn push(&mut self, push: PushRequest) -> Vec<Outcome> {
        let push = PushRequest { after: self.cursor.clone(), ..push };
        let (service, space) = (self.world.service.clone(), self.world.space.clone());
        let reply = self
            .insist(|| {
                let (service, space, push) = (service.clone(), space.clone(), push.clone());
                async move { service.push(&actor("ada"), &space, push).await }
            })
            .await;
        let PushReply::Done(done) = reply else { panic!("{reply:?}") };
        // It was acknowledged, so it is there: a server that has nothing but the disk gives the same answer.
        let n_logged = self.log().await.len();
        let again = self.truth.done(PushRequest { after: None, ..push }).await;
        assert_eq!(again.outcomes, done.outcomes);
        assert_eq!(self.log().await.len(), n_logged);
        done.outcomes
    }

    async fn pull(&mut self) {
        loop {
            let pull = PullRequest { after: self.cursor.clone(), limit: Some(2), ..PullRequest::default() };
            let (service, space) = (self.world.service.clone(), self.world.space.clone());
            let reply = self
                .insist(|| {
                    let (service, space, pull) = (service.clone(), space.clone(), pull.clone());
                    async move { service.pull(&actor("ada"), &space, pull).await }
                })
                .await;
            let PullReply::Page(page) = reply else { panic!("{reply:?}") };
            for record in page.changes {
                self.copy.insert(record.key.to_string(), record.data.map(|data| data.to_value()));
            }
            self.cursor = Some(page.cursor);
            if !page.has_more {
                return;
            }
        }
    }

    async fn log(&self) -> Vec<String> {
        let log = self.truth.service.log(&actor("ada"), &self.truth.space, None, None).await.unwrap();
        log.iter().map(|entry| format!("{} {:?} {}", entry.entry, entry.client, entry.n_mutations)).collect()
    }

    async fn play(mut self) -> End {
        let one = json!({"a": 1, "b": 1});
        let outcomes = self.push(batch(1, vec![create("r", one.clone()), create("s", json!(1))])).await;
        let [old, s] = [0, 1].map(|idx: usize| outcomes[idx].version().unwrap());
        self.pull().await;
        let patch = |value| diff(Some(&one), &value);
        let mine = Mutation::patch(key("r"), patch(json!({"a": 2, "b": 1}))).based_on(old);
        self.push(batch_of(2, 1, vec![mine, create("t", json!(1))])).await;
        let theirs = Mutation::patch(key("r"), patch(json!({"a": 3, "b": 1}))).based_on(old);
        let joined = Mutation::patch(key("r"), patch(json!({"a": 1, "b": 9}))).based_on(old);
        let doomed = put("t", json!(2)).based_on(Seq::MAX).in_group("g");
        let grouped = vec![create("never", json!(1)).in_group("g"), doomed];
        let outcomes = self.push(batch(3, [vec![theirs, joined], grouped].concat())).await;
        let words: Vec<_> = outcomes.iter().map(Outcome::as_str).collect();
        assert_eq!(words, ["conflict", "merged", "superseded", "rejected"]);
        self.finish(s, outcomes).await
    }

    async fn finish(mut self, s: Seq, outcomes: Vec<Outcome>) -> End {
        let (Outcome::Conflict { id, .. }, Some(seen)) = (&outcomes[0], outcomes[1].version()) else {
            panic!()
        };
        self.pull().await;
        let settled = put("r", json!({"a": 4})).based_on(seen).resolving(id.clone());
        self.push(batch(7, vec![settled, Mutation::delete(key("s")).based_on(s)])).await;
        let (service, space) = (self.world.service.clone(), self.world.space.clone());
        self.pull().await;
        self.insist(|| {
            let (service, space) = (service.clone(), space.clone());
            async move { service.snapshot(&actor("ada"), &space, &Default::default()).await }
        })
        .await;
        self.world.clock.advance(Duration::from_secs(40 * 24 * 3600));
        self.insist(|| {
            let (service, space) = (service.clone(), space.clone());
            async move { service.collect(&space, false).await }
        })
        .await;
        self.push(batch(9, vec![create("last", json!(1))])).await;
        self.end().await
    }

    async fn end(mut self) -> End {
        self.pull().await;
        let state = self.truth.state().await;
        let content = |record: &Record| record.data.as_ref().map(|data| data.to_value());
        let living = |record: &&Record| !record.is_deleted();
        let stored = state.values().filter(living).map(|record| (record.key.to_string(), content(record)));
        self.copy.retain(|_, value| value.is_some());
        assert_eq!(self.copy, stored.collect());
        let notes = state.into_values().filter(|record| !record.key.collection.is_system());
        let records = notes.map(|record| {
            (record.key.id.to_string(), (content(&record), record.meta.revision, record.meta.version))
        });
        let conflicts =
            self.truth.service.conflicts(&actor("ada"), &self.truth.space, None, true).await.unwrap();
        End { records: records.collect(), n_conflicts: conflicts.0.len(), log: self.log().await }
    }
}

async fn run(fault: Option<(u64, Fault)>) -> (End, u64) {
    let store = MemoryStore::default();
    let front = FaultyStore::new(Arc::new(store.clone()));
    let small = limits(|limits| (limits.attempts_max, limits.collect_max) = (1, 2));
    let truth = World::over(store.clone(), Arc::new(store.clone()), |builder| builder);
    truth.service.create_space(&truth.space).await.unwrap();
    let world = World::over(store, Arc::new(front.clone()), |builder| builder.limits(small));
    if let Some((n, fault)) = fault {
        front.fail_at(n, fault);
    }
    let script = Script { world, truth, n_failures: 0, cursor: None, copy: BTreeMap::new() };
    let end = script.play().await;
    (end, front.n_calls())
}

#[tokio::test]
async fn every_call_may_fail_in_every_way_and_retries_lead_to_the_same_end() {
    let (expected, n_calls) = run(None).await;
    assert!(n_calls > 50, "{n_calls}");
    assert_eq!(expected.n_conflicts, 0);
    for n in 1..=n_calls {
        for fault in FAULTS {
            let (end, _) = run(Some((n, fault))).await;
            assert_eq!(end, expected, "{fault:?} at call {n}");
        }
    }
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_reported_as_unknown() {
    let store = MemoryStore::default();
    let front = FaultyStore::new(Arc::new(store.clone()));
    let world = World::over(store, Arc::new(front.clone()), |builder| builder);
    world.service.create_space(&world.space).await.unwrap();
    front.fail_at(front.n_calls() + 5, Fault::AnswerLost);
    let push = batch(1, vec![create("a", json!(1))]);
    let error = world.service.push(&actor("ada"), &world.space, push.clone()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(world.value("a").await, Some(json!(1)), "the fault was not planted at the commit");
    assert_eq!(world.done(push).await.outcomes[0].as_str(), "applied");
    assert_eq!(world.state().await.values().next().unwrap().meta.revision, 1);
}
