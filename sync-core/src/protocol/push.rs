//! Push: a batch of mutations, and the answer to it.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::change::ChangeWire;
use super::decode::{Object, content, decode, read};
use super::pull::{PullPage, Resync};
use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind, Result};
use crate::json::{Limits, canonicalize};
use crate::merge::{Patch, PathEdit};
use crate::mutation::{Mutation, Op, Outcome};
use crate::protocol::code;
use crate::types::{ClientId, Collection, CursorToken, MutationNumber, RecordId, RecordKey, Seq, Version};

/// A batch of mutations.
#[derive(Clone, Debug, PartialEq)]
pub struct PushRequest {
    /// From which replica, and which of its batches. Without it a retry is a new batch.
    pub batch: Option<ClientBatch>,
    /// What it asks for, in order.
    pub mutations: Vec<Mutation>,
    /// Pull as well, from here, in the same transaction.
    pub after: Option<CursorToken>,
    /// What an earlier answer [gave](PushDone::receipt): nothing is done by a server that has lost what it answered then.
    pub receipt: Option<CursorToken>,
}

/// Which batch of which replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientBatch {
    /// The replica.
    pub client: ClientId,
    /// Number of the batch's first mutation; the others follow without a gap.
    pub first: MutationNumber,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PushWire<'a> {
    client_id: Option<ClientId>,
    first: Option<MutationNumber>,
    #[serde(borrow)]
    mutations: Vec<Object<MutationWire<'a>>>,
    after: Option<CursorToken>,
    receipt: Option<CursorToken>,
}

/// Read from text: as an enum serde would also take `{"put": null}`.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
enum OpWord {
    Put,
    Patch,
    Delete,
}

impl TryFrom<String> for OpWord {
    type Error = &'static str;

