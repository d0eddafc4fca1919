//! Ops of trees as clients of the tree library write them.
//!
//! Two spellings are read, told apart by `id` against `clock`; the first one is written:
//!
//! ```text
//! {"id":{"counter":7,"peerId":"a1"},"targetId":"v","parentId":"p"}            a move; null at the top
//! {"id":{"counter":8,"peerId":"a1"},"targetId":"v","key":"name","value":1}    a property; without value it is removed
//! {"clock":7,"peerId":"a1","treeId":"t","spaceId":"s","targetId":"v",…}        the same as a row
//! ```

use serde::Deserialize;
use serde_json::value::RawValue;

use super::change::push_string;
use super::decode::{Object, decode, refuse_content};
use crate::error::{Error, Result};
use crate::json::{Json, JsonErrorKind};
use crate::protocol::code;
use crate::types::{
    OpClock, OpId, PeerId, PropertyKey, SpaceId, TreeAction, TreeId, TreeOp, TreeOpError, VertexId,
};

/// Ops to add to a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpsRequest {
    /// The ops, in any order.
    pub ops: Vec<TreeOp>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestWire<'a> {
    #[serde(borrow)]
    ops: Vec<Object<OpWire<'a>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct OpWire<'a> {
    #[serde(default, deserialize_with = "present")]
    id: Option<Object<IdWire>>,
    #[serde(borrow, default)]
    clock: Option<&'a RawValue>,
    peer_id: Option<String>,
    tree_id: Option<String>,
    space_id: Option<String>,
    target_id: String,
    #[serde(default, deserialize_with = "present")]
    parent_id: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    key: Option<String>,
    #[serde(borrow, default, deserialize_with = "present")]
    value: Option<&'a RawValue>,
    #[serde(default)]
    transient: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct IdWire {
    counter: Box<RawValue>,
    peer_id: String,
}

/// Reads a member that is there, so that `null` is a value and not "nothing there".
fn present<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

impl OpsRequest {
    /// Reads the body of a request that adds ops to `tree` in `space`: `{"ops":[…]}`.
    ///
    /// # Errors
    ///
    /// As [`decode`]; with a pointer, `version_out_of_range` for a clock outside its range and `validation_failed` for
    /// everything else that no op has, another tree or space among it. One op that cannot be read refuses them all.
    ///
    /// ```
    /// use sync_core::protocol::OpsRequest;
    /// use sync_core::{SpaceId, TreeId};
    /// let (space, tree) = (SpaceId::new("family")?, TreeId::new("outline")?);
    /// let body = br#"{"ops":[{"id":{"counter":7,"peerId":"a1"},"targetId":"intro","parentId":"book"}]}"#;
    /// let request = OpsRequest::from_json(body, &space, &tree)?;
    /// assert_eq!(request.ops[0].id.to_string(), "7@a1");
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_json(body: &[u8], space: &SpaceId, tree: &TreeId) -> Result<Self> {
        let wire: RequestWire<'_> = decode(body)?;
        let ops = wire.ops.into_iter().enumerate();
        let ops = ops
            .map(|(idx, op)| op.0.into_op(space, tree).map_err(|error| error.at(idx)))
            .collect::<Result<_>>()?;
        Ok(Self { ops })
    }
}

/// What is wrong with an op, and at which of its members.
struct Unfit {
    member: &'static str,
    error: Error,
}

impl Unfit {
    fn new(member: &'static str, message: impl Into<String>) -> Self {
        Self { member, error: Error::invalid(code::VALIDATION_FAILED, message) }
    }

    fn at(self, idx: usize) -> Error {
        let inner = self.error.pointer().unwrap_or_default().to_owned();
        self.error.with_pointer(format!("/ops/{idx}/{}{inner}", self.member))
    }
}

impl OpWire<'_> {
    fn into_op(self, space: &SpaceId, tree: &TreeId) -> Result<TreeOp, Unfit> {
        if self.space_id.as_ref().is_some_and(|named| named != space.as_str()) {
            return Err(Unfit::new("spaceId", "the op is of another space than the address"));
        }
        if self.tree_id.as_ref().is_some_and(|named| named != tree.as_str()) {
            return Err(Unfit::new("treeId", "the op is of another tree than the address"));
        }
        if self.transient {
            return Err(Unfit::new("transient", "transient properties are not kept: do not send them"));
        }
        let id = op_id(self.id.map(|id| id.0), self.clock, self.peer_id)?;
        let target =
            VertexId::new(self.target_id).map_err(|error| Unfit::new("targetId", error.to_string()))?;
        match (self.parent_id, self.key, self.value) {
            (Some(parent), None, None) => {
                let parent = parent.map(VertexId::new).transpose();
                let parent = parent.map_err(|error| Unfit::new("parentId", error.to_string()))?;
                Ok(TreeOp::moving(id, target, parent))
            }
            (None, Some(key), value) => {
                let key = PropertyKey::new(key).map_err(|error| Unfit::new("key", error.to_string()))?;
                let value = value.map(content_of).transpose()?;
                Ok(TreeOp::setting(id, target, key, value))
            }
            (None, None, _) => {
                Err(Unfit::new("parentId", "an op is a move with parentId, or a property with key"))
            }
            (Some(_), ..) => Err(Unfit::new("key", "a move has no key and no value")),
        }
    }
}

