//! The messages of a server as text, in both directions.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::tell::{Heads, Presence, Present, Refusal, Tell};
use crate::error::{Error, ErrorKind, Result};
use crate::json::Json;
use crate::protocol::change::ChangeWire;
use crate::protocol::live::LiveFrame;
use crate::protocol::{PullPage, Resync, ResyncReason};
use crate::types::{ActorId, CursorToken, Epoch, Seq, SpaceId, TreeId};

/// A message as it is written; each with the members in the order of the documentation.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Written<'a> {
    Ready {
        connection: &'a str,
        user: &'a ActorId,
        beat_s: u64,
    },
    Resync {
        space: &'a SpaceId,
        reason: ResyncReason,
        epoch: Epoch,
        floor: Seq,
    },
    Pushed {
        #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
        reference: Option<&'a str>,
        space: &'a SpaceId,
        reply: &'a RawValue,
    },
    Added(TreeReply<'a>),
    Ops(TreeReply<'a>),
    Presence {
        space: &'a SpaceId,
        all: bool,
        here: Vec<PresentWire<'a>>,
        gone: &'a [String],
    },
    Beat {
        heads: &'a Heads,
    },
    Pong {
        #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
        reference: Option<&'a str>,
        heads: &'a Heads,
    },
    Error(&'a Refusal),
}

#[derive(Serialize)]
struct TreeReply<'a> {
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    reference: Option<&'a str>,
    space: &'a SpaceId,
    tree: &'a TreeId,
    reply: &'a RawValue,
}

#[derive(Serialize)]
struct PresentWire<'a> {
    connection: &'a str,
    user: &'a ActorId,
    state: &'a RawValue,
}

impl Tell {
    /// Writes the message.
    pub fn to_json(&self) -> String {
        let (reply, states);
        let written = match self {
            Self::Frame(frame) => {
                return String::from_utf8(frame.text().into()).expect("it was made from a text");
            }
            Self::Unknown => return r#"{"type":"unknown"}"#.into(),
            Self::Ready { connection, user, beat } => {
                Written::Ready { connection, user, beat_s: beat.as_secs() }
            }
            Self::Resync { space, resync } => {
                Written::Resync { space, reason: resync.reason, epoch: resync.epoch, floor: resync.floor }
            }
            Self::Pushed { space, reference, reply: text } => {
                reply = raw(text);
                Written::Pushed { space, reference: reference.as_deref(), reply: &reply }
            }
            Self::Added { space, tree, reference, reply: text } => {
                reply = raw(text);
                Written::Added(TreeReply { reference: reference.as_deref(), space, tree, reply: &reply })
            }
            Self::Ops { space, tree, reference, reply: text } => {
                reply = raw(text);
                Written::Ops(TreeReply { reference: reference.as_deref(), space, tree, reply: &reply })
            }
            Self::Presence(Presence { space, all, here, gone }) => {
                states = here.iter().map(|present| raw(present.state.as_str())).collect::<Vec<_>>();
                let here = here.iter().zip(&states);
                let here = here.map(|(Present { connection, user, .. }, state)| PresentWire {
                    connection,
                    user,
                    state,
                });
                Written::Presence { space, all: *all, here: here.collect(), gone }
            }
            Self::Beat { heads } => Written::Beat { heads },
            Self::Pong { reference, heads } => Written::Pong { reference: reference.as_deref(), heads },
            Self::Error(refusal) => Written::Error(refusal),
        };
        serde_json::to_string(&written).expect("our own types have a JSON form")
    }
}

fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.into()).expect("what is told is JSON")
}

/// All members that a client understands. Others are ignored: a newer server may send more.
#[derive(Deserialize)]
struct Read<'a> {
    #[serde(rename = "type")]
    kind: String,
    #[serde(rename = "ref")]
    reference: Option<String>,
    space: Option<SpaceId>,
    tree: Option<TreeId>,
    from: Option<CursorToken>,
    to: Option<CursorToken>,
    #[serde(borrow)]
    changes: Option<Vec<ChangeWire<'a>>>,
    has_more: Option<bool>,
    head: Option<Seq>,
    reason: Option<ResyncReason>,
    epoch: Option<Epoch>,
    floor: Option<Seq>,
    connection: Option<String>,
    user: Option<ActorId>,
    beat_s: Option<u64>,
    #[serde(borrow)]
    reply: Option<&'a RawValue>,
    all: Option<bool>,
    #[serde(borrow)]
    here: Option<Vec<PresentRead<'a>>>,
    gone: Option<Vec<String>>,
    heads: Option<Heads>,
    #[serde(default)]
    code: String,
    #[serde(default)]
    detail: String,
    pointer: Option<String>,
    retry_after: Option<u64>,
    expected: Option<i64>,
}

