//! In by a code that a signed-in device shows: the next device scans it and gets a token of its own.
//!
//! ```text
//! signed-in device                     new device
//!   offer ──▶ QR with address, token ──▶ redeem ──▶ its token
//!                                               or, where the first one wants to be asked,
//!   sees name, platform, place ◀──────── claimed, waits
//!   confirm ───────────────────────────▶ fetches its token with what it alone knows
//! ```
//! The secret in a code follows from the id of the pairing and a key of the server, so that any process can draw the
//! picture again and the store holds its hash alone.

use std::time::Duration;

use sync_core::{
    ActorId, Change, Claim, Credential, CredentialId, Holder, Pairing, Purpose, Timestamp, User,
};

use super::behalf::Behalf;
use super::devices::{DeviceStatus, NewDevice};
use super::grant::Grant;
use crate::auth::opaque::{OpaqueToken, TokenKind, new_credential_id, successor_id};
use crate::identity::Identity;
use crate::problem::{Code, Problem};

/// How long a code can be redeemed. 2 minutes: to take a phone out of a pocket.
pub const PAIRING_LIFETIME: Duration = Duration::from_secs(2 * 60);

/// Wrong secrets after which a code is void.
pub const MISSES_MAX: u32 = 5;

/// Codes of one user at a time.
const PAIRINGS_MAX: usize = 10;

/// A code that was made.
#[derive(Clone)]
pub struct Offered {
    /// The pairing.
    pub id: CredentialId,
    /// The one-time token, for the picture.
    pub token: String,
    /// Until when it can be redeemed.
    pub expires_at: Timestamp,
}

/// What became of a code.
#[derive(Clone)]
pub enum PairingState {
    /// Nobody has taken it yet.
    Offered,
    /// Someone has, and waits to be confirmed.
    Claimed(Claim),
    /// It was confirmed; the device fetches its token.
    Confirmed(Claim),
}

/// What a device gets for a code.
#[derive(Clone, Debug)]
pub enum Redeemed {
    /// It is signed in.
    Granted(Box<Grant>),
    /// The one who made the code has to agree first. With this token the device asks whether they have.
    Waiting {
        /// What to ask with.
        claim: String,
    },
}

impl Identity {
    /// Makes a code for another device of the same user. With `confirm` they have to agree to whoever redeems it. It lives
    /// as long as the device that asked for it.
    ///
    /// # Errors
    ///
    /// `quota_exceeded` when there are too many codes at once; `token_revoked`.
    pub async fn offer_pairing(&self, who: impl Into<Behalf<'_>>, confirm: bool) -> Result<Offered, Problem> {
        let who = who.into();
        let user = who.user();
        self.check_room_for_pairing(user).await?;
        let id = new_credential_id(self.0.ids.as_ref());
        let token = self.pairing_token(&id);
        let now = self.now();
        let expires_at = now.saturating_add(PAIRING_LIFETIME);
        let pairing = Credential {
            id: id.clone(),
            holder: Holder::User(user.clone()),
            revision: 1,
            secret: token.hash(),
            created_at: now,
            expires_at: Some(expires_at),
            purpose: Purpose::Pairing(Pairing { misses: 0, confirm, claim: None, by: who.device().cloned() }),
        };
        let there = (Change::RequireUser(user.clone()), Code::TokenRevoked);
        self.change_as(who, vec![there, (Change::AddCredential(pairing), Code::Internal)]).await?;
        Ok(Offered { id, token: token.text(), expires_at })
    }

    /// The code of a pairing again, for whoever made it.
    ///
    /// # Errors
    ///
    /// `not_found` when it is not theirs, or over.
    pub async fn pairing_code(&self, user: &ActorId, id: &CredentialId) -> Result<String, Problem> {
        let (_, pairing) = self.own_pairing(user, id).await?;
        match pairing.claim {
            None => Ok(self.pairing_token(id).text()),
            Some(_) => Err(Code::NotFound.into()),
        }
    }

    /// What became of a code.
    ///
    /// # Errors
    ///
    /// `not_found` when it is not theirs, or over: redeemed without asking, fetched, cancelled, too old, or of a device that
    /// is signed out.
    pub async fn pairing(&self, user: &ActorId, id: &CredentialId) -> Result<PairingState, Problem> {
        let (_, pairing) = self.own_pairing(user, id).await?;
        Ok(match pairing.claim {
            None => PairingState::Offered,
            Some(claim) if claim.is_confirmed => PairingState::Confirmed(claim),
            Some(claim) => PairingState::Claimed(claim),
        })
    }

