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
use sync_core::service::Roles;
use sync_core::{
    Accounts, ActorId, Credential, CredentialId, LOOK_UP_MAX, Notice, Notices, Result, Role, SpaceId,
    Timestamp,
};
use tokio::sync::broadcast;

use super::look_ups::{Answer, LookUps, Question};

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
    look_ups: LookUps,
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
            look_ups: LookUps::new(Arc::clone(&accounts)),
            accounts,
            is_shared,
            known: Mutex::default(),
            turn: tokio::sync::Mutex::new(None),
            heard: broadcast::Sender::new(NOTICES_WAITING),
        }
    }

    /// Whether other processes may change these accounts.
    pub(super) fn is_shared(&self) -> bool {
        self.is_shared
    }

    /// The credential with this id.
    ///
    /// # Errors
    ///
    /// What the store reports.
    pub async fn credential(&self, id: &CredentialId, now: Timestamp) -> Result<Option<Arc<Credential>>> {
        let question = Question { credential: Some(id.clone()), role: None };
        Ok(self.find(question, now).await?.credential)
    }

    /// What `actor` may do in `space`.
    ///
    /// # Errors
    ///
    /// What the store reports.
    pub async fn role(&self, space: &SpaceId, actor: &ActorId, now: Timestamp) -> Result<Option<Role>> {
        let question = Question { credential: None, role: Some((space.clone(), actor.clone())) };
        Ok(self.find(question, now).await?.role)
    }

    /// Both at once.
    ///
    /// # Errors
    ///
    /// What the store reports.
    pub(super) async fn both(
        &self,
        id: &CredentialId,
        space: &SpaceId,
        actor: &ActorId,
        now: Timestamp,
    ) -> Result<(Option<Arc<Credential>>, Option<Role>)> {
        let role = Some((space.clone(), actor.clone()));
        let found = self.find(Question { credential: Some(id.clone()), role }, now).await?;
        Ok((found.credential, found.role))
    }

    async fn find(&self, mut question: Question, now: Timestamp) -> Result<Answer> {
        if self.is_shared {
            return self.look_ups.ask(question).await;
        }
        let (remembered, generation) = self.known().remembered(&mut question, now);
        if question.is_answered() {
            return Ok(remembered);
        }
        let found = self.look_ups.ask(question.clone()).await?;
        let mut known = self.known();
        if known.generation == generation {
            known.remember(question, &found, now);
        }
        Ok(Answer {
            credential: remembered.credential.or(found.credential),
            role: remembered.role.or(found.role),
        })
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
    /// What is remembered of what is asked, which is not asked any more then, and the generation it is of.
    fn remembered(&self, question: &mut Question, now: Timestamp) -> (Answer, u64) {
        let Question { credential, role } = question;
        let found = Answer {
            credential: credential.as_ref().and_then(|id| fresh(&self.credentials, id, now)),
            role: role.as_ref().and_then(|key| fresh(&self.roles, key, now)),
        };
        credential.take_if(|_| found.credential.is_some());
        role.take_if(|_| found.role.is_some());
        (found, self.generation)
    }

    fn remember(&mut self, question: Question, found: &Answer, now: Timestamp) {
        if let (Some(id), Some(found)) = (question.credential, &found.credential) {
            remember(&mut self.credentials, id, Arc::clone(found), now);
        }
        if let (Some(key), Some(role)) = (question.role, found.role) {
            remember(&mut self.roles, key, role, now);
        }
    }

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
        let mut known = HashMap::with_capacity(actors.len());
        for some in actors.chunks(LOOK_UP_MAX) {
            let asked: Vec<_> = some.iter().map(|actor| (space.clone(), actor.clone())).collect();
            let roles = self.accounts.look_up(&[], &asked).await?.roles;
            known.extend(some.iter().cloned().zip(roles).filter_map(|(actor, role)| Some((actor, role?))));
        }
        Ok(known)
    }
}
