//! What a client asks for, and what became of it.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::json::Json;
use crate::merge::{Patch, Pointer};
use crate::types::{MutationNumber, RecordId, RecordKey, Seq, Version};

/// A wish to change one record.
///
/// It stands alone: one mutation that cannot be carried out never blocks another, unless they share a `group` or one
/// names the other in `after`.
///
/// ```
/// use sync_core::json::Json;
/// use sync_core::{Collection, Mutation, RecordId, RecordKey, Version};
/// let key = RecordKey::new(Collection::new("notes")?, RecordId::new("n1")?);
/// let create = Mutation::put(key, Json::null()).based_on(Version::ZERO);
/// assert_eq!(create.base_version, Some(Version::ZERO));
/// # Ok::<_, sync_core::NameError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Mutation {
    /// Which record.
    pub key: RecordKey,
    /// What to do with it.
    pub op: Op,
    /// The version its author saw: zero for "there is none yet", `None` for "I did not look".
    pub base_version: Option<Version>,
    /// When its author did it, by a hybrid logical clock; decides `last_write_wins`.
    pub at: Option<Timestamp>,
    /// Mutations next to each other with the same group are carried out together or not at all.
    pub group: Option<String>,
    /// Only if this earlier mutation of the same batch was carried out.
    pub after: Option<MutationNumber>,
    /// The conflict that this mutation settles. It is carried out only if `base_version` is the current version, and
    /// the conflict goes with it.
    pub resolves: Option<RecordId>,
}

/// What to do with a record.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// This is the record from now on.
    Put(Json),
    /// These paths change.
    Patch(Patch),
    /// The record goes; a tombstone stays until it is collected.
    Delete,
}

impl Op {
    /// The word for it on the wire and in the audit log.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Put(_) => "put",
            Self::Patch(_) => "patch",
            Self::Delete => "delete",
        }
    }
}

impl Mutation {
    /// A mutation that does `op` to a record, with nothing else said.
    pub fn new(key: RecordKey, op: Op) -> Self {
        Self { key, op, base_version: None, at: None, group: None, after: None, resolves: None }
    }

    /// Makes `data` the record.
    pub fn put(key: RecordKey, data: Json) -> Self {
        Self::new(key, Op::Put(data))
    }

    /// Changes some paths of the record.
    pub fn patch(key: RecordKey, patch: Patch) -> Self {
        Self::new(key, Op::Patch(patch))
    }

    /// Deletes the record.
    pub fn delete(key: RecordKey) -> Self {
        Self::new(key, Op::Delete)
    }

    /// Says which version the author saw.
    #[must_use]
    pub fn based_on(mut self, version: Version) -> Self {
        self.base_version = Some(version);
        self
    }

    /// Says when the author did it.
    #[must_use]
    pub fn at(mut self, at: Timestamp) -> Self {
        self.at = Some(at);
        self
    }

    /// Puts the mutation into a group that is carried out together or not at all.
    #[must_use]
    pub fn in_group(mut self, group: impl Into<String>) -> Self {
        self.group = Some(group.into());
        self
    }

    /// Settles a conflict with this mutation.
    #[must_use]
    pub fn resolving(mut self, conflict: RecordId) -> Self {
        self.resolves = Some(conflict);
        self
    }
}