    fn try_from(word: String) -> Result<Self, Self::Error> {
        match word.as_str() {
            "put" => Ok(Self::Put),
            "patch" => Ok(Self::Patch),
            "delete" => Ok(Self::Delete),
            _ => Err("op is put, patch or delete"),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MutationWire<'a> {
    op: OpWord,
    collection: String,
    id: RecordId,
    #[serde(borrow, default, deserialize_with = "present")]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    patch: Option<&'a RawValue>,
    base_version: Option<Version>,
    at: Option<Timestamp>,
    group: Option<String>,
    after: Option<MutationNumber>,
    resolves: Option<RecordId>,
}

/// Reads a member that is there, so that `null` is a value and not "nothing there".
fn present<'de: 'a, 'a, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// The longest name of a group.
const GROUP_BYTES_MAX: usize = 64;

impl PushRequest {
    /// Reads the body of a push.
    ///
    /// # Errors
    ///
    /// As [`decode`], and with the codes of the content's faults. One mutation that cannot be read refuses the batch:
    /// nothing of it happens.
    ///
    /// ```
    /// use sync_core::protocol::PushRequest;
    /// let push = PushRequest::from_json(br#"{"mutations":[{"op":"delete","collection":"notes","id":"n1"}]}"#)?;
    /// assert_eq!(push.mutations.len(), 1);
    /// # Ok::<_, sync_core::Error>(())
    /// ```
    pub fn from_json(body: &[u8]) -> Result<Self> {
        let wire: PushWire<'_> = decode(body)?;
        let batch = match (wire.client_id, wire.first) {
            (Some(client), Some(first)) => Some(ClientBatch { client, first }),
            (None, None) => None,
            (Some(_), None) => {
                return Err(missing(
                    "/first",
                    "a batch with a client_id says the number of its first mutation",
                ));
            }
            (None, Some(_)) => return Err(missing("/client_id", "a batch with numbers says whose they are")),
        };
        let mutations = wire.mutations.into_iter().enumerate();
        let mutations = mutations.map(|(idx, wire)| wire.0.into_mutation(idx)).collect::<Result<_>>()?;
        Ok(Self { batch, mutations, after: wire.after, receipt: wire.receipt })
    }

    /// Writes the body of a push.
    pub fn to_json(&self) -> String {
        let mut out = String::from("{");
        if let Some(batch) = &self.batch {
            out.push_str(&format!("\"client_id\":\"{}\",\"first\":{},", batch.client, batch.first));
        }
        for (name, token) in [("after", &self.after), ("receipt", &self.receipt)] {
            write_token(name, token.as_ref(), &mut out);
        }
        out.push_str("\"mutations\":[");
        for (idx, mutation) in self.mutations.iter().enumerate() {
            if idx > 0 {
                out.push(',');
            }
            out.push_str(&mutation.to_json());
        }
        out.push_str("]}");
        out
    }
}

impl Mutation {
    /// Writes a mutation as it travels; the same mutation always gives the same text.
    pub fn to_json(&self) -> String {
        #[derive(Serialize)]
        struct Wire<'a> {
            op: &'static str,
            #[serde(flatten)]
            key: &'a RecordKey,
            #[serde(skip_serializing_if = "Option::is_none")]
            base_version: Option<Version>,
            #[serde(skip_serializing_if = "Option::is_none")]
            at: Option<Timestamp>,
            #[serde(skip_serializing_if = "Option::is_none")]
            group: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            after: Option<MutationNumber>,
            #[serde(skip_serializing_if = "Option::is_none")]
            resolves: Option<&'a RecordId>,
        }
        let wire = Wire {
            op: self.op.as_str(),
            key: &self.key,
            base_version: self.base_version,
            at: self.at,
            group: self.group.as_deref(),
            after: self.after,
            resolves: self.resolves.as_ref(),
        };
        let mut out = serde_json::to_string(&wire).expect("names and numbers have a JSON form");
        let (label, text) = match &self.op {
            Op::Put(data) => (",\"data\":", data.as_str().to_owned()),
            Op::Patch(patch) => {
                (",\"patch\":", serde_json::to_string(patch).expect("a patch has a JSON form"))
            }
            Op::Delete => return out,
        };
        out.pop();
        out.push_str(label);
        out.push_str(&text);
        out.push('}');
        out
    }

    /// Reads a mutation that [`Mutation::to_json`] wrote.
    ///
    /// # Errors
    ///
    /// As [`PushRequest::from_json`].
    pub fn from_json(text: &str) -> Result<Self> {
        decode::<MutationWire<'_>>(text.as_bytes())?.into_mutation(0)
    }
}

impl MutationWire<'_> {
    fn into_mutation(self, idx: usize) -> Result<Mutation> {
        let at = |member: &str| format!("/mutations/{idx}/{member}");
        let collection = self.collection(&at("collection"))?;
        let op = match (self.op, self.data, self.patch) {
            (OpWord::Put, Some(data), None) => Op::Put(content(data, &at("data"))?),
            (OpWord::Put, None, _) => return Err(missing(&at("data"), "a put carries the record as data")),
            (OpWord::Patch, None, Some(patch)) => Op::Patch(read_patch(patch, &at("patch"))?),
            (OpWord::Patch, _, None) => {
                return Err(missing(&at("patch"), "a patch carries its paths as patch"));
            }
            (OpWord::Delete, None, None) => Op::Delete,
            (OpWord::Put | OpWord::Delete, _, Some(_)) => {
                return Err(missing(&at("patch"), "only a patch carries patch"));
            }
            (OpWord::Patch | OpWord::Delete, Some(_), _) => {
                return Err(missing(&at("data"), "only a put carries data"));
            }
        };
        if self.group.as_ref().is_some_and(|group| group.is_empty() || group.len() > GROUP_BYTES_MAX) {
            return Err(missing(&at("group"), "the name of a group has 1 to 64 bytes"));
        }
        let (base_version, at, group, after, resolves) =
            (self.base_version, self.at, self.group, self.after, self.resolves);
        Ok(Mutation {
            key: RecordKey::new(collection, self.id),
            op,
            base_version,
            at,
            group,
            after,
            resolves,
        })
    }

    /// Of the library's own collections, clients may only delete from the conflicts, which dismisses one, and put ops of
    /// trees.
    fn collection(&self, pointer: &str) -> Result<Collection> {
        if matches!(self.op, OpWord::Put)
            && let Ok(collection) = Collection::from_stored(&self.collection)
            && collection.is_tree()
        {
            return Ok(collection);
        }
        if self.collection == Collection::CONFLICTS && matches!(self.op, OpWord::Delete) {
            return Ok(Collection::system(Collection::CONFLICTS));
        }
        Collection::new(&self.collection).map_err(|error| missing(pointer, &error.to_string()))
    }
}

fn read_patch(raw: &RawValue, pointer: &str) -> Result<Patch> {
    let text = canonicalize(raw.get().as_bytes(), &Limits::RECORD)
        .map_err(|error| super::decode::refuse_content(&error, pointer))?;
    let edits: Vec<Object<PathEdit>> = read(&text).map_err(|error| {
        let inner = error.pointer().unwrap_or_default().to_owned();
        error.with_pointer(format!("{pointer}{inner}"))
    })?;
    Patch::new(edits.into_iter().map(|edit| edit.0).collect())
        .map_err(|error| missing(pointer, &error.to_string()))
}

