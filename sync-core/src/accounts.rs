//! Who may sign in, and who may do what in which space.
//!
//! A separate contract from [`Store`](crate::store::Store), kept by the same backends: an app that brings its own
//! identities never touches it.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::error::Result;
use crate::types::{ActorId, SpaceId};

/// Someone who can sign in with a name and a password.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Their id, which never changes.
    pub id: ActorId,
    /// Their name as they wrote it.
    pub name: String,
    /// The normal form of the name; no two users share one.
    pub name_key: String,
    /// Hash of their password in PHC form.
    pub password_hash: String,
    /// When they registered.
    pub created_at: Timestamp,
}

impl std::fmt::Debug for User {
    /// Shows the id alone: names and hashes do not belong in logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What someone may do in a space. Each role includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// May read.
    Viewer,
    /// May read and write.
    Editor,
    /// May also manage and delete the space.
    Owner,
}

impl Role {
    /// The word for it in stores and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Editor => "editor",
            Self::Owner => "owner",
        }
    }

    /// Reads the word for it.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Viewer, Self::Editor, Self::Owner].into_iter().find(|role| role.as_str() == word)
    }
}

/// Users and memberships. All changes are durable when a method returns.
#[async_trait]
pub trait Accounts: Send + Sync + std::fmt::Debug {
    /// Creates a user together with these roles of theirs, or neither. Each space is in `roles` at most once; a copy may
    /// pass none.
    ///
    /// # Errors
    ///
    /// [`AlreadyExists`](crate::ErrorKind::AlreadyExists) when the id or the normal form of the name is taken.
    async fn create_user(&self, user: &User, roles: &[(SpaceId, Role)]) -> Result<()>;

    /// The users after `after` (or from the first), ascending by the bytes of their ids, at most `limit`.
    async fn users(&self, after: Option<&ActorId>, limit: usize) -> Result<Vec<User>>;

    /// The user with this id.
    async fn user(&self, id: &ActorId) -> Result<Option<User>>;

    /// The user whose name has this normal form.
    async fn user_by_name(&self, name_key: &str) -> Result<Option<User>>;

    /// What `actor` may do in `space`; `None` when it is no business of theirs.
    async fn role(&self, space: &SpaceId, actor: &ActorId) -> Result<Option<Role>>;

    /// Gives `actor` a role in `space`, or takes it away with `None`.
    async fn set_role(&self, space: &SpaceId, actor: &ActorId, role: Option<Role>) -> Result<()>;

    /// The spaces in which `actor` has a role, ascending by name, at most `limit`.
    async fn spaces_of(&self, actor: &ActorId, limit: usize) -> Result<Vec<(SpaceId, Role)>>;

    /// Who has a role in `space`, after `after` (or from the first), ascending by the bytes of their ids, at most `limit`.
    async fn members(
        &self,
        space: &SpaceId,
        after: Option<&ActorId>,
        limit: usize,
    ) -> Result<Vec<(ActorId, Role)>>;

    /// Removes every membership of a space that was deleted.
    async fn forget_space(&self, space: &SpaceId) -> Result<()>;
}
