//! Spaces as their members see them: made, listed, left and deleted.

use sync_core::{ActorId, Change, ErrorKind, Role, SpaceId, SpaceInfo, SpaceName, Timestamp};

use super::signed_in::SignedIn;
use crate::identity::Identity;
use crate::problem::{Code, Problem};

/// Spaces of one user. 10,000: a space for every document.
pub const SPACES_MAX: usize = 10_000;

/// A space that is to be created.
#[derive(Clone, Debug, Default)]
pub struct NewSpace {
    /// Its id; a new one is made without it.
    pub space: Option<SpaceId>,
    /// What its members see it called, if anything.
    pub name: Option<SpaceName>,
}

/// A space as one of its members sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberSpace {
    /// Which.
    pub space: SpaceId,
    /// What the member is in it.
    pub role: Role,
    /// What it is called, if it was given a name.
    pub name: Option<SpaceName>,
    /// When it was created; `None` for one that is older than this knowledge.
    pub created_at: Option<Timestamp>,
}

impl MemberSpace {
    fn of(space: SpaceId, role: Role, info: Option<SpaceInfo>) -> Self {
        let (name, created_at) = info.map(|info| (info.name, info.created_at)).unwrap_or_default();
        Self { space, role, name, created_at }
    }
}

impl Identity {
    /// Creates a space that belongs to whoever asks, under an id of their own or a new one.
    ///
    /// # Errors
    ///
    /// `id_conflict` when there is one of this id, whoever it belongs to; `quota_exceeded`.
    pub async fn create_space(&self, who: &SignedIn, new: NewSpace) -> Result<MemberSpace, Problem> {
        self.create_for(&who.user, new, Some(who)).await
    }

    /// Creates a space that belongs to `owner`, for an operator.
    ///
    /// # Errors
    ///
    /// As [`create_space`](Identity::create_space).
    pub async fn create_space_for(&self, owner: &ActorId, new: NewSpace) -> Result<MemberSpace, Problem> {
        self.create_for(owner, new, None).await
    }

    async fn create_for(
        &self,
        owner: &ActorId,
        NewSpace { space, name }: NewSpace,
        by: Option<&SignedIn>,
    ) -> Result<MemberSpace, Problem> {
        let space = match space {
            Some(space) => space,
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
        let info = self.new_info(&space, name);
        let changes = vec![
            (Change::RequireUser(actor.clone()), Code::TokenRevoked),
            // Whoever was in a space of this name before, and was not removed with it, is not in this one.
            (Change::ForgetSpace(space.clone()), Code::Internal),
            (Change::DescribeSpace(info.clone()), Code::Internal),
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
        made.map(|()| MemberSpace::of(space, Role::Owner, Some(info)))
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
    ) -> Result<Vec<MemberSpace>, Problem> {
        let spaces = self.accounts().spaces_of(&who.user, after, limit).await?;
        let ids: Vec<SpaceId> = spaces.iter().map(|(space, _)| space.clone()).collect();
        let mut infos = self.space_infos(&ids).await?;
        let seen = spaces.into_iter().map(|(space, role)| {
            let info = infos.remove(&space);
            MemberSpace::of(space, role, info)
        });
        Ok(seen.collect())
    }

    /// One space of someone.
    ///
    /// # Errors
    ///
    /// `space_not_found`.
    pub async fn space(&self, who: &SignedIn, space: &SpaceId) -> Result<MemberSpace, Problem> {
        let role = self.member(who, space).await?.role;
        let info = self.space_infos(std::slice::from_ref(space)).await?.remove(space);
        Ok(MemberSpace::of(space.clone(), role, info))
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
    /// First nobody else gets in any more, then it goes, then the owner and what they may have called it meanwhile; if the process dies in between, they find it in
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
        let mut first = vec![is_owner.clone()];
        first.extend(alone.then_some(Change::RequireAlone { space: of, actor }));
        let forget = Change::ForgetSpace(space.clone());
        let stays = Change::SetRole { space: space.clone(), actor: owner.clone(), role: Some(Role::Owner) };
        first.extend([forget.clone(), stays]);
        if !self.change(&first).await?.is_done() {
            return Ok(false);
        }
        self.0.service.delete_space(space).await?;
        // Refused, when another process has made a new space of this name meanwhile: that one is not touched.
        self.change(&[is_owner, forget]).await.map(|_| true)
    }

    /// Deletes a space for an operator, whoever its members are.
    pub(super) async fn remove_space(&self, space: &SpaceId) -> Result<(), Problem> {
        let _turn = self.1.turn(space).await;
        self.change_or(vec![(Change::ForgetSpace(space.clone()), Code::Internal)]).await?;
        self.0.service.delete_space(space).await?;
        Ok(())
    }
}