    /// The device that came in by a code, when that is over.
    ///
    /// # Errors
    ///
    /// `not_found` when none did, or it is signed out again.
    pub async fn paired_device(&self, user: &ActorId, id: &CredentialId) -> Result<DeviceStatus, Problem> {
        self.device(user, &successor_id(id)).await
    }

    /// Lets in whoever has claimed a code.
    ///
    /// # Errors
    ///
    /// `not_found`, also when nobody has claimed it; `token_revoked`.
    pub async fn confirm_pairing(
        &self,
        who: impl Into<Behalf<'_>>,
        id: &CredentialId,
    ) -> Result<(), Problem> {
        let who = who.into();
        let (credential, mut pairing) = self.own_pairing(who.user(), id).await?;
        let claim = pairing.claim.as_mut().ok_or(Code::NotFound)?;
        claim.is_confirmed = true;
        let next = Change::ReplaceCredential(credential.changed(|next| {
            next.purpose = Purpose::Pairing(pairing.clone());
        }));
        self.change_as(who, while_shown(&pairing, next, Code::NotFound)).await
    }

    /// Takes a code back, or refuses who has claimed it.
    ///
    /// # Errors
    ///
    /// `not_found`, `token_revoked`.
    pub async fn cancel_pairing(&self, who: impl Into<Behalf<'_>>, id: &CredentialId) -> Result<(), Problem> {
        let who = who.into();
        let (credential, _) = self.own_pairing(who.user(), id).await?;
        self.revoke_as(Some(who), &credential).await
    }

    /// Redeems a code for a device that comes from `from`. A device that is signed in already, as someone else, always has
    /// to be confirmed.
    ///
    /// # Errors
    ///
    /// `pairing_invalid` alike for a code that was redeemed, is too old, was guessed at too often, or never was one.
    pub async fn redeem_pairing(
        &self,
        token: &str,
        device: &NewDevice,
        from: &str,
        signed_in_as: Option<&ActorId>,
    ) -> Result<Redeemed, Problem> {
        let (credential, pairing, user) = self.open_pairing(token).await?;
        let is_other = signed_in_as.is_some_and(|other| *other != user.id);
        if pairing.confirm || is_other {
            return self.claim(&credential, pairing, device, from).await;
        }
        self.granted_for(&credential, &pairing, user, device).await
    }

    /// Fetches the token of a device that had to wait.
    ///
    /// # Errors
    ///
    /// `pairing_invalid` when it was refused or is too late, or the device that showed the code is signed out.
    pub async fn fetch_paired(&self, claim: &str) -> Result<Redeemed, Problem> {
        let token = OpaqueToken::parse(TokenKind::Claim, claim).ok_or(Code::PairingInvalid)?;
        let found = self.accounts().credential(token.id()).await?.ok_or(Code::PairingInvalid)?;
        let (Purpose::Pairing(pairing), Holder::User(user)) = (&found.purpose, &found.holder) else {
            return Err(Code::PairingInvalid.into());
        };
        let claimed = pairing.claim.as_ref().ok_or(Code::PairingInvalid)?;
        if !token.is_of(&claimed.secret) || !self.is_open(&found, pairing).await? {
            return Err(Code::PairingInvalid.into());
        }
        if !claimed.is_confirmed {
            return Ok(Redeemed::Waiting { claim: claim.to_owned() });
        }
        let device = NewDevice::new(Some(&claimed.name), claimed.platform.as_deref())?;
        let user = self.accounts().user(user).await?.ok_or(Code::PairingInvalid)?;
        self.granted_for(&found, pairing, user, &device).await
    }

    /// Adds the device that a pairing is used up for.
    async fn granted_for(
        &self,
        credential: &Credential,
        pairing: &Pairing,
        user: User,
        device: &NewDevice,
    ) -> Result<Redeemed, Problem> {
        let take = Change::TakeCredential { id: credential.id.clone(), revision: credential.revision };
        let first = while_shown(pairing, take, Code::PairingInvalid);
        let grant = self.grant_paired(user, &credential.id, first, device).await?;
        Ok(Redeemed::Granted(Box::new(grant)))
    }

    /// The first who redeems a code that has to be confirmed is the only one.
    async fn claim(
        &self,
        credential: &Credential,
        pairing: Pairing,
        device: &NewDevice,
        from: &str,
    ) -> Result<Redeemed, Problem> {
        let token = OpaqueToken::for_credential(TokenKind::Claim, credential.id.clone(), self.0.ids.as_ref());
        let claim = Claim {
            name: device.name().to_owned(),
            platform: device.platform().map(str::to_owned),
            from: from.to_owned(),
            at: self.now(),
            secret: token.hash(),
            is_confirmed: false,
        };
        let pairing = Pairing { claim: Some(claim), ..pairing };
        let next = Change::ReplaceCredential(credential.changed(|next| {
            next.purpose = Purpose::Pairing(pairing.clone());
            // Both have as long again: one to look, the other to wait.
            next.expires_at = Some(self.now().saturating_add(PAIRING_LIFETIME));
        }));
        self.change_or(while_shown(&pairing, next, Code::PairingInvalid)).await?;
        Ok(Redeemed::Waiting { claim: token.text() })
    }

