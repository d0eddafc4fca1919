//! In by a password: registering, signing in, changing it.

use sync_core::{ActorId, Change, Proof, User};

use super::devices::NewDevice;
use super::grant::Grant;
use super::joining::Created;
use super::operator::end_devices;
use super::signed_in::SignedIn;
use crate::auth::password::Password;
use crate::auth::username::UserName;
use crate::identity::Identity;
use crate::problem::{Code, Problem};

impl Identity {
    /// Creates a user with a name and a password, and signs them in.
    ///
    /// # Errors
    ///
    /// `username_taken`, `registration_closed`, `invite_invalid`.
    pub async fn register(
        &self,
        name: &UserName,
        password: Password,
        invite: Option<&str>,
        device: &NewDevice,
    ) -> Result<Grant, Problem> {
        let ticket = self.admission(invite, None).await?;
        if self.accounts().user_by_name(name.normal()).await?.is_some() {
            return Err(Code::UsernameTaken.into());
        }
        let user = self.named_user(name, password).await?;
        let draft = self.draft(&user, Proof::Refresh, device);
        match self.create(&user, (Vec::new(), Code::Internal), ticket.as_ref(), Some(&draft)).await? {
            Created::Now => Ok(self.granted(user, draft)),
            Created::Taken => Err(Code::UsernameTaken.into()),
        }
    }

    /// A user with a name and a password, who is not created yet.
    pub(super) async fn named_user(&self, name: &UserName, password: Password) -> Result<User, Problem> {
        let hash = self.hash(password).await?;
        let user = self.new_user(name.display().to_owned())?;
        Ok(User { name_key: Some(name.normal().to_owned()), password_hash: Some(hash), ..user })
    }

    /// Signs in whoever has this name and this password. What no account can have is wrong like any other, and a name that
    /// nobody has costs what a wrong password costs.
    ///
    /// # Errors
    ///
    /// `invalid_credentials`, and `overloaded` when too many sign in at once.
    pub async fn sign_in(&self, name: &str, password: &str, device: &NewDevice) -> Result<Grant, Problem> {
        let password = Password::new(password).map_err(|_| Code::InvalidCredentials)?;
        let user = match UserName::new(name) {
            Ok(name) => self.accounts().user_by_name(name.normal()).await?,
            Err(_) => None,
        };
        let stored = user.as_ref().and_then(|user| user.password_hash.as_deref());
        let matches = self.0.passwords.verify(password, stored).await?;
        let user = user.filter(|_| matches).ok_or(Code::InvalidCredentials)?;
        self.grant(user, Proof::Refresh, device).await
    }

    /// Gives someone a new password. Every other device of theirs is signed out. Who has no password gets none this way: for
    /// them nothing but the session would prove who asks.
    ///
    /// # Errors
    ///
    /// `invalid_credentials` when `current` is not their password, also when it was until a moment ago; `validation_failed`
    /// for who has none.
    pub async fn change_password(
        &self,
        who: &SignedIn,
        current: Option<&str>,
        new: Password,
    ) -> Result<(), Problem> {
        let user = self.user(&who.user).await?;
        if user.password_hash.is_none() {
            return Err(Problem::new(Code::ValidationFailed)
                .detail("this account has no password; whoever runs the server can give it one")
                .pointer("/new"));
        }
        self.check_password(&user, current).await?;
        self.replace_password(user, new, Some(who)).await
    }

    /// Whether someone knows the password of a user; of one who has none, nothing is asked.
    pub(super) async fn check_password(&self, user: &User, given: Option<&str>) -> Result<(), Problem> {
        let Some(stored) = &user.password_hash else { return Ok(()) };
        let given = given.ok_or(Code::InvalidCredentials)?;
        let given = Password::new(given).map_err(|_| Code::InvalidCredentials)?;
        match self.0.passwords.verify(given, Some(stored)).await? {
            true => Ok(()),
            false => Err(Code::InvalidCredentials.into()),
        }
    }

    /// Gives a user a new password, if all of them is still as it was read, and signs them out everywhere but where they
    /// ask.
    pub(super) async fn replace_password(
        &self,
        user: User,
        new: Password,
        by: Option<&SignedIn>,
    ) -> Result<(), Problem> {
        let hash = self.hash(new).await?;
        let ends = end_devices(&user.id, by.map(|who| &who.device));
        let mut changes = vec![(Change::RequireUnchanged(user.clone()), Code::InvalidCredentials)];
        changes.push((Change::UpdateUser(User { password_hash: Some(hash), ..user }), Code::TokenRevoked));
        changes.extend(ends.map(|end| (end, Code::Internal)));
        match by {
            Some(who) => self.change_as(who, changes).await,
            None => self.change_or(changes).await,
        }
    }

    async fn hash(&self, password: Password) -> Result<String, Problem> {
        self.0.passwords.hash(password, |salt| self.0.ids.fill(salt)).await
    }

    /// A user who is signed in.
    pub(super) async fn user(&self, id: &ActorId) -> Result<User, Problem> {
        Ok(self.accounts().user(id).await?.ok_or(Code::TokenRevoked)?)
    }
}
