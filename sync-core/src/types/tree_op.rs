//! One op of a replicated tree, and the record it is kept as.
//!
//! Ops are what a tree consists of: where a vertex is, and what one of its properties says, each at one moment of a
//! logical clock. They never change. Everything that can be done with a record (following, loading, moving to another
//! server) can be done with an op since it is kept as one:
//!
//! ```text
//! collection   $tree:<tree id>
//! id           <clock, 16 digits>@<peer id>      the order of bytes is the order of ops
//! data         {"parent":…,"target":…}           a move; "parent" is null at the top
//!              {"key":…,"target":…,"value":…}    a property; without "value" it is removed
//! ```

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::json::{Json, Limits};
use crate::types::{Collection, NameError, PeerId, PropertyKey, RecordId, RecordKey, TreeId, VertexId};

/// When an op was made, by the logical clock of its tree: 1 to 2^53 - 2, so that there is always a later one that is exact
/// in JavaScript.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct OpClock(u64);

/// What identifies an op in its tree, and where it stands in the order of all ops: by clock, then by the bytes of the peer.
///
/// ```
/// use sync_core::OpId;
/// let id: OpId = "7@b2".parse()?;
/// assert_eq!(id.clock.get(), 7);
/// assert!("7@b2".parse::<OpId>()? < "7@c0".parse()? && "9@c0".parse::<OpId>()? < "10@00".parse()?);
/// # Ok::<_, sync_core::TreeOpError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpId {
    /// Counts the ops of the tree, as far as its author knew them.
    pub clock: OpClock,
    /// Who made it.
    pub peer: PeerId,
}

/// One op of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeOp {
    /// Its identity.
    pub id: OpId,
    /// The vertex it is about.
    pub target: VertexId,
    /// What it does.
    pub action: TreeAction,
}

/// What an op does to its target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TreeAction {
    /// Puts it under `parent`, or at the top. The first move of a vertex creates it.
    Move {
        /// The new parent; `None` at the top.
        parent: Option<VertexId>,
    },
    /// Gives a property a value, or removes it.
    Set {
        /// Which property.
        key: PropertyKey,
        /// Its value; `None` removes the property. JSON's `null` is a value.
        value: Option<Json>,
    },
}

/// Why something is not an op of a tree.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TreeOpError {
    /// A clock outside its range.
    #[error("the clock of an op is a whole number from 1 to 2^53 - 2")]
    Clock,
    /// A name in it is none.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The id of a record that is not the id of an op.
    #[error("the id of an op is written as its clock, an @ and the peer id")]
    Id,
    /// Content that is too large, or too deep, to travel everywhere.
    #[error("an op has at most {} bytes, and its value at most {} levels", TreeOp::BYTES_MAX, TreeOp::VALUE.depth_max)]
    TooLarge,
    /// Content that is neither a move nor a property.
    #[error("an op has a target, and a parent or a key: {0}")]
    Content(String),
}

impl OpClock {
    /// The latest there can be.
    pub const MAX: Self = Self((1 << 53) - 2);
    /// The first.
    pub const FIRST: Self = Self(1);

    /// Takes a number.
    ///
    /// # Errors
    ///
    /// [`TreeOpError::Clock`] outside `1..=2^53 - 2`.
    pub fn new(value: u64) -> Result<Self, TreeOpError> {
        if (1..=Self::MAX.0).contains(&value) { Ok(Self(value)) } else { Err(TreeOpError::Clock) }
    }

    /// The number.
    pub fn get(self) -> u64 {
        self.0
    }

    /// The clock after this one; `None` at the end of the range.
    pub fn next(self) -> Option<Self> {
        Self::new(self.0 + 1).ok()
    }
}

impl TryFrom<u64> for OpClock {
    type Error = TreeOpError;

    fn try_from(value: u64) -> Result<Self, TreeOpError> {
        Self::new(value)
    }
}

impl From<OpClock> for u64 {
    fn from(clock: OpClock) -> Self {
        clock.0
    }
}

impl fmt::Display for OpClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl OpId {
    /// The id of `peer`'s op at `clock`.
    pub fn new(clock: OpClock, peer: PeerId) -> Self {
        Self { clock, peer }
    }

    /// The id of the record the op is kept as. Its bytes are ordered as ops are.
    pub fn record_id(&self) -> RecordId {
        let text = format!("{:016}@{}", self.clock.0, self.peer);
        RecordId::new(text).expect("digits and the characters of a peer id are fit for a record id")
    }

    /// Reads what [`record_id`](Self::record_id) wrote.
    ///
    /// # Errors
    ///
    /// [`TreeOpError`] when it is not exactly that.
    pub fn from_record_id(id: &RecordId) -> Result<Self, TreeOpError> {
        let (clock, _) = id.as_str().split_once('@').ok_or(TreeOpError::Id)?;
        let id = if clock.len() == CLOCK_DIGITS { id.as_str() } else { return Err(TreeOpError::Id) };
        id.parse()
    }
}

/// Digits of a clock in the id of a record: as many as the largest has.
const CLOCK_DIGITS: usize = 16;

impl std::str::FromStr for OpId {
    type Err = TreeOpError;

