//! What signing in yields, whichever way someone came in.

use std::time::Duration;

use sync_core::{
    Change, Credential, CredentialId, Device, Holder, Proof, Purpose, SecretHash, Timestamp, User,
};

use super::devices::{DEVICES_MAX, NewDevice};
use crate::auth::opaque::{OpaqueToken, TokenKind, new_credential_id, successor_id};
use crate::identity::Identity;
use crate::problem::{Code, Problem};

/// How long a refresh token lives unless it is used. 30 days: who does not open an app for a month signs in again.
const REFRESH_IDLE: Duration = DAY.saturating_mul(30);

/// How long refreshing goes on without signing in. A year.
const REFRESH_MAX: Duration = DAY.saturating_mul(365);

/// How long a browser is signed in. 30 days.
const COOKIE_LIFETIME: Duration = DAY.saturating_mul(30);

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Someone who has just signed in, and the proof that they did.
#[derive(Clone)]
pub struct Grant {
    /// Who.
    pub user: User,
    /// On which device.
    pub device: CredentialId,
    /// Of which kind `token` is.
    pub proof: Proof,
    /// What the device shows from now on: a refresh token, a cookie or the token of the device.
    pub token: String,
    /// When that ends by itself.
    pub expires_at: Option<Timestamp>,
    /// What requests are signed with until then, where `token` is a refresh token.
    pub access: Option<AccessToken>,
}

impl std::fmt::Debug for Grant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Grant")
            .field("user", &self.user.id)
            .field("device", &self.device)
            .finish_non_exhaustive()
    }
}

/// A token that signs requests for a while.
#[derive(Clone)]
pub struct AccessToken {
    /// The token.
    pub token: String,
    /// How long it lives, in seconds.
    pub expires_in_s: u32,
}

impl std::fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AccessToken(***)")
    }
}

/// A device that is about to be added, and the token that nobody sees again.
pub(super) struct Draft {
    pub(super) credential: Credential,
    token: OpaqueToken,
}

impl Identity {
    /// A device of `user`. Whoever adds it sees to it that the user exists.
    pub(super) fn draft(&self, user: &User, proof: Proof, device: &NewDevice) -> Draft {
        let token = match proof {
            Proof::Refresh => self.refresh_token(new_credential_id(self.0.ids.as_ref())),
            Proof::Cookie | Proof::Token => OpaqueToken::new(kind_of(proof), self.0.ids.as_ref()),
        };
        self.draft_showing(user, proof, token, device)
    }

    fn draft_showing(&self, user: &User, proof: Proof, token: OpaqueToken, device: &NewDevice) -> Draft {
        let now = self.now();
        let (expires_at, ends_at) = ends(proof, now, None);
        let credential = Credential {
            id: token.id().clone(),
            holder: Holder::User(user.id.clone()),
            revision: 1,
            secret: token.hash(),
            created_at: now,
            expires_at,
            purpose: Purpose::Device(Device {
                proof,
                name: device.name().to_owned(),
                platform: device.platform().map(str::to_owned),
                spent: Vec::new(),
                exchange: None,
                ends_at,
            }),
        };
        Draft { credential, token }
    }

    /// What a device that was added is told.
    pub(super) fn granted(&self, user: User, draft: Draft) -> Grant {
        let Draft { credential, token } = draft;
        let proof = proof_of(&credential);
        let access = (proof == Proof::Refresh).then(|| self.access_token(&user, &credential.id));
        Grant {
            user,
            device: credential.id,
            proof,
            token: token.text(),
            expires_at: credential.expires_at,
            access,
        }
    }

    /// Signs a user in on a new device.
    pub(super) async fn grant(&self, user: User, proof: Proof, device: &NewDevice) -> Result<Grant, Problem> {
        self.grant_taking(user, Vec::new(), proof, device).await
    }

    /// Signs a user in on the device that a pairing makes, by which it is found again.
    pub(super) async fn grant_paired(
        &self,
        user: User,
        pairing: &CredentialId,
        first: Vec<(Change, Code)>,
        device: &NewDevice,
    ) -> Result<Grant, Problem> {
        // Drawn as that of every other device: what is drawn after it stays what it was.
        let token = OpaqueToken::new(TokenKind::Device, self.0.ids.as_ref());
        let token = token.belonging_to(successor_id(pairing));
        let draft = self.draft_showing(&user, Proof::Token, token, device);
        self.grant_draft(user, draft, first).await
    }

    /// Signs a user in on a new device, together with changes of which each that is refused has an answer.
    pub(super) async fn grant_taking(
        &self,
        user: User,
        first: Vec<(Change, Code)>,
        proof: Proof,
        device: &NewDevice,
    ) -> Result<Grant, Problem> {
        let draft = self.draft(&user, proof, device);
        self.grant_draft(user, draft, first).await
    }

