//! What is done to accounts: a list of changes, all or none of them.

use crate::accounts::{Credential, CredentialKind, Holder, Notice, Role, SpaceInfo, Synced, User};
use crate::clock::Timestamp;
use crate::types::{ActorId, CredentialId, SpaceId};

/// One change, or one condition that must hold where it stands in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Refused when the id, the name or the address is taken.
    CreateUser(User),
    /// Replaces what is known of a user. Refused when there is none of this id, or the name or the address is someone
    /// else's.
    UpdateUser(User),
    /// Removes a user, their roles everywhere, and the credentials they hold. Refused when there is none.
    DeleteUser(ActorId),
    /// Gives `actor` a role in `space`, or takes it away with `None`. Neither has to be known otherwise.
    SetRole {
        /// Where.
        space: SpaceId,
        /// Who.
        actor: ActorId,
        /// Which.
        role: Option<Role>,
    },
    /// Replaces what is known about a space. It changes nobody's rights, so it leaves no notice.
    DescribeSpace(SpaceInfo),
    /// Removes every role in a space, the credentials it holds, what is known about it, and of who synced it.
    ForgetSpace(SpaceId),
    /// Gives `to` every space of which `from` is the only owner: all other roles in it go, with the credentials it holds,
    /// what is known of it and of who synced it. However many spaces there are, it costs a store the same few steps.
    PassOn {
        /// Whose they are.
        from: ActorId,
        /// Whose they become. Someone else, who has no role in any of them.
        to: ActorId,
    },
    /// Adds a credential. Refused when its id is taken.
    AddCredential(Credential),
    /// Replaces a credential. Refused unless the one that is there has the revision before this one's, and the same
    /// holder and kind.
    ReplaceCredential(Credential),
    /// Removes a credential. Refused unless it is there in this revision: of many who take one, one succeeds.
    TakeCredential {
        /// Which.
        id: CredentialId,
        /// In which revision.
        revision: u32,
    },
    /// Removes the credentials of a kind that someone holds, but for one.
    EndCredentials {
        /// Whose.
        holder: Holder,
        /// Which.
        kind: CredentialKind,
        /// The one that stays.
        except: Option<CredentialId>,
    },
    /// Removes credentials that ended by themselves at this time or before, at most `limit` of them.
    ForgetExpired {
        /// Which.
        before: Timestamp,
        /// How many.
        limit: usize,
    },
    /// Notes how far a device is. Nothing happens when the credential is not there.
    NoteSynced(Synced),
    /// Refused when there is no user of this id.
    RequireUser(ActorId),
    /// Refused unless `actor` has exactly this role in `space`.
    RequireRole {
        /// Where.
        space: SpaceId,
        /// Who.
        actor: ActorId,
        /// Which.
        role: Option<Role>,
    },
    /// Refused when no one has the role of owner in the space.
    RequireOwner(SpaceId),
    /// Refused when there is no credential of this id.
    RequireCredential(CredentialId),
    /// Refused unless this is exactly what is known of a user: what was read before is still so.
    RequireUnchanged(User),
    /// Refused when anyone has a role in the space.
    RequireNobody(SpaceId),
    /// Refused when others are in a space of which the actor is the only owner.
    RequireSuccessors(ActorId),
}

impl Change {
    /// Whom it concerns who may be at work just now.
    pub fn notice(&self) -> Option<Notice> {
        match self {
            Self::DeleteUser(actor) | Self::PassOn { from: actor, .. } => Some(Notice::Actor(actor.clone())),
            Self::SetRole { space, actor, .. } => Some(Notice::Member(space.clone(), actor.clone())),
            Self::ForgetSpace(space) => Some(Notice::Space(space.clone())),
            Self::ReplaceCredential(credential) if credential.is_shown() => {
                Some(Notice::Credential(credential.id.clone()))
            }
            Self::TakeCredential { id, .. } => Some(Notice::Credential(id.clone())),
            Self::EndCredentials { holder: Holder::User(actor), kind: CredentialKind::Device, .. } => {
                Some(Notice::Actor(actor.clone()))
            }
            _ => None,
        }
    }
}

/// What became of a list of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Changed {
    /// All of it was done, durably.
    Done,
    /// Nothing was done: the change at this index could not be made, or its condition does not hold.
    Refused(usize),
}

impl Changed {
    /// Whether it was done.
    pub fn is_done(self) -> bool {
        self == Self::Done
    }
}
