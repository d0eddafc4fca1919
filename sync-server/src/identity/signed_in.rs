//! From what a request shows to who it is.

use std::sync::Arc;
use std::time::Duration;

use sync_core::service::Actor;
use sync_core::{ActorId, Credential, CredentialId, Holder, Proof, Purpose, Role, SpaceId, Timestamp};

use crate::auth::opaque::{OpaqueToken, TokenKind};
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
        match presented {
            Presented::Cookie(text) => self.shown(TokenKind::Cookie, Proof::Cookie, text).await,
            Presented::Bearer(text) if OpaqueToken::looks_like(TokenKind::Device, text) => {
                self.shown(TokenKind::Device, Proof::Token, text).await
            }
            Presented::Bearer(text) => self.by_access_token(text).await,
        }
    }

    async fn by_access_token(&self, text: &str) -> Result<SignedIn, Problem> {
        let access = self.0.tokens.verify(text, self.now_s())?;
        let user = ActorId::new(&access.user).map_err(|_| Code::InvalidToken)?;
        let device = self.device_in_use(&access.device).await?;
        if device.holder != Holder::User(user.clone()) {
            return Err(Code::InvalidToken.into());
        }
        let until = Timestamp::from_micros(access.expires_at.saturating_mul(1_000_000));
        Ok(SignedIn { user, device: access.device, until })
    }

    /// Who shows the token of a device, or the cookie. One that was never issued and one that was revoked look alike: the
    /// credential is not there.
    async fn shown(&self, kind: TokenKind, proof: Proof, text: &str) -> Result<SignedIn, Problem> {
        let token = OpaqueToken::parse(kind, text).ok_or(Code::InvalidToken)?;
        let device = self.device_in_use(token.id()).await?;
        let Purpose::Device(details) = &device.purpose else { return Err(Code::InvalidToken.into()) };
        let (true, Holder::User(user)) =
            (details.proof == proof && token.is_of(&device.secret), &device.holder)
        else {
            return Err(Code::InvalidToken.into());
        };
        Ok(SignedIn { user: user.clone(), device: device.id.clone(), until: device.expires_at })
    }

    /// A device that is there and has not ended.
    async fn device_in_use(&self, id: &CredentialId) -> Result<Arc<Credential>, Problem> {
        let found = self.0.rights.credential(id, self.now()).await?;
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
        let role = self.0.rights.role(space, &who.user, self.now()).await?;
        Ok(Actor::new(who.user.clone(), role.ok_or(Code::SpaceNotFound)?))
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

    /// Ready when someone at work on an open connection may not go on as they began: their device was revoked or what they
    /// showed has expired, they are not a member of the space any more, or as something else than `actor` says.
    ///
    /// While the store does not answer nobody knows, and nothing is told either: they go on waiting.
    pub async fn lost(&self, who: &SignedIn, space: &SpaceId, actor: &Actor) -> Lost {
        let mut notices = self.0.rights.watch();
        loop {
            let left = match self.still(who, space, actor).await {
                Err(Lost::Refused(problem)) if problem.code().status().is_server_error() => Some(ASK_AGAIN),
                Err(lost) => return lost,
                Ok(()) => who.until.map(|until| until.since(self.now())),
            };
            tokio::select! {
                () = notices.about(&who.user, &who.device, Some(space)) => {}
                () = sleep(left) => {}
            }
        }
    }

    /// Whether someone may go on as they began.
    ///
    /// # Errors
    ///
    /// Why not; `Refused` also when the store cannot say.
    pub async fn still(&self, who: &SignedIn, space: &SpaceId, actor: &Actor) -> Result<(), Lost> {
        if who.until.is_some_and(|until| until <= self.now()) {
            return Err(Lost::Refused(Code::TokenExpired.into()));
        }
        self.device_in_use(&who.device).await.map_err(Lost::Refused)?;
        let now = self.member(who, space).await.map_err(Lost::Refused)?;
        if now == *actor { Ok(()) } else { Err(Lost::Changed(now)) }
    }
}

/// Why someone may not go on as they began.
#[derive(Clone, Debug)]
pub enum Lost {
    /// This is what a request would be told now.
    Refused(Problem),
    /// They are something else in the space by now.
    Changed(Actor),
}

/// How long to wait for a store that does not answer. 250 ms, as long as for notices.
const ASK_AGAIN: Duration = super::NOTICE_INTERVAL;

async fn sleep(left: Option<Duration>) {
    match left {
        Some(left) => tokio::time::sleep(left).await,
        None => std::future::pending().await,
    }
}
