//! The difference between two versions of a record, and putting it onto another one.
//!
//! A patch says for every path what was there and what should be, so it can be merged by someone who has never seen
//! the version it was made from. [`diff`] makes one, [`Patch::apply`] puts it in place without asking; deciding
//! about changes in between belongs to [`merge`](super::merge()).

use std::collections::BTreeSet;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::pointer::{POINTER_DEPTH_MAX, Pointer};
use super::values::same_option;

/// How many paths a patch may touch: far above what people edit at once, and small enough that a patch is never much
/// more work than a whole record.
pub const PATCH_PATHS_MAX: usize = 1_000;

/// One path of a [`Patch`]: what its author saw there, and what they want there.
///
/// `None` is "nothing there", written by leaving the field out; it is not JSON null.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PathEdit {
    /// Where.
    pub path: Pointer,
    /// What was there.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub was: Option<Value>,
    /// What should be there.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub now: Option<Value>,
}

/// Reads a field that is there, so that JSON null stays a value and only a missing field is `None`.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl PathEdit {
    /// Whether, by its author's own account, nothing changes.
    pub(super) fn is_idle(&self) -> bool {
        same_option(self.was.as_ref(), self.now.as_ref())
    }
}

/// Edits of at most [`PATCH_PATHS_MAX`] paths of one record, none of them above another, ordered by path.
///
/// ```
/// use serde_json::json;
/// use sync_core::merge::{Patch, diff};
///
/// let base = json!({"title": "Dune", "pages": {"read": 10, "all": 412}});
/// let mine = json!({"title": "Dune", "pages": {"read": 25, "all": 412}});
/// let patch = diff(Some(&base), &mine);
/// assert_eq!(serde_json::to_value(&patch)?, json!([{"path": "/pages/read", "was": 10, "now": 25}]));
/// assert_eq!(patch.apply(Some(&base)), Some(mine));
/// assert!(serde_json::from_value::<Patch>(json!([{"path": "/a", "now": 1}, {"path": "/a/b", "now": 2}])).is_err());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<PathEdit>")]
pub struct Patch(Vec<PathEdit>);

/// Why edits do not make a [`Patch`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatchError {
    /// There are more than [`PATCH_PATHS_MAX`].
    #[error("cannot build a patch of {0} paths: at most {PATCH_PATHS_MAX} are allowed")]
    TooManyPaths(usize),
    /// Two edits have the same path, or one lies below the other.
    #[error("cannot build a patch that edits both '{0}' and '{1}': the paths overlap")]
    Overlap(Pointer, Pointer),
    /// The edit of the record itself has no `now`: deleting is a mutation of its own, with its own policy.
    #[error("cannot build a patch that removes the whole record")]
    RemovesRecord,
}

impl Patch {
    /// Puts edits together, in any order.
    ///
    /// # Errors
    ///
    /// See [`PatchError`].
    pub fn new(mut edits: Vec<PathEdit>) -> Result<Self, PatchError> {
        if edits.len() > PATCH_PATHS_MAX {
            return Err(PatchError::TooManyPaths(edits.len()));
        }
        edits.sort_by(|a, b| a.path.cmp(&b.path));
        // In this order a path comes directly before what is below it, so neighbours are all there is to compare.
        if let Some([above, below]) = edits.array_windows().find(|[a, b]| a.path.is_prefix_of(&b.path)) {
            return Err(PatchError::Overlap(above.path.clone(), below.path.clone()));
        }
        if edits.iter().any(|edit| edit.path.is_root() && edit.now.is_none()) {
            return Err(PatchError::RemovesRecord);
        }
        Ok(Self(edits))
    }

    /// The edits, ordered by path.
    pub fn edits(&self) -> &[PathEdit] {
        &self.0
    }

    /// Whether there are no edits.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value after the edits, whatever was there: `was` is not looked at.
    ///
    /// Missing parents are created, and a parent that is not an object is replaced by one. Removing what is not
    /// there changes nothing. `None` only when the patch is empty or only removes, and there was nothing.
    pub fn apply(&self, to: Option<&Value>) -> Option<Value> {
        let mut result = to.cloned();
        for edit in &self.0 {
            set(&mut result, &edit.path, edit.now.clone());
        }
        result
    }
}

impl TryFrom<Vec<PathEdit>> for Patch {
    type Error = PatchError;

    fn try_from(edits: Vec<PathEdit>) -> Result<Self, PatchError> {
        Self::new(edits)
    }
}

/// The patch that leads from `base` to `mine`; absent is "no record yet".
///
/// Objects are compared member by member, everything else as a whole: an array is one value. Where there is no base,
/// each member of an object is a path of its own, so that two devices that create the same record merge.
/// What lies below a path of more than 1 KiB is compared as a whole. A difference of more than [`PATCH_PATHS_MAX`] paths becomes one edit of the whole record. That merges alike: it is
/// taken apart where needed, only that where a whole object has vanished meanwhile, the clash is at that object.
pub fn diff(base: Option<&Value>, mine: &Value) -> Patch {
    diff_stopping_at(base, mine, &|_| false)
}

