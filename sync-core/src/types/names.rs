//! Names and ids: text that was checked once, at the edge.
//!
//! All of them share their text, so a clone costs no allocation, and compare by bytes in every backend.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize};

use crate::types::TreeId;

/// Why a text is not a valid name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {what}: {why}")]
pub struct NameError {
    what: &'static str,
    why: &'static str,
}

impl NameError {
    /// For a kind of name that is not here.
    pub(crate) fn new(what: &'static str, why: &'static str) -> Self {
        Self { what, why }
    }

    /// Which kind of name was meant, for instance `space id`.
    pub fn what(&self) -> &'static str {
        self.what
    }
}

/// A checked text as a type of its own.
macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $check:path) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            #[doc = concat!("Takes a text that is a valid ", $what, ".\n\n# Errors\n\n[`NameError`](crate::NameError) says which rule the text breaks.")]
            pub fn new(text: impl AsRef<str>) -> Result<Self, $crate::types::NameError> {
                let text = text.as_ref();
                $check(text).map_err(|why| $crate::types::NameError::new($what, why))?;
                Ok(Self(std::sync::Arc::from(text)))
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::types::NameError;

            fn try_from(text: String) -> Result<Self, $crate::types::NameError> {
                Self::new(text)
            }
        }

        impl TryFrom<&str> for $name {
            type Error = $crate::types::NameError;

            fn try_from(text: &str) -> Result<Self, $crate::types::NameError> {
                Self::new(text)
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::types::NameError;

            fn from_str(text: &str) -> Result<Self, $crate::types::NameError> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.as_ref().to_owned()
            }
        }
    };
}
pub(super) use name;

name! {
    /// The name of a space, which may become a file name: 1 to 64 of `a-z 0-9 _ -`, starting with a letter or digit,
    /// and not a device name of Windows.
    ///
    /// ```
    /// use sync_core::SpaceId;
    /// assert!(SpaceId::new("family-7").is_ok());
    /// assert!(SpaceId::new("../platform").is_err());
    /// ```
    SpaceId, "space id", check_space_id
}

name! {
    /// The name of a collection: 1 to 128 of `A-Z a-z 0-9 _ . : -`, starting with a letter or digit. Names that start
    /// with `$` belong to the library ([`Collection::system`]); `sqlite_` is refused as well.
    Collection, "collection", check_collection
}

name! {
    /// The id of a record within its collection, minted by clients: 1 to 255 characters of any script, without control
    /// characters and without characters that change the direction of text. Compared by bytes, never normalised.
    RecordId, "record id", check_record_id
}

name! {
    /// The name of one replica of a space: 8 to 64 of `A-Z a-z 0-9 _ -`. It names the local copy, not the device.
    ClientId, "client id", check_client_id
}

name! {
    /// Who acts: the id of a user or device, as the server or the embedding app knows it. 1 to 128 visible ASCII
    /// characters.
    ActorId, "actor id", check_actor_id
}

name! {
    /// The id of a credential: 16 to 64 of `A-Z a-z 0-9 -`. It is no secret.
    CredentialId, "credential id", check_credential_id
}

impl Collection {
    /// The collection in which the library keeps conflicts; it is delivered by the feed like any other.
    pub const CONFLICTS: &'static str = "$conflicts";

    /// A collection of the library itself, whose name starts with `$`.
    ///
    /// # Panics
    ///
    /// When `name` is not `$` followed by letters, which only a constant of the library can get wrong.
    pub fn system(name: &'static str) -> Self {
        assert!(
            name.len() > 1 && name.starts_with('$') && name.bytes().skip(1).all(|b| b.is_ascii_lowercase())
        );
        Self(Arc::from(name))
    }

    /// What the names of the collections of trees begin with.
    pub(crate) const TREE_PREFIX: &'static str = "$tree:";

    /// The collection whose records are the ops of a tree.
    ///
    /// ```
    /// use sync_core::{Collection, TreeId};
    /// let tree = TreeId::new("outline")?;
    /// let collection = Collection::of_tree(&tree);
    /// assert_eq!(collection.as_str(), "$tree:outline");
    /// assert_eq!(collection.tree(), Some(tree));
    /// assert!(collection.is_delivered() && !collection.is_system());
    /// # Ok::<_, sync_core::NameError>(())
    /// ```
    pub fn of_tree(tree: &TreeId) -> Self {
        Self(Arc::from(format!("{}{tree}", Self::TREE_PREFIX)))
    }

