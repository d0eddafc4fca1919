//! What is found for many who ask at once.

use crate::accounts::{Credential, Role};

/// The most credentials, and the most roles, that are looked up at once. 256: more requests than that at one moment wait
/// for something else, and the text of a statement stays small.
pub const LOOK_UP_MAX: usize = 256;

/// What was found, in the order in which it was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LookedUp {
    /// The credentials that are there.
    pub credentials: Vec<Option<Credential>>,
    /// The roles that were given.
    pub roles: Vec<Option<Role>>,
}
