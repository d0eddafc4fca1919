//! Who is who, and who may do what where: every rule about accounts, without a protocol.
//!
//! ```text
//! a password ─┐
//! a letter    ├─▶ a device, with its proof ─▶ each request: who is it?  what may they do in this space?
//! a pairing  ─┘         (revocable)                  rights: remembered for a moment, dropped with every change
//! ```
//!
//! One small file for each way in: [`password`], [`refresh`], [`link`], [`pairing`]; what is managed afterwards in
//! `devices`, `spaces`, `members`, `invites` and `users`, and what an operator alone does in `operator`. All that changes accounts goes through `change`, which makes sure
//! that what was taken away is gone before anyone hears that it is.
//!
//! The routes of the server call it, and so may a program that embeds the server:
//! [`Server::identity`](crate::Server::identity).

mod behalf;
mod devices;
mod erasing;
mod grant;
mod invites;
mod joining;
pub mod link;
mod look_ups;
mod members;
mod naming;
mod operator;
pub mod pairing;
pub mod password;
pub mod refresh;
mod rights;
mod signed_in;
mod space_infos;
mod spaces;
mod synced;
mod upkeep;
mod users;
mod vigil;

use std::sync::Arc;
use std::time::Duration;

use sync_core::service::Service;
use sync_core::{Accounts, Change, Changed, Clock, Credential, IdSource, Timestamp};

pub use behalf::Behalf;
pub use devices::{DEVICES_MAX, DeviceStatus, NewDevice, SIGN_INS_MAX, SyncedSpace};
pub use grant::{AccessToken, Grant};
pub use invites::{INVITES_MAX, Invited, NewInvite};
pub use members::{MEMBERS_MAX, Member};
pub use rights::{NOTICE_INTERVAL, Rights};
pub use signed_in::{Presented, SignedIn};
pub use space_infos::space_name;
pub use spaces::{MemberSpace, NewSpace, SPACES_MAX};
pub use synced::{NOTE_INTERVAL, SyncNotes};
pub use users::{NewSignIn, SharedSpaces};
pub use vigil::{Lost, Vigil};

use self::naming::Naming;
use crate::auth::address::MailAddress;
use crate::auth::password::Passwords;
use crate::auth::registration::Registration;
use crate::auth::token::Tokens;
use crate::problem::{Code, Problem};

/// How letters leave the server.
pub trait Post: Send + Sync + std::fmt::Debug {
    /// Takes a letter with the token of a link, to be sent while it is good for anything. It returns at once.
    fn sign_in_link(&self, to: &MailAddress, token: &str, lifetime: Duration);

    /// Takes a letter with the token of an invite.
    fn invite(&self, to: &MailAddress, token: &str, lifetime: Duration);
}

/// What an [`Identity`] is made of.
#[derive(Debug)]
pub struct Parts {
    /// Users, credentials and memberships.
    pub accounts: Arc<dyn Accounts>,
    /// The spaces.
    pub service: Service,
    /// Issues and verifies access tokens.
    pub tokens: Tokens,
    /// How long an access token lives, in seconds.
    pub token_lifetime_s: u32,
    /// Hashes passwords, a few at a time.
    pub passwords: Passwords,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Random ids.
    pub ids: Arc<dyn IdSource>,
    /// What is remembered of everyone's rights.
    pub rights: Arc<Rights>,
    /// How far devices are, before it is written down.
    pub synced: SyncNotes,
    /// Who may become a user.
    pub registration: Registration,
    /// How letters leave, if they do.
    pub post: Option<Arc<dyn Post>>,
}

/// Every rule about accounts. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Identity(Arc<Parts>, Arc<Naming>);

impl Identity {
    /// Puts it together.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts), Arc::default())
    }

    fn accounts(&self) -> &dyn Accounts {
        self.0.accounts.as_ref()
    }

    /// A new name that nobody can guess.
    pub(crate) fn new_id(&self) -> String {
        self.0.ids.new_id()
    }

    /// The time by which everything here ends.
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// The time in whole seconds, as access tokens count it.
    fn now_s(&self) -> i64 {
        self.now().as_micros() / 1_000_000
    }

    /// Makes changes, and forgets what was remembered of those they concern: when this returns, no request that begins
    /// finds what was taken away.
    async fn change(&self, changes: &[Change]) -> Result<Changed, Problem> {
        let changed = self.accounts().change(changes).await;
        // Also after an error: it may have happened.
        let caught_up = self.0.rights.catch_up().await;
        let changed = changed?;
        caught_up?;
        Ok(changed)
    }

    /// Makes changes of which each that is refused has an answer.
    async fn change_or(&self, changes: Vec<(Change, Code)>) -> Result<(), Problem> {
        let (changes, answers): (Vec<_>, Vec<_>) = changes.into_iter().unzip();
        match self.change(&changes).await? {
            Changed::Done => Ok(()),
            Changed::Refused(idx) => Err(answers.get(idx).copied().unwrap_or(Code::Internal).into()),
        }
    }

    /// As [`change_or`](Self::change_or), on somebody's behalf, whose device must still be there when it happens.
    async fn change_as(
        &self,
        who: impl Into<Behalf<'_>>,
        changes: Vec<(Change, Code)>,
    ) -> Result<(), Problem> {
        self.change_or(who.into().there().into_iter().chain(changes).collect()).await
    }

    /// Removes a credential in a task of its own, so that the answer that was found takes as long as any other.
    fn end_later(&self, credential: &Credential) {
        self.later(Change::TakeCredential { id: credential.id.clone(), revision: credential.revision });
    }

    /// Makes a change in a task of its own. Nobody waits for it, and nothing depends on it alone.
    fn later(&self, change: Change) {
        let identity = self.clone();
        tokio::spawn(async move {
            if let Err(problem) = identity.change(&[change]).await {
                tracing::warn!(code = problem.code().as_str(), "could not note what became of a credential");
            }
        });
    }

    /// Removes credentials that ended by themselves. Call it now and then.
    ///
    /// # Errors
    ///
    /// What the store reports.
    pub async fn forget_expired(&self) -> Result<(), Problem> {
        let change = Change::ForgetExpired { before: self.now(), limit: FORGOTTEN_AT_ONCE };
        self.change(&[change]).await.map(drop)
    }
}

/// Credentials that are removed in one transaction. 1,000: a few milliseconds.
const FORGOTTEN_AT_ONCE: usize = 1000;
