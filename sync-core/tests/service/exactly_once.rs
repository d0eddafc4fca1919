//! I2: a push repeated any number of times has the effect of one and gets the same answer.

use std::time::Duration;

use serde_json::json;
use sync_core::ErrorKind;
use sync_core::protocol::{PullReply, PullRequest, PushReply, PushRequest, ResyncReason};
use sync_core::{Mutation, MutationNumber, Outcome, Seq};

use crate::world::{World, actor, batch, batch_of, create, json, key, put};

/// A batch with an outcome of every kind that changes something, and one that does not.
async fn eventful(world: &World) -> PushRequest {
    world.set("shared", json!({"a": 1})).await;
    let seen = world.set("shared", json!({"a": 2})).await;
    let stale = Seq::new(seen.get() - 1).unwrap();
    batch(
        1,
        vec![
            create("new", json!({"n": 1})),
            put("shared", json!({"a": 3})).based_on(stale),
            put("shared", json!({"a": 9})),
            put("shared", json!({"a": 2})).based_on(seen),
            Mutation::delete(key("never")),
        ],
    )
}

fn words(outcomes: &[Outcome]) -> Vec<&'static str> {
    outcomes.iter().map(Outcome::as_str).collect()
}

#[tokio::test]
async fn a_repeated_batch_gets_the_first_answer_and_changes_nothing() {
    let world = World::new().await;
    let push = eventful(&world).await;
    let first = world.done(push.clone()).await;
    assert_eq!(words(&first.outcomes), ["applied", "conflict", "rejected", "unchanged", "unchanged"]);
    let state = world.state().await;
    world.clock.advance(std::time::Duration::from_secs(5));
    for round in 0..5 {
        assert_eq!(world.done(push.clone()).await, first, "round {round}");
    }
    assert_eq!(world.state().await, state);
    assert_eq!(world.service.log(&actor("ada"), &world.space, None, None).await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_restarted_server_still_knows_the_answer() {
    let world = World::new().await;
    let push = eventful(&world).await;
    let first = world.done(push.clone()).await;
    let restarted = world.restarted();
    assert_eq!(restarted.done(push).await, first);
    assert_eq!(restarted.state().await, world.state().await);
}

#[tokio::test]
async fn the_same_batch_many_times_in_one_commit_is_carried_out_once() {
    let world = World::new().await;
    let push = eventful(&world).await;
    let n_before = world.service.log(&actor("ada"), &world.space, None, None).await.unwrap().len();
    let pushes = (0..50).map(|_| world.done(push.clone()));
    let answers = futures_util::future::join_all(pushes).await;
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!(world.service.log(&actor("ada"), &world.space, None, None).await.unwrap().len(), n_before + 1);
    assert_eq!(world.service.conflicts(&actor("ada"), &world.space, None, true).await.unwrap().0.len(), 1);
}

#[tokio::test]
async fn a_retry_may_ask_from_another_cursor_or_from_one_that_is_stale_by_now() {
    let world = World::new().await;
    let old = world.cursor().await;
    let mut push = eventful(&world).await;
    let fresh = world.cursor().await;
    push.after = Some(fresh);
    let first = world.done(push.clone()).await;

    for after in [None, Some(old.clone()), Some(first.page.as_ref().unwrap().cursor.clone())] {
        let again = world.done(PushRequest { after: after.clone(), ..push.clone() }).await;
        assert_eq!(again.outcomes, first.outcomes);
        assert_eq!(again.page.is_some(), after.is_some());
    }

    world.clock.advance(std::time::Duration::from_secs(400 * 24 * 3600));
    world.set("later", json!(1)).await;
    world.clock.advance(std::time::Duration::from_secs(400 * 24 * 3600));
    world.service.collect(&world.space, false).await.unwrap();
    assert_eq!(world.refusal(&old).await, Some(ResyncReason::Horizon));
    let again = world.done(PushRequest { after: Some(old.clone()), ..push.clone() }).await;
    assert_eq!((again.outcomes, again.page), (first.outcomes, None));
    // A batch that is new, however, must wait until its author has loaded a snapshot.
    let mut next = batch(6, vec![create("x", json!(1))]);
    next.after = Some(old);
    assert!(matches!(world.reply(next).await, PushReply::ResyncRequired(_)));
    assert_eq!(world.value("x").await, None);
}

#[tokio::test]
async fn numbers_that_were_used_for_something_else_reveal_a_copied_replica() {
    let world = World::new().await;
    let state = |value| vec![create("a", json!(value)), create("b", json!(value))];
    world.done(batch(1, state(1))).await;
    let before = world.state().await;
    for forked in [
        batch(1, state(2)),
        batch(1, vec![create("a", json!(1))]),
        batch(2, vec![create("b", json!(1))]),
        batch(2, vec![create("c", json!(1))]),
    ] {
        assert_eq!(world.reply(forked).await, PushReply::ClientForked);
    }
    world.done(batch(3, vec![create("c", json!(1))])).await;
    // The answer to the batch before the last one is gone, and must not be made up.
    assert_eq!(world.reply(batch(1, state(1))).await, PushReply::ClientForked);
    assert_eq!(world.state().await.len(), before.len() + 1);
}

#[tokio::test]
async fn skipped_numbers_are_named_and_nothing_happens() {
    let world = World::new().await;
    let gap = |expected| PushReply::MutationGap { expected: MutationNumber::new(expected).unwrap() };
    assert_eq!(world.reply(batch(2, vec![create("a", json!(1))])).await, gap(1));
    world.done(batch(1, vec![create("a", json!(1)), create("b", json!(1))])).await;
    assert_eq!(world.reply(batch(4, vec![create("c", json!(1))])).await, gap(3));
    let last = (1 << 53) - 1;
    assert_eq!(world.reply(batch(last, vec![create("c", json!(1))])).await, gap(3));
    assert_eq!(world.state().await.len(), 2);
}

/// A server that was restored has lost both what a replica did and what it has seen: the second explains the first.
#[tokio::test]
async fn a_gap_of_a_replica_whose_history_is_gone_is_told_as_that() {
    let world = World::new().await;
    let restored = world.restored();
    world.done(batch(1, vec![create("a", json!(1))])).await;
    let push = PushRequest { after: Some(world.cursor().await), ..batch(2, vec![create("b", json!(1))]) };
    let reply = restored.reply(push.clone()).await;
    let PushReply::ResyncRequired(resync) = reply else { panic!("{reply:?}") };
    assert_eq!(resync.reason, ResyncReason::HistoryDiverged);
    assert_eq!(restored.state().await.len(), 0);
    // A cursor that is good explains nothing.
    let good = PushRequest { after: Some(restored.cursor().await), ..push };
    assert_eq!(restored.reply(good).await, PushReply::MutationGap { expected: MutationNumber::FIRST });
}

/// What a replica was answered goes along until its cursor shows it. Who has lost it does nothing, and is told from one who
/// has not.
#[tokio::test]
async fn nothing_is_done_for_someone_who_was_answered_what_is_lost() {
    let world = World::new().await;
    world.set("a", json!(1)).await;
    let (restored, cursor) = (world.restored(), world.cursor().await);
    let lost = restored.done(batch(1, vec![create("b", json!(1))])).await.receipt;
    let kept = world.done(batch(1, vec![create("b", json!(2))])).await.receipt;
    // Someone else's commit in between changes nothing.
    world.set("c", json!(1)).await;
    for (receipt, is_kept) in [(kept, true), (lost.clone(), false)] {
        let after = Some(cursor.clone());
        let pull = PullRequest { after: after.clone(), receipt: receipt.clone(), ..PullRequest::default() };
        assert_eq!(matches!(world.pull(pull).await, PullReply::Page(_)), is_kept);
        for after in [None, after] {
            let n_before = world.state().await.len();
            let push = PushRequest {
                batch: None,
                mutations: vec![create("new", json!(1))],
                after,
                receipt: receipt.clone(),
            };
            match world.reply(push).await {
                PushReply::Done(done) => assert!(is_kept && done.receipt.is_some()),
                PushReply::ResyncRequired(resync) => {
                    assert_eq!((is_kept, resync.reason), (false, ResyncReason::HistoryDiverged));
                    assert_eq!(world.state().await.len(), n_before);
                }
                reply => panic!("{reply:?}"),
            }
        }
    }
    // What was done before is told again, and does not stand in for what is lost.
    let again = PushRequest { receipt: lost.clone(), ..batch(1, vec![create("b", json!(2))]) };
    let done = world.done(again).await;
    assert_eq!((words(&done.outcomes), done.receipt), (vec!["applied"], None));
    // Nobody can tell what is so long ago, and nobody is asked to load anew again and again for it.
    for n in 0..2 {
        world.clock.advance(Duration::from_secs(365 * 24 * 3600));
        world.set("c", json!(n)).await;
        world.service.collect(&world.space, false).await.unwrap();
    }
    let pull = PullRequest { receipt: lost, ..PullRequest::default() };
    assert!(matches!(world.pull(pull).await, PullReply::Page(_)));
}

#[tokio::test]
async fn a_client_id_belongs_to_who_used_it_first() {
    let world = World::new().await;
    let push = batch(1, vec![create("a", json!(1))]);
    world.done(push.clone()).await;
    for push in [push, batch(2, vec![create("b", json!(1))]), batch(9, vec![create("b", json!(1))])] {
        let error = world.service.push(&actor("bob"), &world.space, push).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Forbidden, Some("forbidden_client")));
    }
    assert_eq!(world.state().await.len(), 1);
}

