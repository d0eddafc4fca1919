//! Spaces as their members see them: made, listed, left and deleted.

use sync_core::{Change, ErrorKind, Role, SpaceId};

use super::signed_in::SignedIn;
use crate::identity::Identity;
use crate::problem::{Code, Problem};

/// Spaces of one user. 10,000: a space for every document.
pub const SPACES_MAX: usize = 10_000;

impl Identity {
    /// Creates a space that belongs to whoever asks, under a name of their own or a new one.
    ///
    /// # Errors
    ///
    /// `id_conflict` when there is one of this name, whoever it belongs to; `quota_exceeded`.
    pub async fn create_space(&self, who: &SignedIn, name: Option<SpaceId>) -> Result<SpaceId, Problem> {
        let space = match name {
            Some(name) => name,
            None => SpaceId::new(self.0.ids.new_hex_id()).map_err(|_| Code::Internal)?,
        };
        if self.accounts().spaces_of(&who.user, None, SPACES_MAX).await?.len() >= SPACES_MAX {
            return Err(Problem::new(Code::QuotaExceeded).limit(SPACES_MAX as u64));
        }
        self.0.service.create_space(&space).await.map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => Problem::from(Code::IdConflict),
            _ => error.into(),
        })?;
        let (of, actor, role) = (space.clone(), who.user.clone(), Some(Role::Owner));
        let changes = vec![
            (Change::RequireUser(actor.clone()), Code::TokenRevoked),
            (Change::SetRole { space: of, actor, role }, Code::Internal),
        ];
        if let Err(problem) = self.change_or(changes).await {
            // Whether it was refused or is not known: nobody has heard of the space yet.
            self.0.service.delete_space(&space).await?;
            return Err(problem);
        }
        Ok(space)
    }

    /// The spaces of someone, after `after`, ascending by name.
    ///
    /// # Errors
    ///
    /// What the store reports.
    pub async fn spaces(
        &self,
        who: &SignedIn,
        after: Option<&SpaceId>,
        limit: usize,
    ) -> Result<Vec<(SpaceId, Role)>, Problem> {
        Ok(self.accounts().spaces_of(&who.user, after, limit).await?)
    }

    /// Deletes a space and everything in it.
    ///
    /// # Errors
    ///
    /// `space_not_found`, `forbidden_role`.
    pub async fn delete_space(&self, who: &SignedIn, space: &SpaceId) -> Result<(), Problem> {
        self.owner(who, space).await?;
        self.remove_space(space).await
    }

    /// Deletes a space, whoever its members are. First nobody gets in any more, then it goes; if the process dies between
    /// the two, what is left belongs to nobody.
    pub(super) async fn remove_space(&self, space: &SpaceId) -> Result<(), Problem> {
        self.change_or(vec![(Change::ForgetSpace(space.clone()), Code::Internal)]).await?;
        self.0.service.delete_space(space).await?;
        Ok(())
    }
}
