//! I7: no edit vanishes because another one won.

use serde_json::{Value, json};
use sync_core::Resolution;
use sync_core::merge::{Clash, CollectionPolicy, DeletePolicy, Patch, PathEdit, Pointer, UpdatePolicy, diff};
use sync_core::service::{Actor, Resolved};
use sync_core::{
    ActorId, Collection, Conflict, ConflictState, ErrorKind, Mutation, Outcome, Policies, RecordId,
    RecordKey, Role, Seq, Timestamp,
};

use crate::world::{BEGINNING, World, actor, client, create, json, key, limits, put};

async fn with_policy(policy: CollectionPolicy) -> World {
    World::with(|builder| builder.policies(Policies::with_fallback(policy))).await
}

/// A record with two versions; yields both.
async fn two_versions(world: &World) -> (Seq, Seq) {
    (world.set("r", json!({"a": 1})).await, world.set("r", json!({"a": 2})).await)
}

/// A record with an open conflict about it.
async fn conflicted(world: &World) -> Conflict {
    let (old, _) = two_versions(world).await;
    let outcome = world.one(put("r", json!({"a": 3})).based_on(old)).await;
    assert_eq!(outcome.as_str(), "conflict");
    open(world).await.remove(0)
}

async fn open(world: &World) -> Vec<Conflict> {
    world.service.conflicts(&actor("ada"), &world.space, None, false).await.unwrap().0
}

async fn all(world: &World) -> Vec<Conflict> {
    world.service.conflicts(&actor("ada"), &world.space, None, true).await.unwrap().0
}

async fn resolve(
    world: &World,
    conflict: &Conflict,
    how: Resolution,
    seen: Option<Seq>,
) -> Result<Resolved, (ErrorKind, Option<&'static str>)> {
    let resolved = world.service.resolve(&actor("ada"), &world.space, &conflict.id, how, seen).await;
    resolved.map_err(|error| (error.kind(), error.code()))
}

#[tokio::test]
async fn a_conflict_keeps_both_sides_and_who_and_when() {
    let world = World::new().await;
    let (old, seen) = two_versions(&world).await;
    let patch = diff(Some(&json!({"a": 1})), &json!({"a": 3, "b": 1}));
    let push = crate::world::batch(1, vec![Mutation::patch(key("r"), patch.clone()).based_on(old)]);
    let Outcome::Conflict { id, version, theirs, paths } = world.done(push).await.outcomes.remove(0) else {
        panic!()
    };
    assert_eq!((version, theirs), (seen, Some(json(json!({"a": 2})))));
    let [conflict] = &open(&world).await[..] else { panic!() };
    assert_eq!(conflict.id, id);
    let body = &conflict.body;
    assert_eq!((&body.key, body.state, body.base_version), (&key("r"), ConflictState::Open, Some(old)));
    assert_eq!(body.mine, Some(json!({"a": 3, "b": 1})));
    assert_eq!((body.patch.as_ref(), body.theirs.as_ref()), (Some(&patch), Some(&json!({"a": 2}))));
    assert_eq!(
        (body.theirs_version, &body.paths, paths),
        (seen, &vec!["/a".parse().unwrap()], body.paths.clone())
    );
    assert_eq!((body.by.as_str(), body.client.clone()), ("ada", Some(client(1))));
    assert_eq!(body.at.as_micros(), BEGINNING);
    assert_eq!(world.value("r").await, Some(json!({"a": 2})));
}

#[tokio::test]
async fn resolving_makes_the_record_what_was_chosen_and_the_conflict_go() {
    let cases: [(Resolution, Option<Value>, &str); 4] = [
        (Resolution::TakeMine, Some(json!({"a": 3})), "applied"),
        (Resolution::TakeTheirs, Some(json!({"a": 2})), "unchanged"),
        (Resolution::Merged(Some(json(json!({"a": 4})))), Some(json!({"a": 4})), "applied"),
        (Resolution::Merged(None), None, "applied"),
    ];
    for (how, value, word) in cases {
        let world = World::new().await;
        let conflict = conflicted(&world).await;
        let Ok(Resolved::Done(outcome)) = resolve(&world, &conflict, how.clone(), None).await else {
            panic!()
        };
        assert_eq!((outcome.as_str(), world.value("r").await), (word, value), "{how:?}");
        assert_eq!(all(&world).await, []);
        let again = resolve(&world, &conflict, how, None).await;
        assert_eq!(again, Err((ErrorKind::Invalid, Some("version_conflict"))));
    }
}