    /// The pairing that `text` opens. A wrong secret for one that is there is counted.
    async fn open_pairing(&self, text: &str) -> Result<(Credential, Pairing, User), Problem> {
        let token = OpaqueToken::parse(TokenKind::Pairing, text).ok_or(Code::PairingInvalid)?;
        let found = self.accounts().credential(token.id()).await?.ok_or(Code::PairingInvalid)?;
        let (Purpose::Pairing(pairing), Holder::User(user)) = (&found.purpose, &found.holder) else {
            return Err(Code::PairingInvalid.into());
        };
        if !token.is_of(&found.secret) {
            self.count_miss(&found, pairing);
            return Err(Code::PairingInvalid.into());
        }
        if found.is_expired(self.now()) {
            self.end_later(&found);
            return Err(Code::PairingInvalid.into());
        }
        if pairing.claim.is_some() || pairing.misses >= MISSES_MAX {
            return Err(Code::PairingInvalid.into());
        }
        let user = self.accounts().user(user).await?.ok_or(Code::PairingInvalid)?;
        let pairing = pairing.clone();
        Ok((found, pairing, user))
    }

    /// Of guesses at the same moment at least one is counted, and the limit on requests bounds how many those are.
    fn count_miss(&self, credential: &Credential, pairing: &Pairing) {
        let misses = pairing.misses.saturating_add(1);
        if misses >= MISSES_MAX {
            return self.end_later(credential);
        }
        let next = Pairing { misses, ..pairing.clone() };
        self.later(Change::ReplaceCredential(credential.changed(|c| c.purpose = Purpose::Pairing(next))));
    }

    async fn own_pairing(&self, user: &ActorId, id: &CredentialId) -> Result<(Credential, Pairing), Problem> {
        let found = self.accounts().credential(id).await?.ok_or(Code::NotFound)?;
        let Purpose::Pairing(pairing) = found.purpose.clone() else { return Err(Code::NotFound.into()) };
        if found.holder != Holder::User(user.clone()) || !self.is_open(&found, &pairing).await? {
            return Err(Code::NotFound.into());
        }
        Ok((found, pairing))
    }

    /// Whether a pairing is good for anything: it has not ended, nor has the device that shows it.
    async fn is_open(&self, credential: &Credential, pairing: &Pairing) -> Result<bool, Problem> {
        let now = self.now();
        let Some(by) = &pairing.by else { return Ok(!credential.is_expired(now)) };
        let by = self.accounts().credential(by).await?;
        Ok(!credential.is_expired(now) && by.is_some_and(|by| !by.is_expired(now)))
    }

    async fn check_room_for_pairing(&self, user: &ActorId) -> Result<(), Problem> {
        let held = self.accounts().credentials(&Holder::User(user.clone()), None, HELD_MAX).await?;
        let now = self.now();
        // Those of a device that is signed out are good for nothing, and keep nobody from making others.
        let is_there = |device: &CredentialId| held.iter().any(|one| one.id == *device);
        let is_open = |one: &&Credential| match &one.purpose {
            Purpose::Pairing(pairing) => !one.is_expired(now) && pairing.by.as_ref().is_none_or(is_there),
            _ => false,
        };
        match held.iter().filter(is_open).count() < PAIRINGS_MAX {
            true => Ok(()),
            false => Err(Problem::new(Code::QuotaExceeded).limit(PAIRINGS_MAX as u64)),
        }
    }

    fn pairing_token(&self, id: &CredentialId) -> OpaqueToken {
        OpaqueToken::with_secret(
            TokenKind::Pairing,
            id.clone(),
            &self.0.tokens.derive("pairing", id.as_str()),
        )
    }
}

/// What is done with a pairing (claiming, agreeing, taking): only as long as the device that shows it is signed in.
fn while_shown(pairing: &Pairing, change: Change, refused: Code) -> Vec<(Change, Code)> {
    let by = pairing.by.clone().map(Change::RequireCredential);
    by.into_iter().chain([change]).map(|change| (change, refused)).collect()
}

/// What of a user's credentials is looked at to count codes: more than anyone has of all kinds together.
const HELD_MAX: usize = 1000;