    /// The tree whose ops are in this collection, if it is one of those.
    pub fn tree(&self) -> Option<TreeId> {
        TreeId::new(self.0.strip_prefix(Self::TREE_PREFIX)?).ok()
    }

    /// Whether the records of this collection are the ops of a tree.
    pub fn is_tree(&self) -> bool {
        self.0.starts_with(Self::TREE_PREFIX)
    }

    /// Whether this collection is the library's own books (conflicts, what a replica keeps for itself), which neither an
    /// application writes nor its trees.
    pub fn is_system(&self) -> bool {
        self.0.starts_with('$') && !self.is_tree()
    }

    /// Whether servers deliver records of this collection: the application's own, its trees, and the conflicts. All other
    /// names of the library are the books of one side.
    ///
    /// ```
    /// use sync_core::Collection;
    /// assert!(Collection::new("notes")?.is_delivered());
    /// assert!(Collection::system(Collection::CONFLICTS).is_delivered());
    /// assert!(!Collection::system("$books").is_delivered());
    /// # Ok::<_, sync_core::NameError>(())
    /// ```
    pub fn is_delivered(&self) -> bool {
        !self.is_system() || self.as_str() == Self::CONFLICTS
    }

    /// Reads a name back from a store, where names of the library are as good as any.
    ///
    /// # Errors
    ///
    /// [`NameError`] when the text is neither.
    pub fn from_stored(text: &str) -> Result<Self, NameError> {
        if let Some(tree) = text.strip_prefix(Self::TREE_PREFIX) {
            return TreeId::new(tree).map(|tree| Self::of_tree(&tree));
        }
        match text.strip_prefix('$') {
            Some(rest) if !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_lowercase()) => {
                Ok(Self(Arc::from(text)))
            }
            _ => Self::new(text),
        }
    }
}

/// What identifies a record within a space.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RecordKey {
    /// The collection the record is in.
    #[serde(deserialize_with = "stored_collection")]
    pub collection: Collection,
    /// Its id there.
    pub id: RecordId,
}

/// Keys are read back where conflicts have entries too, in the audit log above all; what clients send is read as text
/// and checked with [`Collection::new`].
fn stored_collection<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Collection, D::Error> {
    let text = String::deserialize(deserializer)?;
    Collection::from_stored(&text).map_err(serde::de::Error::custom)
}

/// Reads a choice of collections, where conflicts and trees are as good as any. Who may choose what is for others to say.
pub(crate) fn chosen_collections<'de, D, C>(deserializer: D) -> Result<Option<C>, D::Error>
where
    D: Deserializer<'de>,
    C: FromIterator<Collection>,
{
    let names = Option::<Vec<String>>::deserialize(deserializer)?;
    let name = |text: &String| Collection::from_stored(text).map_err(serde::de::Error::custom);
    names.map(|names| names.iter().map(name).collect()).transpose()
}

impl RecordKey {
    /// The key of record `id` in `collection`.
    pub fn new(collection: Collection, id: RecordId) -> Self {
        Self { collection, id }
    }
}

impl fmt::Display for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.collection, self.id)
    }
}

pub(super) type Check = Result<(), &'static str>;

/// The longest space id; with the ending of a file it stays far below what file systems allow.
const SPACE_ID_LENGTH_MAX: usize = 64;
/// The longest collection name: the longest a served client uses is 100.
const COLLECTION_LENGTH_MAX: usize = 128;
/// The longest record id in characters: at four bytes each it still fits the index entry of every backend.
const RECORD_ID_CHARS_MAX: usize = 255;

fn check_space_id(text: &str) -> Check {
    let allowed = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
    check_ascii(text, 1, SPACE_ID_LENGTH_MAX, allowed, "use 1 to 64 of a-z, 0-9, _ and -")?;
    if matches!(text.as_bytes().first(), Some(b'_' | b'-')) {
        return Err("it must start with a letter or digit");
    }
    if is_windows_device(text) { Err("it is a device name on some systems") } else { Ok(()) }
}

fn is_windows_device(text: &str) -> bool {
    let numbered = |prefix: &str| {
        text.strip_prefix(prefix).is_some_and(|n| n.len() == 1 && n.as_bytes().iter().all(u8::is_ascii_digit))
    };
    matches!(text, "con" | "prn" | "aux" | "nul") || numbered("com") || numbered("lpt")
}

