//! Replicas of people who see different parts of a space converge, each with the server's view for its actor.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use serde_json::{Value, json};
use sync_core::json::Json;
use sync_core::protocol::{PullReply, PullRequest, PushReply, PushRequest, SnapshotItem, SnapshotRequest};
use sync_core::replica::{Query, Replica, ReplicaOptions};
use sync_core::service::Actor;
use sync_core::store::MemoryStore;
use sync_core::transport::{Loopback, Transport};
use sync_core::{Error, ErrorKind, RecordKey, Role, SpaceId, TokioRuntime};

use crate::world::{World, actor};

/// Someone with a device.
struct Person {
    actor: Actor,
    replica: Replica,
    way: Way,
}

/// A way to the server on which things can happen.
#[derive(Debug)]
struct Way {
    inner: Loopback,
    /// Whether nothing can be sent now, and only be received.
    is_one_way: Mutex<bool>,
    /// What is written here while the next push is under way.
    meanwhile: Mutex<Option<(Replica, Value)>>,
}

#[async_trait]
impl Transport for Way {
    async fn push(&self, space: &SpaceId, push: &PushRequest) -> Result<PushReply, Error> {
        if *self.is_one_way.lock().unwrap() {
            return Err(Error::new(ErrorKind::Forbidden, "not now").with_code("forbidden_role"));
        }
        let meanwhile = self.meanwhile.lock().unwrap().take();
        if let Some((replica, value)) = meanwhile {
            replica.put("notes", "r", &value).await?;
        }
        self.inner.push(space, push).await
    }

    async fn pull(&self, space: &SpaceId, pull: &PullRequest) -> Result<PullReply, Error> {
        self.inner.pull(space, pull).await
    }

    fn snapshot(
        &self,
        space: &SpaceId,
        request: &SnapshotRequest,
    ) -> BoxStream<'static, Result<SnapshotItem, Error>> {
        self.inner.snapshot(space, request)
    }
}

async fn world() -> World {
    let own = |actor: &Actor, _: &RecordKey, data: &Json| data.to_value()["owner"] == actor.id.as_str();
    World::with(|builder| builder.scope(own)).await
}

async fn person(world: &World, name: &str) -> Person {
    let actor = actor(name);
    let options = ReplicaOptions::new(Arc::new(TokioRuntime), actor.id.clone());
    let options = ReplicaOptions { clock: world.clock.clone(), ..options };
    let replica =
        Replica::open(Arc::new(MemoryStore::default()), world.space.clone(), options).await.unwrap();
    let inner = Loopback::new(world.service.clone(), actor.clone());
    Person { actor, replica, way: Way { inner, is_one_way: Mutex::default(), meanwhile: Mutex::default() } }
}

impl Person {
    async fn sync(&self) {
        self.replica.sync(&self.way).await.unwrap();
    }

    async fn write(&self, id: &str, owner: &str, n: u64) {
        self.replica.put("notes", id, &json!({"owner": owner, "n": n})).await.unwrap();
    }

    async fn reads(&self, id: &str) -> Option<Value> {
        self.replica.get("notes", id).await.unwrap()
    }

    async fn assert_converged(&self, world: &World) {
        let status = world.service.status(&self.actor, &world.space, true).await.unwrap();
        assert!(self.replica.unsent().await.unwrap().is_empty());
        let foreign = self.replica.list("notes", &Query::all()).await.unwrap();
        let foreign: Vec<_> = foreign
            .iter()
            .filter(|r| !r.data.as_ref().unwrap().as_str().contains(self.actor.id.as_str()))
            .collect();
        assert!(foreign.is_empty(), "{} has {foreign:?}", self.actor.id);
        assert_eq!(Some(self.replica.state_hash().await.unwrap()), status.state_hash, "{}", self.actor.id);
    }
}

#[tokio::test]
async fn records_that_move_come_and_go() {
    let world = world().await;
    let (ada, bob) = (person(&world, "ada").await, person(&world, "bob").await);
    ada.write("a", "ada", 1).await;
    ada.write("b", "bob", 1).await;
    for who in [&ada, &bob] {
        who.sync().await;
    }
    assert_eq!((ada.reads("b").await, bob.reads("a").await), (None, None), "given away, and never seen");
    assert!(bob.reads("b").await.is_some());

    bob.write("b", "ada", 2).await;
    for who in [&bob, &ada, &bob] {
        who.sync().await;
        who.assert_converged(&world).await;
    }
    assert_eq!((ada.reads("b").await, bob.reads("b").await), (Some(json!({"owner": "ada", "n": 2})), None));
}

