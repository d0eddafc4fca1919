//! Users as they see themselves, and as an operator does.

use sync_core::{ActorId, Change, Holder, Role, SpaceId, User};

use super::erasing::{Reserved, settled};
use super::invites::{Invited, NewInvite};
use super::joining::Created;
use super::link::end_all_links;
use super::signed_in::SignedIn;
use crate::auth::address::MailAddress;
use crate::auth::password::Password;
use crate::auth::username::UserName;
use crate::identity::Identity;
use crate::problem::{Code, Problem};

/// What happens to spaces that would be left without an owner when a user goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SharedSpaces {
    /// The user stays: somebody has to decide first.
    Keep,
    /// They go as well, with what everyone has in them.
    Delete,
}

impl Identity {
    /// Whoever is signed in.
    ///
    /// # Errors
    ///
    /// `token_revoked` when they are gone.
    pub async fn profile(&self, who: &SignedIn) -> Result<User, Problem> {
        self.user(&who.user).await
    }

    /// Deletes a user with everything that is theirs: their devices, their roles, their personal space, and every space of
    /// which they were the only owner. What they wrote in spaces of others stays there.
    ///
    /// It is decided at once, however many spaces they have and make meanwhile; refused, nothing has changed. What is theirs
    /// is out of reach then, and erased, though of very many spaces not all before this returns.
    ///
    /// # Errors
    ///
    /// `not_found`; `last_owner` when spaces that others are in would be left without an owner, with their names.
    pub async fn delete_user(&self, id: &ActorId, shared: SharedSpaces) -> Result<(), Problem> {
        let user = self.accounts().user(id).await?.ok_or(Code::NotFound)?;
        self.delete(&user, shared, Vec::new()).await
    }

    async fn delete(
        &self,
        user: &User,
        shared: SharedSpaces,
        first: Vec<(Change, Code)>,
    ) -> Result<(), Problem> {
        let spaces: Vec<_> =
            self.all_spaces_of(&user.id).await?.into_iter().map(|(space, _)| space).collect();
        self.decide_to_delete(user, shared, first).await?;
        let (erased, others) = self.split_erased(spaces).await?;
        for space in &others {
            self.0.service.barrier(space).await?;
        }
        self.erase_of(&erased).await
    }

    /// One list of changes, begun again when a space that goes was given another owner meanwhile.
    async fn decide_to_delete(
        &self,
        user: &User,
        shared: SharedSpaces,
        first: Vec<(Change, Code)>,
    ) -> Result<(), Problem> {
        for _ in 0..ROUNDS_MAX {
            let mut changes = first.clone();
            changes.extend(self.ends_of_spaces(user, shared).await?);
            changes.push((Change::DeleteUser(user.id.clone()), Code::NotFound));
            changes.extend(end_all_links(user).map(|end| (end, Code::Internal)));
            match self.change_or(changes).await {
                Err(problem) if problem.code() == Code::LastOwner => {
                    return Err(self.last_owner(&user.id).await?);
                }
                Err(problem) if problem.code() == Code::SpaceNotFound => {}
                ended => return ended,
            }
        }
        Err(Problem::new(Code::Overloaded).retry_after(1))
    }

    /// What becomes of the spaces that a user alone owns.
    async fn ends_of_spaces(
        &self,
        user: &User,
        shared: SharedSpaces,
    ) -> Result<Vec<(Change, Code)>, Problem> {
        let pass_on = Change::PassOn { from: user.id.clone(), to: Reserved::Eraser.id() };
        if shared == SharedSpaces::Keep {
            let stays = (Change::RequireSuccessors(user.id.clone()), Code::LastOwner);
            return Ok(vec![stays, (pass_on, Code::Internal)]);
        }
        let mut changes = vec![(pass_on, Code::Internal)];
        for space in self.shared_alone(&user.id).await? {
            // Forgotten once more, for the notice by which others who are at work in it hear that it is over.
            changes.push((Reserved::Eraser.require(&space, true), Code::SpaceNotFound));
            changes.extend(Reserved::Eraser.take(&space).map(|change| (change, Code::Internal)));
        }
        Ok(changes)
    }

    async fn last_owner(&self, user: &ActorId) -> Result<Problem, Problem> {
        let shared = self.shared_alone(user).await?;
        Ok(Problem::new(Code::LastOwner)
            .detail("others are in these spaces: make one of them an owner, or delete the spaces")
            .extra("spaces", shared.iter().map(ToString::to_string).collect::<Vec<_>>()))
    }

    /// Deletes whoever is signed in; one who has a password gives it.
    ///
    /// # Errors
    ///
    /// `invalid_credentials`, and those of [`delete_user`](Identity::delete_user).
    pub async fn delete_self(
        &self,
        who: &SignedIn,
        password: Option<&str>,
        shared: SharedSpaces,
    ) -> Result<(), Problem> {
        let user = self.user(&who.user).await?;
        self.check_password(&user, password).await?;
        let there = (Change::RequireCredential(who.device.clone()), Code::TokenRevoked);
        let proven = (Change::RequireUnchanged(user.clone()), Code::InvalidCredentials);
        self.delete(&user, shared, vec![there, proven]).await
    }