#[derive(Deserialize)]
struct PresentRead<'a> {
    connection: String,
    user: ActorId,
    #[serde(borrow)]
    state: &'a RawValue,
}

impl Tell {
    /// Reads a message of a server. Types that this version does not know are [`Unknown`](Tell::Unknown).
    ///
    /// # Errors
    ///
    /// [`Distrusted`](ErrorKind::Distrusted) when it is not one.
    ///
    /// ```
    /// use sync_core::protocol::Tell;
    /// let told = Tell::from_json(r#"{"type":"beat","heads":{"family":7}}"#)?;
    /// assert!(matches!(told, Tell::Beat { heads } if heads.len() == 1));
    /// # Ok::<_, sync_core::Error>(())
    /// ```
    pub fn from_json(text: &str) -> Result<Self> {
        let read: Read<'_> = serde_json::from_str(text).map_err(|error| {
            Error::new(ErrorKind::Distrusted, "a message of the server cannot be read").with_source(error)
        })?;
        read.tell()
    }
}

impl Read<'_> {
    fn tell(self) -> Result<Tell> {
        let told = match self.kind.as_str() {
            "frame" => return self.frame(),
            "added" | "ops" => return self.of_tree(),
            "presence" => return self.presence(),
            "ready" => self.connection.zip(self.user).map(|(connection, user)| Tell::Ready {
                connection,
                user,
                beat: Duration::from_secs(self.beat_s.unwrap_or_default()),
            }),
            "resync" => return self.resync(),
            "pushed" => self.space.zip(self.reply).map(|(space, reply)| Tell::Pushed {
                space,
                reference: self.reference,
                reply: reply.get().into(),
            }),
            "beat" => Some(Tell::Beat { heads: self.heads.unwrap_or_default() }),
            "pong" => Some(Tell::Pong { reference: self.reference, heads: self.heads.unwrap_or_default() }),
            "error" => Some(Tell::Error(Refusal {
                code: self.code,
                detail: self.detail,
                space: self.space,
                reference: self.reference,
                pointer: self.pointer,
                retry_after: self.retry_after,
                expected: self.expected,
            })),
            _ => Some(Tell::Unknown),
        };
        told.ok_or_else(lacks)
    }

    fn frame(self) -> Result<Tell> {
        let changes = self.changes.ok_or_else(lacks)?;
        let page = PullPage {
            changes: changes.into_iter().map(ChangeWire::into_record).collect::<Result<_>>()?,
            cursor: self.to.ok_or_else(lacks)?,
            has_more: self.has_more.ok_or_else(lacks)?,
            head: self.head.ok_or_else(lacks)?,
        };
        Ok(Tell::Frame(LiveFrame::new(self.space.ok_or_else(lacks)?, self.from, page)))
    }

    fn of_tree(self) -> Result<Tell> {
        let (space, tree) = (self.space.ok_or_else(lacks)?, self.tree.ok_or_else(lacks)?);
        let (reference, reply) = (self.reference, self.reply.ok_or_else(lacks)?.get().into());
        Ok(match self.kind.as_str() {
            "added" => Tell::Added { space, tree, reference, reply },
            _ => Tell::Ops { space, tree, reference, reply },
        })
    }

    fn resync(self) -> Result<Tell> {
        let resync = Resync {
            reason: self.reason.ok_or_else(lacks)?,
            epoch: self.epoch.ok_or_else(lacks)?,
            floor: self.floor.ok_or_else(lacks)?,
        };
        Ok(Tell::Resync { space: self.space.ok_or_else(lacks)?, resync })
    }

    fn presence(self) -> Result<Tell> {
        let here = self.here.ok_or_else(lacks)?.into_iter().map(PresentRead::present);
        Ok(Tell::Presence(Presence {
            here: here.collect::<Result<_>>()?,
            space: self.space.ok_or_else(lacks)?,
            all: self.all.unwrap_or_default(),
            gone: self.gone.unwrap_or_default(),
        }))
    }
}

impl PresentRead<'_> {
    fn present(self) -> Result<Present> {
        let state = Json::parse(self.state.get().as_bytes(), &crate::json::Limits::RECORD);
        let state = state.map_err(|error| {
            Error::new(ErrorKind::Distrusted, "what someone shows cannot be read").with_source(error)
        })?;
        Ok(Present { connection: self.connection, user: self.user, state })
    }
}

fn lacks() -> Error {
    Error::new(ErrorKind::Distrusted, "a message of the server lacks a member")
}