/// What became of one mutation. Failures of the network or the server are not outcomes: nothing was consumed then.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case", try_from = "OutcomeWire")]
pub enum Outcome {
    /// It was carried out as it was.
    Applied {
        /// Version of the record now.
        version: Version,
        /// How often it has changed now.
        revision: i64,
    },
    /// The record was like that already; nothing changed.
    Unchanged {
        /// Version of the record, zero when there is none.
        version: Version,
    },
    /// It was joined with what others had done.
    Merged {
        /// Version of the record now.
        version: Version,
        /// How often it has changed now.
        revision: i64,
        /// The record now; absent when it is deleted.
        #[serde(skip_serializing_if = "Option::is_none")]
        data: Option<Json>,
        /// Paths at which a policy overruled one side; that side is kept as a settled conflict.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        lost: Vec<Pointer>,
    },
    /// It could not be joined with what others had done; the record stays theirs until the conflict is resolved.
    Conflict {
        /// The conflict, in the collection `$conflicts`.
        id: RecordId,
        /// Version of the record, zero when there is none.
        version: Version,
        /// The record; absent when it is deleted.
        #[serde(skip_serializing_if = "Option::is_none")]
        theirs: Option<Json>,
        /// Where both sides differ.
        paths: Vec<Pointer>,
    },
    /// It is refused, now and on every retry.
    Rejected {
        /// Stable word for the reason, see `docs/protocol.md`.
        code: String,
        /// For people.
        detail: String,
    },
    /// It was not tried, because one it depends on was not carried out.
    Superseded,
}

/// An outcome as it is read: content must not pass through serde's buffer for tagged enums, which cannot hold raw text.
#[derive(Deserialize)]
struct OutcomeWire {
    outcome: String,
    version: Option<Version>,
    #[serde(default)]
    revision: i64,
    #[serde(default, deserialize_with = "present")]
    data: Option<Json>,
    #[serde(default)]
    lost: Vec<Pointer>,
    id: Option<RecordId>,
    #[serde(default, deserialize_with = "present")]
    theirs: Option<Json>,
    #[serde(default)]
    paths: Vec<Pointer>,
    code: Option<String>,
    #[serde(default)]
    detail: String,
}

impl TryFrom<OutcomeWire> for Outcome {
    type Error = String;

    fn try_from(wire: OutcomeWire) -> Result<Self, String> {
        let OutcomeWire { outcome, version, revision, data, lost, id, theirs, paths, code, detail } = wire;
        match (outcome.as_str(), version, id, code) {
            ("applied", Some(version), ..) => Ok(Self::Applied { version, revision }),
            ("unchanged", Some(version), ..) => Ok(Self::Unchanged { version }),
            ("merged", Some(version), ..) => Ok(Self::Merged { version, revision, data, lost }),
            ("conflict", Some(version), Some(id), _) => Ok(Self::Conflict { id, version, theirs, paths }),
            ("rejected", _, _, Some(code)) => Ok(Self::Rejected { code, detail }),
            ("superseded", ..) => Ok(Self::Superseded),
            _ => Err(format!("not a complete outcome: {outcome}")),
        }
    }
}

/// Reads a member that is there, so that `null` is the value null and not "nothing there".
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Json>, D::Error> {
    Json::deserialize(deserializer).map(Some)
}

impl Outcome {
    /// A refusal.
    pub fn rejected(code: &str, detail: impl Into<String>) -> Self {
        Self::Rejected { code: code.to_owned(), detail: detail.into() }
    }

    /// The word for it on the wire and in the audit log.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Applied { .. } => "applied",
            Self::Unchanged { .. } => "unchanged",
            Self::Merged { .. } => "merged",
            Self::Conflict { .. } => "conflict",
            Self::Rejected { .. } => "rejected",
            Self::Superseded => "superseded",
        }
    }

    /// Whether what the mutation asked for is now so, also if joined with what others did.
    pub fn is_carried_out(&self) -> bool {
        matches!(self, Self::Applied { .. } | Self::Unchanged { .. } | Self::Merged { .. })
    }

    /// Bytes of content in the outcome.
    pub(crate) fn data_len(&self) -> usize {
        let (Self::Merged { data, .. } | Self::Conflict { theirs: data, .. }) = self else { return 0 };
        data.as_ref().map_or(0, |data| data.as_str().len())
    }

    /// Version of the record afterwards, where the outcome knows it.
    pub fn version(&self) -> Option<Seq> {
        match self {
            Self::Applied { version, .. }
            | Self::Unchanged { version }
            | Self::Merged { version, .. }
            | Self::Conflict { version, .. } => Some(*version),
            Self::Rejected { .. } | Self::Superseded => None,
        }
    }
}
