//! Who may sign in, with what, and who may do what in which space.
//!
//! A separate contract from [`Store`](crate::store::Store), kept by the same backends: an app that brings its own
//! identities never touches it. Everything is changed by one verb that takes a list: what belongs together happens
//! together, and of two who want the same thing once, one gets it.

mod change;
mod credential;
mod ext;
mod look_up;
mod notice;
mod space_info;
mod user;

use async_trait::async_trait;

pub use change::{Change, Changed};
pub use credential::{
    Claim, Credential, CredentialKind, Device, Holder, Invite, Link, Pairing, Proof, Purpose, SecretHash,
    Synced,
};
pub use ext::AccountsExt;
pub use look_up::{LOOK_UP_MAX, LookedUp};
pub use notice::{NOTICES_KEPT, Notice, Notices};
pub use space_info::{SPACE_INFOS_MAX, SpaceInfo, SpaceName};
pub use user::{Role, User};

use crate::error::Result;
use crate::types::{ActorId, CredentialId, SpaceId};

/// Users, their credentials, and memberships.
#[async_trait]
pub trait Accounts: Send + Sync + std::fmt::Debug {
    /// Makes these changes in this order, all or none of them, durable when it returns. Lists are carried out as if one
    /// after the other: each sees all that was done before.
    ///
    /// A refusal is no error. After any error, it is not known whether the changes were made unless the
    /// [kind](crate::ErrorKind) says so. A store in which lists can be in each other's way tries again itself, a few times.
    ///
    /// Each change that has a [notice](Change::notice) leaves it, in the order of the lists.
    async fn change(&self, changes: &[Change]) -> Result<Changed>;

    /// The users after `after` (or from the first), ascending by the bytes of their ids, at most `limit`.
    async fn users(&self, after: Option<&ActorId>, limit: usize) -> Result<Vec<User>>;

    /// The user with this id.
    async fn user(&self, id: &ActorId) -> Result<Option<User>>;

    /// The user whose name has this normal form.
    async fn user_by_name(&self, name_key: &str) -> Result<Option<User>>;

    /// The user whose mail address has this normal form.
    async fn user_by_address(&self, address: &str) -> Result<Option<User>>;

    /// Credentials by their ids, expired or not, and roles by where and who, in the order they were asked for; all of
    /// it as it was at one moment after the call. At most [`LOOK_UP_MAX`] of each; what is asked twice is answered twice.
    ///
    /// It is asked for each request that comes in, so a server asks for many at once.
    async fn look_up(&self, credentials: &[CredentialId], roles: &[(SpaceId, ActorId)]) -> Result<LookedUp>;

    /// What `actor` may do in `space`; `None` when it is no business of theirs.
    async fn role(&self, space: &SpaceId, actor: &ActorId) -> Result<Option<Role>> {
        let found = self.look_up(&[], &[(space.clone(), actor.clone())]).await?;
        Ok(found.roles.into_iter().next().flatten())
    }

    /// The spaces in which `actor` has a role, after `after` (or from the first), ascending by name, at most `limit`.
    async fn spaces_of(
        &self,
        actor: &ActorId,
        after: Option<&SpaceId>,
        limit: usize,
    ) -> Result<Vec<(SpaceId, Role)>>;

    /// Who has a role in `space`, after `after` (or from the first), ascending by the bytes of their ids, at most `limit`.
    async fn members(
        &self,
        space: &SpaceId,
        after: Option<&ActorId>,
        limit: usize,
    ) -> Result<Vec<(ActorId, Role)>>;

    /// What is known about those of these spaces that were described, each once, ascending by space; in one statement,
    /// whose cost does not grow with all the spaces there are. Whether someone may know it is not asked here.
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::ErrorKind::Invalid) for more than [`SPACE_INFOS_MAX`] spaces, and what the store reports.
    async fn space_infos(&self, spaces: &[SpaceId]) -> Result<Vec<SpaceInfo>>;

    /// The credential with this id, expired or not.
    async fn credential(&self, id: &CredentialId) -> Result<Option<Credential>> {
        let found = self.look_up(std::slice::from_ref(id), &[]).await?;
        Ok(found.credentials.into_iter().next().flatten())
    }

    /// The credentials that someone holds, after `after` (or from the first), ascending by id, at most `limit`.
    async fn credentials(
        &self,
        holder: &Holder,
        after: Option<&CredentialId>,
        limit: usize,
    ) -> Result<Vec<Credential>>;

    /// How far these devices are, ascending by credential and space, at most `limit`.
    async fn synced(&self, devices: &[CredentialId], limit: usize) -> Result<Vec<Synced>>;

    /// The notices after a position; with `None` none, but the position to begin with. At least the newest
    /// [`NOTICES_KEPT`] are there.
    async fn notices(&self, after: Option<u64>) -> Result<Notices>;
}