/// [`diff`], where values at paths that `is_atomic` names are compared as a whole although they are objects.
pub(super) fn diff_stopping_at(
    base: Option<&Value>,
    mine: &Value,
    is_atomic: &dyn Fn(&Pointer) -> bool,
) -> Patch {
    let nothing = Value::Object(Map::new());
    let creates_members = base.is_none() && mine.as_object().is_some_and(|members| !members.is_empty());
    let was = if creates_members && !is_atomic(&Pointer::root()) { Some(&nothing) } else { base };
    let mut edits = Vec::new();
    collect(Pointer::root(), was, Some(mine), is_atomic, &mut edits);
    if edits.len() > PATCH_PATHS_MAX {
        edits = vec![PathEdit { path: Pointer::root(), was: base.cloned(), now: Some(mine.clone()) }];
    }
    Patch(edits)
}

fn collect(
    path: Pointer,
    was: Option<&Value>,
    now: Option<&Value>,
    is_atomic: &dyn Fn(&Pointer) -> bool,
    edits: &mut Vec<PathEdit>,
) {
    // One edit too many is enough to know that the patch will be of the whole record.
    if edits.len() > PATCH_PATHS_MAX || same_option(was, now) {
        return;
    }
    match (was, now) {
        (Some(Value::Object(a)), Some(Value::Object(b))) if may_descend(&path) && !is_atomic(&path) => {
            for name in member_names(a, b) {
                collect(path.child(name), a.get(name), b.get(name), is_atomic, edits);
            }
        }
        _ => edits.push(PathEdit { path, was: was.cloned(), now: now.cloned() }),
    }
}

/// Bytes of a path below which nothing is taken apart any more. Each member repeats the path above it, so with long
/// names a small record could otherwise become a very large patch.
const DESCEND_BYTES_MAX: usize = 1024;

/// Whether the members of what is at this path are looked at one by one: they can still be named by a pointer, at a
/// reasonable price.
pub(super) fn may_descend(path: &Pointer) -> bool {
    path.depth() < POINTER_DEPTH_MAX && path.as_str().len() <= DESCEND_BYTES_MAX
}

/// The names in either of two objects, sorted.
pub(super) fn member_names<'a>(a: &'a Map<String, Value>, b: &'a Map<String, Value>) -> BTreeSet<&'a str> {
    a.keys().chain(b.keys()).map(String::as_str).collect()
}

/// Puts `now` at `path`, whatever is in the way.
pub(super) fn set(root: &mut Option<Value>, path: &Pointer, now: Option<Value>) {
    let Some(now) = now else { return remove(root, path) };
    let mut at = root.get_or_insert_with(|| Value::Object(Map::new()));
    for name in path.tokens() {
        if !at.is_object() {
            *at = Value::Object(Map::new());
        }
        let members = at.as_object_mut().expect("made an object one line above");
        at = members.entry(name).or_insert(Value::Null);
    }
    *at = now;
}

fn remove(root: &mut Option<Value>, path: &Pointer) {
    let Some(parent) = path.parent() else { return *root = None };
    let object =
        parent.tokens().try_fold(root.as_mut(), |at, name| Some(at?.as_object_mut()?.get_mut(&*name)));
    if let (Some(Some(Value::Object(members))), Some(name)) = (object, path.tokens().last()) {
        members.remove(&*name);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pointer(text: &str) -> Pointer {
        text.parse().unwrap()
    }

    #[test]
    fn a_patch_refuses_overlap_excess_and_removal_of_the_record() {
        let edit = |path: &str| PathEdit { path: pointer(path), was: None, now: Some(json!(1)) };
        let of = |paths: &[&str]| Patch::new(paths.iter().map(|path| edit(path)).collect());
        assert!(of(&["/b", "/a/b", "/a-b"]).is_ok());
        assert_eq!(of(&["/a/b", "/a-b", "/a"]), Err(PatchError::Overlap(pointer("/a"), pointer("/a/b"))));
        assert_eq!(of(&["/a", "/a"]), Err(PatchError::Overlap(pointer("/a"), pointer("/a"))));
        assert_eq!(of(&["", "/a"]), Err(PatchError::Overlap(pointer(""), pointer("/a"))));
        let many: Vec<PathEdit> = (0..=PATCH_PATHS_MAX).map(|idx| edit(&format!("/{idx}"))).collect();
        assert!(Patch::new(many[1..].to_vec()).is_ok());
        assert_eq!(Patch::new(many), Err(PatchError::TooManyPaths(PATCH_PATHS_MAX + 1)));
        let removal = PathEdit { path: Pointer::root(), was: Some(json!(1)), now: None };
        assert_eq!(Patch::new(vec![removal]), Err(PatchError::RemovesRecord));
    }

    #[test]
    fn on_the_wire_a_missing_field_is_absent_and_null_is_null() {
        let edit = |was: Option<Value>, now| PathEdit { path: pointer("/a"), was, now };
        for (edit, text) in [
            (edit(None, Some(json!(null))), r#"[{"path":"/a","now":null}]"#),
            (edit(Some(json!(null)), None), r#"[{"path":"/a","was":null}]"#),
        ] {
            let patch = Patch::new(vec![edit]).unwrap();
            assert_eq!(serde_json::to_string(&patch).unwrap(), text);
            assert_eq!(serde_json::from_str::<Patch>(text).unwrap(), patch);
        }
        for text in [r#"[{"path":"a"}]"#, r#"[{"now":1}]"#, r#"[{"path":"/a","new":1}]"#, r#"[{"path":""}]"#]
        {
            assert!(serde_json::from_str::<Patch>(text).is_err(), "{text}");
        }
    }
}
