//! What signing in yields, whichever way someone came in.

use std::time::Duration;

use sync_core::{
    Change, Credential, CredentialId, Device, Holder, Proof, Purpose, SecretHash, Timestamp, User,
};

use super::devices::{DEVICES_MAX, NewDevice, SIGN_INS_MAX};
use crate::auth::chain;
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
    pub(super) token: OpaqueToken,
}

impl Identity {
    /// A device of `user`. Whoever adds it sees to it that the user exists.
    pub(super) fn draft(&self, user: &User, proof: Proof, device: &NewDevice) -> Draft {
        let token = match proof {
            Proof::Refresh => chain::first(new_credential_id(self.0.ids.as_ref()), self.0.ids.as_ref()),
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
                family: (proof == Proof::Refresh).then(|| chain::family(&token)).flatten(),
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
        let is_sign_in = proof_of(&draft.credential) != Proof::Token;
        if !is_sign_in {
            self.check_room_for_device(&user).await?;
        }
        let mut changes = first;
        // Their password, too, is the one that was looked at.
        changes.push((Change::RequireUnchanged(user.clone()), Code::InvalidCredentials));
        changes.push((Change::AddCredential(draft.credential.clone()), Code::Internal));
        self.change_or(changes).await?;
        if is_sign_in {
            self.make_room(&draft.credential).await;
        }
        Ok(self.granted(user, draft))
    }

    /// Devices that were added on purpose are as many as there may be at most. They are counted by themselves: whoever adds
    /// them keeps nobody from signing in.
    async fn check_room_for_device(&self, user: &User) -> Result<(), Problem> {
        let devices = self.devices_in_use(&user.id).await?;
        if devices.iter().filter(|device| proof_of(device) == Proof::Token).count() < DEVICES_MAX {
            return Ok(());
        }
        Err(Problem::new(Code::QuotaExceeded)
            .detail("there are too many devices: revoke some that are not used any more")
            .limit(DEVICES_MAX as u64))
    }

    /// Ends what sign-ins there are too many after a new one, those first that are nearest to their end. Whoever signed in
    /// is in, whatever becomes of it.
    async fn make_room(&self, newest: &Credential) {
        if let Err(problem) = self.end_old_sign_ins(newest).await {
            tracing::warn!(
                code = problem.code().as_str(),
                "could not end old sign-ins; the next one tries again"
            );
        }
    }

    async fn end_old_sign_ins(&self, newest: &Credential) -> Result<(), Problem> {
        let Holder::User(user) = &newest.holder else { return Ok(()) };
        let mut others = self.devices_in_use(user).await?;
        others.retain(|other| other.id != newest.id && proof_of(other) != Proof::Token);
        others.sort_by_key(|other| other.expires_at);
        let n_extra = (others.len() + 1).saturating_sub(SIGN_INS_MAX);
        for other in &others[..n_extra] {
            self.revoke(other).await?;
        }
        Ok(())
    }

    /// Whether a refresh token is one that a server with this signing secret made before there were families.
    pub(super) fn made(&self, token: &OpaqueToken) -> bool {
        let Some(secret) = token.secret() else { return false };
        let (random, mark) = secret.split_at(secret.len() / 2);
        let text = random.iter().fold(format!("{}.", token.id()), |text, byte| format!("{text}{byte:02x}"));
        // Not in constant time: whoever tries bytes of this learns how to be refused in another way, and no more.
        *mark == self.0.tokens.derive("refresh", &text)[..mark.len()]
    }

    /// An access token for a device.
    pub(super) fn access_token(&self, user: &User, device: &CredentialId) -> AccessToken {
        let token = self.0.tokens.issue(user.id.as_str(), device, &self.0.ids.new_id(), self.now_s());
        AccessToken { token, expires_in_s: self.0.token_lifetime_s }
    }

    /// What there is after `shown` was traded in for `token`, with a word or without.
    pub(super) fn refreshed(
        &self,
        old: &Credential,
        shown: &OpaqueToken,
        token: OpaqueToken,
        word: Option<&str>,
    ) -> Draft {
        let credential = old.changed(|next| {
            if let Purpose::Device(device) = &mut next.purpose {
                device.family = chain::family(shown);
                device.exchange = word.map(SecretHash::of);
                (next.expires_at, device.ends_at) = ends(Proof::Refresh, self.now(), device.ends_at);
            }
            next.secret = token.hash();
        });
        Draft { credential, token }
    }
}

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
