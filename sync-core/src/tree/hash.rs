//! One number by which two copies of a tree are compared.

use std::fmt;

use crate::tree::report::Place;
use crate::tree::state::TreeState;

/// The hash of all that can be seen of a tree: BLAKE3 over every vertex by the bytes of its id, with its place and its
/// properties by the bytes of their keys, each text led by its length as eight bytes, little endian.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TreeHash([u8; 32]);

impl fmt::Display for TreeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for TreeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

pub(super) fn hash(tree: &TreeState) -> TreeHash {
    let mut hasher = blake3::Hasher::new();
    let mut vertices: Vec<_> =
        tree.vertices.iter().enumerate().map(|(vertex, name)| (name, vertex as u32)).collect();
    vertices.sort_unstable();
    for (name, vertex) in vertices {
        if !tree.exists[vertex as usize] {
            continue;
        }
        add(&mut hasher, name.as_str());
        match tree.place_of(tree.shape.parent(vertex)) {
            Some(Place::Under(parent)) => add(&mut hasher, parent.as_str()),
            // No vertex has an empty name, nor one of this length.
            Some(Place::Top) => add(&mut hasher, ""),
            None => drop(hasher.update(&u64::MAX.to_le_bytes())),
        }
        let properties = tree.properties_of(vertex);
        hasher.update(&(properties.len() as u64).to_le_bytes());
        for (key, value) in properties {
            add(&mut hasher, key.as_str());
            add(&mut hasher, value.as_str());
        }
    }
    TreeHash(*hasher.finalize().as_bytes())
}

fn add(hasher: &mut blake3::Hasher, text: &str) {
    hasher.update(&(text.len() as u64).to_le_bytes());
    hasher.update(text.as_bytes());
}
