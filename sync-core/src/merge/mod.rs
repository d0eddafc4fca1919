//! Three-way merge: what becomes of a change whose author had not seen everything.
//!
//! [`merge`] is the only place where this is decided. The service calls it when a push arrives, the replica when
//! a pull meets unsent work, and because it is a pure function both get the same answer. It reads no clock, no
//! history and no store: a [`Patch`] brings along what its author saw, so fields merge without the old version.
//!
//! - `pointer`: paths into a record
//! - `patch`: the difference between two versions, and applying it
//! - `policy`: what the application decides
//! - `fields`: merging edits path by path
//! - `values`: equality, and the arithmetic of the value rules
//!
//! What it leaves to the caller: to find out what `mine` was based on, to refuse an edit whose base is too old to
//! judge and a clock that runs ahead, to check the result against the limits for records (nesting, size), and to keep
//! [`Merge::Conflict`] and [`Loss`] where their author can see them.

mod fields;
mod patch;
mod pointer;
mod policy;
mod values;

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use fields::Fields;

pub use patch::{PATCH_PATHS_MAX, Patch, PatchError, PathEdit, diff};
pub use pointer::{POINTER_DEPTH_MAX, Pointer, PointerError};
pub use policy::{Clash, CollectionPolicy, DeletePolicy, PathRule, Resolver, UpdatePolicy};
pub(crate) use values::compare_numbers;
pub use values::same;

/// When and by whom a change was made; later stamps are greater.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Stamp {
    /// Hybrid logical clock of the author, in microseconds.
    pub at: i64,
    /// Who, to tell equal times apart.
    pub by: String,
}

/// What someone wants to do to a record.
#[derive(Debug, Clone, Copy)]
pub enum Change<'a> {
    /// This is the record.
    Put(&'a Value),
    /// These paths change.
    Patch(&'a Patch),
    /// The record goes.
    Delete,
}

/// What the author of a change had seen of the record.
#[derive(Debug, Clone, Copy)]
pub enum Base<'a> {
    /// Exactly what is stored: nothing concurrent happened. This is also the base of a create where there has
    /// never been a record.
    Current,
    /// Nothing: the author creates, but there is a record, or there was one and it has been deleted.
    Absent,
    /// This older content.
    Value(&'a Value),
    /// Something older whose content is not at hand.
    Older,
}

/// The change to be merged.
#[derive(Debug, Clone, Copy)]
pub struct Mine<'a> {
    /// What to do.
    pub change: Change<'a>,
    /// What its author had seen.
    pub base: Base<'a>,
    /// When and by whom.
    pub stamp: &'a Stamp,
}

/// The record it is merged into.
#[derive(Debug, Clone, Copy)]
pub struct Theirs<'a> {
    /// Its content, or `None` if it is deleted or never was.
    pub value: Option<&'a Value>,
    /// Its last change.
    pub stamp: &'a Stamp,
}

/// What becomes of a change.
#[derive(Debug, Clone, PartialEq)]
pub enum Merge {
    /// Theirs already is what mine asks for: there is nothing to write.
    Unchanged,
    /// Both sides are settled.
    Merged {
        /// The new state; `None` is deleted. The same as theirs if mine lost entirely, and then `lost` says so.
        value: Option<Value>,
        /// What a policy overruled, ordered by path. Empty if both sides were kept. Value rules overrule nobody.
        lost: Vec<Loss>,
    },
    /// A person must decide. Theirs stays as it is, and nothing of mine is applied, also not what did not clash.
    Conflict {
        /// Where the sides disagree, sorted.
        paths: Vec<Pointer>,
    },
    /// Mine patches a record that is gone, and the policy would keep it (or ask a person, who must see it):
    /// the author has to send the whole record.
    NeedsContent,
}

/// A side that a policy overruled at a path.
#[derive(Debug, Clone, PartialEq)]
pub struct Loss {
    /// Where; the empty path is the whole record.
    pub path: Pointer,
    /// Whose value lost.
    pub side: Side,
    /// What they had there; `None` if they wanted nothing there.
    pub value: Option<Value>,
}

/// One side of a merge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The change that arrives.
    Mine,
    /// What is stored.
    Theirs,
}

