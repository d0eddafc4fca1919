//! Validators decide about every effect, and about nothing else.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use sync_core::json::Json;
use sync_core::merge::{Clash, CollectionPolicy, UpdatePolicy, diff};
use sync_core::replica::{Replica, ReplicaOptions};
use sync_core::service::rules::Refusal;
use sync_core::service::{Actor, Resolved, ServiceBuilder};
use sync_core::store::MemoryStore;
use sync_core::transport::Loopback;
use sync_core::{Mutation, Outcome, Policies, RecordKey, Resolution, Seq, TokioRuntime};

use crate::world::{World, actor, create, json as content, key, put};

type Asked = Arc<Mutex<Vec<(String, Option<Value>, Option<Value>)>>>;

/// A validator that writes down what it is asked, and refuses whatever would be `"bad"` or has a member `bad`, and to
/// touch what is `"closed"`.
fn strict(asked: Asked) -> impl Fn(&Actor, &RecordKey, Option<&Json>, Option<&Json>) -> Result<(), Refusal> {
    move |actor, key, old, new| {
        let [old, new] = [old, new].map(|side| side.map(Json::to_value));
        asked.lock().unwrap().push((format!("{} {key}", actor.id), old.clone(), new.clone()));
        if new.is_some_and(|new| new == json!("bad") || new.get("bad").is_some()) {
            return Err(Refusal::new("bad", "this is bad"));
        }
        assert_ne!(old, Some(json!("explosive")), "a validator with a mistake");
        if old == Some(json!("closed")) { Err(Refusal::new("closed", "this is closed")) } else { Ok(()) }
    }
}

async fn world() -> (World, Asked) {
    let asked = Asked::default();
    let world = World::with(|builder| builder.validate(strict(asked.clone()))).await;
    (world, asked)
}

fn refused(rule: &str) -> Outcome {
    Outcome::rejected("refused_by_rule", format!("{rule}: this is {rule}"))
}

fn questions(asked: &Asked) -> Vec<(String, Option<Value>, Option<Value>)> {
    std::mem::take(&mut asked.lock().unwrap())
}

/// A question by ada about the record of this id.
fn about(id: &str, old: Option<Value>, new: Option<Value>) -> (String, Option<Value>, Option<Value>) {
    (format!("ada {}", key(id)), old, new)
}

#[tokio::test]
async fn every_effect_is_asked_about_with_what_would_be_stored() {
    let (world, asked) = world().await;
    let first = world.one(create("r", json!({"a": 1, "b": 1}))).await.version().unwrap();
    let second = world.one(put("r", json!({"a": 2, "b": 1})).based_on(first)).await.version().unwrap();
    // Merged with what was done meanwhile.
    let patch = diff(Some(&json!({"a": 1, "b": 1})), &json!({"a": 1, "b": 3}));
    let merged = world.one(Mutation::patch(key("r"), patch).based_on(first)).await;
    assert_eq!(merged.as_str(), "merged");
    let deleted = world.one(Mutation::delete(key("r")).based_on(merged.version().unwrap())).await;
    assert_eq!((deleted.as_str(), second > first), ("applied", true));
    assert_eq!(
        questions(&asked),
        [
            about("r", None, Some(json!({"a": 1, "b": 1}))),
            about("r", Some(json!({"a": 1, "b": 1})), Some(json!({"a": 2, "b": 1}))),
            about("r", Some(json!({"a": 2, "b": 1})), Some(json!({"a": 2, "b": 3}))),
            about("r", Some(json!({"a": 2, "b": 3})), None),
        ]
    );
}

#[tokio::test]
async fn what_changes_nothing_is_not_asked_about() {
    let (world, asked) = world().await;
    let seen = world.set("r", json!({"a": 1})).await;
    let stale = world.set("r", json!({"a": 2})).await;
    world.set("r", json!({"a": 3})).await;
    questions(&asked);
    assert_eq!(world.one(put("r", json!({"a": 3})).based_on(seen)).await.as_str(), "unchanged");
    assert_eq!(world.one(Mutation::delete(key("never"))).await.as_str(), "unchanged");
    // The losing side is kept whatever it is: it is not what the record becomes.
    let conflict = world.one(put("r", json!({"bad": 1})).based_on(stale)).await;
    let Outcome::Conflict { id, .. } = conflict else { panic!("{conflict:?}") };
    let dismissed =
        world.service.resolve(&actor("ada"), &world.space, &id, Resolution::TakeTheirs, None).await;
    assert!(matches!(dismissed, Ok(Resolved::Done(Outcome::Unchanged { .. }))));
    assert_eq!(questions(&asked), []);
}

