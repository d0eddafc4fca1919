//! I13, I17: what is too much is refused cleanly, and nothing of it happens.

use std::time::Duration;

use serde_json::json;
use sync_core::merge::{Patch, PathEdit};
use sync_core::{ErrorKind, Mutation, Outcome, Timestamp};

use crate::world::{BEGINNING, World, actor, batch, create, key, limits, put};

#[tokio::test]
async fn a_batch_over_the_limit_is_refused_whole_with_the_limit() {
    let world = World::with(|builder| builder.limits(limits(|limits| limits.mutations_max = 3))).await;
    let push = |n: i64| batch(1, (0..n).map(|idx| create(&idx.to_string(), json!(idx))).collect());
    let error = world.service.push(&actor("ada"), &world.space, push(4)).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Invalid, Some("body_too_large")));
    assert_eq!((error.pointer(), error.limit()), (Some("/mutations"), Some(3)));
    assert_eq!(world.state().await.len(), 0);
    assert_eq!(world.done(push(3)).await.outcomes.len(), 3);
}

#[tokio::test]
async fn a_merge_that_makes_a_record_too_large_or_too_deep_is_refused_alone() {
    let world = World::new().await;
    let half = "x".repeat(600_000);
    world.set("big", json!({"a": half})).await;
    let edit = |path: &str, now| PathEdit { path: path.parse().unwrap(), was: None, now: Some(now) };
    let larger = Patch::new(vec![edit("/b", json!(half))]).unwrap();
    world.set("deep", json!({})).await;
    let deep = (0..20).fold(json!(1), |value, _| json!([value]));
    let deeper = Patch::new(vec![edit(&"/a".repeat(20), deep)]).unwrap();
    let outcomes = world
        .push(vec![
            Mutation::patch(key("big"), larger),
            Mutation::patch(key("deep"), deeper),
            create("fine", json!(1)),
        ])
        .await;
    let words: Vec<_> = outcomes.iter().map(Outcome::as_str).collect();
    assert_eq!(words, ["rejected", "rejected", "applied"]);
    assert_eq!(world.value("deep").await, Some(json!({})));
}

#[tokio::test]
async fn a_clock_too_far_ahead_is_not_believed() {
    let world = World::new().await;
    let at = |offset: Duration| Timestamp::from_micros(BEGINNING).unwrap().saturating_add(offset);
    let drift = Duration::from_secs(300);
    assert_eq!(world.one(create("a", json!(1)).at(at(drift))).await.as_str(), "applied");
    let late = world.one(create("b", json!(1)).at(at(drift + Duration::from_micros(1)))).await;
    assert!(matches!(late, Outcome::Rejected { code, .. } if code == "clock_drift"));
}

#[tokio::test]
async fn the_date_of_a_record_never_goes_back() {
    let world = World::new().await;
    let at = |micros| Timestamp::from_micros(BEGINNING + micros).unwrap();
    let first = world.one(create("a", json!(1)).at(at(100))).await.version().unwrap();
    world.one(put("a", json!(2)).based_on(first).at(at(50))).await;
    let record = world.service.record(&actor("ada"), &world.space, &key("a"), false).await.unwrap().unwrap();
    assert_eq!((record.meta.edited_at, record.meta.revision), (at(100), 2));
}

#[tokio::test]
async fn a_space_that_is_not_there_is_not_found() {
    let world = World::new().await;
    let nowhere = sync_core::SpaceId::new("nowhere").unwrap();
    let push = world.service.push(&actor("ada"), &nowhere, batch(1, vec![create("a", json!(1))])).await;
    assert_eq!(push.unwrap_err().kind(), ErrorKind::NotFound);
    let snapshot = world.service.snapshot(&actor("ada"), &nowhere, &Default::default()).await;
    assert_eq!(snapshot.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(
        world.service.status(&actor("ada"), &nowhere, true).await.unwrap_err().kind(),
        ErrorKind::NotFound
    );
    assert_eq!(world.service.collect(&nowhere, true).await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn small_mutations_of_a_large_record_cannot_write_without_bound() {
    let world =
        World::with(|builder| builder.limits(limits(|limits| limits.batch_effect_bytes_max = 1 << 20))).await;
    let text = "x".repeat(200_000);
    world.set("big", json!({"text": text, "n": 0})).await;
    let (before, head) = (world.state().await, world.value("big").await);
    let edit = |n: i64| {
        let edit = PathEdit { path: "/n".parse().unwrap(), was: Some(json!(-1)), now: Some(json!(n)) };
        Mutation::patch(key("big"), Patch::new(vec![edit]).unwrap())
    };
    let error = world.service.push(&actor("ada"), &world.space, batch(1, (1..50).map(edit).collect())).await;
    let error = error.unwrap_err();
    assert_eq!((error.code(), error.limit()), (Some("body_too_large"), Some(1 << 20)));
    assert_eq!((world.state().await, world.value("big").await), (before, head), "nothing of it happened");
    // Sent by itself each can be carried out, and the numbers were not used up.
    assert_eq!(world.done(batch(1, vec![edit(1)])).await.outcomes[0].as_str(), "conflict");
}
