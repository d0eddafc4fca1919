//! Lanes: pushes that wait share a commit, and nobody suffers from who else is in it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};
use serde_json::{Value, json};
use sync_core::merge::{CollectionPolicy, PathRule, Pointer, Resolver};
use sync_core::protocol::{PushReply, PushRequest};
use sync_core::service::{Actor, Service};
use sync_core::store::{
    Call, ClientState, CommitWrite, Fault, FaultyStore, MemoryStore, Mode, Store, StoreExt, StoreTxnExt,
};
use sync_core::{
    ActorId, Error, ErrorKind, MutationNumber, Outcome, Policies, Role, Runtime, Seq, TokioRuntime,
};

use crate::world::{World, actor, batch, batch_of, client, create, json as content, key, limits, put};

/// A world behind a store that counts and fails.
async fn behind_front(lane: impl FnOnce(&mut sync_core::service::Limits)) -> (World, FaultyStore) {
    let store = MemoryStore::default();
    let front = FaultyStore::new(Arc::new(store.clone()));
    let world = World::over(store, Arc::new(front.clone()), |builder| builder.limits(limits(lane)));
    world.service.create_space(&world.space).await.unwrap();
    (world, front)
}

fn one(n: usize) -> PushRequest {
    batch_of(n, 1, vec![create(&format!("r{n}"), json!(n))])
}

async fn try_push(world: &World, push: PushRequest) -> Result<PushReply, Error> {
    answered(world.service.push(&actor("ada"), &world.space, push)).await
}

/// What a push is told; a lane that has got stuck would never tell.
async fn answered(push: impl Future<Output = Result<PushReply, Error>>) -> Result<PushReply, Error> {
    tokio::time::timeout(Duration::from_secs(60), push).await.expect("every push is answered")
}

fn is_applied(reply: &Result<PushReply, Error>) -> bool {
    matches!(reply, Ok(PushReply::Done(done)) if done.outcomes[0].as_str() == "applied")
}

#[tokio::test]
async fn pushes_that_wait_together_are_committed_together() {
    let (world, front) = behind_front(|_| {}).await;
    let answers = join_all((0..500).map(|n| try_push(&world, one(n)))).await;
    assert!(answers.iter().all(is_applied));
    assert_eq!(world.state().await.len(), 500);
    for call in [Call::BeginWrite, Call::Clients, Call::Records, Call::Apply, Call::Commit] {
        assert_eq!(front.n_calls_of(call), 1, "{call:?}");
    }
}

#[tokio::test]
async fn a_commit_is_bounded_and_the_rest_has_its_own() {
    let (world, front) = behind_front(|limits| limits.commit_mutations_max = 100).await;
    let answers = join_all((0..250).map(|n| try_push(&world, one(n)))).await;
    assert!(answers.iter().all(is_applied));
    assert_eq!(front.n_calls_of(Call::Commit), 3);
}

