//! What is remembered of everyone's rights, and how it is forgotten in time.
//!
//! A busy client asks many times a second, and each time it matters who it is and what it may do. Both are remembered for
//! a moment, and dropped the moment a notice says that they may have changed. Where other processes change the same
//! accounts, notices come by asking for them, a little later; so nothing is remembered there, and notices end open
//! connections alone.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::try_join_all;
use sync_core::service::Roles;
use sync_core::{
    Accounts, ActorId, Credential, CredentialId, Notice, Notices, Result, Role, SpaceId, Timestamp,
};
use tokio::sync::broadcast;

/// How long something is remembered at most. 1 s: what is promised for revocations, if no notice came through.
const REMEMBERED: Duration = Duration::from_secs(1);

/// Entries of each kind that are remembered. 20,000 at a few hundred bytes: a few megabytes.
const ENTRIES_MAX: usize = 20_000;

/// How often notices of other processes are asked for. 250 ms: a revocation is to end connections within a second.
pub const NOTICE_INTERVAL: Duration = Duration::from_millis(250);

/// Notices that an open connection may be behind with before it looks for itself.
const NOTICES_WAITING: usize = 256;

/// Credentials and roles as they were read a moment ago.
#[derive(Debug)]
pub struct Rights {
    accounts: Arc<dyn Accounts>,
    is_shared: bool,
    known: Mutex<Known>,
    /// Whose turn it is to read notices.
    turn: tokio::sync::Mutex<Option<u64>>,
    /// `None` says that anything may have changed.
    heard: broadcast::Sender<Option<Notice>>,
}

#[derive(Debug, Default)]
struct Known {
    /// Grows with every forgetting, so that what was read before it is not remembered after it.
    generation: u64,
    credentials: HashMap<CredentialId, (Arc<Credential>, Timestamp)>,
    roles: HashMap<(SpaceId, ActorId), (Role, Timestamp)>,
}

impl Rights {
    /// The rights in these accounts. `is_shared` says whether other processes may change them.
    pub fn new(accounts: Arc<dyn Accounts>, is_shared: bool) -> Self {
        Self {
            accounts,
            is_shared,
            known: Mutex::default(),
            turn: tokio::sync::Mutex::new(None),
            heard: broadcast::Sender::new(NOTICES_WAITING),
        }
    }

    /// The credential with this id.
    ///
    /// # Errors
    ///
    /// What the store reports.
    pub async fn credential(&self, id: &CredentialId, now: Timestamp) -> Result<Option<Arc<Credential>>> {
        if self.is_shared {
            return Ok(self.accounts.credential(id).await?.map(Arc::new));
        }
        let generation = {
            let known = self.known();
            if let Some(found) = fresh(&known.credentials, id, now) {
                return Ok(Some(found));
            }
            known.generation
        };
        let Some(found) = self.accounts.credential(id).await?.map(Arc::new) else { return Ok(None) };
        let mut known = self.known();
        if known.generation == generation {
            remember(&mut known.credentials, id.clone(), Arc::clone(&found), now);
        }
        Ok(Some(found))
    }

    /// What `actor` may do in `space`.
    ///
    /// # Errors
    ///
    /// What the store reports.
    pub async fn role(&self, space: &SpaceId, actor: &ActorId, now: Timestamp) -> Result<Option<Role>> {
        if self.is_shared {
            return self.accounts.role(space, actor).await;
        }
        let key = (space.clone(), actor.clone());
        let generation = {
            let known = self.known();
            if let Some(found) = fresh(&known.roles, &key, now) {
                return Ok(Some(found));
            }
            known.generation
        };
        let Some(found) = self.accounts.role(space, actor).await? else { return Ok(None) };
        let mut known = self.known();
        if known.generation == generation {
            remember(&mut known.roles, key, found, now);
        }
        Ok(Some(found))
    }

