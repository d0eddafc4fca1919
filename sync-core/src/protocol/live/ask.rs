//! What a client sends over a live connection.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::error::{Error, Result};
use crate::json::{Json, Limits};
use crate::protocol::{code, decode, refuse_content};
use crate::types::{Collection, CursorToken, SpaceId, TreeId, chosen_collections};

/// Bytes of the state that a client shows while it is there, in its canonical form. 2 KiB: where a cursor stands and what is
/// selected, for hundreds of people in one message.
pub const STATE_BYTES_MAX: usize = 2 << 10;

/// Bytes of a `ref`. 64: any id a client would make.
const REF_BYTES_MAX: usize = 64;

/// What a presence may look like: flat, as it is for a screen.
const STATE: Limits = Limits { depth_max: 8, bytes_max: STATE_BYTES_MAX, key_bytes_max: 256 };

/// A message of a client, and the word by which it knows the answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// Comes back in what answers it.
    pub reference: Option<String>,
    /// What it asks for.
    pub ask: Ask,
}

/// What a client asks for over a live connection. Its debug form is that of the message, without the token.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum Ask {
    /// To be taken for who shows this token.
    Auth {
        /// The token, unchecked.
        token: String,
    },
    /// To be told of a space's changes.
    Subscribe {
        /// The space.
        space: SpaceId,
        /// From where, and what of it.
        subscribe: Subscribe,
        /// Whether to be told who is there.
        presence: bool,
    },
    /// To be told no more.
    Unsubscribe {
        /// The space.
        space: SpaceId,
    },
    /// To carry out a batch.
    Push {
        /// The space.
        space: SpaceId,
        /// The body of a push, unread.
        push: String,
    },
    /// To add ops to a tree.
    Ops {
        /// The space.
        space: SpaceId,
        /// The tree.
        tree: TreeId,
        /// The list of ops, unread.
        ops: String,
    },
    /// To be told which ops of a tree are missing.
    Missing {
        /// The space.
        space: SpaceId,
        /// The tree.
        tree: TreeId,
        /// The state vector of the one who asks, unread.
        vector: String,
        /// At most this many; the service has a limit of its own.
        limit: Option<u32>,
    },
    /// To be shown to others in a space, or not any more.
    Presence {
        /// The space.
        space: SpaceId,
        /// What is shown; `None` for not being there.
        state: Option<Json>,
    },
    /// Whether the other side is there.
    Ping {
        /// What was taken in so far.
        at: BTreeMap<SpaceId, CursorToken>,
    },
}

/// From where a space is followed, and what of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subscribe {
    /// From here; `None` from the very beginning.
    pub after: Option<CursorToken>,
    /// Only these collections; `None` for all.
    pub collections: Option<Vec<Collection>>,
    /// What the answer to a push [gave](crate::protocol::PushDone::receipt) to the one who asks, until a frame was read.
    pub receipt: Option<CursorToken>,
}

/// All members there are; which belong together is decided by the type.
#[derive(Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    #[serde(rename = "type")]
    kind: String,
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    space: Option<SpaceId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<CursorToken>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "chosen_collections")]
    collections: Option<Vec<Collection>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    receipt: Option<CursorToken>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    presence: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    push: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tree: Option<TreeId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ops: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    vector: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    limit: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<BTreeMap<SpaceId, CursorToken>>,
}

impl Asked {
    /// A message without a `ref`.
    pub fn new(ask: Ask) -> Self {
        Self { reference: None, ask }
    }

    /// Reads a message.
    ///
    /// # Errors
    ///
    /// `malformed_json`, or `validation_failed` and the codes of content with a pointer to the place.
    ///
    /// ```
    /// use sync_core::protocol::{Ask, Asked};
    /// let asked = Asked::from_json(r#"{"type":"unsubscribe","space":"family","ref":"7"}"#)?;
    /// assert!(matches!(asked.ask, Ask::Unsubscribe { space } if space.as_str() == "family"));
    /// assert_eq!(asked.reference.as_deref(), Some("7"));
    /// assert!(Asked::from_json(r#"{"type":"unsubscribe","token":"t"}"#).is_err());
    /// # Ok::<_, sync_core::Error>(())
    /// ```
    pub fn from_json(text: &str) -> Result<Self> {
        let mut wire: Wire = decode(text.as_bytes())?;
        let reference = wire.reference.take();
        if reference.as_ref().is_some_and(|reference| reference.len() > REF_BYTES_MAX) {
            let why = format!("a ref has at most {REF_BYTES_MAX} bytes");
            return Err(refused(why, "/ref"));
        }
        let ask = wire.take()?;
        match wire.left() {
            Some(member) => Err(refused(format!("{} has no such member", wire.kind), member)),
            None => Ok(Self { reference, ask }),
        }
    }

    /// Writes the message.
    pub fn to_json(&self) -> String {
        let mut wire = Wire { reference: self.reference.clone(), ..Wire::from(self.ask.clone()) };
        // `null` says something here.
        if matches!(&self.ask, Ask::Presence { state: None, .. }) {
            wire.state = raw("null");
        }
        serde_json::to_string(&wire).expect("our own types have a JSON form")
    }
}

impl fmt::Debug for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = match self {
            Self::Auth { .. } => Self::Auth { token: "***".into() },
            shown => shown.clone(),
        };
        f.write_str(&Asked::new(shown).to_json())
    }
}

