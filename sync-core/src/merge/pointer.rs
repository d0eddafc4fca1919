//! Paths into a record, written as JSON Pointers (RFC 6901).
//!
//! A pointer here names object members only: arrays are atomic to the merge, so a token that looks like an index
//! is just a member name. Changing what a pointer leads to belongs to `patch`.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How many tokens a pointer may have: records nest at most this deep, so a longer path cannot name anything,
/// and code that recurses along a path stays bounded.
pub const POINTER_DEPTH_MAX: usize = 32;

/// A valid JSON Pointer of at most [`POINTER_DEPTH_MAX`] tokens.
///
/// The empty pointer is the record itself. Pointers order by their tokens, so a pointer comes directly before
/// everything below it. There is one spelling per path: equal pointers are equal strings.
///
/// ```
/// use sync_core::merge::Pointer;
///
/// let size: Pointer = "/pages/1~12".parse()?;
/// assert_eq!(size.tokens().collect::<Vec<_>>(), ["pages", "1/2"]);
/// assert_eq!(Pointer::root().child("pages").child("1/2"), size);
/// assert!("pages".parse::<Pointer>().is_err());
/// # Ok::<(), sync_core::merge::PointerError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pointer(String);

/// Why a text is not a [`Pointer`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PointerError {
    /// It is not empty and does not start with a slash.
    #[error("cannot read a json pointer that does not start with '/'")]
    NoSlash,
    /// A tilde is followed by something other than 0 or 1.
    #[error("cannot read a json pointer where '~' is not followed by 0 or 1")]
    BadEscape,
    /// It contains U+0000, which no stored text may hold.
    #[error("cannot read a json pointer that contains U+0000")]
    Nul,
    /// It has more than [`POINTER_DEPTH_MAX`] tokens.
    #[error("cannot read a json pointer of more than {POINTER_DEPTH_MAX} tokens")]
    TooDeep,
}

impl Pointer {
    /// The pointer to the record itself.
    pub fn root() -> Self {
        Self::default()
    }

    /// Reads a pointer from its text.
    ///
    /// # Errors
    ///
    /// See [`PointerError`]; each names the rule that the text breaks.
    pub fn parse(text: impl Into<String>) -> Result<Self, PointerError> {
        let text = text.into();
        if !text.is_empty() && !text.starts_with('/') {
            return Err(PointerError::NoSlash);
        }
        if text.contains('\0') {
            return Err(PointerError::Nul);
        }
        if text.split('~').skip(1).any(|rest| !rest.starts_with(['0', '1'])) {
            return Err(PointerError::BadEscape);
        }
        let pointer = Self(text);
        if pointer.depth() > POINTER_DEPTH_MAX { Err(PointerError::TooDeep) } else { Ok(pointer) }
    }

    /// The text of the pointer, with its escapes.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the record itself.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// How many tokens it has.
    pub fn depth(&self) -> usize {
        self.0.bytes().filter(|&byte| byte == b'/').count()
    }

    /// The member names from the record downwards, without escapes.
    pub fn tokens(&self) -> impl Iterator<Item = Cow<'_, str>> {
        self.0.split('/').skip(1).map(unescape)
    }

    /// Whether `other` is this path or lies below it.
    pub fn is_prefix_of(&self, other: &Self) -> bool {
        other.0.strip_prefix(&self.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The path of the member `name` of what this points to. Names are taken literally and escaped as needed.
    ///
    /// The depth is not checked here: callers descend through values whose depth is bounded.
    pub fn child(&self, name: &str) -> Self {
        Self(format!("{}/{}", self.0, name.replace('~', "~0").replace('/', "~1")))
    }

    /// What is there in a record, if anything is.
    ///
    /// ```
    /// use serde_json::json;
    /// use sync_core::merge::Pointer;
    ///
    /// let size: Pointer = "/pages/all".parse()?;
    /// assert_eq!(size.find(&json!({"pages": {"all": 412}})), Some(&json!(412)));
    /// assert_eq!(size.find(&json!({"pages": 412})), None);
    /// # Ok::<(), sync_core::merge::PointerError>(())
    /// ```
    pub fn find<'a>(&self, record: &'a Value) -> Option<&'a Value> {
        self.tokens().try_fold(record, |value, name| value.as_object()?.get(&*name))
    }

    /// The path one token up, or `None` for the record itself.
    pub fn parent(&self) -> Option<Self> {
        self.0.rfind('/').map(|end| Self(self.0[..end].to_owned()))
    }
}

fn unescape(token: &str) -> Cow<'_, str> {
    if token.contains('~') { token.replace("~1", "/").replace("~0", "~").into() } else { token.into() }
}

impl Ord for Pointer {
    fn cmp(&self, other: &Self) -> Ordering {
        self.tokens().cmp(other.tokens())
    }
}

impl PartialOrd for Pointer {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Pointer {
    type Err = PointerError;

    fn from_str(text: &str) -> Result<Self, PointerError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Pointer {
    type Error = PointerError;

    fn try_from(text: String) -> Result<Self, PointerError> {
        Self::parse(text)
    }
}

impl From<Pointer> for String {
    fn from(pointer: Pointer) -> Self {
        pointer.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointer(text: &str) -> Pointer {
        text.parse().unwrap()
    }

    #[test]
    fn pointers_follow_the_standard() {
        let deepest = "/a".repeat(POINTER_DEPTH_MAX);
        for (text, expected) in [
            ("", Ok(vec![])),
            ("/", Ok(vec![""])),
            ("/a//b", Ok(vec!["a", "", "b"])),
            ("/~01/~1", Ok(vec!["~1", "/"])),
            ("a", Err(PointerError::NoSlash)),
            ("/~", Err(PointerError::BadEscape)),
            ("/~2", Err(PointerError::BadEscape)),
            ("/~~0", Err(PointerError::BadEscape)),
            ("/\0", Err(PointerError::Nul)),
            (&format!("{deepest}/a"), Err(PointerError::TooDeep)),
        ] {
            let parsed = Pointer::parse(text);
            let tokens = parsed.map(|pointer| pointer.tokens().map(String::from).collect::<Vec<_>>());
            assert_eq!(
                tokens,
                expected.map(|tokens| tokens.into_iter().map(String::from).collect()),
                "{text}"
            );
        }
        assert!(Pointer::parse(deepest).is_ok());
    }

    #[test]
    fn a_pointer_comes_directly_before_what_is_below_it() {
        let sorted = ["", "/", "/a", "/a/b", "/a/b/c", "/a-b", "/ab"].map(pointer);
        assert!(sorted.is_sorted());
        assert!(sorted[2].is_prefix_of(&sorted[3]) && sorted[2].is_prefix_of(&sorted[2]));
        assert!(!sorted[2].is_prefix_of(&sorted[5]) && !sorted[3].is_prefix_of(&sorted[2]));
        assert_eq!((sorted[4].parent(), sorted[0].parent()), (Some(sorted[3].clone()), None));
    }
}
