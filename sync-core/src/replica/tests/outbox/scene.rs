//! A replica with edits in some state, and what happens to its server.

use std::time::Duration;

use futures_util::FutureExt;
use serde_json::{Value, json};

use super::{Edits, Event, Way};
use crate::conflict::Resolution;
use crate::json::Json;
use crate::merge::{CollectionPolicy, PathRule};
use crate::policies::Policies;
use crate::replica::Replica;
use crate::replica::tests::laws::Tokens;
use crate::replica::tests::world::*;
use crate::service::Limits;
use crate::store::{MemoryStore, Store};
use crate::types::{Collection, Epoch};

pub(super) struct Scene {
    pub(super) world: World,
    disk: MemoryStore,
    /// Whose edits are looked at.
    pub(super) one: Replica,
    pub(super) two: Replica,
    /// The server before the last things were written that `one` knows of.
    backup: MemoryStore,
    pub(super) tokens: Tokens,
    /// What was written in one transaction.
    pub(super) groups: Vec<Vec<String>>,
    n_tokens: u32,
}

impl Scene {
    pub(super) async fn new(event: Event) -> Self {
        let rule = CollectionPolicy::default().with_rule("/n".parse().unwrap(), PathRule::Counter);
        let policies = Policies::default().with(Collection::new("notes").unwrap(), rule);
        let (retention, lease) = match event {
            Event::Horizon => (Duration::from_secs(10), Duration::from_secs(5)),
            _ => (Limits::default().retention, Limits::default().lease),
        };
        let world = World::with(policies, Limits { retention, lease, ..Limits::default() }).await;
        let disk = MemoryStore::default();
        let (one, two) = (world.replica(&disk).await, world.fresh().await);
        let backup = MemoryStore::default();
        let mut scene =
            Self { world, disk, one, two, backup, tokens: Tokens::default(), groups: vec![], n_tokens: 0 };
        for id in ["update", "replace", "delete", "clash", "again", "conflict"] {
            scene.set(id, "t").await;
        }
        scene.one.put("notes", "counter", &json!({"n": 0})).await.unwrap();
        scene.settle().await;
        scene.world.clock.advance(Duration::from_secs(10));
        // A conflict that is open, of which `one` holds the losing side.
        scene.theirs("conflict", "t").await;
        scene.set("conflict", "t").await;
        scene.settle().await;
        scene.backup = scene.world.store.fork();
        scene.world.clock.advance(Duration::from_secs(10));
        // Confirmed to `one`, and not in the backup.
        scene.set("confirmed", "t").await;
        scene.set("update", "confirmed").await;
        scene.settle().await;
        // Of others, not known to `one`.
        scene.theirs("update", "theirs").await;
        scene.theirs("clash", "t").await;
        scene.two.sync(&scene.world.loopback()).await.unwrap();
        scene.world.clock.advance(Duration::from_secs(1));
        scene
    }

    fn token(&mut self) -> String {
        self.n_tokens += 1;
        format!("token-{}", self.n_tokens)
    }

    /// `one` sets a member of a record to a new token.
    pub(super) async fn set(&mut self, id: &str, member: &str) {
        let (one, token) = (self.one.clone(), self.token());
        self.write(&one, id, member, &token).await;
    }

    async fn theirs(&mut self, id: &str, member: &str) {
        let (two, token) = (self.two.clone(), format!("theirs-{}", self.token()));
        self.write(&two, id, member, &token).await;
    }

    async fn write(&mut self, replica: &Replica, id: &str, member: &str, token: &str) {
        let before = value(replica, id).await;
        let mut after = before.clone().unwrap_or(json!({}));
        after[member] = json!(token);
        replica.put("notes", id, &after).await.unwrap();
        self.tokens.note(before.as_ref(), Some(&after));
    }

    async fn delete(&mut self, replica: &Replica, id: &str) {
        let before = value(replica, id).await;
        replica.delete("notes", id).await.unwrap();
        self.tokens.note(before.as_ref(), None);
    }

    async fn count(&self) {
        let n = value(&self.one, "counter").await.map_or(0, |value| value["n"].as_i64().unwrap());
        self.one.put("notes", "counter", &json!({"n": n + 1})).await.unwrap();
    }

    pub(super) async fn settle(&self) {
        self.world.settle(&[&self.one, &self.two]).await;
    }

