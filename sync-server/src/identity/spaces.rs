//! Spaces as their members see them: made, listed, left and deleted.

use sync_core::{ActorId, Change, ErrorKind, Role, SpaceId};

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
        self.create_for(&who.user, name, Some(who)).await
    }

    /// Creates a space that belongs to `owner`, for an operator.
    ///
    /// # Errors
    ///
    /// As [`create_space`](Identity::create_space).
    pub async fn create_space_for(&self, owner: &ActorId, name: Option<SpaceId>) -> Result<SpaceId, Problem> {
        self.create_for(owner, name, None).await
    }

    async fn create_for(
        &self,
        owner: &ActorId,
        name: Option<SpaceId>,
        by: Option<&SignedIn>,
    ) -> Result<SpaceId, Problem> {
        let space = match name {
            Some(name) => name,
            None => SpaceId::new(self.0.ids.new_hex_id()).map_err(|_| Code::Internal)?,
        };
        if self.accounts().spaces_of(owner, None, SPACES_MAX).await?.len() >= SPACES_MAX {
            return Err(Problem::new(Code::QuotaExceeded).limit(SPACES_MAX as u64));
        }
        let _turn = self.1.turn(&space).await;
        self.0.service.create_space(&space).await.map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => Problem::from(Code::IdConflict),
            _ => error.into(),
        })?;
        let (of, actor, role) = (space.clone(), owner.clone(), Some(Role::Owner));
        let changes = vec![
            (Change::RequireUser(actor.clone()), Code::TokenRevoked),
            // Whoever was in a space of this name before, and was not removed with it, is not in this one.
            (Change::ForgetSpace(space.clone()), Code::Internal),
            (Change::SetRole { space: of, actor, role }, Code::Internal),
        ];
        let made = match by {
            Some(who) => self.change_as(who, changes).await,
            None => self.change_or(changes).await,
        };
        // When it is not known whether there is an owner now, theirs must not be deleted.
        if made.as_ref().is_err_and(|problem| problem.code().status().is_client_error()) {
            self.0.service.delete_space(&space).await?;
        }
        made.map(|()| space)
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
        self.change_as(who, Vec::new()).await?;
        match self.remove_own_space(space, &who.user, false).await? {
            true => Ok(()),
            false => Err(Code::SpaceNotFound.into()),
        }
    }

    /// Deletes a space of which someone is an owner, and if `alone`, only while nobody else is in it. Says whether that was so.
    ///
    /// First nobody else gets in any more, then it goes, then the owner; if the process dies in between, they find it in
    /// their list and delete it again.
    pub(super) async fn remove_own_space(
        &self,
        space: &SpaceId,
        owner: &ActorId,
        alone: bool,
    ) -> Result<bool, Problem> {
        let _turn = self.1.turn(space).await;
        let (of, actor) = (space.clone(), owner.clone());
        let is_owner =
            Change::RequireRole { space: of.clone(), actor: actor.clone(), role: Some(Role::Owner) };
        let set = |role| Change::SetRole { space: space.clone(), actor: owner.clone(), role };
        let mut first = vec![is_owner.clone()];
        first.extend(alone.then_some(Change::RequireAlone { space: of, actor }));
        first.extend([Change::ForgetSpace(space.clone()), set(Some(Role::Owner))]);
        if !self.change(&first).await?.is_done() {
            return Ok(false);
        }
        self.0.service.delete_space(space).await?;
        // Refused, when another process has made a new space of this name meanwhile: that one is not touched.
        self.change(&[is_owner, set(None)]).await.map(|_| true)
    }

    /// Deletes a space for an operator, whoever its members are.
    pub(super) async fn remove_space(&self, space: &SpaceId) -> Result<(), Problem> {
        let _turn = self.1.turn(space).await;
        self.change_or(vec![(Change::ForgetSpace(space.clone()), Code::Internal)]).await?;
        self.0.service.delete_space(space).await?;
        Ok(())
    }
}