impl Wire {
    /// Takes what the message is made of.
    fn take(&mut self) -> Result<Ask> {
        Ok(match self.kind.as_str() {
            "auth" => Ask::Auth { token: self.token.take().ok_or_else(|| missing("token"))? },
            "subscribe" => Ask::Subscribe {
                space: self.space()?,
                subscribe: Subscribe {
                    after: self.after.take(),
                    collections: self.collections.take(),
                    receipt: self.receipt.take(),
                },
                presence: self.presence.take().unwrap_or_default(),
            },
            "unsubscribe" => Ask::Unsubscribe { space: self.space()? },
            "push" => Ask::Push {
                space: self.space()?,
                push: self.push.take().map(text).ok_or_else(|| missing("push"))?,
            },
            "ops" => Ask::Ops {
                space: self.space()?,
                tree: self.tree()?,
                ops: self.ops.take().map(text).ok_or_else(|| missing("ops"))?,
            },
            "missing" => Ask::Missing {
                space: self.space()?,
                tree: self.tree()?,
                vector: self.vector.take().map(text).ok_or_else(|| missing("vector"))?,
                limit: self.limit.take(),
            },
            "presence" => Ask::Presence {
                space: self.space()?,
                state: self.state.take().map(|raw| state(&raw)).transpose()?,
            },
            "ping" => Ask::Ping { at: self.at.take().unwrap_or_default() },
            _ => {
                let why = "type is auth, subscribe, unsubscribe, push, ops, missing, presence or ping";
                return Err(refused(why.into(), "/type"));
            }
        })
    }

    fn space(&mut self) -> Result<SpaceId> {
        self.space.take().ok_or_else(|| missing("space"))
    }

    fn tree(&mut self) -> Result<TreeId> {
        self.tree.take().ok_or_else(|| missing("tree"))
    }

    /// A member that nobody took.
    fn left(&self) -> Option<&'static str> {
        let left = [
            (self.token.is_some(), "/token"),
            (self.space.is_some(), "/space"),
            (self.after.is_some(), "/after"),
            (self.collections.is_some(), "/collections"),
            (self.receipt.is_some(), "/receipt"),
            (self.presence.is_some(), "/presence"),
            (self.push.is_some(), "/push"),
            (self.tree.is_some(), "/tree"),
            (self.ops.is_some(), "/ops"),
            (self.vector.is_some(), "/vector"),
            (self.limit.is_some(), "/limit"),
            (self.state.is_some(), "/state"),
            (self.at.is_some(), "/at"),
        ];
        left.into_iter().find(|(is_left, _)| *is_left).map(|(_, member)| member)
    }
}

impl From<Ask> for Wire {
    fn from(ask: Ask) -> Self {
        let kind = |kind: &str| Self { kind: kind.into(), ..Self::default() };
        match ask {
            Ask::Auth { token } => Self { token: Some(token), ..kind("auth") },
            Ask::Subscribe { space, subscribe, presence } => {
                let Subscribe { after, collections, receipt } = subscribe;
                let presence = presence.then_some(true);
                Self { space: Some(space), after, collections, receipt, presence, ..kind("subscribe") }
            }
            Ask::Unsubscribe { space } => Self { space: Some(space), ..kind("unsubscribe") },
            Ask::Push { space, push } => Self { space: Some(space), push: raw(push), ..kind("push") },
            Ask::Ops { space, tree, ops } => {
                Self { space: Some(space), tree: Some(tree), ops: raw(ops), ..kind("ops") }
            }
            Ask::Missing { space, tree, vector, limit } => {
                let vector = raw(vector);
                Self { space: Some(space), tree: Some(tree), vector, limit, ..kind("missing") }
            }
            Ask::Presence { space, state } => {
                let state = state.and_then(|state| raw(state.as_str()));
                Self { space: Some(space), state, ..kind("presence") }
            }
            Ask::Ping { at } => Self { at: (!at.is_empty()).then_some(at), ..kind("ping") },
        }
    }
}

/// `null` means not being there, like nothing at all.
fn state(raw: &RawValue) -> Result<Json> {
    let state = Json::parse(raw.get().as_bytes(), &STATE).map_err(|error| {
        let refused = refuse_content(&error, "/state");
        if refused.limit().is_some() { refused.with_limit(STATE_BYTES_MAX as u64) } else { refused }
    })?;
    // Numbers may grow: 1e20 is written with all its zeros.
    if state.as_str().len() > STATE_BYTES_MAX {
        let refused =
            Error::invalid(code::BODY_TOO_LARGE, "the state is too large with its numbers written out");
        return Err(refused.with_pointer("/state").with_limit(STATE_BYTES_MAX as u64));
    }
    Ok(state)
}

fn raw(text: impl Into<String>) -> Option<Box<RawValue>> {
    RawValue::from_string(text.into()).ok()
}

fn text(raw: Box<RawValue>) -> String {
    Box::<str>::from(raw).into()
}

fn missing(member: &'static str) -> Error {
    refused(format!("{member} is missing"), "")
}

fn refused(why: String, pointer: &'static str) -> Error {
    Error::invalid(code::VALIDATION_FAILED, why).with_pointer(pointer)
}
