//! From what a request shows to who it is.

use std::sync::Arc;

use sync_core::service::Actor;
use sync_core::{ActorId, Credential, CredentialId, Holder, Proof, Purpose, Role, SpaceId, Timestamp};

use crate::auth::opaque::{OpaqueToken, TokenKind};
use crate::auth::token::Access;
use crate::identity::Identity;
use crate::problem::{Code, Problem};

/// What a request shows of itself, unchecked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Presented<'r> {
    /// A bearer token: an access token, or the token of a device.
    Bearer(&'r str),
    /// The cookie of a browser.
    Cookie(&'r str),
}

impl std::fmt::Debug for Presented<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Bearer(_) => "Bearer(***)",
            Self::Cookie(_) => "Cookie(***)",
        })
    }
}

/// Who is signed in, and on which device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedIn {
    /// The user.
    pub user: ActorId,
    /// The device.
    pub device: CredentialId,
    /// When what they showed ends by itself.
    pub until: Option<Timestamp>,
}

impl Identity {
    /// Who shows this.
    ///
    /// # Errors
    ///
    /// `invalid_token`, `token_expired`, `token_revoked`.
    pub async fn signed_in(&self, presented: Presented<'_>) -> Result<SignedIn, Problem> {
        let shown = self.shown(presented)?;
        let device = self.0.rights.credential(shown.device(), self.now()).await?;
        shown.by(&*self.in_use(device)?)
    }

    /// Who shows this, and what they may do in a space. Who they are comes before whether there is such a space.
    ///
    /// # Errors
    ///
    /// Those of [`signed_in`](Identity::signed_in) and of [`member`](Identity::member).
    pub async fn at_work(
        &self,
        presented: Presented<'_>,
        space: &SpaceId,
    ) -> Result<(SignedIn, Actor), Problem> {
        let shown = self.shown(presented)?;
        let Some(user) = shown.user() else {
            let who = self.signed_in(presented).await?;
            let actor = self.member(&who, space).await?;
            return Ok((who, actor));
        };
        let (device, role) = self.0.rights.both(shown.device(), space, user, self.now()).await?;
        let who = shown.by(&*self.in_use(device)?)?;
        let actor = acting(&who, role)?;
        Ok((who, actor))
    }

    /// What is shown, as far as that can be judged without asking the store.
    fn shown(&self, presented: Presented<'_>) -> Result<Shown, Problem> {
        let (kind, proof, text) = match presented {
            Presented::Cookie(text) => (TokenKind::Cookie, Proof::Cookie, text),
            Presented::Bearer(text) if OpaqueToken::looks_like(TokenKind::Device, text) => {
                (TokenKind::Device, Proof::Token, text)
            }
            Presented::Bearer(text) => {
                let access = self.0.tokens.verify(text, self.now_s())?;
                let user = ActorId::new(&access.user).map_err(|_| Code::InvalidToken)?;
                return Ok(Shown::Access { access, user });
            }
        };
        let token = OpaqueToken::parse(kind, text).ok_or(Code::InvalidToken)?;
        Ok(Shown::Opaque { token, proof })
    }

    /// A device that is there and has not ended. One that was never there and one that was revoked look alike.
    pub(super) fn in_use(&self, found: Option<Arc<Credential>>) -> Result<Arc<Credential>, Problem> {
        let found = found.filter(|device| matches!(device.purpose, Purpose::Device(_)));
        let device = found.ok_or(Code::TokenRevoked)?;
        if device.is_expired(self.now()) { Err(Code::TokenExpired.into()) } else { Ok(device) }
    }

    /// What someone may do in a space.
    ///
    /// # Errors
    ///
    /// `space_not_found` alike for a space that is not there and for one that is none of theirs.
    pub async fn member(&self, who: &SignedIn, space: &SpaceId) -> Result<Actor, Problem> {
        acting(who, self.0.rights.role(space, &who.user, self.now()).await?)
    }

    /// As [`member`](Identity::member), for what owners alone may do.
    ///
    /// # Errors
    ///
    /// Its own, and `forbidden_role`.
    pub async fn owner(&self, who: &SignedIn, space: &SpaceId) -> Result<Actor, Problem> {
        let actor = self.member(who, space).await?;
        if actor.role == Role::Owner { Ok(actor) } else { Err(Code::ForbiddenRole.into()) }
    }
}

/// Somebody with their role, if they have one.
pub(super) fn acting(who: &SignedIn, role: Option<Role>) -> Result<Actor, Problem> {
    Ok(Actor::new(who.user.clone(), role.ok_or(Code::SpaceNotFound)?))
}

/// What a request shows of itself, in the form of one that was issued.
enum Shown {
    /// An access token with our signature, which says whose it is.
    Access { access: Access, user: ActorId },
    /// The token of a device or a browser: what we know of that says whose it is.
    Opaque { token: OpaqueToken, proof: Proof },
}

impl Shown {
    fn device(&self) -> &CredentialId {
        match self {
            Self::Access { access, .. } => &access.device,
            Self::Opaque { token, .. } => token.id(),
        }
    }

    /// Whose it says it is.
    fn user(&self) -> Option<&ActorId> {
        match self {
            Self::Access { user, .. } => Some(user),
            Self::Opaque { .. } => None,
        }
    }

    /// Who it is, by the device that it names.
    fn by(&self, device: &Credential) -> Result<SignedIn, Problem> {
        let (Holder::User(holder), Purpose::Device(details)) = (&device.holder, &device.purpose) else {
            return Err(Code::InvalidToken.into());
        };
        let (is_theirs, until) = match self {
            Self::Access { access, user } => {
                (holder == user, Timestamp::from_micros(access.expires_at.saturating_mul(1_000_000)))
            }
            Self::Opaque { token, proof } => {
                (details.proof == *proof && token.is_of(&device.secret), device.expires_at)
            }
        };
        if !is_theirs {
            return Err(Code::InvalidToken.into());
        }
        Ok(SignedIn { user: holder.clone(), device: device.id.clone(), until })
    }
}
