//! I11 below the space: a conflict of which a side is gone, or known in part only, shows nothing of a hidden record.

use std::time::Duration;

use serde_json::{Value, json};
use sync_core::json::Json;
use sync_core::merge::{CollectionPolicy, DeletePolicy, Patch};
use sync_core::protocol::{PullReply, PullRequest, PushReply, PushRequest, SnapshotRequest};
use sync_core::service::Actor;
use sync_core::{ActorId, Collection, Mutation, Outcome, Policies, RecordKey, Role, Seq};

use crate::world::{World, actor, create, key, notes, put};

const SECRET: &str = "TOP-SECRET";

/// Others than ada and owners of the space read what names them, and nothing that is private.
fn by_fields(actor: &Actor, _: &RecordKey, data: &Json) -> bool {
    let data = data.to_value();
    actor.role == Role::Owner || actor.id.as_str() == "ada" || data["of"] == actor.id.as_str()
}

/// The same, where what says nothing may be read.
fn but_private(actor: &Actor, _: &RecordKey, data: &Json) -> bool {
    actor.role == Role::Owner || actor.id.as_str() == "ada" || data.to_value()["private"] != true
}

/// How a record goes before a late edit of it comes.
#[derive(Clone, Copy, Debug)]
enum Gone {
    /// It is deleted, and deletions win.
    DeleteWins,
    /// It is deleted, and nothing is left of that.
    Collected,
}

fn root() -> Actor {
    Actor::new(ActorId::new("root").unwrap(), Role::Owner)
}

fn bob() -> Actor {
    Actor::new(ActorId::new("bob").unwrap(), Role::Viewer)
}

fn patch(edits: Value) -> Mutation {
    Mutation::patch(key("x"), serde_json::from_value::<Patch>(edits).unwrap())
}

async fn one_as(world: &World, who: &Actor, mutation: Mutation) -> Outcome {
    let push = PushRequest { batch: None, mutations: vec![mutation], after: None, receipt: None };
    match world.service.push(who, &world.space, push).await.unwrap() {
        PushReply::Done(mut done) => done.outcomes.remove(0),
        reply => panic!("{reply:?}"),
    }
}

/// A record that is there, and then is gone; with the version it had.
async fn gone(
    how: Gone,
    scope: impl Fn(&Actor, &RecordKey, &Json) -> bool + Send + Sync + 'static,
    was: Value,
) -> (World, Seq) {
    let world = World::with(|builder| match how {
        Gone::DeleteWins => {
            let policy = CollectionPolicy::default().with_delete(DeletePolicy::DeleteWins);
            builder.scope(scope).policies(Policies::default().with(notes(), policy))
        }
        Gone::Collected => builder.scope(scope),
    })
    .await;
    let version = one_as(&world, &root(), create("x", was)).await.version().unwrap();
    one_as(&world, &root(), Mutation::delete(key("x")).based_on(version)).await;
    if matches!(how, Gone::Collected) {
        world.clock.advance(Duration::from_secs(40 * 24 * 3600));
        assert!(world.service.collect(&world.space, false).await.unwrap().n_removed > 0);
    }
    (world, version)
}

/// How many conflicts someone is shown; whichever way they ask, it is as many. And all that they are told, as text.
async fn told(world: &World, who: &Actor) -> (usize, String) {
    let (listed, _) = world.service.conflicts(who, &world.space, None, true).await.unwrap();
    let PullReply::Page(page) = world.service.pull(who, &world.space, PullRequest::default()).await.unwrap()
    else {
        panic!("a first pull is never refused")
    };
    let loaded = world.service.snapshot(who, &world.space, &SnapshotRequest::default()).await.unwrap();
    for records in [&page.changes, &loaded.records] {
        let live = records.iter().filter(|record| !record.is_deleted());
        let n_conflicts =
            live.filter(|record| record.key.collection.as_str() == Collection::CONFLICTS).count();
        assert_eq!(n_conflicts, listed.len());
    }
    (listed.len(), format!("{listed:?} {:?} {:?}", page.changes, loaded.records))
}

#[tokio::test]
async fn a_late_patch_of_a_hidden_record_that_is_gone_is_shown_to_its_author_alone() {
    let removed = json!([{"path": "/text", "was": SECRET}]);
    let changed = json!([{"path": "/text", "was": SECRET, "now": "more of it"}]);
    let claimed = json!([{"path": "/of", "was": SECRET, "now": "bob"}]);
    let whole = json!([{"path": "", "was": {"of": "ada", "text": SECRET}, "now": {"of": "bob"}}]);
    for how in [Gone::Collected, Gone::DeleteWins] {
        for edits in [&removed, &changed, &claimed, &whole] {
            let (world, old) = gone(how, by_fields, json!({"of": "ada", "text": SECRET})).await;
            let ada = actor("ada");
            let outcome = one_as(&world, &ada, patch(edits.clone()).based_on(old)).await;
            assert!(matches!(outcome, Outcome::Merged { .. } | Outcome::Conflict { .. }), "{outcome:?}");
            let (n_shown, text) = told(&world, &bob()).await;
            assert!(n_shown == 0 && !text.contains(SECRET), "{how:?} {edits}: {text}");
            assert_eq!(
                (told(&world, &ada).await.0, told(&world, &root()).await.0),
                (1, 0),
                "{how:?} {edits}"
            );
        }
    }
}

#[tokio::test]
async fn a_fragment_without_the_field_that_hides_a_record_does_not_show_it() {
    let edits = json!([{"path": "/text", "was": SECRET, "now": "more of it"}]);
    for how in [Gone::Collected, Gone::DeleteWins] {
        let (world, old) = gone(how, but_private, json!({"private": true, "text": SECRET})).await;
        one_as(&world, &actor("ada"), patch(edits.clone()).based_on(old)).await;
        let (n_shown, text) = told(&world, &bob()).await;
        assert!(n_shown == 0 && !text.contains(SECRET), "{how:?}: {text}");
        assert_eq!(told(&world, &actor("ada")).await.0, 1);
    }
}

#[tokio::test]
async fn a_late_record_that_is_whole_is_shown_to_who_may_read_it() {
    for how in [Gone::Collected, Gone::DeleteWins] {
        for (of, n_shown) in [("bob", 1), ("ada", 0)] {
            let (world, old) = gone(how, by_fields, json!({"of": "ada"})).await;
            one_as(&world, &actor("ada"), put("x", json!({"of": of, "n": 2})).based_on(old)).await;
            assert_eq!(told(&world, &bob()).await.0, n_shown, "{how:?} {of}");
            assert_eq!(told(&world, &root()).await.0, 1, "{how:?} {of}");
        }
    }
}

#[tokio::test]
async fn a_late_patch_of_what_is_there_is_shown_to_who_may_read_what_it_makes() {
    for (of, n_shown) in [("bob", 1), ("ada", 0)] {
        let world = World::with(|builder| builder.scope(by_fields)).await;
        let mut version = Seq::ZERO;
        let mut first = None;
        for n in 1..=2 {
            let put = put("x", json!({"of": of, "n": n})).based_on(version);
            version = one_as(&world, &root(), put).await.version().unwrap();
            first = first.or(Some(version));
        }
        let late = patch(json!([{"path": "/n", "was": 1, "now": 9}])).based_on(first.unwrap());
        assert_eq!(one_as(&world, &actor("ada"), late).await.as_str(), "conflict");
        assert_eq!(told(&world, &bob()).await.0, n_shown, "{of}");
        assert_eq!(told(&world, &root()).await.0, 1, "{of}");
    }
}