#[tokio::test]
async fn a_batch_of_nothing_but_refusals_uses_its_numbers_up() {
    let world = World::new().await;
    let seen = world.set("a", json!(1)).await;
    let head = world.page(None, None).await.head;
    let refused = batch(1, vec![put("a", json!(2)), put("b", json!(1)).based_on(seen)]);
    let first = world.done(refused.clone()).await;
    assert_eq!(words(&first.outcomes), ["rejected", "rejected"]);
    assert_eq!((world.done(refused).await, first.head), (first, head));
    assert_eq!(words(&world.done(batch(3, vec![create("c", json!(1))])).await.outcomes), ["applied"]);
}

#[tokio::test]
async fn an_empty_batch_uses_no_number() {
    let world = World::new().await;
    for first in [1, 7] {
        assert_eq!(world.done(batch(first, vec![])).await.outcomes, []);
    }
    assert_eq!(world.done(batch(1, vec![create("a", json!(1))])).await.outcomes.len(), 1);
    assert_eq!(world.service.log(&actor("ada"), &world.space, None, None).await.unwrap().len(), 1);
}

#[tokio::test]
async fn writing_what_is_there_moves_nothing() {
    let world = World::new().await;
    let version = world.set("a", json!({"x": 1})).await;
    let before = world.page(None, None).await;
    let stale = Seq::new(version.get() - 1).unwrap();
    let same = json(json!({"x": 1}));
    for base in [None, Some(Seq::ZERO), Some(stale), Some(version)] {
        let mutation = Mutation { base_version: base, ..Mutation::put(key("a"), same.clone()) };
        assert_eq!(world.one(mutation).await, Outcome::Unchanged { version }, "{base:?}");
    }
    assert_eq!(world.page(None, None).await, before);
    let done = world.done(batch_of(2, 1, vec![Mutation::put(key("a"), same)])).await;
    assert_eq!(done.head, before.head);
}
