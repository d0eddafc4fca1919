//! Pull: the changes after a cursor.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::change::{ChangeWire, push_string, write_change};
use crate::error::{Error, ErrorKind, Result};
use crate::types::{Collection, CursorToken, Epoch, Record, Seq};

/// A wish for the changes after a cursor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PullRequest {
    /// From here; `None` from the very beginning.
    pub after: Option<CursorToken>,
    /// Only these collections; `None` for all.
    pub collections: Option<Vec<Collection>>,
    /// At most this many changes; the service has a limit of its own.
    pub limit: Option<usize>,
    /// How long to wait for a change when there is none yet; the service has a limit of its own.
    pub wait: Option<Duration>,
    /// What the answer to a push [gave](crate::protocol::PushDone::receipt) to the one who asks, until a page was read.
    pub receipt: Option<CursorToken>,
}

/// The answer to a pull.
#[derive(Clone, Debug, PartialEq)]
pub enum PullReply {
    /// The next changes.
    Page(PullPage),
    /// The cursor cannot be continued; load a snapshot.
    ResyncRequired(Resync),
}

/// Changes in the order of their versions, and where to go on.
#[derive(Clone, Debug, PartialEq)]
pub struct PullPage {
    /// The latest states of what changed.
    pub changes: Vec<Record>,
    /// Everything up to here was delivered, now or before.
    pub cursor: CursorToken,
    /// Whether there is more right now.
    pub has_more: bool,
    /// Where the space stands.
    pub head: Seq,
}

/// Why a replica must load a snapshot. It keeps its unsent work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resync {
    /// What was found.
    pub reason: ResyncReason,
    /// The life of the space now.
    pub epoch: Epoch,
    /// The feed is complete from here on.
    pub floor: Seq,
}

/// What was found wrong with a cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResyncReason {
    /// What happened since cannot be told any more: it is older than the oldest tombstone that is kept, or its reader may
    /// read something else now than they could then.
    Horizon,
    /// The space was created anew since.
    EpochChanged,
    /// The server went back to an earlier state, from a backup or a fork.
    HistoryDiverged,
}

impl ResyncReason {
    /// The word for it on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Horizon => "horizon",
            Self::EpochChanged => "epoch_changed",
            Self::HistoryDiverged => "history_diverged",
        }
    }
}

#[derive(Deserialize)]
struct PageWire<'a> {
    #[serde(borrow)]
    changes: Vec<ChangeWire<'a>>,
    cursor: CursorToken,
    has_more: bool,
    head: Seq,
}

impl PullPage {
    /// Writes the page: `changes`, `cursor`, `has_more`, `head`.
    pub fn to_json(&self) -> String {
        let mut out = String::with_capacity(self.n_bytes() + CHANGE_OVERHEAD);
        out.push('{');
        self.write_members(&mut out);
        out.push('}');
        out
    }

    /// About how many bytes its changes take.
    pub(crate) fn n_bytes(&self) -> usize {
        self.changes.iter().map(|change| change.data_len() + CHANGE_OVERHEAD).sum()
    }

    pub(super) fn write_members(&self, out: &mut String) {
        self.write_changes(out);
        out.push_str(",\"cursor\":");
        push_string(self.cursor.as_str(), out);
        out.push(',');
        self.write_end(out);
    }

    pub(super) fn write_changes(&self, out: &mut String) {
        out.push_str("\"changes\":[");
        for (idx, change) in self.changes.iter().enumerate() {
            if idx > 0 {
                out.push(',');
            }
            write_change(change, out);
        }
        out.push(']');
    }

    pub(super) fn write_end(&self, out: &mut String) {
        out.push_str(&format!("\"has_more\":{},\"head\":{}", self.has_more, self.head));
    }

    /// Reads a page that a server sent. The versions in it are the server's.
    ///
    /// # Errors
    ///
    /// [`Distrusted`](ErrorKind::Distrusted) when it is not one.
    pub fn from_json(body: &[u8]) -> Result<Self> {
        let distrust = |error| {
            Error::new(ErrorKind::Distrusted, "the answer to a pull cannot be read").with_source(error)
        };
        let wire: PageWire<'_> = serde_json::from_slice(body).map_err(distrust)?;
        let changes = wire.changes.into_iter().map(ChangeWire::into_record).collect::<Result<_>>()?;
        Ok(Self { changes, cursor: wire.cursor, has_more: wire.has_more, head: wire.head })
    }
}

/// About what a change costs besides its content, to size a buffer once.
const CHANGE_OVERHEAD: usize = 200;
