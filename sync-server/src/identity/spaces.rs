//! Spaces as their members see them: made, listed, left and deleted.

use sync_core::{ActorId, Change, Role, SpaceId, SpaceInfo, SpaceName, Timestamp};

use super::erasing::{Reserved, hand_out};
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
        if self.accounts().spaces_of(owner, None, SPACES_MAX).await?.len() >= SPACES_MAX {
            return Err(Problem::new(Code::QuotaExceeded).limit(SPACES_MAX as u64));
        }
        let is_chosen = space.is_some();
        let space = match space {
            Some(space) => space,
            None => SpaceId::new(self.0.ids.new_hex_id()).map_err(|_| Code::Internal)?,
        };
        let mut first: Vec<_> = by
            .map(|who| (Change::RequireCredential(who.device.clone()), Code::TokenRevoked))
            .into_iter()
            .collect();
        first.push((Change::RequireUser(owner.clone()), Code::TokenRevoked));
        let _turn = self.1.turn(&space).await;
        if is_chosen {
            self.free(&space).await?;
        }
        self.make_space(&space, first.clone()).await?;
        let info = self.new_info(&space, name);
        let [is_made, forget, describe, set] = hand_out(info.clone(), owner);
        first.push((is_made, Code::Overloaded));
        first.extend([forget, describe, set].map(|change| (change, Code::Internal)));
        let made = self.change_or(first).await;
        // When it is not known whether there is an owner now, it is left: to them, or to who looks for what was left.
        if made.as_ref().is_err_and(|problem| problem.code().status().is_client_error()) {
            self.give_up(&space).await?;
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

    /// Deletes a space and everything in it. Its name is free when this returns.
    ///
    /// # Errors
    ///
    /// `space_not_found`, `forbidden_role`.
    pub async fn delete_space(&self, who: &SignedIn, space: &SpaceId) -> Result<(), Problem> {
        self.owner(who, space).await?;
        let _turn = self.1.turn(space).await;
        let (of, actor, role) = (space.clone(), who.user.clone(), Some(Role::Owner));
        let mut changes = vec![(Change::RequireRole { space: of, actor, role }, Code::SpaceNotFound)];
        changes.extend(Reserved::Eraser.take(space).map(|change| (change, Code::Internal)));
        self.change_as(who, changes).await?;
        self.erase(space).await
    }

    /// Deletes a space for an operator, whoever its members are.
    pub(super) async fn remove_space(&self, space: &SpaceId) -> Result<(), Problem> {
        let _turn = self.1.turn(space).await;
        self.change_or(Reserved::Eraser.take(space).map(|change| (change, Code::Internal)).into()).await?;
        self.erase(space).await
    }
}