/// Writes a member and the comma behind it, if there is a token.
fn write_token(name: &str, token: Option<&CursorToken>, out: &mut String) {
    let Some(token) = token else { return };
    out.push_str(&format!("\"{name}\":"));
    super::change::push_string(token.as_str(), out);
    out.push(',');
}

fn missing(pointer: &str, message: &str) -> Error {
    Error::invalid(code::VALIDATION_FAILED, message).with_pointer(pointer)
}

/// The answer to a push.
#[derive(Clone, Debug, PartialEq)]
pub enum PushReply {
    /// The batch was processed, now or when it came the first time.
    Done(PushDone),
    /// These numbers were used for something else: this replica was copied. Nothing was done; the replica takes a new
    /// name.
    ClientForked,
    /// The batch does not follow the last one. Nothing was done.
    MutationGap {
        /// The number that was expected.
        expected: MutationNumber,
    },
    /// The cursor in `after` cannot be continued, or what `receipt` stands for is lost. Nothing was done; the replica loads
    /// a snapshot first.
    ResyncRequired(Resync),
}

/// A processed batch.
#[derive(Clone, Debug, PartialEq)]
pub struct PushDone {
    /// What became of each mutation, in the order of the batch.
    pub outcomes: Vec<Outcome>,
    /// Where the space stands.
    pub head: Seq,
    /// Stands for the history in which the batch was carried out, up to `head`. A cursor shows the history up to its own
    /// place only: until one was given that lies behind this, it goes with every request, so that a server that was
    /// restored to a moment in between is noticed. `None` where the receipt that came with the batch is not of that
    /// history; that one is to be kept then.
    pub receipt: Option<CursorToken>,
    /// What else happened after `after`, if the push asked; the changes that the outcomes tell of are left out.
    pub page: Option<PullPage>,
}

#[derive(Deserialize)]
struct DoneWire<'a> {
    outcomes: Vec<Outcome>,
    head: Seq,
    receipt: Option<CursorToken>,
    #[serde(borrow)]
    changes: Option<Vec<ChangeWire<'a>>>,
    cursor: Option<CursorToken>,
    has_more: Option<bool>,
}

impl PushDone {
    /// Writes the answer: `outcomes`, `receipt`, `head`, and with a pull `changes`, `cursor` and `has_more`.
    pub fn to_json(&self) -> String {
        let mut out = format!("{{\"outcomes\":{},", Self::outcomes_to_json(&self.outcomes));
        write_token("receipt", self.receipt.as_ref(), &mut out);
        match &self.page {
            None => out.push_str(&format!("\"head\":{}", self.head)),
            Some(page) => page.write_members(&mut out),
        }
        out.push('}');
        out
    }

    /// Writes outcomes as they are stored for a retry.
    pub(crate) fn outcomes_to_json(outcomes: &[Outcome]) -> String {
        serde_json::to_string(outcomes).expect("outcomes have a JSON form")
    }

    /// Reads outcomes that were stored for a retry.
    pub(crate) fn outcomes_from_json(text: &str) -> Result<Vec<Outcome>> {
        serde_json::from_str(text).map_err(|error| {
            Error::new(ErrorKind::Corrupt, "a stored answer cannot be read").with_source(error)
        })
    }

    /// Reads an answer that a server sent.
    ///
    /// # Errors
    ///
    /// [`Distrusted`](ErrorKind::Distrusted) when it is not one.
    pub fn from_json(body: &[u8]) -> Result<Self> {
        let distrust = |error| {
            Error::new(ErrorKind::Distrusted, "the answer to a push cannot be read").with_source(error)
        };
        let wire: DoneWire<'_> = serde_json::from_slice(body).map_err(distrust)?;
        let page = match (wire.changes, wire.cursor) {
            (Some(changes), Some(cursor)) => {
                let changes = changes.into_iter().map(ChangeWire::into_record).collect::<Result<_>>()?;
                Some(PullPage { changes, cursor, has_more: wire.has_more.unwrap_or(false), head: wire.head })
            }
            _ => None,
        };
        Ok(Self { outcomes: wire.outcomes, head: wire.head, receipt: wire.receipt, page })
    }
}

/// A mutation or record that was read back must equal what was written.
#[cfg(test)]
mod tests;
