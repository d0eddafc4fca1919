//! Notices: whose rights may have changed, for those who are at work just now.

use serde::{Deserialize, Serialize};

use crate::types::{ActorId, CredentialId, SpaceId};

/// Word that something about someone's rights may have changed, so that whoever remembers them looks again.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notice {
    /// Everything of an actor.
    Actor(ActorId),
    /// The role of an actor in a space.
    Member(SpaceId, ActorId),
    /// Everything about a space.
    Space(SpaceId),
    /// A credential.
    Credential(CredentialId),
}

/// What was noticed since a position.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notices {
    /// The position to ask from next time. It only grows.
    pub position: u64,
    /// Whether some are not kept any more: then anything may have changed.
    pub missed: bool,
    /// The notices, in the order of the changes.
    pub notices: Vec<Notice>,
}

/// Notices that a store keeps at least. 1,000: servers ask several times a second, and who was away for longer looks at
/// everything again.
pub const NOTICES_KEPT: u64 = 1000;
