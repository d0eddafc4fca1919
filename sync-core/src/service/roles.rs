//! Roles that hold at the moment of a commit, and not only when a push came in.

use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;

use crate::accounts::Role;
use crate::error::{Error, ErrorKind, Result};
use crate::protocol::code;
use crate::service::lane::Job;
use crate::service::{Actor, Inner, Service};
use crate::store::{Mode, space_not_found};
use crate::types::{ActorId, SpaceId};

/// Tells who may do what in a space right now.
///
/// A push may wait for its commit, and its author may lose their role meanwhile. A service that was
/// [given](crate::service::ServiceBuilder::roles) one of these asks it once in every commit, **after** that commit has
/// the space to itself, and believes nothing that was found out earlier.
///
/// An implementation answers from what is durable, not from a memory of its own, and waits for nothing that an open write
/// transaction may hold: neither for another write to the same database, nor for the last free connection of a pool that
/// transactions use, too.
///
/// ```
/// # use std::collections::HashMap;
/// use sync_core::service::Roles;
/// use sync_core::{ActorId, Role, SpaceId};
///
/// /// Everyone in the family may write, everywhere.
/// #[derive(Debug)]
/// struct Family(Vec<ActorId>);
///
/// #[async_trait::async_trait]
/// impl Roles for Family {
///     async fn roles(&self, _: &SpaceId, actors: &[ActorId]) -> sync_core::Result<HashMap<ActorId, Role>> {
///         let family = actors.iter().filter(|actor| self.0.contains(actor));
///         Ok(family.map(|actor| (actor.clone(), Role::Editor)).collect())
///     }
/// }
/// ```
#[async_trait]
pub trait Roles: Send + Sync + std::fmt::Debug {
    /// The roles of those of `actors` that have one in `space`. Each of them is named once; as many as are folded into
    /// one commit may be asked for.
    ///
    /// # Errors
    ///
    /// What keeps it from knowing. The commit fails with that, and nobody's push happens.
    async fn roles(&self, space: &SpaceId, actors: &[ActorId]) -> Result<HashMap<ActorId, Role>>;
}

/// What the authors of the pushes of a commit may do.
#[derive(Debug)]
pub(super) enum Standing {
    /// What was said when they came in: nobody knows better.
    AsGiven,
    /// Those who have a role.
    Now(HashMap<ActorId, Role>),
}

impl Standing {
    /// Asks for all authors at once.
    pub(super) async fn of_all(inner: &Inner, space: &SpaceId, jobs: &[Job]) -> Result<Self> {
        let Some(roles) = &inner.roles else { return Ok(Self::AsGiven) };
        let actors: BTreeSet<&ActorId> = jobs.iter().map(|job| &job.actor.id).collect();
        let actors: Vec<ActorId> = actors.into_iter().cloned().collect();
        Ok(Self::Now(roles.roles(space, &actors).await?))
    }

    /// Someone as they are now.
    ///
    /// # Errors
    ///
    /// `space_not_found`, as for a stranger, when they have no role any more.
    pub(super) fn of(&self, actor: &Actor, space: &SpaceId) -> Result<Actor> {
        let role = match self {
            Self::AsGiven => Some(actor.role),
            Self::Now(roles) => roles.get(&actor.id).copied(),
        };
        role.map(|role| Actor { role, ..actor.clone() }).ok_or_else(|| space_not_found(space))
    }
}

/// Whether someone may change a space.
///
/// # Errors
///
/// `forbidden_role`.
pub(super) fn may_write(actor: &Actor) -> Result<()> {
    if actor.role >= Role::Editor {
        return Ok(());
    }
    let error = Error::new(ErrorKind::Forbidden, "a viewer cannot change a space");
    Err(error.with_code(code::FORBIDDEN_ROLE))
}

impl Service {
    /// Waits until no push that was let in with a role of before this call is on its way to be committed any more.
    ///
    /// Whoever takes a role away writes that down first, then waits here, and then says that it is done: with
    /// [`Roles`] nothing is accepted of the one who lost it from there on. A space that is gone has nothing on its way.
    ///
    /// # Errors
    ///
    /// [`Overloaded`](ErrorKind::Overloaded) when others held the space for too long, and what the store reports. The
    /// role is gone all the same for pushes that come from now on; call again.
    pub async fn barrier(&self, space: &SpaceId) -> Result<()> {
        let space = space.clone();
        self.run(move |inner| async move {
            // There is one writer. Whoever writes after this one asks for the roles after this one.
            let begun = inner.retried(|| inner.store.begin(&space, Mode::Write)).await;
            match begun {
                Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            }
        })
        .await
    }
}
