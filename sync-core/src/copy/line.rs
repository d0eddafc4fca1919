//! The lines, as JSON.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::accounts::{Credential, Role, SpaceInfo, User};
use crate::clock::Timestamp;
use crate::copy::{LINE_BYTES_MAX, Totals};
use crate::json::{Json, Limits};
use crate::state_hash::StateHash;
use crate::store::{ClientState, CommitInfo, LogEntry, SpaceHead};
use crate::types::{
    ActorId, ClientId, Collection, Epoch, MutationNumber, Record, RecordId, RecordKey, RecordMeta, Seq,
    SpaceId, Tag, Version,
};

/// What stands in one line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Line {
    SyncExport(HeaderLine),
    Space(SpaceLine),
    Commit(CommitLine),
    Client(ClientLine),
    Log(LogEntry),
    Record(RecordLine),
    SpaceEnd(SpaceEnd),
    User(User),
    SpaceInfo(SpaceInfo),
    Member(MemberLine),
    Credential(Credential),
    End(End),
}

/// What a space consists of.
#[derive(Debug)]
pub(super) enum Row {
    Commit(CommitInfo),
    Client(ClientState),
    Log(LogEntry),
    Record(Record),
}

impl From<Row> for Line {
    fn from(row: Row) -> Self {
        match row {
            Row::Commit(commit) => Self::Commit(commit.into()),
            Row::Client(state) => Self::Client(state.into()),
            Row::Log(entry) => Self::Log(entry),
            Row::Record(record) => Self::Record(record.into()),
        }
    }
}

/// The first line. The format comes first, so that a program that does not know it can say so.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HeaderLine {
    pub(super) format: u32,
    pub(super) n_spaces: u64,
}

/// Where a space stands, and how many records and tombstones it has, for the progress.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SpaceLine {
    pub(super) space: SpaceId,
    epoch: Epoch,
    head: Seq,
    tag: Tag,
    floor: Seq,
    log_head: i64,
    pub(super) n_records: u64,
}

impl SpaceLine {
    pub(super) fn new(space: &SpaceId, head: SpaceHead, n_records: u64) -> Self {
        let SpaceHead { epoch, head, tag, floor, log_head } = head;
        Self { space: space.clone(), epoch, head, tag, floor, log_head, n_records }
    }

    pub(super) fn head(&self) -> SpaceHead {
        let Self { epoch, head, tag, floor, log_head, .. } = *self;
        SpaceHead { epoch, head, tag, floor, log_head }
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CommitLine {
    first: Seq,
    last: Seq,
    tag: Tag,
}

impl From<CommitInfo> for CommitLine {
    fn from(CommitInfo { first, last, tag }: CommitInfo) -> Self {
        Self { first, last, tag }
    }
}

impl From<CommitLine> for CommitInfo {
    fn from(CommitLine { first, last, tag }: CommitLine) -> Self {
        Self { first, last, tag }
    }
}

/// A replica. Its answer is a text, not JSON: a retry gets it back byte for byte.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClientLine {
    client: ClientId,
    actor: ActorId,
    last: MutationNumber,
    batch_hash: Tag,
    acked: Seq,
    seen_at: Timestamp,
    answer: String,
}

impl From<ClientState> for ClientLine {
    fn from(state: ClientState) -> Self {
        let ClientState { client, actor, last, batch_hash, answer, acked, seen_at } = state;
        Self { client, actor, last, batch_hash: Tag::from_bytes(batch_hash), acked, seen_at, answer }
    }
}

impl From<ClientLine> for ClientState {
    fn from(line: ClientLine) -> Self {
        let ClientLine { client, actor, last, batch_hash, acked, seen_at, answer } = line;
        Self { client, actor, last, batch_hash: *batch_hash.as_bytes(), answer, acked, seen_at }
    }
}

/// A record; without `data` a tombstone.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecordLine {
    #[serde(deserialize_with = "stored_collection")]
    collection: Collection,
    id: RecordId,
    version: Version,
    revision: i64,
    edited_at: Timestamp,
    author: ActorId,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    client: Option<ClientId>,
    #[serde(skip_serializing_if = "is_zero", default)]
    upstream: Version,
    #[serde(skip_serializing_if = "Option::is_none", default, deserialize_with = "content")]
    data: Option<Json>,
}

impl From<Record> for RecordLine {
    fn from(Record { key, data, meta }: Record) -> Self {
        let RecordKey { collection, id } = key;
        let RecordMeta { version, revision, edited_at, author, client, upstream } = meta;
        Self { collection, id, version, revision, edited_at, author, client, upstream, data }
    }
}

impl From<RecordLine> for Record {
    fn from(line: RecordLine) -> Self {
        let RecordLine { collection, id, version, revision, edited_at, author, client, upstream, data } =
            line;
        let meta = RecordMeta { version, revision, edited_at, author, client, upstream };
        Self { key: RecordKey::new(collection, id), data, meta }
    }
}

/// What belonged to the space that ends here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SpaceEnd {
    pub(super) n_commits: u64,
    pub(super) n_clients: u64,
    pub(super) n_log: u64,
    pub(super) n_records: u64,
    pub(super) state_hash: StateHash,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MemberLine {
    pub(super) space: SpaceId,
    pub(super) actor: ActorId,
    pub(super) role: Role,
}

/// How much there was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct End {
    pub(super) n_spaces: u64,
    pub(super) n_records: u64,
    pub(super) n_users: u64,
    /// Left out where there are none: the first exports of this format did not know them.
    #[serde(skip_serializing_if = "is_none", default)]
    pub(super) n_space_infos: u64,
    pub(super) n_members: u64,
    /// The first format had none.
    #[serde(default)]
    pub(super) n_credentials: u64,
}

impl End {
    pub(super) fn of(totals: Totals) -> Self {
        let Totals {
            n_spaces,
            n_records,
            n_users,
            n_space_infos,
            n_members,
            n_credentials,
            n_spaces_there: _,
        } = totals;
        Self { n_spaces, n_records, n_users, n_space_infos, n_members, n_credentials }
    }
}

fn is_none(count: &u64) -> bool {
    *count == 0
}

fn is_zero(version: &Version) -> bool {
    *version == Version::ZERO
}

/// Names of the library are as good as any.
fn stored_collection<'de, D: Deserializer<'de>>(from: D) -> Result<Collection, D::Error> {
    Collection::from_stored(&String::deserialize(from)?).map_err(D::Error::custom)
}

/// Content in whatever size a store had it, in its canonical form. `null` is content too.
fn content<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Json>, D::Error> {
    const LIMITS: Limits =
        Limits { depth_max: usize::MAX, bytes_max: LINE_BYTES_MAX, key_bytes_max: LINE_BYTES_MAX };
    let raw = <&RawValue>::deserialize(from)?;
    let json = Json::parse(raw.get().as_bytes(), &LIMITS).map_err(D::Error::custom)?;
    if json.as_str() == raw.get() {
        Ok(Some(json))
    } else {
        Err(D::Error::custom("content is not canonical JSON"))
    }
}
