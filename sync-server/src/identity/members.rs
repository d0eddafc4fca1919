//! Members: who is in a space, as what, and how that ends.

use sync_core::{ActorId, Change, Role, SpaceId};

use super::signed_in::SignedIn;
use crate::identity::Identity;
use crate::problem::{Code, Problem};

/// Members of one space. 1,000: a club; each of them may be writing.
pub const MEMBERS_MAX: usize = 1000;

/// Someone in a space.
#[derive(Clone, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub user: ActorId,
    /// What they are called.
    pub name: Option<String>,
    /// As what.
    pub role: Role,
}

impl Identity {
    /// The members of a space, after `after`, ascending by id.
    ///
    /// # Errors
    ///
    /// `space_not_found`.
    pub async fn members(
        &self,
        who: &SignedIn,
        space: &SpaceId,
        after: Option<&ActorId>,
        limit: usize,
    ) -> Result<Vec<Member>, Problem> {
        self.member(who, space).await?;
        self.members_of(space, after, limit).await
    }

    /// The members of a space for an operator, after `after`, ascending by id.
    ///
    /// # Errors
    ///
    /// What the store reports.
    pub async fn members_of(
        &self,
        space: &SpaceId,
        after: Option<&ActorId>,
        limit: usize,
    ) -> Result<Vec<Member>, Problem> {
        let mut members = Vec::new();
        for (user, role) in self.accounts().members(space, after, limit).await? {
            let name = self.accounts().user(&user).await?.map(|user| user.name);
            members.push(Member { user, name, role });
        }
        Ok(members)
    }

    /// Gives a member another role.
    ///
    /// # Errors
    ///
    /// `forbidden_role` for who is no owner; `not_found` for who is no member; `last_owner` when nobody else is one.
    pub async fn set_role(
        &self,
        who: &SignedIn,
        space: &SpaceId,
        member: &ActorId,
        role: Role,
    ) -> Result<(), Problem> {
        self.owner(who, space).await?;
        self.change_member(who, space, member, Some(role)).await
    }

    /// Takes a member out of a space, or lets someone leave it. When this returns nothing of theirs is accepted any more.
    ///
    /// # Errors
    ///
    /// `forbidden_role` for who removes someone else and is no owner; `not_found`; `last_owner`.
    pub async fn remove_member(
        &self,
        who: &SignedIn,
        space: &SpaceId,
        member: &ActorId,
    ) -> Result<(), Problem> {
        match who.user == *member {
            true => self.member(who, space).await?,
            false => self.owner(who, space).await?,
        };
        self.change_member(who, space, member, None).await
    }

    /// The role of one member, seen to by another or by themselves, as things stand when it happens.
    async fn change_member(
        &self,
        who: &SignedIn,
        space: &SpaceId,
        member: &ActorId,
        role: Option<Role>,
    ) -> Result<(), Problem> {
        let before = self.accounts().role(space, member).await?.ok_or(Code::NotFound)?;
        let actor = member.clone();
        let mut changes = vec![(
            Change::RequireRole { space: space.clone(), actor: actor.clone(), role: Some(before) },
            Code::Overloaded,
        )];
        if who.user != *member {
            let (space, actor) = (space.clone(), who.user.clone());
            changes
                .push((Change::RequireRole { space, actor, role: Some(Role::Owner) }, Code::ForbiddenRole));
        }
        changes.push((Change::SetRole { space: space.clone(), actor, role }, Code::Internal));
        changes.push((Change::RequireOwner(space.clone()), Code::LastOwner));
        self.change_as(who, changes).await?;
        self.0.service.barrier(space).await?;
        Ok(())
    }

    /// Whether one more may join a space.
    pub(super) async fn check_room_for_member(&self, space: &SpaceId) -> Result<(), Problem> {
        match self.accounts().members(space, None, MEMBERS_MAX).await?.len() < MEMBERS_MAX {
            true => Ok(()),
            false => Err(Problem::new(Code::QuotaExceeded).limit(MEMBERS_MAX as u64)),
        }
    }

    /// Spaces of which a user is the only owner, though others are in them.
    pub(super) async fn shared_alone(&self, user: &ActorId) -> Result<Vec<SpaceId>, Problem> {
        let mut shared = Vec::new();
        let spaces = self.all_spaces_of(user).await?;
        for (space, _) in spaces.into_iter().filter(|(_, role)| *role == Role::Owner) {
            let members = self.accounts().members(&space, None, MEMBERS_MAX + 1).await?;
            let mut others = members.iter().filter(|(other, _)| other != user).peekable();
            if others.peek().is_some() && others.all(|(_, role)| *role != Role::Owner) {
                shared.push(space);
            }
        }
        Ok(shared)
    }
}
