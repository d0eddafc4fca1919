//! A conflict: an edit that lost, kept as a record of its own until someone settles it.
//!
//! Conflicts live in the collection `$conflicts` of their space. The feed delivers them like any record, so every
//! device sees them and any of them may resolve one, also offline.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind, Result};
use crate::json::{Json, Limits};
use crate::merge::{Patch, Pointer};
use crate::types::{ActorId, ClientId, Collection, Record, RecordId, RecordKey, Version};

/// Two versions of a record that could not be joined, or of which a policy took one.
#[derive(Clone, Debug, PartialEq)]
pub struct Conflict {
    /// Its name.
    pub id: RecordId,
    /// The version of the conflict itself.
    pub version: Version,
    /// What happened and between what.
    pub body: ConflictBody,
}

/// What a conflict holds.
///
/// `mine` and `theirs` are the words of whoever made the edit that lost: `mine` is that edit, **on every device that reads
/// this**, and not what the reader did. A user interface should say "the edit of [`by`](Self::by)" and "what is stored".
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConflictBody {
    /// Which record it is about.
    #[serde(flatten)]
    pub key: RecordKey,
    /// Whether someone must decide, or a policy already did.
    pub state: ConflictState,
    /// The version that the author of the losing edit had seen; one before the first that they had not seen, where it is
    /// not known which it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_version: Option<Version>,
    /// The record as the author of the losing edit wants it, whoever that is; absent when they want it gone.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub mine: Option<serde_json::Value>,
    /// The paths that the author changed, with what was there before, if the edit came as a patch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patch: Option<Patch>,
    /// The record as it was on the server; absent when it was gone.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub theirs: Option<serde_json::Value>,
    /// The version of that record; zero when there was none.
    pub theirs_version: Version,
    /// Where both sides differ.
    pub paths: Vec<Pointer>,
    /// Who made the edit.
    pub by: ActorId,
    /// Through which replica.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientId>,
    /// When, by the server's clock.
    pub at: Timestamp,
}

/// How far a conflict has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConflictState {
    /// Someone must decide. The record stays theirs until then.
    Open,
    /// A policy decided; the side that lost is kept here.
    Settled,
}

/// How to settle a conflict. `Mine` is the edit that lost and `Theirs` is what is stored, whoever settles it: on another
/// device than the author's, `TakeMine` takes someone else's edit.
#[derive(Clone, Debug, PartialEq)]
pub enum Resolution {
    /// The edit that lost becomes the record.
    TakeMine,
    /// The record stays as it is, also if it has changed since.
    TakeTheirs,
    /// This becomes the record; `None` deletes it.
    Merged(Option<Json>),
}

/// Reads a member that is there, so that `null` is the value null and not "nothing there".
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<serde_json::Value>, D::Error> {
    serde_json::Value::deserialize(deserializer).map(Some)
}

impl Conflict {
    /// The key of the conflict named `id`.
    pub fn key(id: RecordId) -> RecordKey {
        RecordKey::new(Collection::system(Collection::CONFLICTS), id)
    }

    /// Reads the record that a conflict is kept as; `None` for a tombstone.
    ///
    /// # Errors
    ///
    /// [`Corrupt`](ErrorKind::Corrupt) when it is not a conflict.
    pub fn from_record(record: &Record) -> Result<Option<Self>> {
        let Some(data) = &record.data else { return Ok(None) };
        let body = serde_json::from_value(data.to_value()).map_err(|error| {
            Error::new(ErrorKind::Corrupt, format!("conflict {} cannot be read", record.key.id))
                .with_source(error)
        })?;
        Ok(Some(Self { id: record.key.id.clone(), version: record.meta.version, body }))
    }
}

impl ConflictBody {
    /// What a conflict is held to: both sides were within the limits of a record, and it goes around them.
    pub const LIMITS: Limits = Limits { depth_max: 40, bytes_max: 4 << 20, ..Limits::RECORD };

    /// The content of the record that this conflict is kept as.
    ///
    /// # Errors
    ///
    /// [`Invalid`](ErrorKind::Invalid) when both sides together are too large to be kept.
    pub fn to_json(&self) -> Result<Json> {
        let text = serde_json::to_string(self).expect("values, names and numbers have a JSON form");
        Json::parse(text.as_bytes(), &Self::LIMITS).map_err(|error| {
            Error::invalid("validation_failed", "the conflict cannot be kept").with_source(error)
        })
    }
}