    fn from_str(text: &str) -> Result<Self, TreeOpError> {
        let (clock, peer) = text.split_once('@').ok_or(TreeOpError::Id)?;
        let is_number = !clock.is_empty() && clock.bytes().all(|byte| byte.is_ascii_digit());
        let clock = clock.parse().ok().filter(|_| is_number).ok_or(TreeOpError::Id)?;
        Ok(Self { clock: OpClock::new(clock)?, peer: PeerId::new(peer)? })
    }
}

impl fmt::Display for OpId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.clock, self.peer)
    }
}

impl TreeOp {
    /// Bytes of the content of an op: a property is no file.
    pub const BYTES_MAX: usize = 256 << 10;

    /// What the value of a property may look like: with the op around it, it is a record like any other.
    pub const VALUE: Limits =
        Limits { depth_max: Limits::RECORD.depth_max - 1, bytes_max: Self::BYTES_MAX, ..Limits::RECORD };

    /// Whether it is small and flat enough to be stored and sent.
    ///
    /// # Errors
    ///
    /// [`TreeOpError::TooLarge`].
    pub fn check(&self) -> Result<(), TreeOpError> {
        let value = match &self.action {
            TreeAction::Set { value: Some(value), .. } => value,
            // Names have limits of their own, far below.
            TreeAction::Set { value: None, .. } | TreeAction::Move { .. } => return Ok(()),
        };
        let is_fit = Json::parse(value.as_str().as_bytes(), &Self::VALUE).is_ok();
        let is_small = || self.content().as_str().len() <= Self::BYTES_MAX;
        if is_fit && is_small() { Ok(()) } else { Err(TreeOpError::TooLarge) }
    }

    /// Puts `target` under `parent`, or at the top.
    ///
    /// ```
    /// use sync_core::{TreeId, TreeOp, VertexId};
    /// let op = TreeOp::moving("3@a1".parse()?, VertexId::new("intro")?, Some(VertexId::new("book")?));
    /// assert_eq!(op.content().as_str(), r#"{"parent":"book","target":"intro"}"#);
    ///
    /// let key = op.key(&TreeId::new("outline")?);
    /// assert_eq!(key.to_string(), "$tree:outline/0000000000000003@a1");
    /// assert_eq!(TreeOp::from_record(&key.id, op.content().as_str())?, op);
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn moving(id: OpId, target: VertexId, parent: Option<VertexId>) -> Self {
        Self { id, target, action: TreeAction::Move { parent } }
    }

    /// Gives the property `key` of `target` a value, or removes it.
    pub fn setting(id: OpId, target: VertexId, key: PropertyKey, value: Option<Json>) -> Self {
        Self { id, target, action: TreeAction::Set { key, value } }
    }

    /// The key of the record it is kept as.
    pub fn key(&self, tree: &TreeId) -> RecordKey {
        RecordKey::new(Collection::of_tree(tree), self.id.record_id())
    }

    /// The content of the record it is kept as.
    pub fn content(&self) -> Json {
        Json::from_canonical(self.parts().content())
    }

    /// What it says, as plain text.
    pub(crate) fn parts(&self) -> OpParts<'_> {
        let none = OpParts { target: self.target.as_str(), parent: None, key: None, value: None };
        match &self.action {
            TreeAction::Move { parent } => {
                OpParts { parent: parent.as_ref().map(|parent| parent.as_str()), ..none }
            }
            TreeAction::Set { key, value } => {
                OpParts { key: Some(key.as_str()), value: value.as_ref().map(Json::as_str), ..none }
            }
        }
    }

    /// Reads an op back from the record it is kept as.
    ///
    /// # Errors
    ///
    /// [`TreeOpError`] when the record is none.
    pub fn from_record(id: &RecordId, content: &str) -> Result<Self, TreeOpError> {
        let id = OpId::from_record_id(id)?;
        let wire: Content<'_> =
            serde_json::from_str(content).map_err(|error| TreeOpError::Content(error.to_string()))?;
        let target = VertexId::new(wire.target)?;
        match (wire.parent, wire.key) {
            (Some(parent), None) if wire.value.is_none() => {
                let parent = parent.map(VertexId::new).transpose()?;
                Ok(Self::moving(id, target, parent))
            }
            (None, Some(key)) => {
                let value = wire.value.map(|value| Json::from_canonical(value.get()));
                Ok(Self::setting(id, target, PropertyKey::new(key)?, value))
            }
            (Some(_), _) => Err(TreeOpError::Content("it has a parent and is a property".to_owned())),
            (None, None) => Err(TreeOpError::Content("it has neither".to_owned())),
        }
    }
}

/// What an op says, part by part, as a store may keep it in columns. With a key it is about a property, without one it is a
/// move. Nothing in it is checked, so that it can also be what a damaged database says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OpParts<'a> {
    pub(crate) target: &'a str,
    pub(crate) parent: Option<&'a str>,
    pub(crate) key: Option<&'a str>,
    pub(crate) value: Option<&'a str>,
}