fn content_of(value: &RawValue) -> Result<Json, Unfit> {
    let value = Json::parse(value.get().as_bytes(), &TreeOp::VALUE);
    value.map_err(|error| {
        let error = match error.kind() {
            JsonErrorKind::TooLarge | JsonErrorKind::TooDeep => {
                Error::invalid(code::VALIDATION_FAILED, TreeOpError::TooLarge.to_string())
            }
            _ => refuse_content(&error, ""),
        };
        Unfit { member: "value", error }
    })
}

fn op_id(id: Option<IdWire>, clock: Option<&RawValue>, peer: Option<String>) -> Result<OpId, Unfit> {
    match (id, clock, peer) {
        (Some(IdWire { counter, peer_id }), None, None) => {
            Ok(OpId::new(op_clock(&counter, "id/counter")?, peer_id_of(peer_id, "id/peerId")?))
        }
        (None, Some(clock), Some(peer)) => {
            Ok(OpId::new(op_clock(clock, "clock")?, peer_id_of(peer, "peerId")?))
        }
        (None, Some(_), None) => Err(Unfit::new("peerId", "an op with a clock says whose it is")),
        _ => Err(Unfit::new("id", "an op has an id, or a clock and a peerId")),
    }
}

fn op_clock(number: &RawValue, member: &'static str) -> Result<OpClock, Unfit> {
    let clock = number.get().parse().ok().and_then(|clock| OpClock::new(clock).ok());
    let message = "the clock of an op is a whole number from 1 to 2^53 - 2";
    clock.ok_or_else(|| Unfit { member, error: Error::invalid(code::VERSION_OUT_OF_RANGE, message) })
}

fn peer_id_of(text: String, member: &'static str) -> Result<PeerId, Unfit> {
    PeerId::new(text).map_err(|error| Unfit::new(member, error.to_string()))
}

/// Appends an op as JSON, in the spelling with `id`.
pub fn write_op(op: &TreeOp, out: &mut String) {
    out.push_str(&format!(
        "{{\"id\":{{\"counter\":{},\"peerId\":\"{}\"}},\"targetId\":",
        op.id.clock, op.id.peer
    ));
    push_string(op.target.as_str(), out);
    match &op.action {
        TreeAction::Move { parent } => {
            out.push_str(",\"parentId\":");
            match parent {
                Some(parent) => push_string(parent.as_str(), out),
                None => out.push_str("null"),
            }
        }
        TreeAction::Set { key, value } => {
            out.push_str(",\"key\":");
            push_string(key.as_str(), out);
            if let Some(value) = value {
                out.push_str(",\"value\":");
                out.push_str(value.as_str());
            }
        }
    }
    out.push('}');
}

/// Appends ops as a JSON array.
pub fn write_ops(ops: &[TreeOp], out: &mut String) {
    out.push('[');
    for (idx, op) in ops.iter().enumerate() {
        if idx > 0 {
            out.push(',');
        }
        write_op(op, out);
    }
    out.push(']');
}

#[cfg(test)]
mod tests;