#[tokio::test]
async fn a_resolution_of_a_record_that_moved_on_is_asked_again_with_what_is_there() {
    let world = World::new().await;
    let conflict = conflicted(&world).await;
    let version = world.set("r", json!({"a": 5})).await;
    let moved = Resolved::Moved { version, theirs: Some(json(json!({"a": 5}))) };
    assert_eq!(resolve(&world, &conflict, Resolution::TakeMine, None).await, Ok(moved.clone()));
    let stale = Some(conflict.body.theirs_version);
    assert_eq!(resolve(&world, &conflict, Resolution::TakeMine, stale).await, Ok(moved));
    assert_eq!(open(&world).await.len(), 1, "asking again is no second conflict");
    let moved = resolve(&world, &conflict, Resolution::TakeTheirs, stale).await;
    assert!(matches!(moved, Ok(Resolved::Moved { version: now, .. }) if now == version), "{moved:?}");
    assert!(matches!(
        resolve(&world, &conflict, Resolution::TakeMine, Some(version)).await,
        Ok(Resolved::Done(Outcome::Applied { .. }))
    ));
    assert_eq!((world.value("r").await, open(&world).await), (Some(json!({"a": 3})), vec![]));
}

#[tokio::test]
async fn a_resolution_must_name_a_conflict_of_its_record() {
    let world = World::new().await;
    let conflict = conflicted(&world).await;
    let other = world.set("other", json!(1)).await;
    let code = |outcome: Outcome| match outcome {
        Outcome::Rejected { code, .. } => code,
        outcome => panic!("{outcome:?}"),
    };
    let foreign = put("other", json!(2)).based_on(other).resolving(conflict.id.clone());
    assert_eq!(code(world.one(foreign).await), "not_found");
    let unknown = put("other", json!(2)).based_on(other).resolving(RecordId::new("nope").unwrap());
    assert_eq!(code(world.one(unknown).await), "not_found");
    let mut missing = conflict.clone();
    missing.id = RecordId::new("nope").unwrap();
    let resolved = resolve(&world, &missing, Resolution::TakeMine, None).await;
    assert_eq!(resolved, Err((ErrorKind::NotFound, Some("not_found"))));
    let blind = put("r", json!({"a": 9})).resolving(conflict.id.clone());
    assert_eq!(world.one(blind).await.as_str(), "conflict");
    assert_eq!((open(&world).await.len(), world.value("other").await), (1, Some(json!(1))));
}

#[tokio::test]
async fn a_viewer_may_look_and_not_decide() {
    let world = World::new().await;
    let conflict = conflicted(&world).await;
    let viewer = Actor::new(ActorId::new("eve").unwrap(), Role::Viewer);
    for how in [Resolution::TakeMine, Resolution::TakeTheirs] {
        let error = world.service.resolve(&viewer, &world.space, &conflict.id, how, None).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Forbidden);
    }
    let push = crate::world::batch(1, vec![create("x", json!(1))]);
    let error = world.service.push(&viewer, &world.space, push).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden);
    assert_eq!((open(&world).await.len(), world.value("x").await), (1, None));
}

