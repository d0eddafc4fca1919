//! What a commit writes.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::clock::Timestamp;
use crate::types::{
    ActorId, ClientId, Collection, MutationNumber, Record, RecordId, RecordKey, Seq, Tag, TreeId,
};

/// Everything one transaction writes to a space.
#[derive(Clone, Debug, Default)]
pub struct CommitWrite {
    /// New states of records, each with a version of its own, ascending, none past the head that this write leaves. A
    /// record is in here at most once. Those of a tree are ops, whose content never changes.
    pub records: Vec<Record>,
    /// Records to remove without a tombstone, for bookkeeping that no one follows through the feed. Unknown keys are
    /// ignored.
    pub purges: Vec<RecordKey>,
    /// New states of replicas; replaces what was known of them.
    pub clients: Vec<ClientState>,
    /// New entries of the audit log, numbered on from the head's `log_head` without a gap. The first entry of a space may
    /// have a later number, when history is copied of which the beginning was collected.
    pub log: Vec<LogEntry>,
    /// New commits, ascending; the last one is the new head. Usually one, none when no record changed, several when
    /// history is copied.
    pub commits: Vec<CommitInfo>,
    /// Checkpoints of trees, each tree at most once; each replaces that of its tree. They are no part of the history and move nothing: whoever loses
    /// them makes them again.
    pub checkpoints: Vec<TreeCheckpoint>,
}

/// The state of a tree as a text, so that it need not be made from all its ops again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeCheckpoint {
    /// Which tree.
    pub tree: TreeId,
    /// Printable ASCII, not empty, of which a store knows nothing; with millions of ops a hundred megabytes.
    pub body: String,
}

impl CommitWrite {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
            && self.purges.is_empty()
            && self.clients.is_empty()
            && self.log.is_empty()
            && self.commits.is_empty()
            && self.checkpoints.is_empty()
    }

    /// The commit that is the head after this write; `None` when the head stays where it is.
    pub fn head(&self) -> Option<CommitInfo> {
        self.commits.last().copied()
    }
}

/// One commit in the history of a space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommitInfo {
    /// Seq of its first change.
    pub first: Seq,
    /// Seq of its last change: the head after it.
    pub last: Seq,
    /// Tag of the history that ends with it.
    pub tag: Tag,
}

/// What a server knows of one replica in one space: all the bookkeeping there is for exactly-once pushes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientState {
    /// Which replica.
    pub client: ClientId,
    /// Who pushed its first batch; no one else may use its name.
    pub actor: ActorId,
    /// Number of its last mutation that was processed.
    pub last: MutationNumber,
    /// Hash of its last batch.
    pub batch_hash: [u8; 16],
    /// The answer to its last batch, as JSON, to be repeated when the batch is.
    pub answer: String,
    /// Up to where it has everything, by its own word.
    pub acked: Seq,
    /// When it was last heard of, by the server's clock.
    pub seen_at: Timestamp,
}

/// One entry of the audit log: who asked for what, and what became of it. Never contains content of records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    /// Number of the entry in its space: 1, 2, 3 …
    pub entry: i64,
    /// When, by the server's clock.
    pub at: Timestamp,
    /// Who.
    pub actor: ActorId,
    /// Through which replica, if through one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub client: Option<ClientId>,
    /// What was asked: `push`, `resolve`, `collect` …
    pub action: String,
    /// The head after it.
    pub head: Seq,
    /// What became of each mutation, at most [`LogEntry::OUTCOMES_MAX`] of them.
    pub outcomes: Vec<LogOutcome>,
    /// How many mutations there were.
    pub n_mutations: usize,
}

impl LogEntry {
    /// How many outcomes an entry lists; the rest is counted. A batch has 1,000 mutations at most by default.
    pub const OUTCOMES_MAX: usize = 100;
}

/// What became of one mutation, in the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogOutcome {
    /// Which record; may be one of the library's own.
    #[serde(flatten, deserialize_with = "stored_key")]
    pub key: RecordKey,
    /// `put`, `patch` or `delete`.
    pub op: String,
    /// `applied`, `unchanged`, `merged`, `conflict`, `rejected` or `superseded`.
    pub outcome: String,
    /// Version of the record afterwards, where it has one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub version: Option<Seq>,
    /// Why, for a rejected one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub code: Option<String>,
}

/// Reads a key as a store or a server wrote it, where names of the library are as good as any.
fn stored_key<'de, D: Deserializer<'de>>(from: D) -> Result<RecordKey, D::Error> {
    #[derive(Deserialize)]
    struct Stored {
        collection: String,
        id: RecordId,
    }
    let stored = Stored::deserialize(from)?;
    let collection = Collection::from_stored(&stored.collection).map_err(D::Error::custom)?;
    Ok(RecordKey::new(collection, stored.id))
}
