//! Bringing users, what is known about spaces, members and credentials, after all spaces.

use std::slice::from_ref;

use crate::accounts::{
    Accounts, AccountsExt, Change, Changed, Credential, CredentialKind, Holder, Role, SpaceInfo, User,
};
use crate::copy::check::Checked;
use crate::copy::line::MemberLine;
use crate::error::{Error, ErrorKind, Result};
use crate::store::{Store, StoreExt};
use crate::types::{ActorId, CredentialId, SpaceId};

/// Whether a credential is worth a move. Letters and pairings are not: they live for minutes.
pub(super) fn moves(credential: &Credential) -> bool {
    matches!(credential.kind(), CredentialKind::Device | CredentialKind::Invite)
}

/// Follows the lines of users, what is known about spaces, members and credentials, and writes what is not there yet.
#[derive(Debug)]
pub(super) struct People<'a> {
    store: &'a dyn Store,
    accounts: &'a dyn Accounts,
    format: u32,
    last: Option<(Holder, Part)>,
}

/// What a line is to the user, the space or the server that it belongs to.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Itself,
    Member(ActorId),
    Credential(CredentialId),
}

impl<'a> People<'a> {
    /// Lines of an export of this format.
    pub(super) fn new(store: &'a dyn Store, accounts: &'a dyn Accounts, format: u32) -> Self {
        Self { store, accounts, format, last: None }
    }

    /// Whether there was anyone yet.
    pub(super) fn is_empty(&self) -> bool {
        self.last.is_none()
    }

    pub(super) fn check_user(&mut self, user: &User) -> Checked {
        self.comes_next(Holder::User(user.id.clone()), Part::Itself)
    }

    pub(super) fn check_space_info(&mut self, info: &SpaceInfo) -> Checked {
        self.comes_next(Holder::Space(info.space.clone()), Part::Itself)
    }

    pub(super) fn check_member(&mut self, member: &MemberLine) -> Checked {
        self.comes_next(Holder::Space(member.space.clone()), Part::Member(member.actor.clone()))
    }

    pub(super) fn check_credential(&mut self, credential: &Credential) -> Checked {
        self.comes_next(credential.holder.clone(), Part::Credential(credential.id.clone()))
    }

    /// Users come before spaces and these before the server, each ascending, with what is theirs.
    fn comes_next(&mut self, of: Holder, part: Part) -> Checked {
        let place = Some((of, part));
        if self.last >= place {
            return Err("the users, members and credentials are not ascending");
        }
        self.last = place;
        Ok(())
    }

    /// Creates a user, unless they are there from an earlier attempt.
    pub(super) async fn user(&self, user: &User) -> Result<()> {
        match self.accounts.create_user(user, &[]).await {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                if self.accounts.user(&user.id).await?.is_some_and(|found| self.is_same(&found, user)) {
                    return Ok(());
                }
                let message = format!(
                    "the store has another user with the id, the name or the address of user {}: import into an empty \
                     store",
                    user.id
                );
                Err(Error::new(ErrorKind::AlreadyExists, message))
            }
            done => done,
        }
    }

    /// Whether this user is the one in the export, of which the first format did not know homes.
    fn is_same(&self, found: &User, user: &User) -> bool {
        let home = if self.format == 1 { &found.home } else { &user.home };
        *found == User { home: home.clone(), ..user.clone() }
    }

    /// Describes a space, unless it is described like this from an earlier attempt.
    pub(super) async fn space_info(&self, info: &SpaceInfo) -> Result<()> {
        let refused = |why: &str| {
            let message = format!("cannot describe space {}: {why}", info.space);
            Err(Error::new(ErrorKind::AlreadyExists, message))
        };
        match self.accounts.space_infos(from_ref(&info.space)).await?.first() {
            Some(found) if found == info => Ok(()),
            Some(_) => refused("it is described otherwise in this store; import into an empty store"),
            None if !self.store.has_space(&info.space).await? => refused("there is no such space"),
            None => self.accounts.unconditionally(Change::DescribeSpace(info.clone())).await,
        }
    }

    /// Gives a member their role, unless they have it from an earlier attempt.
    pub(super) async fn member(&self, member: &MemberLine) -> Result<()> {
        let MemberLine { space, actor, role } = member;
        let refused = |why: &str| {
            let message = format!("cannot give {actor} a role in space {space}: {why}");
            Err(Error::new(ErrorKind::AlreadyExists, message))
        };
        match self.accounts.role(space, actor).await? {
            Some(found) if found == *role => {}
            Some(_) => return refused("they have another one in this store; import into an empty store"),
            None if !self.store.has_space(space).await? => return refused("there is no such space"),
            None => self.accounts.set_role(space, actor, Some(*role)).await?,
        }
        if self.format == 1 && *role == Role::Owner { self.give_home(actor, space).await } else { Ok(()) }
    }

    /// Makes the first space that someone owns their home: spaces come ascending.
    async fn give_home(&self, actor: &ActorId, space: &SpaceId) -> Result<()> {
        match self.accounts.user(actor).await? {
            Some(user) if user.home.is_none() => {
                let with_home = User { home: Some(space.clone()), ..user };
                self.accounts.unconditionally(Change::UpdateUser(with_home)).await
            }
            _ => Ok(()),
        }
    }

    /// Adds a credential, unless it is there from an earlier attempt.
    pub(super) async fn credential(&self, credential: &Credential) -> Result<()> {
        let refused = |why: &str| {
            let message = format!("cannot add credential {}: {why}", credential.id);
            Err(Error::new(ErrorKind::AlreadyExists, message))
        };
        let mut changes = Vec::new();
        match &credential.holder {
            Holder::User(id) => changes.push(Change::RequireUser(id.clone())),
            Holder::Space(space) if !self.store.has_space(space).await? => {
                return refused("there is no such space");
            }
            Holder::Space(_) | Holder::Address(_) | Holder::Server => {}
        }
        changes.push(Change::AddCredential(credential.clone()));
        match self.accounts.change(&changes).await? {
            Changed::Done => Ok(()),
            Changed::Refused(idx) if idx + 1 < changes.len() => refused("there is no such user"),
            Changed::Refused(_)
                if self.accounts.credential(&credential.id).await?.as_ref() == Some(credential) =>
            {
                Ok(())
            }
            Changed::Refused(_) => {
                refused("the store has another one of this id; import into an empty store")
            }
        }
    }
}
