//! Invites: a link or a letter that makes a member.

use std::time::Duration;

use sync_core::{
    ActorId, Change, Credential, CredentialId, CredentialKind, Holder, Invite, Purpose, Role, SpaceId,
    Timestamp,
};

use super::behalf::Behalf;
use super::signed_in::SignedIn;
use crate::auth::address::MailAddress;
use crate::auth::opaque::{OpaqueToken, TokenKind};
use crate::identity::Identity;
use crate::problem::{Code, Problem};

/// Open invites of one space, and of the server. 100: a list that a person can look through.
pub const INVITES_MAX: usize = 100;

/// How long an invite is good. 7 days.
const INVITE_LIFETIME: Duration = Duration::from_secs(7 * 24 * 3600);

/// What an invite is to give.
#[derive(Clone, Debug)]
pub struct NewInvite {
    /// Which role.
    pub role: Role,
    /// To whom alone, if it is to be sent by mail.
    pub address: Option<MailAddress>,
}

/// An invite that was made.
#[derive(Clone)]
pub struct Invited {
    /// The invite.
    pub id: CredentialId,
    /// The one-time token; whoever has it may come in.
    pub token: String,
    /// Until when.
    pub expires_at: Timestamp,
}

impl Identity {
    /// Invites someone into a space. With an address, a letter goes out, and nobody else may accept.
    ///
    /// # Errors
    ///
    /// `space_not_found`, `forbidden_role`, `quota_exceeded`, `mail_unavailable`.
    pub async fn invite(&self, who: &SignedIn, space: &SpaceId, new: &NewInvite) -> Result<Invited, Problem> {
        self.owner(who, space).await?;
        if new.address.is_some() {
            self.can_mail()?;
        }
        let holder = Holder::Space(space.clone());
        let (space, actor) = (space.clone(), who.user.clone());
        let by = Change::RequireRole { space, actor, role: Some(Role::Owner) };
        let there = (Change::RequireCredential(who.device.clone()), Code::TokenRevoked);
        let invited =
            self.add_invite(holder, new, Some(&who.user), vec![there, (by, Code::ForbiddenRole)]).await?;
        if let (Some(post), Some(address)) = (&self.0.post, &new.address) {
            post.invite(address, &invited.token, INVITE_LIFETIME);
        }
        Ok(invited)
    }

    /// Makes an invite.
    pub(super) async fn add_invite(
        &self,
        holder: Holder,
        new: &NewInvite,
        by: Option<&ActorId>,
        first: Vec<(Change, Code)>,
    ) -> Result<Invited, Problem> {
        if self.open_invites(&holder).await?.len() >= INVITES_MAX {
            return Err(Problem::new(Code::QuotaExceeded).limit(INVITES_MAX as u64));
        }
        let token = OpaqueToken::new(TokenKind::Invite, self.0.ids.as_ref());
        let now = self.now();
        let expires_at = now.saturating_add(INVITE_LIFETIME);
        let address = new.address.as_ref().map(|address| address.normal().to_owned());
        let credential = Credential {
            id: token.id().clone(),
            holder,
            revision: 1,
            secret: token.hash(),
            created_at: now,
            expires_at: Some(expires_at),
            purpose: Purpose::Invite(Invite { role: new.role, address, by: by.cloned() }),
        };
        let mut changes = first;
        changes.push((Change::AddCredential(credential), Code::Internal));
        self.change_or(changes).await?;
        Ok(Invited { id: token.id().clone(), token: token.text(), expires_at })
    }

    /// The open invites of a space, oldest first.
    ///
    /// # Errors
    ///
    /// `space_not_found`, `forbidden_role`.
    pub async fn invites(
        &self,
        who: &SignedIn,
        space: &SpaceId,
    ) -> Result<Vec<(CredentialId, Invite, Timestamp)>, Problem> {
        self.owner(who, space).await?;
        self.invites_of(&Holder::Space(space.clone())).await
    }

    /// The open invites that someone holds, oldest first.
    pub(super) async fn invites_of(
        &self,
        holder: &Holder,
    ) -> Result<Vec<(CredentialId, Invite, Timestamp)>, Problem> {
        let mut open = self.open_invites(holder).await?;
        open.sort_by(|one, other| (one.created_at, &one.id).cmp(&(other.created_at, &other.id)));
        let listed = open.into_iter().filter_map(|credential| match credential.purpose {
            Purpose::Invite(invite) => Some((credential.id, invite, credential.expires_at?)),
            _ => None,
        });
        Ok(listed.collect())
    }

    /// Takes an invite back.
    ///
    /// # Errors
    ///
    /// `space_not_found`, `forbidden_role`; `not_found` when it is none of this space, or over; `token_revoked`.
    pub async fn revoke_invite(
        &self,
        who: &SignedIn,
        space: &SpaceId,
        id: &CredentialId,
    ) -> Result<(), Problem> {
        self.owner(who, space).await?;
        self.revoke_invite_of(Some(who.into()), &Holder::Space(space.clone()), id).await
    }

    /// Takes an invite back that someone holds.
    pub(super) async fn revoke_invite_of(
        &self,
        who: Option<Behalf<'_>>,
        holder: &Holder,
        id: &CredentialId,
    ) -> Result<(), Problem> {
        let found = self.accounts().credential(id).await?.ok_or(Code::NotFound)?;
        let is_open = found.kind() == CredentialKind::Invite && !found.is_expired(self.now());
        if found.holder != *holder || !is_open {
            return Err(Code::NotFound.into());
        }
        self.revoke_as(who, &found).await
    }

    /// Makes someone who is signed in a member. Whoever has a higher role already keeps it.
    ///
    /// # Errors
    ///
    /// `invite_invalid` alike for an invite that was used, is too old, was taken back, is for someone else or never was
    /// one; `quota_exceeded` when the space is full.
    pub async fn accept_invite(&self, who: &SignedIn, token: &str) -> Result<(SpaceId, Role), Problem> {
        let user = self.user(&who.user).await?;
        let ticket = self.ticket(token, user.address.as_deref()).await?;
        let Some((space, role)) = ticket.seat() else { return Err(Code::InviteInvalid.into()) };
        let (space, before) = (space.clone(), self.accounts().role(space, &user.id).await?);
        if let Some(before) = before.filter(|before| *before >= role) {
            return Ok((space, before));
        }
        self.check_room_for_member(&space).await?;
        // Whoever gave them a higher role a moment ago must not have done so in vain.
        let (of, actor) = (space.clone(), user.id.clone());
        let mut changes = vec![(Change::RequireRole { space: of, actor, role: before }, Code::Overloaded)];
        changes.extend(ticket.changes(&user.id).into_iter().map(|change| (change, Code::InviteInvalid)));
        self.change_as(who, changes).await?;
        Ok((space, role))
    }

    async fn open_invites(&self, holder: &Holder) -> Result<Vec<Credential>, Problem> {
        let now = self.now();
        let mut held = self.accounts().credentials(holder, None, HELD_MAX).await?;
        held.retain(|one| one.kind() == CredentialKind::Invite && !one.is_expired(now));
        Ok(held)
    }
}

/// What a space or the server holds is looked at up to here: expired invites go within minutes.
const HELD_MAX: usize = 1000;