    /// Reads what was noticed since the last time, forgets what it concerns, and tells those who wait.
    ///
    /// # Errors
    ///
    /// What the store reports. Everything is forgotten then: what is not known is not believed.
    pub async fn catch_up(&self) -> Result<()> {
        let mut position = self.turn.lock().await;
        let read = self.accounts.notices(*position).await;
        let was_new = position.is_none();
        let Notices { position: next, missed, notices } = match read {
            Ok(notices) => notices,
            Err(error) => {
                self.forget_all();
                return Err(error);
            }
        };
        *position = Some(next);
        if missed || was_new {
            self.forget_all();
        }
        for notice in notices {
            self.known().forget(&notice);
            // Nobody has to be listening.
            let _ = self.heard.send(Some(notice));
        }
        Ok(())
    }

    /// Reads notices for as long as it is polled, where other processes make some.
    pub async fn keep_up(&self) {
        if !self.is_shared {
            return std::future::pending().await;
        }
        loop {
            if let Err(error) = self.catch_up().await {
                tracing::warn!(%error, "could not ask whose rights have changed");
            }
            tokio::time::sleep(NOTICE_INTERVAL).await;
        }
    }

    /// Notices from now on.
    pub(super) fn watch(&self) -> Watch {
        Watch(self.heard.subscribe())
    }

    /// Drops everything, and has all who wait look again.
    fn forget_all(&self) {
        let mut known = self.known();
        *known = Known { generation: known.generation + 1, ..Known::default() };
        drop(known);
        let _ = self.heard.send(None);
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn forget(&mut self, notice: &Notice) {
        self.generation += 1;
        match notice {
            Notice::Credential(id) => drop(self.credentials.remove(id)),
            Notice::Member(space, actor) => drop(self.roles.remove(&(space.clone(), actor.clone()))),
            Notice::Space(space) => self.roles.retain(|(of, _), _| of != space),
            Notice::Actor(actor) => {
                let theirs = sync_core::Holder::User(actor.clone());
                self.credentials.retain(|_, (credential, _)| credential.holder != theirs);
                self.roles.retain(|(_, of), _| of != actor);
            }
        }
    }
}

fn fresh<K: Hash + Eq, V: Clone>(map: &HashMap<K, (V, Timestamp)>, key: &K, now: Timestamp) -> Option<V> {
    // A clock that went back makes an entry look young for ever; it is not used then.
    map.get(key).filter(|(_, at)| *at <= now && now.since(*at) < REMEMBERED).map(|(value, _)| value.clone())
}

fn remember<K: Hash + Eq, V>(map: &mut HashMap<K, (V, Timestamp)>, key: K, value: V, now: Timestamp) {
    if map.len() >= ENTRIES_MAX {
        map.clear();
    }
    map.insert(key, (value, now));
}

/// Notices as they come.
#[derive(Debug)]
pub(super) struct Watch(broadcast::Receiver<Option<Notice>>);

impl Watch {
    /// Waits for word about an actor, a device or a space; or for too much word.
    pub(super) async fn about(&mut self, user: &ActorId, device: &CredentialId, space: Option<&SpaceId>) {
        loop {
            let concerns = match self.0.recv().await {
                Ok(Some(Notice::Actor(actor))) => actor == *user,
                Ok(Some(Notice::Member(of, actor))) => actor == *user && Some(&of) == space,
                Ok(Some(Notice::Space(of))) => Some(&of) == space,
                Ok(Some(Notice::Credential(id))) => id == *device,
                Ok(None) | Err(broadcast::error::RecvError::Lagged(_)) => true,
                Err(broadcast::error::RecvError::Closed) => return std::future::pending().await,
            };
            if concerns {
                return;
            }
        }
    }
}

/// The roles at the moment of a commit: from the store, whatever is remembered.
#[async_trait]
impl Roles for Rights {
    async fn roles(&self, space: &SpaceId, actors: &[ActorId]) -> Result<HashMap<ActorId, Role>> {
        let asked = actors.iter().map(|actor| async move {
            let role = self.accounts.role(space, actor).await?;
            Ok(role.map(|role| (actor.clone(), role)))
        });
        Ok(try_join_all(asked).await?.into_iter().flatten().collect())
    }
}
