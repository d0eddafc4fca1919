//! What only an operator does: whoever runs the server is nobody's member and needs no role.
//!
//! The rest of what an operator does is what everyone does, for somebody else: `users`, `devices`, `pairing`.

use sync_core::{
    ActorId, Change, CredentialId, CredentialKind, Holder, Invite, Role, SpaceId, Timestamp, User,
};

use super::erasing::settled;
use super::invites::{Invited, NewInvite};
use super::link::end_all_links;
use crate::auth::address::MailAddress;
use crate::identity::Identity;
use crate::problem::{Code, Problem};

impl Identity {
    /// Signs a user out everywhere: their devices, the codes they show, and links on their way to them.
    ///
    /// # Errors
    ///
    /// `not_found`.
    pub async fn sign_out_everywhere(&self, id: &ActorId) -> Result<(), Problem> {
        let user = self.accounts().user(id).await?.ok_or(Code::NotFound)?;
        let mut changes = vec![(Change::RequireUser(id.clone()), Code::NotFound)];
        let ends = end_devices(id, None).into_iter().chain(end_all_links(&user));
        changes.extend(ends.map(|end| (end, Code::Internal)));
        self.change_or(changes).await
    }

    /// Makes a link that signs a user in once, as a letter would have it, for someone whom letters do not reach. Links from
    /// before are void.
    ///
    /// # Errors
    ///
    /// `validation_failed` for a user without a mail address.
    pub async fn sign_in_link(&self, user: &User) -> Result<Invited, Problem> {
        let address = user.address.as_deref().map(MailAddress::new).transpose()?;
        let Some(address) = address else {
            return Err(Problem::new(Code::ValidationFailed)
                .detail("this user has no mail address and signs in with a password: give them a new one"));
        };
        self.new_link(&address).await
    }

    /// Makes an invite into a space that names nobody as its maker, and so holds as long as the space does.
    ///
    /// # Errors
    ///
    /// `quota_exceeded`.
    pub async fn invite_into(&self, space: &SpaceId, role: Role) -> Result<Invited, Problem> {
        let new = NewInvite { role, address: None };
        self.add_invite(Holder::Space(space.clone()), &new, None, settled(space).into()).await
    }

    /// The open invites into a space, or without one those to register, oldest first.
    ///
    /// # Errors
    ///
    /// What the store reports.
    pub async fn all_invites(
        &self,
        space: Option<&SpaceId>,
    ) -> Result<Vec<(CredentialId, Invite, Timestamp)>, Problem> {
        self.invites_of(&holder_of(space)).await
    }

    /// Takes an invite into a space back, or without one an invite to register.
    ///
    /// # Errors
    ///
    /// `not_found` when it is none of these, or over.
    pub async fn end_invite(&self, space: Option<&SpaceId>, id: &CredentialId) -> Result<(), Problem> {
        self.revoke_invite_of(None, &holder_of(space), id).await
    }
}

/// Who holds the invites into a space, or those to register.
fn holder_of(space: Option<&SpaceId>) -> Holder {
    space.map_or(Holder::Server, |space| Holder::Space(space.clone()))
}

/// What ends when a user is signed out, but for one device.
pub(super) fn end_devices(user: &ActorId, except: Option<&CredentialId>) -> [Change; 2] {
    let holder = Holder::User(user.clone());
    [(CredentialKind::Device, except.cloned()), (CredentialKind::Pairing, None)]
        .map(|(kind, except)| Change::EndCredentials { holder: holder.clone(), kind, except })
}
