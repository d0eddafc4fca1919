//! The rows in which a replica keeps its books, and how they are written.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind, Result};
use crate::id_source::IdSource;
use crate::json::{Json, Limits};
use crate::mutation::Mutation;
use crate::protocol::SnapshotToken;
use crate::replica::local::Local;
use crate::types::{
    ClientId, Collection, CursorToken, MutationNumber, Record, RecordId, RecordKey, RecordMeta, Version,
};

/// Books hold several records of 1 MiB side by side, one level or two deeper; a batch is cut at a few MiB.
const LIMITS: Limits =
    Limits { depth_max: 64, bytes_max: 64 << 20, key_bytes_max: Limits::RECORD.key_bytes_max };

/// Something that is kept as a row in a collection of the library.
pub(super) trait Row: Serialize + DeserializeOwned {
    const COLLECTION: &'static str;
    fn id(&self) -> RecordId;
}

/// The state of a record at the server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Known {
    pub(super) version: Version,
    pub(super) revision: i64,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "kept")]
    pub(super) data: Option<Json>,
}

impl Known {
    /// What the server had when `record` was clean.
    pub(super) fn of(record: Option<&Record>) -> Self {
        match record {
            None => Self { version: Version::ZERO, revision: 0, data: None },
            Some(record) => Self {
                version: record.meta.upstream,
                revision: record.meta.revision,
                data: record.data.clone(),
            },
        }
    }
}

/// What an edited record is based on. Written when the record becomes dirty; its place in the local feed is the order
/// of first edits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Base {
    #[serde(with = "key_text")]
    pub(super) key: RecordKey,
    pub(super) base: Known,
    /// What the server has now, when that clashes with the edit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) latest: Option<Known>,
    /// The conflict that the edit settles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) resolves: Option<Resolves>,
    /// The server asked for the whole record.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) whole: bool,
    /// The server does not believe the date of the edit.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) undated: bool,
}

/// A conflict that is hidden while its resolution is on the way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Resolves {
    pub(super) id: RecordId,
    pub(super) version: Version,
    #[serde(deserialize_with = "kept_always")]
    pub(super) body: Json,
}

impl Base {
    pub(super) fn new(key: RecordKey, base: Known) -> Self {
        Self { key, base, latest: None, resolves: None, whole: false, undated: false }
    }

    /// Ids may be too long to be joined with the name of their collection, so the row is found by a hash of both.
    pub(super) fn key_for(key: &RecordKey) -> RecordKey {
        let hash = blake3::Hasher::new()
            .update(key.collection.as_str().as_bytes())
            .update(&[0])
            .update(key.id.as_str().as_bytes())
            .finalize();
        row_key(Self::COLLECTION, &URL_SAFE_NO_PAD.encode(&hash.as_bytes()[..16]))
    }

    /// The newest state of the record at the server that is known.
    pub(super) fn newest(&self) -> &Known {
        self.latest.as_ref().unwrap_or(&self.base)
    }

    /// Whether a record with this content needs nothing from the server.
    pub(super) fn is_settled_by(&self, data: Option<&Json>) -> bool {
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
pub(super) struct Batch {
    pub(super) client: ClientId,
    pub(super) first: MutationNumber,
    pub(super) entries: Vec<Entry>,
}

/// A mutation of a batch, and what it was made from.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    mutation: Box<RawValue>,
    pub(super) base: Base,
}

impl Batch {
    /// There is at most one.
    pub(super) fn key() -> RecordKey {
        row_key(Self::COLLECTION, "batch")
    }

    /// Whether this is the same batch.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.client == other.client && self.first == other.first && self.entries.len() == other.entries.len()
    }
}

impl Entry {
    pub(super) fn new(mutation: &Mutation, base: Base) -> Self {
        let text = mutation.to_json();
        Self { mutation: RawValue::from_string(text).expect("a mutation is written as JSON"), base }
    }

    pub(super) fn mutation(&self) -> Result<Mutation> {
        Mutation::from_json(self.mutation.get()).map_err(|error| damaged("a sealed mutation", error))
    }

    /// How many bytes it takes in its row.
    pub(super) fn len(&self) -> usize {
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

/// Where the replica stands with its server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) client: ClientId,
    pub(super) next: MutationNumber,
    /// Everything up to here was applied. Without it, a snapshot is loaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cursor: Option<CursorToken>,
    #[serde(default)]
    pub(super) loading: Loading,
}

/// How far a snapshot was loaded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Loading {
    /// Where to go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) resume: Option<SnapshotToken>,
    /// The last record before that place.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "key_text_option")]
    pub(super) last: Option<RecordKey>,
    pub(super) n_done: u64,
    pub(super) n_total: u64,
    /// The server went back in time: what it has counts, although its versions are older.
    pub(super) replace: bool,
}