#[tokio::test]
async fn an_unsent_edit_of_a_record_that_leaves_is_set_aside() {
    for is_pulled_first in [true, false] {
        let world = world().await;
        let (ada, bob) = (person(&world, "ada").await, person(&world, "bob").await);
        ada.write("r", "ada", 1).await;
        ada.sync().await;
        let other = person(&world, "ada").await;
        other.sync().await;
        ada.write("r", "ada", 7).await;
        other.write("r", "bob", 2).await;
        other.sync().await;
        if is_pulled_first {
            *ada.way.is_one_way.lock().unwrap() = true;
            // What it was told of the refusal is of no interest here.
            let _ = ada.replica.sync(&ada.way).await;
            *ada.way.is_one_way.lock().unwrap() = false;
            assert_eq!(ada.reads("r").await, Some(json!({"owner": "ada", "n": 7})), "her own edit stays");
        }
        for who in [&ada, &bob, &ada, &other] {
            who.sync().await;
        }
        let aside = ada.replica.set_aside(10).await.unwrap();
        assert_eq!((aside.len(), aside[0].code.as_str()), (1, "out_of_scope"));
        assert!(aside[0].mutation.to_json().contains("\"n\":7"), "what was wanted is still there");
        assert_eq!(
            (ada.reads("r").await, bob.reads("r").await),
            (None, Some(json!({"owner": "bob", "n": 2})))
        );
        for who in [&ada, &bob, &other] {
            who.assert_converged(&world).await;
        }
    }
}

#[tokio::test]
async fn an_edit_on_top_of_what_was_just_given_away_is_set_aside() {
    let world = world().await;
    let (ada, bob) = (person(&world, "ada").await, person(&world, "bob").await);
    ada.write("r", "ada", 1).await;
    ada.sync().await;
    ada.write("r", "bob", 2).await;
    *ada.way.meanwhile.lock().unwrap() = Some((ada.replica.clone(), json!({"owner": "bob", "n": 3})));
    for who in [&ada, &ada, &bob, &ada] {
        who.sync().await;
    }
    assert_eq!(ada.replica.set_aside(10).await.unwrap()[0].code, "out_of_scope");
    assert_eq!((ada.reads("r").await, bob.reads("r").await), (None, Some(json!({"owner": "bob", "n": 2}))));
    for who in [&ada, &bob] {
        who.assert_converged(&world).await;
    }
}

#[tokio::test]
async fn whose_role_changes_loads_what_they_may_read_by_then() {
    let all_for_owners = |actor: &Actor, _: &RecordKey, data: &Json| {
        actor.role == Role::Owner || data.to_value()["owner"] == actor.id.as_str()
    };
    let world = World::with(|builder| builder.scope(all_for_owners)).await;
    let (mut ada, bob) = (person(&world, "ada").await, person(&world, "bob").await);
    for (who, name) in [(&ada, "ada"), (&bob, "bob")] {
        who.write(name, name, 1).await;
        who.sync().await;
    }
    ada.write("unsent", "ada", 1).await;
    for (role, sees_all) in [(Role::Owner, true), (Role::Editor, false)] {
        ada.actor.role = role;
        ada.way.inner = Loopback::new(world.service.clone(), ada.actor.clone());
        ada.sync().await;
        let status = world.service.status(&ada.actor, &world.space, true).await.unwrap();
        assert_eq!(Some(ada.replica.state_hash().await.unwrap()), status.state_hash);
        assert_eq!((ada.reads("bob").await.is_some(), ada.reads("unsent").await.is_some()), (sees_all, true));
    }
}

#[tokio::test]
async fn people_who_pass_records_around_converge() {
    let names = ["ada", "bob", "carol"];
    for seed in 1..=20u64 {
        let world = world().await;
        let mut people = Vec::new();
        for name in names {
            people.push(person(&world, name).await);
        }
        let mut dice = seed;
        let mut roll = |n: u64| {
            dice = dice.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (dice >> 33) % n
        };
        for step in 0..60 {
            let who = &people[roll(3) as usize];
            let id = format!("r{}", roll(6));
            match roll(6) {
                0 => drop(who.replica.delete("notes", &id).await.unwrap()),
                1 | 2 => who.sync().await,
                _ => who.write(&id, names[roll(3) as usize], step).await,
            }
        }
        for _ in 0..4 {
            for who in &people {
                who.sync().await;
            }
        }
        for who in &people {
            who.assert_converged(&world).await;
        }
    }
}