    /// Every space of a user, ascending by name.
    ///
    /// # Errors
    ///
    /// What the store reports.
    pub async fn all_spaces_of(&self, user: &ActorId) -> Result<Vec<(SpaceId, Role)>, Problem> {
        let (mut spaces, mut last) = (Vec::new(), None::<SpaceId>);
        loop {
            let page = self.accounts().spaces_of(user, last.as_ref(), PAGE).await?;
            let is_last = page.len() < PAGE;
            last = page.last().map(|(space, _)| space.clone());
            spaces.extend(page);
            if is_last {
                return Ok(spaces);
            }
        }
    }

    /// Creates a user for an operator or for the program that embeds the server, whatever the registration says.
    ///
    /// # Errors
    ///
    /// `username_taken` when the name or the address is.
    pub async fn add_user(&self, sign_in: NewSignIn) -> Result<User, Problem> {
        let user = match sign_in {
            NewSignIn::Password(name, password) => self.named_user(&name, password).await?,
            NewSignIn::Devices(name) => {
                let name_key = Some(name.normal().to_owned());
                User { name_key, ..self.new_user(name.display().to_owned())? }
            }
            NewSignIn::Address(address) => {
                let name = address.normal().split('@').next().unwrap_or_default().to_owned();
                User { address: Some(address.normal().to_owned()), ..self.new_user(name)? }
            }
        };
        match self.create(&user, (Vec::new(), Code::Internal), None, None).await? {
            Created::Now => Ok(user),
            Created::Taken => Err(taken(&user)),
        }
    }

    /// The users after `after`, ascending by id.
    ///
    /// # Errors
    ///
    /// What the store reports.
    pub async fn users(&self, after: Option<&ActorId>, limit: usize) -> Result<Vec<User>, Problem> {
        Ok(self.accounts().users(after, limit).await?)
    }

    /// The user whose id, mail address or name this is.
    ///
    /// Names are chosen by their owners: one that reads like the id or the address of somebody else finds nobody, so that
    /// nobody is given what was meant for another.
    ///
    /// # Errors
    ///
    /// `not_found`.
    pub async fn find_user(&self, text: &str) -> Result<User, Problem> {
        if let Ok(id) = ActorId::new(text)
            && let Some(user) = self.accounts().user(&id).await?
        {
            return Ok(user);
        }
        let found = match (MailAddress::new(text), UserName::new(text)) {
            (Ok(address), _) => self.accounts().user_by_address(address.normal()).await?,
            (_, Ok(name)) => self.accounts().user_by_name(name.normal()).await?,
            _ => None,
        };
        Ok(found.ok_or(Code::NotFound)?)
    }

    /// Gives a user a new password and signs them out everywhere, for an operator.
    ///
    /// # Errors
    ///
    /// `not_found`.
    pub async fn reset_password(&self, id: &ActorId, new: Password) -> Result<(), Problem> {
        let user = self.accounts().user(id).await?.ok_or(Code::NotFound)?;
        self.replace_password(user, new, None).await
    }

    /// Makes an invite to register, for an operator.
    ///
    /// # Errors
    ///
    /// `quota_exceeded`.
    pub async fn invite_user(&self) -> Result<Invited, Problem> {
        self.add_invite(Holder::Server, &NewInvite { role: Role::Viewer, address: None }, None, Vec::new())
            .await
    }

    /// Deletes a space for an operator.
    ///
    /// # Errors
    ///
    /// What the store reports.
    pub async fn discard_space(&self, space: &SpaceId) -> Result<(), Problem> {
        self.remove_space(space).await
    }

    /// Gives someone a role in a space for an operator, or takes it away.
    ///
    /// # Errors
    ///
    /// `not_found` when there is no such user; `last_owner`; `quota_exceeded`.
    pub async fn put_role(&self, space: &SpaceId, user: &ActorId, role: Option<Role>) -> Result<(), Problem> {
        if role.is_some() && self.accounts().role(space, user).await?.is_none() {
            self.check_room_for_member(space).await?;
        }
        let (of, actor) = (space.clone(), user.clone());
        let mut changes: Vec<_> = settled(space).into();
        changes.extend([
            (Change::RequireUser(actor.clone()), Code::NotFound),
            (Change::SetRole { space: of, actor, role }, Code::Internal),
            (Change::RequireOwner(space.clone()), Code::LastOwner),
        ]);
        self.change_or(changes).await?;
        self.0.service.barrier(space).await?;
        Ok(())
    }
}

/// The problem is the same for a name and an address; people read which of them they gave.
fn taken(user: &User) -> Problem {
    let problem = Problem::from(Code::UsernameTaken);
    if user.address.is_some() {
        problem.detail("a user with this mail address is there already")
    } else {
        problem
    }
}

/// How a user that an operator creates is to sign in.
#[derive(Debug)]
pub enum NewSignIn {
    /// With a name and a password.
    Password(UserName, Password),
    /// By mail.
    Address(MailAddress),
    /// By devices that are paired, and in no other way until they are given a password.
    Devices(UserName),
}

/// How often deleting a user is begun again because one of their spaces was given another owner meanwhile.
const ROUNDS_MAX: usize = 10;

/// Spaces that are read at once.
const PAGE: usize = 500;