#[tokio::test]
async fn the_number_of_calls_does_not_depend_on_the_size_of_a_push() {
    let mut counts = Vec::new();
    for n in [1, 1000] {
        let (world, front) = behind_front(|_| {}).await;
        let after = Some(world.cursor().await);
        world.push((0..n).map(|idx| create(&format!("x{idx}"), json!(idx))).collect()).await;
        let before = front.n_calls();
        let mutations = (0..n).map(|idx| create(&format!("y{idx}"), json!(idx))).collect();
        world.done(PushRequest { after, ..batch(1, mutations) }).await;
        counts.push(front.n_calls() - before);
    }
    assert_eq!(counts[0], counts[1]);
    assert!(counts[0] <= 8, "{counts:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn threads_that_push_at_once_lose_nothing() {
    let world = Arc::new(World::new().await);
    let tasks = (0..32).map(|n| {
        let world = Arc::clone(&world);
        tokio::spawn(async move {
            for round in 0..50 {
                let push = batch_of(n, round + 1, vec![create(&format!("{n}-{round}"), json!(round))]);
                assert!(is_applied(&try_push(&world, push).await));
            }
        })
    });
    for task in join_all(tasks).await {
        task.unwrap();
    }
    assert_eq!(world.state().await.len(), 32 * 50);
    let log = world.service.log(&actor("ada"), &world.space, None, Some(1000)).await.unwrap();
    assert_eq!((log.len(), log[0].entry), (1000, 32 * 50));
}

#[tokio::test]
async fn a_bad_batch_does_not_disturb_the_others_of_its_commit() {
    let (world, front) = behind_front(|_| {}).await;
    world.done(one(1)).await;
    let before = front.n_calls_of(Call::Commit);
    let stranger = Actor::new(ActorId::new("bob").unwrap(), Role::Editor);
    let (gap, forked, stolen, unclear, good, other) = tokio::join!(
        try_push(&world, batch_of(2, 5, vec![create("a", json!(1))])),
        try_push(&world, batch_of(1, 1, vec![create("other", json!(1))])),
        world.service.push(&stranger, &world.space, one(1)),
        try_push(&world, batch_of(3, 1, vec![put("r1", json!(7)).based_on(Seq::MAX)])),
        try_push(&world, one(4)),
        try_push(&world, one(5)),
    );
    assert_eq!(front.n_calls_of(Call::Commit), before + 1);
    assert_eq!(gap.unwrap(), PushReply::MutationGap { expected: MutationNumber::FIRST });
    assert_eq!(forked.unwrap(), PushReply::ClientForked);
    assert_eq!(stolen.unwrap_err().kind(), ErrorKind::Forbidden);
    let PushReply::Done(unclear) = unclear.unwrap() else { panic!() };
    assert!(
        matches!(&unclear.outcomes[..], [Outcome::Rejected { code, .. }] if code == "version_out_of_range")
    );
    assert!(is_applied(&good) && is_applied(&other));
    assert_eq!(world.state().await.len(), 3);
}

#[tokio::test]
async fn damage_that_one_batch_meets_is_no_concern_of_the_others() {
    let (world, _) = behind_front(|_| {}).await;
    world.done(one(1)).await;
    let mut txn = world.store.write(&world.space).await.unwrap();
    let state: ClientState = txn.client(&client(1)).await.unwrap().unwrap();
    let damaged = ClientState { answer: "{".into(), ..state };
    txn.apply(&CommitWrite { clients: vec![damaged], ..CommitWrite::default() }).await.unwrap();
    txn.commit().await.unwrap();

    let answers = join_all((1..=5).map(|n| try_push(&world, one(n)))).await;
    assert_eq!(answers[0].as_ref().unwrap_err().kind(), ErrorKind::Corrupt);
    assert!(answers[1..].iter().all(is_applied));
}

#[tokio::test]
async fn who_finds_the_lane_full_is_told_when_to_come_back_and_nothing_is_lost() {
    let (world, _) = behind_front(|limits| limits.lane_jobs_max = 3).await;
    let world = Arc::new(world);
    // The writer of the space is busy, so pushes wait.
    let busy = world.store.begin(&world.space, Mode::Write).await.unwrap();
    let mut tasks = Vec::new();
    for n in 0..10 {
        let world = Arc::clone(&world);
        tasks.push(tokio::spawn(async move { try_push(&world, one(n)).await }));
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
    }
    drop(busy);
    let answers: Vec<_> = join_all(tasks).await.into_iter().map(|answer| answer.unwrap()).collect();
    let n_refused = answers.iter().filter(|answer| answer.is_err()).count();
    assert_eq!(n_refused, 6, "one is being committed and three wait");
    for error in answers.iter().filter_map(|answer| answer.as_ref().err()) {
        assert_eq!(error.kind(), ErrorKind::Overloaded);
        assert_eq!(error.retry_after(), Some(Duration::from_secs(1)));
    }
    assert_eq!(world.state().await.len(), 4);
    for n in 0..10 {
        assert!(is_applied(&try_push(&world, one(n)).await));
    }
}

#[tokio::test]
async fn waiting_pushes_are_bounded_in_bytes_too() {
    let (world, _) = behind_front(|limits| limits.lane_bytes_max = 10_000).await;
    let text = "x".repeat(4_000);
    let push = |n: usize| batch_of(n, 1, vec![create(&format!("r{n}"), json!(text))]);
    let answers = join_all((0..5).map(|n| try_push(&world, push(n)))).await;
    assert_eq!(answers.iter().filter(|answer| is_applied(answer)).count(), 2);
    let huge = batch_of(9, 1, vec![create("huge", json!("x".repeat(50_000)))]);
    assert!(is_applied(&try_push(&world, huge).await), "alone there is room for any");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn callers_that_go_away_lose_nothing_and_find_their_answer_later() {
    let world = Arc::new(World::new().await);
    let tasks: Vec<_> = (0..400)
        .map(|n| {
            let world = Arc::clone(&world);
            tokio::spawn(async move { try_push(&world, one(n)).await })
        })
        .collect();
    for (n, task) in tasks.iter().enumerate() {
        if n % 3 == 0 {
            tokio::task::yield_now().await;
        }
        if n % 2 == 0 {
            task.abort();
        }
    }
    let first: Vec<_> = join_all(tasks).await;
    for (n, first) in first.into_iter().enumerate() {
        let again = try_push(&world, one(n)).await;
        assert!(is_applied(&again), "push {n}");
        if let Ok(Ok(PushReply::Done(done))) = first {
            let Ok(PushReply::Done(again)) = again else { unreachable!() };
            assert_eq!(again.outcomes, done.outcomes);
        }
    }
    let state = world.state().await;
    assert_eq!(state.len(), 400);
    assert!(state.values().all(|record| record.meta.revision == 1));
    assert_eq!(world.service.log(&actor("ada"), &world.space, None, Some(1000)).await.unwrap().len(), 400);
}

#[tokio::test]
async fn a_push_that_nobody_waits_for_any_more_is_carried_out() {
    let world = World::new().await;
    let mut push = Box::pin(try_push(&world, one(1)));
    assert!(futures_util::poll!(&mut push).is_pending());
    drop(push);
    tokio::task::yield_now().await;
    assert_eq!(world.value("r1").await, Some(json!(1)));
}

#[derive(Debug)]
struct Panics;

impl Resolver for Panics {
    fn resolve(&self, _: &Pointer, _: Option<&Value>, _: Option<&Value>, _: Option<&Value>) -> Option<Value> {
        panic!("a resolver of the application failed")
    }
}

#[tokio::test]
async fn a_resolver_that_panics_makes_a_conflict() {
    let policy =
        CollectionPolicy::default().with_rule("/x".parse().unwrap(), PathRule::Custom(Arc::new(Panics)));
    let world = World::with(|builder| builder.policies(Policies::with_fallback(policy))).await;
    world.set("r", json!({"x": 2})).await;
    let (bad, good) = tokio::join!(
        try_push(&world, batch_of(1, 1, vec![create("r", json!({"x": 1}))])),
        try_push(&world, one(2)),
    );
    let PushReply::Done(bad) = bad.unwrap() else { panic!() };
    assert_eq!(bad.outcomes[0].as_str(), "conflict");
    assert!(is_applied(&good));
}

#[tokio::test]
async fn when_a_lane_dies_those_who_wait_hear_of_it_and_the_next_push_works() {
    for call in 1..=4 {
        let (world, front) = behind_front(|limits| limits.commit_mutations_max = 2).await;
        front.fail_at(front.n_calls() + call, Fault::Panic);
        let answers = join_all((0..6).map(|n| try_push(&world, one(n)))).await;
        for answer in answers {
            assert_eq!(answer.unwrap_err().kind(), ErrorKind::Internal);
        }
        assert_eq!(world.state().await.len(), 0);
        let answers = join_all((0..6).map(|n| try_push(&world, one(n)))).await;
        assert!(answers.iter().all(is_applied));
    }
}

/// A runtime that forgets its first tasks, as one that shuts down does.
#[derive(Debug)]
struct Forgetful(AtomicBool);

impl Runtime for Forgetful {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        if self.0.load(Ordering::SeqCst) {
            drop(task);
        } else {
            TokioRuntime.spawn(task);
        }
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        TokioRuntime.sleep(duration)
    }
}

#[tokio::test]
async fn a_task_that_never_ran_does_not_block_the_space() {
    let runtime = Arc::new(Forgetful(AtomicBool::new(false)));
    let service = Service::new(Arc::new(MemoryStore::default()), runtime.clone());
    let space = sync_core::SpaceId::new("a").unwrap();
    service.create_space(&space).await.unwrap();
    runtime.0.store(true, Ordering::SeqCst);
    let error = answered(service.push(&actor("ada"), &space, one(1))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    runtime.0.store(false, Ordering::SeqCst);
    assert!(is_applied(&answered(service.push(&actor("ada"), &space, one(1))).await));
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_lost_a_race_is_tried_again_a_bounded_number_of_times() {
    let (world, front) = behind_front(|limits| limits.attempts_max = 4).await;
    let contended = Fault::Error(ErrorKind::Contended);
    front.fail_at(front.n_calls() + 5, contended);
    assert!(is_applied(&try_push(&world, one(1)).await));
    let next = front.n_calls() + 1;
    (0..4).for_each(|n| front.fail_at(next + n, contended));
    assert_eq!(try_push(&world, one(2)).await.unwrap_err().kind(), ErrorKind::Contended);
    assert_eq!(front.n_calls(), next + 3);
    assert!(is_applied(&try_push(&world, one(2)).await));
}

#[tokio::test]
async fn spaces_do_not_wait_for_each_other() {
    let world = World::new().await;
    let other = sync_core::SpaceId::new("other").unwrap();
    world.service.create_space(&other).await.unwrap();
    let busy = world.store.begin(&world.space, Mode::Write).await.unwrap();
    let mut held = Box::pin(try_push(&world, one(1)));
    assert!(futures_util::poll!(&mut held).is_pending());
    assert!(is_applied(&world.service.push(&actor("ada"), &other, one(1)).await));
    drop(busy);
    assert!(is_applied(&held.await));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_only_ever_see_whole_commits() {
    let world = Arc::new(World::new().await);
    let versions = Arc::new(Mutex::new((Seq::ZERO, Seq::ZERO)));
    let writer = {
        let world = Arc::clone(&world);
        tokio::spawn(async move {
            for n in 0..300 {
                let (a, b) = *versions.lock().unwrap();
                let pair = vec![
                    put("a", json!(n)).based_on(a).in_group("g"),
                    put("b", json!(n)).based_on(b).in_group("g"),
                ];
                let outcomes = world.push(pair).await;
                let version = |idx: usize| outcomes[idx].version().unwrap();
                *versions.lock().unwrap() = (version(0), version(1));
            }
        })
    };
    while !writer.is_finished() {
        let page = world.page(None, None).await;
        let values: Vec<_> = page.changes.iter().map(|record| record.data.clone()).collect();
        assert!(values.is_empty() || (values.len() == 2 && values[0] == values[1]), "{values:?}");
        tokio::task::yield_now().await;
    }
    writer.await.unwrap();
    assert_eq!(world.value("a").await, Some(content(json!(299)).to_value()));
    assert!(world.service.record(&actor("ada"), &world.space, &key("b"), false).await.unwrap().is_some());
}
