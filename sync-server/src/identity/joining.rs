//! How someone becomes a user: their personal space, and what an invite adds.

use sync_core::{
    ActorId, Change, Changed, Credential, CredentialKind, ErrorKind, Holder, Invite, Purpose, Role, SpaceId,
    User,
};

use crate::auth::opaque::{OpaqueToken, TokenKind};
use crate::auth::registration::Registration;
use crate::identity::Identity;
use crate::identity::erasing::hand_out;
use crate::identity::grant::Draft;
use crate::problem::{Code, Problem};

/// An invite that was shown and fits.
pub(super) struct Ticket {
    credential: Credential,
    invite: Invite,
}

impl Ticket {
    /// The space it leads into, and the role it gives there.
    pub(super) fn seat(&self) -> Option<(&SpaceId, Role)> {
        match &self.credential.holder {
            Holder::Space(space) => Some((space, self.invite.role)),
            _ => None,
        }
    }

    /// What accepting it does. It counts as long as who made it may invite.
    pub(super) fn changes(&self, user: &ActorId) -> Vec<Change> {
        let Credential { id, revision, .. } = &self.credential;
        let mut changes = vec![Change::TakeCredential { id: id.clone(), revision: *revision }];
        if let Some((space, role)) = self.seat() {
            if let Some(by) = &self.invite.by {
                let role = Some(Role::Owner);
                changes.push(Change::RequireRole { space: space.clone(), actor: by.clone(), role });
            }
            changes.push(Change::SetRole { space: space.clone(), actor: user.clone(), role: Some(role) });
        }
        changes
    }
}

impl Identity {
    /// The invite that `text` is, if it is good for someone with this address.
    pub(super) async fn ticket(&self, text: &str, address: Option<&str>) -> Result<Ticket, Problem> {
        let token = OpaqueToken::parse(TokenKind::Invite, text).ok_or(Code::InviteInvalid)?;
        let found = self.accounts().credential(token.id()).await?.ok_or(Code::InviteInvalid)?;
        let is_good = token.is_of(&found.secret) && !found.is_expired(self.now());
        match &found.purpose {
            Purpose::Invite(invite) if is_good => {
                let for_them = invite.address.is_none() || invite.address.as_deref() == address;
                let invite = invite.clone();
                if for_them {
                    Ok(Ticket { credential: found, invite })
                } else {
                    Err(Code::InviteInvalid.into())
                }
            }
            _ => Err(Code::InviteInvalid.into()),
        }
    }

    /// Whether someone may become a user, with this invite or without one.
    pub(super) async fn admission(
        &self,
        invite: Option<&str>,
        address: Option<&str>,
    ) -> Result<Option<Ticket>, Problem> {
        match (self.0.registration, invite) {
            (Registration::Closed, _) | (Registration::Invite, None) => Err(Code::RegistrationClosed.into()),
            (_, None) => Ok(None),
            (_, Some(text)) => self.ticket(text, address).await.map(Some),
        }
    }

    /// A user who is about to be created, with a personal space of their own.
    pub(super) fn new_user(&self, name: String) -> Result<User, Problem> {
        let new_id = || self.0.ids.new_hex_id();
        Ok(User {
            id: ActorId::new(new_id()).map_err(|_| Code::Internal)?,
            name,
            name_key: None,
            address: None,
            password_hash: None,
            home: Some(SpaceId::new(new_id()).map_err(|_| Code::Internal)?),
            created_at: self.now(),
        })
    }

    /// Creates a user with their space, what an invite gives them, their first device, and whatever else belongs to it:
    /// `first` comes before everything, and each of it that is refused has the answer `refused`.
    ///
    /// The space is made before, so that no user is without one.
    pub(super) async fn create(
        &self,
        user: &User,
        (first, refused): (Vec<Change>, Code),
        ticket: Option<&Ticket>,
        device: Option<&Draft>,
    ) -> Result<Created, Problem> {
        let home = user.home.clone().ok_or(Code::Internal)?;
        let n_first = first.len();
        let mut changes = first;
        changes.push(Change::CreateUser(user.clone()));
        changes.extend(hand_out(self.new_info(&home, None), &user.id));
        changes.extend(device.map(|draft| Change::AddCredential(draft.credential.clone())));
        changes.extend(ticket.iter().flat_map(|ticket| ticket.changes(&user.id)));
        let _turn = self.1.turn(&home).await;
        self.make_space(&home, Vec::new()).await?;
        let outcome = match self.change_kept(&changes).await {
            Ok(Changed::Done) => return Ok(Created::Now),
            Ok(Changed::Refused(idx)) if idx == n_first => Ok(Created::Taken),
            Ok(Changed::Refused(idx)) if idx < n_first => Err(refused.into()),
            // Its turn was so long that another process took it for left over.
            Ok(Changed::Refused(idx)) if idx == n_first + 1 => Err(Code::Overloaded.into()),
            Ok(Changed::Refused(_)) => Err(Code::InviteInvalid.into()),
            Err((kind, problem)) if nothing_happened(kind) => Err(problem),
            // It is not known whether there is a user now: theirs must not be deleted.
            Err((_, problem)) => return Err(problem),
        };
        self.give_up(&home).await?;
        outcome
    }

    /// Makes changes; an error keeps its kind, which tells whether they may have happened.
    async fn change_kept(&self, changes: &[Change]) -> Result<Changed, (ErrorKind, Problem)> {
        let changed = self.accounts().change(changes).await;
        // Everything is forgotten when it cannot be asked, so nobody is refused by what was remembered.
        if let Err(error) = self.0.rights.catch_up().await {
            tracing::warn!(%error, "could not ask whose rights have changed");
        }
        changed.map_err(|error| (error.kind(), error.into()))
    }

    /// Ends what was sent to an address before.
    pub(super) fn end_links(holder: Holder) -> Change {
        Change::EndCredentials { holder, kind: CredentialKind::Link, except: None }
    }
}

/// Whether there is a user now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Created {
    Now,
    /// The name or the address is someone else's.
    Taken,
}

/// Whether an error says for certain that nothing was written.
fn nothing_happened(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::AlreadyExists | ErrorKind::Contended | ErrorKind::Overloaded | ErrorKind::StorageFull
    )
}