impl State {
    pub(super) fn new(ids: &dyn IdSource) -> Self {
        Self {
            client: new_client(ids),
            next: MutationNumber::FIRST,
            cursor: None,
            loading: Loading::default(),
        }
    }

    pub(super) fn key() -> RecordKey {
        row_key(Self::COLLECTION, "replica")
    }

    /// Takes a new name, under which nothing was sent yet.
    pub(super) fn rename(&mut self, ids: &dyn IdSource) {
        (self.client, self.next) = (new_client(ids), MutationNumber::FIRST);
    }
}

impl Row for State {
    const COLLECTION: &'static str = "$state";

    fn id(&self) -> RecordId {
        Self::key().id
    }
}

fn new_client(ids: &dyn IdSource) -> ClientId {
    ClientId::new(ids.new_id()).expect("22 characters of base64url are a client id")
}

pub(super) fn row_key(collection: &'static str, id: &str) -> RecordKey {
    RecordKey::new(
        Collection::system(collection),
        RecordId::new(id).expect("ids of rows are short and plain"),
    )
}

/// Reads a row.
pub(super) fn parse<R: Row>(record: &Record) -> Result<R> {
    let text = record.data.as_ref().map_or("null", Json::as_str);
    serde_json::from_str(text).map_err(|error| damaged(R::COLLECTION, error))
}

fn damaged(what: &str, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Corrupt, format!("cannot read {what} of the replica")).with_source(error)
}

impl Local {
    /// Reads a row, if it is there.
    pub(super) async fn row<R: Row>(&mut self, key: &RecordKey) -> Result<Option<R>> {
        let record = self.get(key).await?;
        record.filter(|record| record.data.is_some()).as_ref().map(parse).transpose()
    }

    /// The state of the replica, which is there since it was opened.
    pub(super) async fn state(&mut self) -> Result<State> {
        let state = self.row(&State::key()).await?;
        state.ok_or_else(|| Error::new(ErrorKind::Corrupt, "the replica has lost its state"))
    }

    /// Writes a row.
    pub(super) fn save<R: Row>(&mut self, row: &R) -> Result<()> {
        let text = serde_json::to_string(row).expect("rows consist of names, numbers and JSON");
        let data = Json::parse(text.as_bytes(), &LIMITS)
            .map_err(|error| Error::new(ErrorKind::Internal, "cannot write a row").with_source(error))?;
        let meta = RecordMeta {
            version: Version::ZERO,
            revision: 1,
            edited_at: Timestamp::ZERO,
            author: self.options.actor.clone(),
            client: None,
            upstream: Version::ZERO,
        };
        let key = RecordKey::new(Collection::system(R::COLLECTION), row.id());
        self.set(Record { key, data: Some(data), meta });
        Ok(())
    }
}

fn is_false(value: &bool) -> bool {
    !value
}

/// Reads content back that was written as canonical text; it was checked on its way in, also where it is larger than
/// a record may be (a conflict holds two).
fn kept_always<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Json, D::Error> {
    Ok(Json::from_canonical(Box::<RawValue>::deserialize(deserializer)?.get()))
}

fn kept<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Json>, D::Error> {
    kept_always(deserializer).map(Some)
}

/// A key as it is kept in rows; also one of the library's own collections.
pub(super) mod key_text {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::types::{Collection, RecordId, RecordKey};

    pub(in crate::replica) fn serialize<S: Serializer>(key: &RecordKey, to: S) -> Result<S::Ok, S::Error> {
        (key.collection.as_str(), key.id.as_str()).serialize(to)
    }

    pub(in crate::replica) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<RecordKey, D::Error> {
        let (collection, id) = <(String, RecordId)>::deserialize(from)?;
        Ok(RecordKey::new(Collection::from_stored(&collection).map_err(D::Error::custom)?, id))
    }
}

mod key_text_option {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::key_text;
    use crate::types::RecordKey;

    #[derive(Serialize, Deserialize)]
    struct Text(#[serde(with = "key_text")] RecordKey);

    pub(super) fn serialize<S: Serializer>(key: &Option<RecordKey>, to: S) -> Result<S::Ok, S::Error> {
        key.clone().map(Text).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<RecordKey>, D::Error> {
        Ok(Option::<Text>::deserialize(from)?.map(|text| text.0))
    }
}
