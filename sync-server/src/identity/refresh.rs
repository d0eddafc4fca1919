//! Going on without signing in again, and signing out.
//!
//! A refresh token works once: using it yields the next. Who shows one that was used has a copy, or is the owner of one
//! that someone else has used; nobody can tell which, so the device is signed out and its owner signs in again.
//!
//! An honest client may lose the answer to a refresh. It sends a word of its own choosing along (`exchange`), and repeats
//! both when it heard nothing: until the next token was used, the same two yield the same next token, whichever of the
//! answers arrives. A thief of a token does not know the word, and one who copied both is noticed at the token after it, as
//! long as words are new.

use sync_core::{Change, Credential, Holder, Proof, Purpose, User};

use super::grant::{Draft, Grant};
use super::signed_in::{Presented, SignedIn};
use crate::auth::chain;
use crate::auth::opaque::{OpaqueToken, TokenKind};
use crate::identity::Identity;
use crate::problem::{Code, Problem};

/// How often a race for one token is looked at again. 3: whoever lost it finds the token spent.
const ATTEMPTS_MAX: usize = 3;

/// What a refresh token that was shown turns out to be.
enum Shown {
    /// The one that is good.
    Current,
    /// One that was used, by someone who lost the answer: this is what was in it.
    Repeated(OpaqueToken),
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
        let exchange = exchange.filter(|word| !word.is_empty());
        for _ in 0..ATTEMPTS_MAX {
            let device = self.accounts().credential(token.id()).await?.ok_or(Code::TokenRevoked)?;
            match shown(&device, &token, exchange, self.made(&token)) {
                Shown::Unknown => return Err(Code::InvalidToken.into()),
                Shown::Spent => {
                    tracing::warn!(device = %device.id, "a refresh token was used twice: its device is signed out");
                    self.revoke(&device).await?;
                    return Err(Code::TokenRevoked.into());
                }
                Shown::Current | Shown::Repeated(_) if device.is_expired(self.now()) => {
                    return Err(Code::TokenExpired.into());
                }
                Shown::Repeated(token) => {
                    let user = self.user_of(&device).await?;
                    return Ok(self.granted(user, Draft { credential: device, token }));
                }
                Shown::Current => {
                    if let Some(grant) = self.exchanged(&device, &token, exchange).await? {
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
        shown: &OpaqueToken,
        word: Option<&str>,
    ) -> Result<Option<Grant>, Problem> {
        let user = self.user_of(device).await?;
        // With the word of the time before, whoever copied both would be given every next token as well.
        let next = match word.filter(|word| !is_last_word(device, word)) {
            Some(word) => chain::next_with(shown, word),
            None => chain::next(shown, self.0.ids.as_ref()),
        };
        let draft = self.refreshed(device, shown, next.ok_or(Code::InvalidToken)?, word);
        let changed = self.change(&[Change::ReplaceCredential(draft.credential.clone())]).await?;
        Ok(changed.is_done().then(|| self.granted(user, draft)))
    }

    async fn user_of(&self, device: &Credential) -> Result<User, Problem> {
        match &device.holder {
            Holder::User(user) => self.user(user).await,
            _ => Err(Code::InvalidToken.into()),
        }
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

fn shown(device: &Credential, token: &OpaqueToken, word: Option<&str>, is_made: bool) -> Shown {
    let Purpose::Device(details) = &device.purpose else { return Shown::Unknown };
    if details.proof != Proof::Refresh {
        return Shown::Unknown;
    }
    if token.is_of(&device.secret) {
        return Shown::Current;
    }
    let next = word.and_then(|word| chain::next_with(token, word));
    if let Some(next) = next.filter(|next| next.is_of(&device.secret)) {
        return Shown::Repeated(next);
    }
    let is_of_family = details.family.is_some_and(|family| chain::is_of_family(token, &family));
    if is_of_family || is_made || details.spent.iter().any(|spent| token.is_of(spent)) {
        Shown::Spent
    } else {
        Shown::Unknown
    }
}

/// Whether a word is the one that the token before was traded in with.
fn is_last_word(device: &Credential, word: &str) -> bool {
    let Purpose::Device(details) = &device.purpose else { return false };
    details.exchange.is_some_and(|last| last.matches(word))
}
