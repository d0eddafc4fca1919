//! Users: who there is, how they sign in, and their end.

use serde::{Deserialize, Serialize};
use sync_core::{ActorId, CredentialId, User};

use super::report::{InviteReport, LinkReport, Page, Report, UserLine, UserReport};
use super::{Operator, PAGE};
use crate::auth::address::MailAddress;
use crate::auth::password::Password;
use crate::auth::username::UserName;
use crate::config::Hidden;
use crate::identity::{NewSignIn, SharedSpaces};
use crate::pages::magic_link;
use crate::problem::{Code, Problem};

/// What can be done about users. `who` is an id, a mail address or a user name.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UserCommand {
    /// The users after one of them, ascending by id.
    List {
        /// The last one that is known already.
        after: Option<ActorId>,
    },
    /// One of them, with spaces and devices.
    Show {
        /// Whom.
        who: String,
    },
    /// Adds a user who signs in with a password.
    AddNamed {
        /// Their user name.
        name: String,
        /// Their password.
        password: Hidden,
    },
    /// Adds a user who signs in by mail.
    AddMailed {
        /// Their address.
        address: String,
    },
    /// Gives a user a new password, and signs them out everywhere.
    Password {
        /// Whom.
        who: String,
        /// The new one.
        password: Hidden,
    },
    /// Signs a user out everywhere.
    SignOut {
        /// Whom.
        who: String,
    },
    /// Deletes a user with everything that is theirs.
    Delete {
        /// Their id, so that nobody else is meant than whoever was shown and confirmed.
        user: ActorId,
        /// Whether spaces go as well in which others are and own nothing.
        with_shared_spaces: bool,
    },
    /// Makes an invite to register.
    Invite,
    /// The open invites to register.
    Invites,
    /// Takes one of them back.
    Uninvite {
        /// Which.
        invite: CredentialId,
    },
    /// Makes a link that signs a user in once.
    Link {
        /// Whom.
        who: String,
    },
}

impl Operator {
    pub(super) async fn user(&self, command: UserCommand) -> Result<Report, Problem> {
        match command {
            UserCommand::List { after } => self.users(after).await,
            UserCommand::Show { who } => self.shown_user(&who).await,
            UserCommand::AddNamed { name, password } => {
                let password = Password::new(password.reveal())?;
                self.add_user(NewSignIn::Password(UserName::new(&name)?, password)).await
            }
            UserCommand::AddMailed { address } => {
                self.add_user(NewSignIn::Address(MailAddress::new(&address)?)).await
            }
            UserCommand::Password { who, password } => self.replace_password(&who, &password).await,
            UserCommand::SignOut { who } => {
                let user = self.find(&who).await?;
                self.identity.sign_out_everywhere(&user.id).await.map(|()| Report::Done)
            }
            UserCommand::Delete { user, with_shared_spaces } => {
                let shared = if with_shared_spaces { SharedSpaces::Delete } else { SharedSpaces::Keep };
                self.identity.delete_user(&user, shared).await.map(|()| Report::Done)
            }
            UserCommand::Invite => {
                let invited = self.identity.invite_user().await?;
                Ok(Report::Invite(InviteReport::of(&self.base_url, invited)))
            }
            UserCommand::Invites => self.invites(None).await,
            UserCommand::Uninvite { invite } => self.uninvite(None, &invite).await,
            UserCommand::Link { who } => {
                let link = self.identity.sign_in_link(&self.find(&who).await?).await?;
                let url = magic_link(self.base_url.as_str(), &link.token).as_str().into();
                Ok(Report::Link(LinkReport { url, expires_at: link.expires_at }))
            }
        }
    }

    /// The one user that is meant.
    pub(super) async fn find(&self, who: &str) -> Result<User, Problem> {
        self.identity.find_user(who).await.map_err(|problem| match problem.code() {
            Code::NotFound => Problem::new(Code::NotFound)
                .detail(format!("there is no user {who:?}: give an id, a mail address or a user name")),
            _ => problem,
        })
    }

    async fn users(&self, after: Option<ActorId>) -> Result<Report, Problem> {
        let users = self.identity.users(after.as_ref(), PAGE).await?;
        Ok(Report::Users(Page { more: users.len() == PAGE, items: users.iter().map(UserLine::of).collect() }))
    }

    async fn shown_user(&self, who: &str) -> Result<Report, Problem> {
        let user = self.find(who).await?;
        let devices = self.device_lines(&user.id).await?;
        let spaces = self.identity.all_spaces_of(&user.id).await?;
        Ok(Report::User(Box::new(UserReport {
            user: UserLine::of(&user),
            spaces: spaces.into_iter().collect(),
            devices,
        })))
    }

    async fn add_user(&self, sign_in: NewSignIn) -> Result<Report, Problem> {
        let user = self.identity.add_user(sign_in).await?;
        self.shown_user(user.id.as_str()).await
    }

    /// A password is of use to who has a user name alone.
    async fn replace_password(&self, who: &str, password: &Hidden) -> Result<Report, Problem> {
        let password = Password::new(password.reveal())?;
        let user = self.find(who).await?;
        if user.name_key.is_none() {
            return Err(Problem::new(Code::ValidationFailed)
                .detail("this user signs in by mail and has no user name: make them a link instead"));
        }
        self.identity.reset_password(&user.id, password).await.map(|()| Report::Done)
    }
}
