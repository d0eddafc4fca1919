//! Going on without signing in again, and signing out.
//!
//! A refresh token works once: using it yields the next. Who shows one that was used has a copy, or is the owner of one
//! that someone else has used; nobody can tell which, so the device is signed out and its owner signs in again.
//!
//! An honest client may lose the answer to a refresh. It sends a word of its own choosing along (`exchange`), and repeats
//! both when it heard nothing: a token that was just spent with the same word yields a next one again. A thief of a token
//! does not know the word.

use sync_core::{Change, Credential, Holder, Proof, Purpose, SecretHash};

use super::grant::Grant;
use super::signed_in::{Presented, SignedIn};
use crate::auth::opaque::{OpaqueToken, TokenKind};
use crate::identity::Identity;
use crate::problem::{Code, Problem};

/// How often a race for one token is looked at again. 3: whoever lost it finds the token spent.
const ATTEMPTS_MAX: usize = 3;

/// What a refresh token that was shown turns out to be.
enum Shown {
    /// The one that is good.
    Current,
    /// One that was used, by someone who lost the answer.
    Repeated,
    /// One that was used.
    Spent,
    /// One that was never made for this device.
    Unknown,
}

impl Identity {
    /// Takes a refresh token and yields the next, with a new access token.
    ///
    /// # Errors
    ///
    /// `invalid_token`; `token_expired`; `token_revoked` also when the token was used before: its device is signed out then.
    pub async fn refresh(&self, token: &str, exchange: Option<&str>) -> Result<Grant, Problem> {
        let token = OpaqueToken::parse(TokenKind::Refresh, token).ok_or(Code::InvalidToken)?;
        let exchange = exchange.map(SecretHash::of);
        for _ in 0..ATTEMPTS_MAX {
            let device = self.accounts().credential(token.id()).await?.ok_or(Code::TokenRevoked)?;
            match shown(&device, &token, exchange.as_ref(), self.made(&token)) {
                Shown::Unknown => return Err(Code::InvalidToken.into()),
                Shown::Spent => {
                    tracing::warn!(device = %device.id, "a refresh token was used twice: its device is signed out");
                    self.revoke(&device).await?;
                    return Err(Code::TokenRevoked.into());
                }
                Shown::Current | Shown::Repeated if device.is_expired(self.now()) => {
                    return Err(Code::TokenExpired.into());
                }
                shown @ (Shown::Current | Shown::Repeated) => {
                    let is_again = matches!(shown, Shown::Repeated);
                    if let Some(grant) = self.exchanged(&device, exchange, is_again).await? {
                        return Ok(grant);
                    }
                }
            }
        }
        Err(Problem::new(Code::Overloaded).retry_after(1))
    }

    /// The next token; `None` when someone was quicker with the same one, which is spent now.
    async fn exchanged(
        &self,
        device: &Credential,
        exchange: Option<SecretHash>,
        is_again: bool,
    ) -> Result<Option<Grant>, Problem> {
        let Holder::User(user) = &device.holder else { return Err(Code::InvalidToken.into()) };
        let user = self.user(user).await?;
        let draft = self.refreshed(device, exchange, is_again);
        let changed = self.change(&[Change::ReplaceCredential(draft.credential.clone())]).await?;
        Ok(changed.is_done().then(|| self.granted(user, draft)))
    }

    /// Signs out the device that shows this. Done twice it is done as well: who is signed out shows a token of a device that
    /// is not there, and needs nothing more.
    ///
    /// # Errors
    ///
    /// `invalid_token`, `token_expired`.
    pub async fn sign_out(&self, presented: Presented<'_>) -> Result<(), Problem> {
        let who = match self.signed_in(presented).await {
            Ok(who) => who,
            Err(problem) if problem.code() == Code::TokenRevoked => return Ok(()),
            Err(problem) => return Err(problem),
        };
        self.revoke_own(&who).await
    }

    async fn revoke_own(&self, who: &SignedIn) -> Result<(), Problem> {
        match self.accounts().credential(&who.device).await? {
            Some(device) => self.revoke(&device).await,
            None => Ok(()),
        }
    }
}

fn shown(device: &Credential, token: &OpaqueToken, exchange: Option<&SecretHash>, is_made: bool) -> Shown {
    let Purpose::Device(details) = &device.purpose else { return Shown::Unknown };
    if details.proof != Proof::Refresh {
        return Shown::Unknown;
    }
    if token.is_of(&device.secret) {
        return Shown::Current;
    }
    let is_newest = details.spent.last().is_some_and(|spent| token.is_of(spent));
    if is_newest && exchange.is_some() && details.exchange.as_ref() == exchange {
        return Shown::Repeated;
    }
    if is_made || details.spent.iter().any(|spent| token.is_of(spent)) {
        Shown::Spent
    } else {
        Shown::Unknown
    }
}