impl OpParts<'_> {
    /// The content of the record.
    pub(crate) fn content(self) -> String {
        let mut text = String::with_capacity(64 + self.value.map_or(0, str::len));
        match self.key {
            None => {
                text.push_str("{\"parent\":");
                match self.parent {
                    Some(parent) => push_text(parent, &mut text),
                    None => text.push_str("null"),
                }
            }
            Some(key) => {
                text.push_str("{\"key\":");
                push_text(key, &mut text);
            }
        }
        text.push_str(",\"target\":");
        push_text(self.target, &mut text);
        if let Some(value) = self.value {
            text.push_str(",\"value\":");
            text.push_str(value);
        }
        text.push('}');
        text
    }
}

/// The content of the record of an op. A member that is missing is told apart from one that is null.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Content<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    parent: Option<Option<Cow<'a, str>>>,
    #[serde(borrow, default, deserialize_with = "present")]
    key: Option<Cow<'a, str>>,
    #[serde(borrow)]
    target: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "present")]
    value: Option<&'a RawValue>,
}

/// Reads a member that is there, so that `null` is a value and not "nothing there".
fn present<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// Appends a text as canonical JSON.
fn push_text(text: &str, out: &mut String) {
    if text.bytes().all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        // None of the names that are written here holds a control character; quotes and backslashes have one escape each.
        out.push_str(&serde_json::Value::from(text).to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> OpId {
        text.parse().unwrap()
    }

    #[test]
    fn the_ids_of_records_are_ordered_as_ops_are() {
        let mut ids: Vec<OpId> =
            ["9@b", "10@a", "9@a", "9@-", "9007199254740990@f", "1@0", "9@a0"].map(id).to_vec();
        let mut records: Vec<RecordId> = ids.iter().map(OpId::record_id).collect();
        ids.sort();
        records.sort();
        assert_eq!(records.iter().map(|id| OpId::from_record_id(id).unwrap()).collect::<Vec<_>>(), ids);
        assert_eq!(ids[1].to_string(), "9@-");
    }

    #[test]
    fn an_op_is_read_back_from_its_record() {
        let value = |text: &str| Some(Json::from_canonical(text));
        let name = |text: &str| PropertyKey::new(text).unwrap();
        let vertex = |text: &str| VertexId::new(text).unwrap();
        let ops = [
            TreeOp::moving(id("1@a"), vertex("v"), None),
            TreeOp::moving(id("2@a"), vertex("v \"\\"), Some(vertex("日本"))),
            TreeOp::setting(id("3@a"), vertex("v"), name(""), value("null")),
            TreeOp::setting(id("4@a"), vertex("v"), name("a\"b"), None),
            TreeOp::setting(id("5@a"), vertex("v"), name("x"), value(r#"{"a":[1,"é\n"]}"#)),
        ];
        for op in ops {
            let content = op.content();
            assert_eq!(
                Json::parse(content.as_str().as_bytes(), &crate::json::Limits::RECORD).unwrap(),
                content
            );
            assert_eq!(TreeOp::from_record(&op.id.record_id(), content.as_str()).unwrap(), op);
        }
    }

    #[test]
    fn a_value_is_as_deep_and_as_large_as_travels_everywhere() {
        let set = |value: String| {
            let key = PropertyKey::new("k").unwrap();
            TreeOp::setting(id("1@a"), VertexId::new("v").unwrap(), key, Some(Json::from_canonical(value)))
        };
        let deep = |n: usize| set(format!("{}{}", "[".repeat(n), "]".repeat(n)));
        let long = |n: usize| set(format!("\"{}\"", "x".repeat(n)));
        let around = long(0).content().as_str().len();
        for op in [deep(31), long(TreeOp::BYTES_MAX - around)] {
            op.check().unwrap();
            let content = op.content();
            assert_eq!(Json::parse(content.as_str().as_bytes(), &Limits::RECORD).unwrap(), content);
        }
        for op in [deep(32), long(TreeOp::BYTES_MAX - around + 1)] {
            assert_eq!(op.check(), Err(TreeOpError::TooLarge));
        }
    }

    #[test]
    fn what_is_neither_move_nor_property_is_no_op() {
        let bad = [
            r#"{"target":"v"}"#,
            r#"{"parent":null}"#,
            r#"{"key":"a","parent":"p","target":"v"}"#,
            r#"{"parent":"p","target":"v","value":1}"#,
            r#"{"key":null,"target":"v"}"#,
            r#"{"key":"a","target":"v","extra":1}"#,
            r#"{"parent":"","target":"v"}"#,
            r#"{"parent":1,"target":"v"}"#,
            "[]",
        ];
        for content in bad {
            assert!(TreeOp::from_record(&id("1@a").record_id(), content).is_err(), "{content}");
        }
        for text in [
            "1@a",
            "000000000000001@a",
            "00000000000000001@a",
            "0000000000000000@a",
            "0000000000000001@A",
            "x",
        ] {
            let id = RecordId::new(text).unwrap();
            assert!(OpId::from_record_id(&id).is_err(), "{text}");
        }
        for text in ["", "@a", "+1@a", "1.0@a", "0@a", "9007199254740991@a", "1@", "-1@a"] {
            assert!(text.parse::<OpId>().is_err(), "{text}");
        }
    }
}
