//! Names of trees, of those who edit them, and of what is in them.

use crate::types::names::{Check, check_ascii, check_record_id, name};

name! {
    /// The name of a tree within its space: 1 to 100 of `A-Z a-z 0-9 _ . -`, starting with a letter or digit. Clients of
    /// the RepTree library use the id of the tree's root vertex.
    ///
    /// ```
    /// use sync_core::TreeId;
    /// assert!(TreeId::new("outline").is_ok());
    /// assert!(TreeId::new("a/b").is_err());
    /// ```
    TreeId, "tree id", check_tree_id
}

name! {
    /// Who numbers the ops of a tree: 1 to 64 of `0-9 a-f -`, one for each replica that edits. Ops with the same clock are
    /// ordered by the bytes of this id; of these characters alone every JavaScript client has the same order.
    PeerId, "peer id", check_peer_id
}

name! {
    /// The id of a vertex, minted by whoever creates it: 1 to 255 characters of any script, as a
    /// [`RecordId`](crate::RecordId).
    VertexId, "vertex id", check_record_id
}

name! {
    /// The key of a property of a vertex: at most 255 characters of any script without control characters. The empty key is
    /// a key.
    PropertyKey, "property key", check_property_key
}

impl VertexId {
    /// The vertex under which deleted vertices are: `0`.
    pub const TRASH: &'static str = "0";

    /// The vertex under which deleted vertices are.
    pub fn trash() -> Self {
        Self::new(Self::TRASH).expect("it is one digit")
    }
}

/// The longest name of a tree: with what the library puts before it, it stays below the longest name of a collection.
const TREE_ID_LENGTH_MAX: usize = 100;

fn check_tree_id(text: &str) -> Check {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
    check_ascii(text, 1, TREE_ID_LENGTH_MAX, allowed, "use 1 to 100 of A-Z, a-z, 0-9, _ . and -")?;
    let starts_well = text.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric);
    if starts_well { Ok(()) } else { Err("it must start with a letter or digit") }
}

fn check_peer_id(text: &str) -> Check {
    let allowed = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f' | b'-');
    check_ascii(text, 1, 64, allowed, "use 1 to 64 of 0-9, a-f and -")
}

fn check_property_key(text: &str) -> Check {
    if text.is_empty() { Ok(()) } else { check_record_id(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_a_tree_is_fit_for_a_path_and_for_a_collection() {
        for text in ["", ".", "-a", "a/b", "a:b", "$a", "ä", "a b"] {
            assert!(TreeId::new(text).is_err(), "{text:?} was accepted");
        }
        for text in ["a", "7", "0f9C_x.y-z", &"a".repeat(100)] {
            let tree = TreeId::new(text).unwrap();
            let collection = crate::Collection::of_tree(&tree);
            assert_eq!(crate::Collection::from_stored(collection.as_str()).unwrap(), collection);
            assert!(crate::Collection::new(collection.as_str()).is_err(), "applications cannot name it");
        }
        assert!(TreeId::new("a".repeat(101)).is_err());
    }

    #[test]
    fn peers_are_named_so_that_all_languages_order_them_alike() {
        for text in ["", "A", "g", "a_b", "é", &"a".repeat(65)] {
            assert!(PeerId::new(text).is_err(), "{text:?} was accepted");
        }
        for text in ["0", "-", "9f", "123e4567-e89b-12d3-a456-426614174000"] {
            assert!(PeerId::new(text).is_ok(), "{text:?} was refused");
        }
    }

    #[test]
    fn a_property_key_may_be_empty_but_holds_no_control_characters() {
        for text in ["", "name", "a@b", "\"q\"", "日本"] {
            assert!(PropertyKey::new(text).is_ok(), "{text:?} was refused");
        }
        for text in ["a\0", "a\u{1f}b", "a\n"] {
            assert!(PropertyKey::new(text).is_err(), "{text:?} was accepted");
        }
    }
}
