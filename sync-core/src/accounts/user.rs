//! Who can sign in.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::types::{ActorId, SpaceId};

/// Someone who can sign in: with a name and a password, by their mail address, or both.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// Their id, which never changes.
    pub id: ActorId,
    /// Their name as they wrote it.
    pub name: String,
    /// The normal form of the name they sign in with, which no two users share; `None` for those who have none.
    #[serde(default)]
    pub name_key: Option<String>,
    /// The normal form of their mail address, which no two users share.
    #[serde(default)]
    pub address: Option<String>,
    /// Hash of their password in PHC form.
    #[serde(default)]
    pub password_hash: Option<String>,
    /// Their personal space.
    #[serde(default)]
    pub home: Option<SpaceId>,
    /// When they registered.
    pub created_at: Timestamp,
}

impl std::fmt::Debug for User {
    /// Shows the id alone: names, addresses and hashes do not belong in logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What someone may do in a space. Each role includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// May read.
    Viewer,
    /// May read and write.
    Editor,
    /// May also manage and delete the space.
    Owner,
}

impl Role {
    /// The word for it in stores and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Editor => "editor",
            Self::Owner => "owner",
        }
    }

    /// Reads the word for it.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Viewer, Self::Editor, Self::Owner].into_iter().find(|role| role.as_str() == word)
    }
}
