//! Snapshot: the first load of a space, as lines of JSON.
//!
//! ```text
//! {"snapshot":{"cursor":"…","n_records":63440}}    once, up front
//! {"collection":…,"id":…,…}                        a record, many times
//! {"resume":"…"}                                   after every page: ask from here if the stream breaks
//! {"end":{"cursor":"…"}}                           the last line; without it the stream was cut
//! ```
//! The records come from the time it takes to send them; pulling from the cursor afterwards makes them one state.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::change::{ChangeWire, write_change};
use crate::error::{Error, ErrorKind, Result};
use crate::protocol::code;
use crate::types::{Collection, CursorToken, Record, RecordId, RecordKey};

/// A wish for a snapshot, or for the rest of one.
///
/// ```
/// use sync_core::Collection;
/// use sync_core::protocol::SnapshotRequest;
/// let all = SnapshotRequest::default();
/// let notes = SnapshotRequest { collections: Some(vec![Collection::new("notes")?]), ..all };
/// # assert!(notes.from.is_none());
/// # Ok::<_, sync_core::NameError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SnapshotRequest {
    /// Only these collections; `None` for all.
    pub collections: Option<Vec<Collection>>,
    /// From here; `None` from the beginning. A place belongs to the collections it was reached with.
    pub from: Option<SnapshotToken>,
}

/// A part of a snapshot.
#[derive(Clone, Debug, PartialEq)]
pub struct SnapshotPage {
    /// Where to pull from when all parts were loaded: the position at which the snapshot began.
    pub cursor: CursorToken,
    /// How many of the records that are asked for there were when the snapshot began; known on the first part only.
    pub n_records: Option<u64>,
    /// The records of this part, ascending by key.
    pub records: Vec<Record>,
    /// Where the next part begins, or `None` after the last.
    pub next: Option<SnapshotToken>,
}

/// Where a part of a snapshot begins: opaque text, to be sent back as it came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SnapshotToken(String);

impl SnapshotToken {
    /// Takes the text of a token as it was received.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A token for the part after `last`, of the snapshot of these collections that began at `cursor`.
    pub fn after(cursor: &CursorToken, last: &RecordKey, collections: Option<&[Collection]>) -> Self {
        let key = format!("{}/{}", last.collection, last.id);
        Self(format!("{cursor}.{}.{}", URL_SAFE_NO_PAD.encode(&key), check(cursor, &key, collections)))
    }

    /// What [`SnapshotToken::after`] put in, for the same collections.
    pub(crate) fn parts(&self, collections: Option<&[Collection]>) -> Result<(CursorToken, RecordKey)> {
        let parts = || {
            let (cursor, rest) = self.0.split_once('.')?;
            let (key, given) = rest.split_once('.')?;
            let key = String::from_utf8(URL_SAFE_NO_PAD.decode(key).ok()?).ok()?;
            if given != check(&CursorToken::new(cursor), &key, collections) {
                return None;
            }
            let (collection, id) = key.split_once('/')?;
            let key = RecordKey::new(Collection::from_stored(collection).ok()?, RecordId::new(id).ok()?);
            Some((CursorToken::new(cursor), key))
        };
        parts().ok_or_else(|| {
            Error::invalid(code::INVALID_CURSOR, "not a position in this snapshot of this space")
        })
    }
}

/// Tells a token that was damaged on its way, or is sent with other collections, from one of ours. What lies before the
/// place was only sent of the collections that were asked for, whatever their order was.
fn check(cursor: &CursorToken, key: &str, collections: Option<&[Collection]>) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(cursor.as_str().as_bytes()).update(key.as_bytes());
    if let Some(collections) = collections {
        let names: BTreeSet<&str> = collections.iter().map(Collection::as_str).collect();
        // Neither a key nor a name can contain these, so no two wishes read alike.
        hasher.update(b"\n\n");
        names.into_iter().for_each(|name| {
            hasher.update(name.as_bytes()).update(b"\n");
        });
    }
    URL_SAFE_NO_PAD.encode(&hasher.finalize().as_bytes()[..8])
}

impl SnapshotPage {
    /// Writes this part as lines: the head line if it is the first, its records, and where it goes on or that it ends.
    pub fn to_lines(&self) -> String {
        let n_bytes: usize = self.records.iter().map(|record| record.data_len() + 200).sum();
        let mut out = String::with_capacity(n_bytes + 200);
        if let Some(n_records) = self.n_records {
            let head = serde_json::json!({"snapshot": {"cursor": self.cursor, "n_records": n_records}});
            out.push_str(&format!("{head}\n"));
        }
        for record in &self.records {
            write_change(record, &mut out);
            out.push('\n');
        }
        let last = match &self.next {
            Some(next) => serde_json::json!({"resume": next}),
            None => serde_json::json!({"end": {"cursor": self.cursor}}),
        };
        out.push_str(&format!("{last}\n"));
        out
    }
}

/// One line of a snapshot, as a client reads it.
#[derive(Clone, Debug, PartialEq)]
pub enum SnapshotItem {
    /// The first line.
    Begin {
        /// Where to pull from afterwards.
        cursor: CursorToken,
        /// How many records to expect.
        n_records: u64,
    },
    /// A record.
    Record(Box<Record>),
    /// Everything before this line can be kept if the stream breaks later.
    Resume(SnapshotToken),
    /// The last line.
    End {
        /// Where to pull from now.
        cursor: CursorToken,
    },
}

impl SnapshotItem {
    /// Reads one line, without its line end.
    ///
    /// # Errors
    ///
    /// [`Distrusted`](ErrorKind::Distrusted) when it is not a line of a snapshot.
    pub fn from_line(line: &str) -> Result<Self> {
        #[derive(Deserialize)]
        #[serde(rename_all = "snake_case")]
        enum Mark {
            Snapshot { cursor: CursorToken, n_records: u64 },
            Resume(SnapshotToken),
            End { cursor: CursorToken },
        }
        let distrust = |error| {
            Error::new(ErrorKind::Distrusted, "a line of a snapshot cannot be read").with_source(error)
        };
        if line.starts_with("{\"collection\"") {
            let change: ChangeWire<'_> = serde_json::from_str(line).map_err(distrust)?;
            return Ok(Self::Record(Box::new(change.into_record()?)));
        }
        Ok(match serde_json::from_str(line).map_err(distrust)? {
            Mark::Snapshot { cursor, n_records } => Self::Begin { cursor, n_records },
            Mark::Resume(token) => Self::Resume(token),
            Mark::End { cursor } => Self::End { cursor },
        })
    }
}
