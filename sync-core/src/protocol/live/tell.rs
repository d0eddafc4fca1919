//! What a server sends over a live connection, besides frames that are written once for all.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::LiveFrame;
use crate::json::Json;
use crate::protocol::Resync;
use crate::types::{ActorId, Seq, SpaceId, TreeId};

/// Where the spaces stand that a connection follows.
pub type Heads = BTreeMap<SpaceId, Seq>;

/// What a server tells over a live connection.
#[derive(Debug)]
#[non_exhaustive]
pub enum Tell {
    /// Who is signed in, and how this connection is called.
    Ready {
        /// The name of the connection where presence is told.
        connection: String,
        /// The user.
        user: ActorId,
        /// Something is heard at least this often.
        beat: Duration,
    },
    /// The next changes of a space.
    Frame(LiveFrame),
    /// A cursor cannot be continued; the subscription has ended.
    Resync {
        /// The space.
        space: SpaceId,
        /// Why, and where it stands.
        resync: Resync,
    },
    /// The answer to a push.
    Pushed {
        /// The space.
        space: SpaceId,
        /// The `ref` of the push.
        reference: Option<String>,
        /// The body of the answer.
        reply: String,
    },
    /// What became of ops for a tree.
    Added {
        /// The space.
        space: SpaceId,
        /// The tree.
        tree: TreeId,
        /// The `ref` of the message with the ops.
        reference: Option<String>,
        /// The body of the answer.
        reply: String,
    },
    /// Ops of a tree that were missing.
    Ops {
        /// The space.
        space: SpaceId,
        /// The tree.
        tree: TreeId,
        /// The `ref` of the message that asked for them.
        reference: Option<String>,
        /// The body of the answer.
        reply: String,
    },
    /// Who is there.
    Presence(Presence),
    /// The connection is alive.
    Beat {
        /// Where the spaces stand.
        heads: Heads,
    },
    /// The answer to a ping.
    Pong {
        /// The `ref` of the ping.
        reference: Option<String>,
        /// Where the spaces stand.
        heads: Heads,
    },
    /// What could not be done.
    Error(Refusal),
    /// Something a newer server says.
    Unknown,
}

/// Who came to a space, changed what they show, or went.
#[derive(Clone, Debug, PartialEq)]
pub struct Presence {
    /// The space.
    pub space: SpaceId,
    /// Whether `here` is everyone there is.
    pub all: bool,
    /// Who came, or shows something else now.
    pub here: Vec<Present>,
    /// The connections that are gone.
    pub gone: Vec<String>,
}

/// Somebody who is there.
#[derive(Clone, Debug, PartialEq)]
pub struct Present {
    /// The name of their connection.
    pub connection: String,
    /// Who they are.
    pub user: ActorId,
    /// What they show.
    pub state: Json,
}

/// What could not be done, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Refusal {
    /// The stable word for it.
    pub code: String,
    /// The same for people.
    #[serde(default)]
    pub detail: String,
    /// The space it is about, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub space: Option<SpaceId>,
    /// The `ref` of the message it answers.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The place in the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// Seconds to wait before it can be asked again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
    /// The number that is expected, after `mutation_gap`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<i64>,
}