#[tokio::test]
async fn what_a_policy_overruled_is_kept_as_settled() {
    let late = Timestamp::from_micros(BEGINNING + 1).unwrap();
    let early = Timestamp::from_micros(BEGINNING - 1).unwrap();
    // Whose edit wins, when it was made, and what is kept of the other.
    let cases = [
        (Clash::ServerWins, None, json!({"a": 2}), Some(json!({"a": 3}))),
        (Clash::ClientWins, None, json!({"a": 3}), Some(json!({"a": 2}))),
        (Clash::LastWriteWins, Some(late), json!({"a": 3}), Some(json!({"a": 2}))),
        (Clash::LastWriteWins, Some(early), json!({"a": 2}), Some(json!({"a": 3}))),
    ];
    for update in [UpdatePolicy::Whole, UpdatePolicy::Fields] {
        for (clash, at, winner, loser) in cases.clone() {
            let world = with_policy(CollectionPolicy::default().with_update(update(clash))).await;
            let (old, _) = two_versions(&world).await;
            let mut mutation = put("r", json!({"a": 3})).based_on(old);
            mutation.at = at;
            let Outcome::Merged { data, lost, .. } = world.one(mutation).await else { panic!() };
            assert_eq!((data, lost.len()), (Some(json(winner.clone())), 1), "{clash:?}");
            assert_eq!(world.value("r").await, Some(winner.clone()));
            assert_eq!(open(&world).await, []);
            let [kept] = &all(&world).await[..] else { panic!("{clash:?} kept nothing") };
            assert_eq!(kept.body.state, ConflictState::Settled);
            let sides = [kept.body.mine.clone(), kept.body.theirs.clone()];
            assert!(sides.contains(&loser) && sides.contains(&Some(winner)), "{clash:?}: {sides:?}");
        }
    }
}

#[tokio::test]
async fn a_delete_that_loses_and_one_that_wins_leave_what_they_meant() {
    // Policy, the record after a stale delete, and whether what lost is kept.
    for (policy, live, n_kept) in [
        (DeletePolicy::UpdateWins, true, 1),
        (DeletePolicy::DeleteWins, false, 1),
        (DeletePolicy::Manual, true, 1),
    ] {
        let world = with_policy(CollectionPolicy::default().with_delete(policy)).await;
        let (old, _) = two_versions(&world).await;
        world.one(Mutation::delete(key("r")).based_on(old)).await;
        assert_eq!((world.value("r").await.is_some(), all(&world).await.len()), (live, n_kept), "{policy:?}");
    }
}

#[tokio::test]
async fn a_loser_too_large_to_be_kept_does_not_lose() {
    // Deep below long names even a few paths are larger than both records.
    let name = |n: usize| format!("{n}{}", "x".repeat(1000));
    let nested = |leaf: i64| {
        let leaves: serde_json::Map<_, _> = (0..900).map(|n| (format!("l{n}"), json!(leaf))).collect();
        (0..25).fold(Value::Object(leaves), |value, n| json!({ name(n): value }))
    };
    for (clash, word) in [(Clash::ServerWins, "merged"), (Clash::Manual, "conflict")] {
        let world = with_policy(CollectionPolicy::default().with_update(UpdatePolicy::Fields(clash))).await;
        world.set("r", nested(2)).await;
        assert_eq!(world.one(create("r", nested(3))).await.as_str(), word);
        let [kept] = &all(&world).await[..] else { panic!("{clash:?} kept nothing") };
        assert_eq!(kept.body.mine, Some(nested(3)));
        let prefix = format!("/{}", name(24)).parse().unwrap();
        assert!(matches!(&kept.body.paths[..], [path] if Pointer::is_prefix_of(&prefix, path)));
        // What really cannot be kept is refused, and stays with its author.
        let long: String = (0..25).rev().map(|n| format!("/{}", name(n))).collect();
        let edit = |n| PathEdit {
            path: format!("{long}/l{n}").parse().unwrap(),
            was: Some(json!(1)),
            now: Some(json!(4)),
        };
        let patch = Patch::new((0..900).map(edit).collect()).unwrap();
        assert_eq!(world.one(Mutation::patch(key("r"), patch)).await.as_str(), "rejected");
        assert_eq!((world.value("r").await, all(&world).await.len()), (Some(nested(2)), 1));
    }
}

