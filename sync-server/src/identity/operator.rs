//! What only an operator does: whoever runs the server is nobody's member and needs no role.
//!
//! The rest of what an operator does is what everyone does, for somebody else: `users`, `devices`, `pairing`.

use sync_core::{ActorId, Change, CredentialKind, Holder, Role, SpaceId, User};

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
        self.add_invite(Holder::Space(space.clone()), &new, None, Vec::new()).await
    }
}

/// What ends when a user is signed out, but for one device.
pub(super) fn end_devices(user: &ActorId, except: Option<&sync_core::CredentialId>) -> [Change; 2] {
    let holder = Holder::User(user.clone());
    [(CredentialKind::Device, except.cloned()), (CredentialKind::Pairing, None)]
        .map(|(kind, except)| Change::EndCredentials { holder: holder.clone(), kind, except })
}
