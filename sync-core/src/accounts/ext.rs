//! What is composed of the verbs of [`Accounts`], once for all who have them.

use async_trait::async_trait;

use crate::accounts::{Accounts, Change, Changed, Role, User};
use crate::error::{Error, ErrorKind, Result};
use crate::types::{ActorId, SpaceId};

/// Conveniences over [`Accounts`].
#[async_trait]
pub trait AccountsExt: Accounts {
    /// Creates a user together with these roles of theirs, or neither.
    ///
    /// # Errors
    ///
    /// [`AlreadyExists`](ErrorKind::AlreadyExists) when the id, the name or the address is taken.
    async fn create_user(&self, user: &User, roles: &[(SpaceId, Role)]) -> Result<()> {
        let roles = roles.iter().map(|(space, role)| set_role(space, &user.id, Some(*role)));
        let changes: Vec<_> = std::iter::once(Change::CreateUser(user.clone())).chain(roles).collect();
        match self.change(&changes).await? {
            Changed::Done => Ok(()),
            Changed::Refused(_) => Err(Error::new(ErrorKind::AlreadyExists, "there is such a user already")),
        }
    }

    /// Gives `actor` a role in `space`, or takes it away with `None`.
    ///
    /// # Errors
    ///
    /// What the store reports.
    async fn set_role(&self, space: &SpaceId, actor: &ActorId, role: Option<Role>) -> Result<()> {
        self.unconditionally(set_role(space, actor, role)).await
    }

    /// Removes every role in a space that was deleted, and the credentials it holds.
    ///
    /// # Errors
    ///
    /// What the store reports.
    async fn forget_space(&self, space: &SpaceId) -> Result<()> {
        self.unconditionally(Change::ForgetSpace(space.clone())).await
    }

    /// Makes a change that has no condition.
    ///
    /// # Errors
    ///
    /// [`Internal`](ErrorKind::Internal) when it was refused all the same, and what the store reports.
    async fn unconditionally(&self, change: Change) -> Result<()> {
        match self.change(&[change]).await? {
            Changed::Done => Ok(()),
            Changed::Refused(_) => {
                Err(Error::new(ErrorKind::Internal, "a change without condition was refused"))
            }
        }
    }
}

impl<A: Accounts + ?Sized> AccountsExt for A {}

fn set_role(space: &SpaceId, actor: &ActorId, role: Option<Role>) -> Change {
    Change::SetRole { space: space.clone(), actor: actor.clone(), role }
}