/// Merges a change into a record that its author may not have seen.
///
/// Guarantees, each a property test:
///
/// - A change of nothing leaves theirs; a change of what its author saw last is taken as it is.
/// - Asking for what is already there is [`Merge::Unchanged`] (a `Counter` excepted: two equal steps are two steps).
/// - Under [`UpdatePolicy::Fields`], edits of different paths never conflict, and both are kept.
/// - Whatever of mine or theirs is not in the result is in `lost`, or the merge is a conflict that names the path.
/// - A put with its base gives the same as the patch between them, so server and replica agree.
/// - `Max`, `Min`, `Counter` and `Set` give the same result in either order.
///
/// ```
/// use serde_json::json;
/// use sync_core::merge::{Base, Change, CollectionPolicy, Merge, Mine, Stamp, Theirs, merge};
///
/// let (phone, laptop) = (Stamp { at: 7, by: "phone".into() }, Stamp { at: 9, by: "laptop".into() });
/// let base = json!({"title": "Dune", "stars": 3});
/// let mine = json!({"title": "Dune", "stars": 5});
/// let theirs = json!({"title": "Dune Messiah", "stars": 3});
/// let merged = merge(
///     &Mine { change: Change::Put(&mine), base: Base::Value(&base), stamp: &phone },
///     &Theirs { value: Some(&theirs), stamp: &laptop },
///     &CollectionPolicy::default(),
/// );
/// let both = json!({"title": "Dune Messiah", "stars": 5});
/// assert_eq!(merged, Merge::Merged { value: Some(both), lost: vec![] });
/// ```
pub fn merge(mine: &Mine<'_>, theirs: &Theirs<'_>, policy: &CollectionPolicy) -> Merge {
    let fields = |cur| Fields::new(cur, policy, mine.stamp > theirs.stamp);
    match (mine.change, theirs.value) {
        (Change::Delete, None) => Merge::Unchanged,
        (Change::Delete, Some(cur)) => delete_live(mine.base, cur, policy.delete()),
        (Change::Put(value), None) => put_gone(value, mine.base, policy.delete()),
        (Change::Patch(patch), None) => patch_gone(patch, mine.base, policy.delete()),
        (change, Some(cur)) if saw(mine.base, cur) => replace(change, cur),
        (Change::Put(value), Some(cur)) => put_live(value, mine.base, policy, fields(cur)),
        (Change::Patch(patch), Some(cur)) => fields(cur).patch(patch),
    }
}

/// Whether the author saw what is stored, or content that equals it.
fn saw(base: Base<'_>, cur: &Value) -> bool {
    match base {
        Base::Current => true,
        Base::Value(base) => same(base, cur),
        Base::Absent | Base::Older => false,
    }
}

fn settled(value: Option<Value>, lost: Vec<Loss>) -> Merge {
    Merge::Merged { value, lost }
}

fn whole(side: Side, value: Option<&Value>) -> Loss {
    Loss { path: Pointer::root(), side, value: value.cloned() }
}

fn conflict_of_the_whole() -> Merge {
    Merge::Conflict { paths: vec![Pointer::root()] }
}

fn delete_live(base: Base<'_>, cur: &Value, policy: DeletePolicy) -> Merge {
    if saw(base, cur) {
        return settled(None, vec![]);
    }
    match policy {
        DeletePolicy::UpdateWins => settled(Some(cur.clone()), vec![whole(Side::Mine, None)]),
        DeletePolicy::DeleteWins => settled(None, vec![whole(Side::Theirs, Some(cur))]),
        DeletePolicy::Manual => conflict_of_the_whole(),
    }
}

fn put_gone(value: &Value, base: Base<'_>, policy: DeletePolicy) -> Merge {
    match base {
        Base::Current => return settled(Some(value.clone()), vec![]),
        Base::Value(base) if same(base, value) => return Merge::Unchanged,
        Base::Value(_) | Base::Absent | Base::Older => {}
    }
    match policy {
        DeletePolicy::UpdateWins => settled(Some(value.clone()), vec![whole(Side::Theirs, None)]),
        DeletePolicy::DeleteWins => settled(None, vec![whole(Side::Mine, Some(value))]),
        DeletePolicy::Manual => conflict_of_the_whole(),
    }
}

fn patch_gone(patch: &Patch, base: Base<'_>, policy: DeletePolicy) -> Merge {
    let of_current = matches!(base, Base::Current);
    let wanted: Vec<&PathEdit> = patch.edits().iter().filter(|edit| of_current || !edit.is_idle()).collect();
    if wanted.is_empty() {
        return Merge::Unchanged;
    }
    if of_current || policy != DeletePolicy::DeleteWins {
        return Merge::NeedsContent;
    }
    let loss = |edit: &PathEdit| Loss { path: edit.path.clone(), side: Side::Mine, value: edit.now.clone() };
    settled(None, wanted.into_iter().map(loss).collect())
}

fn replace(change: Change<'_>, cur: &Value) -> Merge {
    let value = match change {
        Change::Put(value) => Some(value.clone()),
        Change::Patch(patch) => patch.apply(Some(cur)),
        Change::Delete => None,
    };
    if value.as_ref().is_some_and(|value| same(value, cur)) {
        Merge::Unchanged
    } else {
        settled(value, vec![])
    }
}

fn put_live(value: &Value, base: Base<'_>, policy: &CollectionPolicy, fields: Fields<'_>) -> Merge {
    match base {
        Base::Value(base) => fields.patch(&policy.diff(Some(base), value)),
        Base::Absent => fields.patch(&policy.diff(None, value)),
        // Without the content there is nothing to compare with. (A current base has been answered before.)
        Base::Older | Base::Current => fields.replace(value),
    }
}