    pub(super) async fn edit(&mut self, edits: Edits) {
        match edits {
            Edits::None => {}
            Edits::Plain => {
                self.set("update", "mine").await;
                self.set("clash", "t").await;
                let before = value(&self.one, "replace").await;
                let after = json!({"new": self.token()});
                self.one.put("notes", "replace", &after).await.unwrap();
                self.tokens.note(before.as_ref(), Some(&after));
                self.delete(&self.one.clone(), "delete").await;
                self.set("created", "t").await;
                self.count().await;
            }
            Edits::Resolution => {
                let conflict = self.one.conflicts(10).await.unwrap().remove(0);
                let before = value(&self.one, "conflict").await;
                let decided = json!({"t": self.token()});
                let how = Resolution::Merged(Some(Json::from_value(&decided).unwrap()));
                self.one.resolve(&conflict, how).await.unwrap();
                self.tokens.note(before.as_ref(), Some(&decided));
                self.tokens.note(conflict.body.mine.as_ref(), None);
            }
            Edits::Group => self.together(&["update", "again", "created", "beside"]).await,
            Edits::FailingGroup => self.together(&["update", "clash", "created", "beside"]).await,
        }
    }

    /// One transaction that sets a member of these.
    async fn together(&mut self, ids: &[&str]) {
        let mut changes = Vec::new();
        let tokens: Vec<String> = ids.iter().map(|_| self.token()).collect();
        let work = self.one.transaction(async |t| {
            for (id, token) in ids.iter().zip(&tokens) {
                let before: Option<Value> = t.get("notes", id).await?;
                let mut after = before.clone().unwrap_or(json!({}));
                after["t"] = json!(token);
                t.put("notes", id, &after).await?;
                changes.push((before, after));
            }
            Ok(())
        });
        work.await.unwrap();
        for (before, after) in changes {
            self.tokens.note(before.as_ref(), Some(&after));
        }
        self.groups.push(tokens);
    }

    /// Edits what was edited before, in part in other places.
    async fn edit_again(&mut self, edits: Edits) {
        match edits {
            Edits::None => {}
            Edits::Plain => {
                self.set("update", "later").await;
                self.set("created", "t").await;
                self.set("again", "t").await;
                self.count().await;
            }
            Edits::Resolution => self.set("conflict", "later").await,
            Edits::Group => self.together(&["again", "created", "more"]).await,
            Edits::FailingGroup => self.set("created", "later").await,
        }
    }

    pub(super) async fn send_off(&mut self, way: Way, edits: Edits) {
        let fate = match way {
            Way::Dirty => return,
            Way::Sealed => {
                self.one.write(|local| async move { local.seal(1000).await }.boxed()).await.unwrap();
                return;
            }
            Way::Lost | Way::LostAndEdited => Fate::DropRequest,
            Way::Unanswered | Way::UnansweredAndEdited => Fate::DropReply,
        };
        if edits != Edits::None {
            self.one.sync(&Line::with(self.world.loopback(), [fate])).await.unwrap_err();
        }
        if matches!(way, Way::LostAndEdited | Way::UnansweredAndEdited) {
            self.edit_again(edits).await;
        }
    }

    pub(super) async fn strike(&mut self, event: Event) {
        match event {
            Event::Nothing | Event::InvalidCursor => {}
            Event::Horizon => {
                self.delete(&self.two.clone(), "replace").await;
                self.two.sync(&self.world.loopback()).await.unwrap();
                self.world.clock.advance(Duration::from_secs(3600));
                self.theirs("unseen", "t").await;
                self.two.sync(&self.world.loopback()).await.unwrap();
                self.world.service.collect(&space(), false).await.unwrap();
            }
            Event::EpochChanged => {
                let store = MemoryStore::default();
                store.create_space(&space(), Epoch::from_bytes([9; 16])).await.unwrap();
                self.world.restore(store);
            }
            Event::CursorAhead => self.world.restore(self.backup.fork()),
            Event::Restored | Event::Forked => {
                if event == Event::Forked {
                    // The copy was written to while `one` was with the original.
                    self.world.clock.set(crate::clock::Timestamp::from_micros(12_000_000).unwrap());
                }
                self.world.restore(self.backup.fork());
                let three = self.world.fresh().await;
                self.world.settle(&[&three]).await;
                for (id, member) in [("update", "three"), ("again", "three"), ("unseen", "t")] {
                    let token = format!("three-{}", self.token());
                    self.write(&three, id, member, &token).await;
                }
                self.world.settle(&[&three]).await;
                self.world.clock.advance(Duration::from_secs(10));
            }
            Event::Cloned => {
                let twin = self.world.replica(&self.disk.fork()).await;
                let token = format!("twin-{}", self.token());
                self.write(&twin, "twin", "t", &token).await;
                self.world.settle(&[&twin]).await;
                let token = format!("twin-{}", self.token());
                self.write(&twin, "twin", "t", &token).await;
                self.world.settle(&[&twin]).await;
            }
        }
    }
}