fn check_collection(text: &str) -> Check {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b':' | b'-');
    check_ascii(text, 1, COLLECTION_LENGTH_MAX, allowed, "use 1 to 128 of A-Z, a-z, 0-9, _ . : and -")?;
    if !text.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric) {
        return Err("it must start with a letter or digit");
    }
    if text.starts_with("sqlite_") { Err("names starting with sqlite_ are reserved") } else { Ok(()) }
}

pub(super) fn check_record_id(text: &str) -> Check {
    if text.is_empty() {
        return Err("it is empty");
    }
    if text.len() > RECORD_ID_CHARS_MAX * 4 || text.chars().count() > RECORD_ID_CHARS_MAX {
        return Err("it is longer than 255 characters");
    }
    if text.bytes().all(|b| matches!(b, 0x20..=0x7e)) {
        return Ok(());
    }
    if text.chars().any(char::is_control) {
        return Err("it contains a control character");
    }
    if text.chars().any(changes_direction) {
        Err("it contains a character that changes text direction")
    } else {
        Ok(())
    }
}

/// Whether a character makes text look like other text.
pub(crate) fn changes_direction(c: char) -> bool {
    matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn check_client_id(text: &str) -> Check {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    check_ascii(text, 8, 64, allowed, "use 8 to 64 of A-Z, a-z, 0-9, _ and -")
}

fn check_credential_id(text: &str) -> Check {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    check_ascii(text, 16, 64, allowed, "use 16 to 64 of A-Z, a-z, 0-9 and -")
}

fn check_actor_id(text: &str) -> Check {
    check_ascii(text, 1, 128, |b| b.is_ascii_graphic(), "use 1 to 128 visible ASCII characters")
}

pub(super) fn check_ascii(
    text: &str,
    min: usize,
    max: usize,
    allowed: impl Fn(u8) -> bool,
    why: &'static str,
) -> Check {
    if (min..=max).contains(&text.len()) && text.bytes().all(allowed) { Ok(()) } else { Err(why) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn space_ids_that_could_leave_their_folder_are_refused() {
        let bad = [
            "",
            ".",
            "..",
            "../../platform",
            "%2e%2e%2f",
            "..%5c",
            "/etc",
            "a1/../b2",
            "a\0b",
            "a.",
            "a ",
            "con",
            "nul",
            "com1",
            "A-B",
            "{a}",
            "urn:uuid:1",
            "\u{ff11}",
            "😀",
            "_a",
            "-a",
            "ä",
        ];
        for text in bad {
            assert!(SpaceId::new(text).is_err(), "{text:?} was accepted");
        }
        assert!(SpaceId::new("a".repeat(65)).is_err());
        for text in ["a", "7", "0f9c", "family_2-b", "console", "com10"] {
            assert!(SpaceId::new(text).is_ok(), "{text:?} was refused");
        }
    }

    #[test]
    fn record_ids_take_any_script_but_no_control_characters() {
        for text in ["1", "übung", "日本語", "a b", "'; DROP TABLE x", "%_\\$1?1", "עברית"] {
            assert!(RecordId::new(text).is_ok(), "{text:?} was refused");
        }
        for text in ["", "a\0", "a\n", "a\u{202e}b", "\u{85}", "\u{200f}x"] {
            assert!(RecordId::new(text).is_err(), "{text:?} was accepted");
        }
        assert!(RecordId::new("é".repeat(255)).is_ok());
        assert!(RecordId::new("é".repeat(256)).is_err());
    }

    #[test]
    fn names_of_the_library_cannot_be_taken_by_an_application() {
        assert!(Collection::new("$conflicts").is_err());
        assert!(Collection::new("sqlite_master").is_err());
        assert!(Collection::new("../x").is_err());
        assert!(Collection::from_stored("$conflicts").is_ok_and(|c| c.is_system()));
        assert!(Collection::from_stored("$Bad name").is_err());
        assert!(Collection::new("memories").is_ok_and(|c| !c.is_system()));
    }

    #[test]
    fn the_key_of_a_conflict_reads_back_as_it_was_written() {
        let id = RecordId::new("c1").unwrap();
        let key = RecordKey::new(Collection::system(Collection::CONFLICTS), id);
        let text = serde_json::to_string(&key).unwrap();
        assert_eq!(serde_json::from_str::<RecordKey>(&text).unwrap(), key);
    }
}