#[tokio::test]
async fn a_refusal_changes_nothing_and_is_told_in_the_words_of_the_application() {
    let (world, _) = world().await;
    let closed = world.set("closed", json!("closed")).await;
    let open = world.set("open", json!({"a": 1})).await;
    let state = world.state().await;
    let patch = diff(Some(&json!({"a": 1})), &json!({"a": 1, "bad": 1}));
    let cases = [
        (create("new", json!("bad")), "bad"),
        (put("open", json!({"bad": 1})).based_on(open), "bad"),
        (Mutation::patch(key("open"), patch).based_on(open), "bad"),
        (put("closed", json!("other")).based_on(closed), "closed"),
        (Mutation::delete(key("closed")).based_on(closed), "closed"),
    ];
    for (mutation, rule) in cases {
        assert_eq!(world.one(mutation.clone()).await, refused(rule), "{mutation:?}");
    }
    assert_eq!(world.state().await, state);
    let log = world.service.log(&actor("ada"), &world.space, None, Some(1)).await.unwrap();
    assert_eq!(log[0].outcomes[0].code.as_deref(), Some("refused_by_rule"));
}

#[tokio::test]
async fn a_group_with_a_refused_mutation_changes_nothing() {
    let (world, _) = world().await;
    let group = ["a", "bad", "b"].map(|value| create(value, json!(value)).in_group("g"));
    let mut batch = group.to_vec();
    batch.push(create("alone", json!("alone")));
    let outcomes = world.push(batch).await;
    assert_eq!(outcomes[..3], [Outcome::Superseded, refused("bad"), Outcome::Superseded]);
    assert_eq!(world.state().await.keys().collect::<Vec<_>>(), [&key("alone")]);
}

#[tokio::test]
async fn a_mutation_is_judged_after_the_ones_before_it() {
    let asked = Asked::default();
    let blind = CollectionPolicy::default().with_update(UpdatePolicy::Whole(Clash::ClientWins));
    let set_up = |builder: ServiceBuilder| {
        builder.validate(strict(asked.clone())).policies(Policies::with_fallback(blind))
    };
    let world = World::with(set_up).await;
    let batch = vec![create("r", json!("closed")), Mutation::delete(key("r"))];
    assert_eq!(world.push(batch).await[1], refused("closed"));
    assert_eq!(questions(&asked)[1], about("r", Some(json!("closed")), None));
}

#[tokio::test]
async fn a_resolution_is_judged_by_who_resolves_and_stays_open_when_refused() {
    let (world, asked) = world().await;
    let old = world.set("r", json!({"a": 1})).await;
    world.set("r", json!({"a": 2})).await;
    let outcome = world.one(put("r", json!({"bad": 1})).based_on(old)).await;
    let Outcome::Conflict { id, .. } = outcome else { panic!("{outcome:?}") };
    questions(&asked);
    let bob = actor("bob");
    let resolve = |how| world.service.resolve(&bob, &world.space, &id, how, None);
    assert_eq!(resolve(Resolution::TakeMine).await.unwrap(), Resolved::Done(refused("bad")));
    let asked = questions(&asked);
    assert_eq!(asked, [(format!("bob {}", key("r")), Some(json!({"a": 2})), Some(json!({"bad": 1})))]);
    assert_eq!(world.value("r").await, Some(json!({"a": 2})));
    let done = resolve(Resolution::Merged(Some(content(json!({"a": 3}))))).await.unwrap();
    assert!(matches!(done, Resolved::Done(Outcome::Applied { .. })), "{done:?}");
}

#[tokio::test]
async fn a_validator_that_panics_refuses_that_mutation_and_no_other() {
    let (world, _) = world().await;
    let seen = world.set("mine", json!("explosive")).await;
    let batch = vec![put("mine", json!(1)).based_on(seen), create("other", json!(2))];
    let outcomes = world.push(batch).await;
    assert_eq!(outcomes[0], Outcome::rejected("internal", "a rule of the application failed"));
    assert_eq!(outcomes[1].as_str(), "applied");
    assert_eq!(world.one(create("next", json!(3))).await.as_str(), "applied");
}

#[tokio::test]
async fn a_replica_sets_a_refused_edit_aside_and_shows_what_the_server_has() {
    let (world, _) = world().await;
    world.set("r", json!({"a": 1})).await;
    let ada = actor("ada");
    let options = ReplicaOptions::new(Arc::new(TokioRuntime), ada.id.clone());
    let store = Arc::new(MemoryStore::default());
    let replica = Replica::open(store, world.space.clone(), options).await.unwrap();
    let server = Loopback::new(world.service.clone(), ada);
    replica.sync(&server).await.unwrap();
    replica.put("notes", "r", &json!({"bad": 1})).await.unwrap();
    replica.put("notes", "good", &json!({"a": 1})).await.unwrap();
    assert_eq!(replica.sync(&server).await.unwrap().rejected, 1);
    let aside = replica.set_aside(10).await.unwrap();
    assert_eq!((aside.len(), aside[0].code.as_str()), (1, "refused_by_rule"));
    assert_eq!((&aside[0].mutation.key, aside[0].detail.as_str()), (&key("r"), "bad: this is bad"));
    assert_eq!(replica.get::<Value>("notes", "r").await.unwrap(), Some(json!({"a": 1})));
    let status = world.service.status(&actor("ada"), &world.space, true).await.unwrap();
    assert_eq!(Some(replica.state_hash().await.unwrap()), status.state_hash);
    assert!(status.head > Seq::ZERO);
}
