//! In by mail: a letter with a link that signs in once.
//!
//! Asking for a link looks the same whoever the address belongs to: nothing is looked up before the answer, and whether a
//! letter goes out is decided by a task of its own.

use std::time::Duration;

use sync_core::{Change, Credential, CredentialKind, Holder, Link, Proof, Purpose, SecretHash, User};

use super::devices::NewDevice;
use super::grant::Grant;
use super::invites::Invited;
use super::joining::Created;
use crate::auth::address::MailAddress;
use crate::auth::opaque::{OpaqueToken, TokenKind};
use crate::auth::registration::Registration;
use crate::identity::Identity;
use crate::problem::{Code, Problem};

/// How long a link is good. 10 minutes: time for mail, and little for whoever finds the letter.
pub const LINK_LIFETIME: Duration = Duration::from_secs(10 * 60);

impl Identity {
    /// Whether letters leave this server at all.
    ///
    /// # Errors
    ///
    /// `mail_unavailable`.
    pub fn can_mail(&self) -> Result<(), Problem> {
        if self.0.post.is_some() { Ok(()) } else { Err(Code::MailUnavailable.into()) }
    }

    /// Sends a link to an address, if it may sign in here. Links it was sent before are void from then on. Whoever calls
    /// this does not wait for it before answering, and counts how many letters an address gets.
    ///
    /// # Errors
    ///
    /// `mail_unavailable`, and what the store reports.
    pub async fn send_link(&self, address: &MailAddress, invite: Option<&str>) -> Result<(), Problem> {
        let post = self.0.post.as_ref().ok_or(Code::MailUnavailable)?;
        if !self.may_sign_in(address, invite).await? {
            return Ok(());
        }
        let link = self.new_link(address).await?;
        post.sign_in_link(address, &link.token, LINK_LIFETIME);
        Ok(())
    }

    /// Makes a link for an address. Those from before are void.
    pub(super) async fn new_link(&self, address: &MailAddress) -> Result<Invited, Problem> {
        let token = OpaqueToken::new(TokenKind::Link, self.0.ids.as_ref());
        let now = self.now();
        let expires_at = now.saturating_add(LINK_LIFETIME);
        let holder = holder_of(address.normal());
        let link = Credential {
            id: token.id().clone(),
            holder: holder.clone(),
            revision: 1,
            secret: token.hash(),
            created_at: now,
            expires_at: Some(expires_at),
            purpose: Purpose::Link(Link { address: address.normal().to_owned() }),
        };
        let changes = [Self::end_links(holder), Change::AddCredential(link)];
        self.change_or(changes.map(|change| (change, Code::Internal)).into()).await?;
        Ok(Invited { id: token.id().clone(), token: token.text(), expires_at })
    }

    /// A letter to someone who cannot come in would only tell them so.
    async fn may_sign_in(&self, address: &MailAddress, invite: Option<&str>) -> Result<bool, Problem> {
        if self.0.registration == Registration::Open {
            return Ok(true);
        }
        if self.accounts().user_by_address(address.normal()).await?.is_some() {
            return Ok(true);
        }
        Ok(self.admission(invite, Some(address.normal())).await.is_ok())
    }

    /// Signs in whoever has the letter; who has no account gets one, where that is allowed.
    ///
    /// # Errors
    ///
    /// `link_invalid` alike for a link that was used, is too old, was replaced by a newer one, or never was one;
    /// `registration_closed`, `invite_invalid`.
    pub async fn redeem_link(
        &self,
        token: &str,
        invite: Option<&str>,
        proof: Proof,
        device: &NewDevice,
    ) -> Result<Grant, Problem> {
        let (credential, address) = self.link(token).await?;
        let take = Change::TakeCredential { id: credential.id.clone(), revision: credential.revision };
        if let Some(user) = self.accounts().user_by_address(&address).await? {
            return self.let_in(user, take, proof, device).await;
        }
        let ticket = self.admission(invite, Some(&address)).await?;
        let name = address.split('@').next().unwrap_or_default().to_owned();
        let user = User { address: Some(address.clone()), ..self.new_user(name)? };
        let draft = self.draft(&user, proof, device);
        let taken = (vec![take.clone()], Code::LinkInvalid);
        match self.create(&user, taken, ticket.as_ref(), Some(&draft)).await? {
            Created::Now => Ok(self.granted(user, draft)),
            // The account was made a moment ago, by an older letter or an operator.
            Created::Taken => {
                let user = self.accounts().user_by_address(&address).await?.ok_or(Code::LinkInvalid)?;
                self.let_in(user, take, proof, device).await
            }
        }
    }

    async fn let_in(
        &self,
        user: User,
        take: Change,
        proof: Proof,
        device: &NewDevice,
    ) -> Result<Grant, Problem> {
        self.grant_taking(user, vec![(take, Code::LinkInvalid)], proof, device).await
    }

    /// The link that `text` is, and whose it is.
    async fn link(&self, text: &str) -> Result<(Credential, String), Problem> {
        let token = OpaqueToken::parse(TokenKind::Link, text).ok_or(Code::LinkInvalid)?;
        let found = self.accounts().credential(token.id()).await?.ok_or(Code::LinkInvalid)?;
        let Purpose::Link(Link { address }) = &found.purpose else { return Err(Code::LinkInvalid.into()) };
        if !token.is_of(&found.secret) {
            return Err(Code::LinkInvalid.into());
        }
        if found.is_expired(self.now()) {
            // Whatever the clock does from here on, it is over.
            self.end_later(&found);
            return Err(Code::LinkInvalid.into());
        }
        let address = address.clone();
        Ok((found, address))
    }
}

/// Who holds what is sent to an address: its hash, so that lists and dumps do not show it.
pub(super) fn holder_of(address: &str) -> Holder {
    Holder::Address(SecretHash::of(address).to_hex())
}

/// What ends for an address when its user goes.
pub(super) fn end_all_links(user: &User) -> Option<Change> {
    let address = user.address.as_deref()?;
    Some(Change::EndCredentials { holder: holder_of(address), kind: CredentialKind::Link, except: None })
}
