//! The audit log says who asked for what and what became of it, and never what was in it.

use serde_json::json;
use sync_core::protocol::PushRequest;
use sync_core::store::{LogEntry, LogOutcome};
use sync_core::{ActorId, Seq, Timestamp};

use crate::world::{BEGINNING, World, actor, batch, client, create, key, put};

#[tokio::test]
async fn each_processed_batch_has_one_entry_and_the_numbers_have_no_gap() {
    let world = World::new().await;
    let batches = [
        batch(1, vec![create("a", json!("secret")), put("a", json!("secret too"))]),
        batch(1, vec![create("a", json!("secret")), put("a", json!("secret too"))]),
        batch(7, vec![create("b", json!("secret"))]),
        batch(1, vec![create("b", json!("secret"))]),
        batch(3, vec![]),
        PushRequest {
            batch: None,
            mutations: vec![create("b", json!("secret"))],
            after: None,
            receipt: None,
        },
    ];
    for push in batches {
        world.reply(push).await;
    }
    let at = Timestamp::from_micros(BEGINNING).unwrap();
    let seq = |n: i64| Seq::new(BEGINNING + n).unwrap();
    let outcome = |id: &str, outcome: &str, version, code: Option<&str>| LogOutcome {
        key: key(id),
        op: "put".into(),
        outcome: outcome.into(),
        version,
        code: code.map(Into::into),
    };
    let entry = |entry, client, head, outcomes: Vec<LogOutcome>| LogEntry {
        entry,
        at,
        actor: ActorId::new("ada").unwrap(),
        client,
        action: "push".into(),
        head,
        n_mutations: outcomes.len(),
        outcomes,
    };
    let first = vec![
        outcome("a", "applied", Some(seq(0)), None),
        outcome("a", "rejected", None, Some("precondition_required")),
    ];
    let second = vec![outcome("b", "applied", Some(seq(1)), None)];
    let log = world.service.log(&actor("ada"), &world.space, None, None).await.unwrap();
    assert_eq!(log, [entry(2, None, seq(1), second), entry(1, Some(client(1)), seq(0), first)]);
    assert!(!format!("{log:?}").contains("secret"));
    assert_eq!(world.service.log(&actor("ada"), &world.space, Some(2), Some(5)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn batches_of_one_commit_are_numbered_in_their_order() {
    let world = World::new().await;
    let pushes =
        (1..=20).map(|n| world.done(crate::world::batch_of(n, 1, vec![create(&n.to_string(), json!(n))])));
    let answers = futures_util::future::join_all(pushes).await;
    let log = world.service.log(&actor("ada"), &world.space, None, None).await.unwrap();
    let numbers: Vec<i64> = log.iter().map(|entry| entry.entry).collect();
    assert_eq!(numbers, (1..=20).rev().collect::<Vec<_>>());
    let versions: Vec<_> = log.iter().rev().map(|entry| entry.outcomes[0].version).collect();
    assert!(versions.is_sorted());
    assert!(log.iter().all(|entry| answers.iter().any(|answer| answer.head == entry.head)));
}

#[tokio::test]
async fn a_long_batch_is_listed_in_part_and_counted_in_full() {
    let world = World::new().await;
    world.push((0..250).map(|n| create(&n.to_string(), json!(n))).collect()).await;
    let log = world.service.log(&actor("ada"), &world.space, None, None).await.unwrap();
    assert_eq!((log[0].outcomes.len(), log[0].n_mutations), (LogEntry::OUTCOMES_MAX, 250));
}