#[tokio::test]
async fn a_conflict_may_be_dismissed_from_any_base_and_never_conflicts_itself() {
    for base in [None, Some(Seq::ZERO), Some(Seq::new(1).unwrap())] {
        let world = World::new().await;
        let conflict = conflicted(&world).await;
        let dismiss = Mutation { base_version: base, ..Mutation::delete(Conflict::key(conflict.id.clone())) };
        assert_eq!(world.one(dismiss.clone()).await.as_str(), "applied");
        assert_eq!(world.one(dismiss).await.as_str(), "unchanged");
        assert_eq!(all(&world).await, []);
    }
}

#[tokio::test]
async fn nobody_writes_into_the_collections_of_the_library() {
    let world = World::new().await;
    let forged = RecordKey::new(Collection::system(Collection::CONFLICTS), RecordId::new("x").unwrap());
    let forgery = Mutation::put(forged.clone(), json(json!({"state": "open"})));
    assert_eq!(world.one(forgery).await.as_str(), "rejected");
    let patch = diff(None, &json!({"state": "open"}));
    assert_eq!(world.one(Mutation::patch(forged, patch)).await.as_str(), "rejected");
    assert_eq!(all(&world).await, []);
}

#[tokio::test]
async fn a_blind_patch_is_merged_by_what_its_author_saw() {
    let policy = CollectionPolicy::default().with_update(UpdatePolicy::Fields(Clash::ClientWins));
    let policy = policy.with_rule("/n".parse().unwrap(), sync_core::merge::PathRule::Counter);
    let world = with_policy(policy).await;
    world.set("r", json!({"n": 10, "title": "theirs"})).await;
    let patch = diff(Some(&json!({"n": 5, "title": "old"})), &json!({"n": 6, "title": "mine"}));
    let Outcome::Merged { data, .. } = world.one(Mutation::patch(key("r"), patch)).await else {
        panic!("the author has not seen the record: it must be told what it is")
    };
    assert_eq!(data, Some(json(json!({"n": 11, "title": "mine"}))));
    assert_eq!(all(&world).await.len(), 1, "the title that lost is kept");
}

#[tokio::test]
async fn conflicts_are_listed_page_by_page() {
    let world = World::with(|builder| builder.limits(limits(|limits| limits.page_rows_max = 2))).await;
    let (old, _) = two_versions(&world).await;
    for n in 0..5 {
        world.one(put("r", json!({"a": 10 + n})).based_on(old)).await;
    }
    let mut ids = Vec::new();
    let mut after = None;
    loop {
        let (page, next) = world.service.conflicts(&actor("ada"), &world.space, after, false).await.unwrap();
        assert!(page.len() <= 2);
        ids.extend(page.into_iter().map(|conflict| conflict.id));
        match next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    assert!(ids.is_sorted());
    assert_eq!(ids.len(), 5);
}

#[tokio::test]
async fn an_edit_of_what_was_collected_never_brings_it_back() {
    let world = World::new().await;
    let version = world.set("r", json!({"a": 1})).await;
    world.one(Mutation::delete(key("r")).based_on(version)).await;
    world.clock.advance(std::time::Duration::from_secs(365 * 24 * 3600));
    world.set("later", json!(1)).await;
    world.service.collect(&world.space, false).await.unwrap();
    assert_eq!(world.service.record(&actor("ada"), &world.space, &key("r"), true).await.unwrap(), None);
    let patch = diff(Some(&json!({"a": 1})), &json!({"a": 2}));
    for stale in [put("r", json!({"a": 2})), Mutation::patch(key("r"), patch)] {
        assert_eq!(world.one(stale.based_on(version)).await.as_str(), "conflict");
    }
    assert_eq!(world.value("r").await, None);
    // It takes a person to decide that.
    let conflict = open(&world).await.remove(0);
    assert!(matches!(resolve(&world, &conflict, Resolution::TakeMine, None).await, Ok(Resolved::Done(_))));
    assert_eq!(world.value("r").await, Some(json!({"a": 2})));
}
