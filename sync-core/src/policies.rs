//! Which merge policy holds for which collection.

use std::collections::BTreeMap;

use crate::merge::{Clash, CollectionPolicy, DeletePolicy, UpdatePolicy};
use crate::types::Collection;

/// The merge policies of an application. A server and its replicas must use the same ones.
///
/// ```
/// use sync_core::merge::{Clash, CollectionPolicy, UpdatePolicy};
/// use sync_core::{Collection, Policies};
/// let notes = Collection::new("notes")?;
/// let policies = Policies::default()
///     .with(notes.clone(), CollectionPolicy::default().with_update(UpdatePolicy::Whole(Clash::Manual)));
/// assert_eq!(policies.of(&notes).update(), UpdatePolicy::Whole(Clash::Manual));
/// # Ok::<_, sync_core::NameError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Policies {
    fallback: CollectionPolicy,
    named: BTreeMap<Collection, CollectionPolicy>,
    system: CollectionPolicy,
}

impl Default for Policies {
    fn default() -> Self {
        Self::with_fallback(CollectionPolicy::default())
    }
}

impl Policies {
    /// Policies that treat every collection alike.
    pub fn with_fallback(fallback: CollectionPolicy) -> Self {
        // A conflict that two people dismiss at once is simply gone.
        let system = CollectionPolicy::default()
            .with_update(UpdatePolicy::Whole(Clash::ClientWins))
            .with_delete(DeletePolicy::DeleteWins);
        Self { fallback, named: BTreeMap::new(), system }
    }

    /// Sets the policy of one collection.
    #[must_use]
    pub fn with(mut self, collection: Collection, policy: CollectionPolicy) -> Self {
        self.named.insert(collection, policy);
        self
    }

    /// The policy of a collection.
    pub fn of(&self, collection: &Collection) -> &CollectionPolicy {
        if collection.is_system() {
            return &self.system;
        }
        self.named.get(collection).unwrap_or(&self.fallback)
    }
}
