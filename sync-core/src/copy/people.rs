//! Bringing users and members, after all spaces.

use crate::accounts::{Accounts, AccountsExt, User};
use crate::copy::check::Checked;
use crate::copy::line::MemberLine;
use crate::error::{Error, ErrorKind, Result};
use crate::store::{Store, StoreExt};
use crate::types::{ActorId, SpaceId};

/// Follows the lines of users and members, and writes what is not there yet.
#[derive(Debug)]
pub(super) struct People<'a> {
    store: &'a dyn Store,
    accounts: &'a dyn Accounts,
    user: Option<ActorId>,
    member: Option<(SpaceId, ActorId)>,
}

impl<'a> People<'a> {
    pub(super) fn new(store: &'a dyn Store, accounts: &'a dyn Accounts) -> Self {
        Self { store, accounts, user: None, member: None }
    }

    /// Whether there was anyone yet.
    pub(super) fn is_empty(&self) -> bool {
        self.user.is_none() && self.member.is_none()
    }

    /// Users come ascending by id, before all members.
    pub(super) fn check_user(&mut self, user: &User) -> Checked {
        if self.member.is_some() || self.user.as_ref().is_some_and(|before| *before >= user.id) {
            return Err("the users are not ascending, or come after the members");
        }
        self.user = Some(user.id.clone());
        Ok(())
    }

    /// Creates a user, unless they are there from an earlier attempt.
    pub(super) async fn user(&self, user: &User) -> Result<()> {
        match self.accounts.create_user(user, &[]).await {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                if self.accounts.user(&user.id).await?.as_ref() == Some(user) {
                    return Ok(());
                }
                let message = format!(
                    "the store has another user with the id or the name of user {}: import into an empty store",
                    user.id
                );
                Err(Error::new(ErrorKind::AlreadyExists, message))
            }
            done => done,
        }
    }

    /// Members come ascending by space and id.
    pub(super) fn check_member(&mut self, member: &MemberLine) -> Checked {
        let place = Some((member.space.clone(), member.actor.clone()));
        if self.member >= place {
            return Err("the members are not ascending");
        }
        self.member = place;
        Ok(())
    }

    /// Gives a member their role, unless they have it from an earlier attempt.
    pub(super) async fn member(&self, member: &MemberLine) -> Result<()> {
        let MemberLine { space, actor, role } = member;
        let refused = |why: &str| {
            let message = format!("cannot give {actor} a role in space {space}: {why}");
            Err(Error::new(ErrorKind::AlreadyExists, message))
        };
        match self.accounts.role(space, actor).await? {
            Some(found) if found == *role => Ok(()),
            Some(_) => refused("they have another one in this store; import into an empty store"),
            None if !self.store.has_space(space).await? => refused("there is no such space"),
            None => self.accounts.set_role(space, actor, Some(*role)).await,
        }
    }
}
