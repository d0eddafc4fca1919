//! What a replica keeps in its books: what edits are based on, and the batch in flight.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::clock::Timestamp;
use crate::error::Result;
use crate::json::Json;
use crate::mutation::Mutation;
use crate::replica::local::groups::GroupId;
use crate::replica::local::row::{Row, damaged, is_false, kept, kept_always, key_text, row_key};
use crate::types::{
    ActorId, ClientId, MutationNumber, Record, RecordId, RecordKey, RecordMeta, Seq, Version,
};

/// The state of a record at the server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Known {
    pub(crate) version: Version,
    pub(crate) revision: i64,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "kept")]
    pub(crate) data: Option<Json>,
    /// When and by whom it was made, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) made: Option<Made>,
}

/// When and by whom a state was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Made {
    at: Timestamp,
    by: ActorId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    through: Option<ClientId>,
}

impl Known {
    /// A state of which only this is known.
    pub(crate) fn new(version: Version, revision: i64, data: Option<Json>) -> Self {
        Self { version, revision, data, made: None }
    }

    /// No record.
    pub(crate) fn absent() -> Self {
        Self::new(Version::ZERO, 0, None)
    }

    /// What the server had when `record` was clean.
    pub(crate) fn of(record: Option<&Record>) -> Self {
        let Some(record) = record else { return Self::absent() };
        let made = Some(Made::of(&record.meta));
        Self { made, ..Self::new(record.meta.upstream, record.meta.revision, record.data.clone()) }
    }

    /// A state as the server has it.
    pub(crate) fn at_server(record: &Record) -> Self {
        let made = Some(Made::of(&record.meta));
        Self { made, ..Self::new(record.meta.version, record.meta.revision, record.data.clone()) }
    }

    /// Says in the metadata of a record here what is known of this state. What the server did not say stays as it was, and
    /// comes with the feed.
    pub(crate) fn tell(&self, meta: &mut RecordMeta) {
        (meta.upstream, meta.revision) = (self.version, self.revision);
        if let Some(Made { at, by, through }) = self.made.clone() {
            (meta.edited_at, meta.author, meta.client) = (at, by, through);
        }
    }
}

impl Made {
    pub(crate) fn of(meta: &RecordMeta) -> Self {
        Self { at: meta.edited_at, by: meta.author.clone(), through: meta.client.clone() }
    }
}

/// What an edited record is based on. Written when the record becomes dirty; its place in the local feed is the order
/// of first edits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Base {
    #[serde(with = "key_text")]
    pub(crate) key: RecordKey,
    pub(crate) base: Known,
    /// What the server has now, when that clashes with the edit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) latest: Option<Known>,
    /// The conflict that the edit settles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) resolves: Option<Resolves>,
    /// The server asked for the whole record.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) whole: bool,
    /// The server does not believe the date of the edit.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) undated: bool,
    /// The local position at which the edit was begun; zero when that was on another side.
    #[serde(default)]
    pub(crate) since: Seq,
    /// What it is sent together with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) group: Option<GroupId>,
}

/// A conflict that is hidden while its resolution is on the way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Resolves {
    pub(crate) id: RecordId,
    pub(crate) version: Version,
    #[serde(deserialize_with = "kept_always")]
    pub(crate) body: Json,
}

impl Base {
    /// Of an edit that begins at the local position `since`.
    pub(crate) fn new(key: RecordKey, base: Known, since: Seq) -> Self {
        Self { key, base, latest: None, resolves: None, whole: false, undated: false, since, group: None }
    }

    /// Ids may be too long to be joined with the name of their collection, so the row is found by a hash of both.
    pub(crate) fn key_for(key: &RecordKey) -> RecordKey {
        let hash = blake3::Hasher::new()
            .update(key.collection.as_str().as_bytes())
            .update(&[0])
            .update(key.id.as_str().as_bytes())
            .finalize();
        row_key(Self::COLLECTION, &URL_SAFE_NO_PAD.encode(&hash.as_bytes()[..16]))
    }

    /// Takes in when and by whom a state was made that is known already. Says whether that was news.
    pub(crate) fn learn(&mut self, theirs: &Record) -> bool {
        let known = if let Some(latest) = &mut self.latest { latest } else { &mut self.base };
        let made = Some(Made::of(&theirs.meta));
        known.version == theirs.meta.version && known.made != made && {
            known.made = made;
            true
        }
    }

    /// The newest state of the record at the server that is known.
    pub(crate) fn newest(&self) -> &Known {
        self.latest.as_ref().unwrap_or(&self.base)
    }

    /// Whether a record with this content needs nothing from the server.
    pub(crate) fn is_settled_by(&self, data: Option<&Json>) -> bool {
        self.latest.is_none() && self.resolves.is_none() && self.base.data.as_ref() == data
    }
}

impl Row for Base {
    const COLLECTION: &'static str = "$base";

    fn id(&self) -> RecordId {
        Self::key_for(&self.key).id
    }
}

/// The batch that was sealed: sent as it is until it is answered.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Batch {
    pub(crate) client: ClientId,
    pub(crate) first: MutationNumber,
    pub(crate) entries: Vec<Entry>,
}

/// A mutation of a batch, and what it was made from.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Entry {
    mutation: Box<RawValue>,
    pub(crate) base: Base,
}

impl Batch {
    /// There is at most one.
    pub(crate) fn key() -> RecordKey {
        row_key(Self::COLLECTION, "batch")
    }

    /// Whether this is the same batch.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.client == other.client && self.first == other.first && self.entries.len() == other.entries.len()
    }
}

impl Entry {
    pub(crate) fn new(mutation: &Mutation, base: Base) -> Self {
        let text = mutation.to_json();
        Self { mutation: RawValue::from_string(text).expect("a mutation is written as JSON"), base }
    }

    pub(crate) fn mutation(&self) -> Result<Mutation> {
        Mutation::from_json(self.mutation.get()).map_err(|error| damaged("a sealed mutation", error))
    }

    /// How many bytes it takes in its row.
    pub(crate) fn len(&self) -> usize {
        let known = |known: &Known| known.data.as_ref().map_or(0, |data| data.as_str().len());
        self.mutation.get().len() + known(&self.base.base) + self.base.latest.as_ref().map_or(0, known)
    }
}

impl Row for Batch {
    const COLLECTION: &'static str = "$outbox";

    fn id(&self) -> RecordId {
        Self::key().id
    }
}