    async fn grant_draft(
        &self,
        user: User,
        draft: Draft,
        first: Vec<(Change, Code)>,
    ) -> Result<Grant, Problem> {
        let room = self.room_for_device(&user, proof_of(&draft.credential)).await?;
        let mut changes = first;
        // Their password, too, is the one that was looked at.
        changes.push((Change::RequireUnchanged(user.clone()), Code::InvalidCredentials));
        changes.push((Change::AddCredential(draft.credential.clone()), Code::Internal));
        changes.extend(room.map(|room| (room, Code::Overloaded)));
        self.change_or(changes).await?;
        Ok(self.granted(user, draft))
    }

    /// What has to go so that a user may have one more device: of too many sign-ins the one that is nearest to its end.
    /// Devices that were added on purpose do not go.
    async fn room_for_device(&self, user: &User, proof: Proof) -> Result<Option<Change>, Problem> {
        let devices = self.devices_in_use(&user.id).await?;
        if devices.len() < DEVICES_MAX {
            return Ok(None);
        }
        let ends = devices.iter().filter(|device| proof != Proof::Token && device.expires_at.is_some());
        match ends.min_by_key(|device| device.expires_at) {
            Some(device) => {
                Ok(Some(Change::TakeCredential { id: device.id.clone(), revision: device.revision }))
            }
            None => Err(Problem::new(Code::QuotaExceeded)
                .detail("there are too many devices: revoke some that are not used any more")
                .limit(DEVICES_MAX as u64)),
        }
    }

    /// A new refresh token of a device. Half of its secret is random, the other half says that this server made it, so that
    /// one from long ago is known for what it is.
    fn refresh_token(&self, id: CredentialId) -> OpaqueToken {
        let mut secret = [0; 32];
        self.0.ids.fill(&mut secret[..RANDOM_BYTES]);
        let made = self.0.tokens.derive("refresh", &mark_of(&id, &secret[..RANDOM_BYTES]));
        secret[RANDOM_BYTES..].copy_from_slice(&made[..32 - RANDOM_BYTES]);
        OpaqueToken::with_secret(TokenKind::Refresh, id, &secret)
    }

    /// Whether this server made a refresh token, whenever that was.
    pub(super) fn made(&self, token: &OpaqueToken) -> bool {
        let Some(secret) = token.secret() else { return false };
        let made = self.0.tokens.derive("refresh", &mark_of(token.id(), &secret[..RANDOM_BYTES]));
        // Not in constant time: whoever tries bytes of this learns how to be refused in another way, and no more.
        secret[RANDOM_BYTES..] == made[..32 - RANDOM_BYTES]
    }

    /// An access token for a device.
    pub(super) fn access_token(&self, user: &User, device: &CredentialId) -> AccessToken {
        let token = self.0.tokens.issue(user.id.as_str(), device, &self.0.ids.new_id(), self.now_s());
        AccessToken { token, expires_in_s: self.0.token_lifetime_s }
    }

    /// A refresh token after another: the credential with the next secret, and the text of it. `is_again` says that the
    /// one before it was lost: the one that was shown remains the newest that was, and can be shown a third time.
    pub(super) fn refreshed(&self, old: &Credential, exchange: Option<SecretHash>, is_again: bool) -> Draft {
        let token = self.refresh_token(old.id.clone());
        let credential = old.changed(|next| {
            if let Purpose::Device(device) = &mut next.purpose {
                let shown = if is_again { device.spent.pop() } else { None };
                device.spent.push(old.secret);
                device.spent.extend(shown);
                let n_old = device.spent.len().saturating_sub(SPENT_KEPT);
                device.spent.drain(..n_old);
                device.exchange = exchange;
                (next.expires_at, device.ends_at) = ends(Proof::Refresh, self.now(), device.ends_at);
            }
            next.secret = token.hash();
        });
        Draft { credential, token }
    }
}

/// Random bytes in a refresh token: 128 bits.
const RANDOM_BYTES: usize = 16;

fn mark_of(id: &CredentialId, random: &[u8]) -> String {
    let random = random.iter().map(|byte| format!("{byte:02x}"));
    random.fold(format!("{id}."), |text, byte| text + &byte)
}

/// Spent refresh tokens that are still known by themselves. 8: those that a client that lost its answers may
/// show again; older ones are known by their mark.
const SPENT_KEPT: usize = 8;

/// When a proof ends unless it is used, and when it ends however much it is used.
fn ends(proof: Proof, now: Timestamp, ends_at: Option<Timestamp>) -> (Option<Timestamp>, Option<Timestamp>) {
    let after = |lifetime| now.saturating_add(lifetime);
    match proof {
        Proof::Token => (None, None),
        Proof::Cookie => (Some(after(COOKIE_LIFETIME)), Some(after(COOKIE_LIFETIME))),
        Proof::Refresh => {
            let ends_at = ends_at.unwrap_or_else(|| after(REFRESH_MAX));
            (Some(after(REFRESH_IDLE).min(ends_at)), Some(ends_at))
        }
    }
}

fn proof_of(device: &Credential) -> Proof {
    match &device.purpose {
        Purpose::Device(device) => device.proof,
        _ => Proof::Token,
    }
}

fn kind_of(proof: Proof) -> TokenKind {
    match proof {
        Proof::Refresh => TokenKind::Refresh,
        Proof::Cookie => TokenKind::Cookie,
        Proof::Token => TokenKind::Device,
    }
}
