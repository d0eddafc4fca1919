//! What an application decides about concurrent changes: policies per collection, rules per path.

use std::collections::BTreeMap;
use std::fmt;
use std::iter::successors;
use std::ops::Bound;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::patch::{Patch, diff_stopping_at};
use super::pointer::Pointer;

/// How concurrent changes to the records of one collection are merged.
///
/// The default merges field by field, leaves fields that clash to a person, and lets an update win over a delete.
/// The longest path in the rules that is a prefix of a changed path decides about it. Server and replicas must use
/// the same policy, or they predict different results (the server's counts).
///
/// ```
/// use sync_core::merge::{Clash, CollectionPolicy, DeletePolicy, PathRule, UpdatePolicy};
///
/// let policy = CollectionPolicy::default()
///     .with_update(UpdatePolicy::Fields(Clash::LastWriteWins))
///     .with_delete(DeletePolicy::Manual)
///     .with_rule("/times_read".parse()?, PathRule::Counter)
///     .with_rule("/tags".parse()?, PathRule::Set);
/// assert_eq!(serde_json::to_value(&policy)?["paths"]["/tags"], "set");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CollectionPolicy {
    update: UpdatePolicy,
    delete: DeletePolicy,
    paths: BTreeMap<Pointer, PathRule>,
}

/// What a concurrent update of the same record means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpdatePolicy {
    /// Any two concurrent updates clash, whatever they touch.
    Whole(Clash),
    /// Only updates of the same path clash; all others are kept from both sides. Written `merge`.
    #[serde(rename = "merge")]
    Fields(Clash),
}

impl Default for UpdatePolicy {
    fn default() -> Self {
        Self::Fields(Clash::Manual)
    }
}

/// Who wins where two changes cannot both be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Clash {
    /// Nobody: a person decides, and what is stored stays until then.
    Manual,
    /// What is stored already.
    ServerWins,
    /// What arrives.
    ClientWins,
    /// The later stamp. Stamps belong to whole records: what is stored counts as written when its record last changed.
    LastWriteWins,
}

/// What happens when a delete meets an update, whichever comes first, or a create meets a deleted record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeletePolicy {
    /// The record lives, with the update.
    #[default]
    UpdateWins,
    /// The record is deleted.
    DeleteWins,
    /// A person decides.
    Manual,
}

/// A rule for one path, which overrides the collection's policy there.
///
/// The value rules (all but `Clash`) hold for exactly their path; a change below it, which only a hand-written patch
/// contains, is up to the collection's policy. They combine both sides, so that nobody loses. Where they cannot
/// (text in a counter, a sum too large) the path is a conflict.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PathRule {
    /// Of two numbers that clash, the larger.
    Max,
    /// Of two numbers that clash, the smaller.
    Min,
    /// A number to which every side's difference is added, also when both arrived at the same number.
    /// Whole numbers are exact. Sums of fractions depend on the order of arrival in their last digits.
    Counter,
    /// An array without order or duplicates, to which every side's additions and removals are applied.
    Set,
    /// A value that the application merges. Cannot be written down: it exists only in code.
    #[serde(skip)]
    Custom(Arc<dyn Resolver>),
    /// Who wins when changes of this path, or below it, clash. Written as the name of the winner.
    #[serde(untagged)]
    Clash(Clash),
}

/// Merges the values of one path on behalf of the application.
///
/// It must be a pure function: the server and every replica call it, on their own, and expect the same answer.
pub trait Resolver: Send + Sync {
    /// The merged value, or `None` if a person has to decide.
    ///
    /// Called only where both sides changed the value and disagree; absent means "nothing there". A panic is
    /// caught and counts as `None`: no failure here can lose a write.
    fn resolve(
        &self,
        path: &Pointer,
        base: Option<&Value>,
        mine: Option<&Value>,
        theirs: Option<&Value>,
    ) -> Option<Value>;
}

impl fmt::Debug for PathRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Max => f.write_str("Max"),
            Self::Min => f.write_str("Min"),
            Self::Counter => f.write_str("Counter"),
            Self::Set => f.write_str("Set"),
            Self::Custom(_) => f.write_str("Custom"),
            Self::Clash(clash) => f.debug_tuple("Clash").field(clash).finish(),
        }
    }
}

impl CollectionPolicy {
    /// Sets what concurrent updates mean.
    #[must_use]
    pub fn with_update(mut self, update: UpdatePolicy) -> Self {
        self.update = update;
        self
    }

    /// Sets what happens between deletes and updates.
    #[must_use]
    pub fn with_delete(mut self, delete: DeletePolicy) -> Self {
        self.delete = delete;
        self
    }

    /// Sets the rule of a path, in place of any earlier rule of the same path.
    #[must_use]
    pub fn with_rule(mut self, path: Pointer, rule: PathRule) -> Self {
        self.paths.insert(path, rule);
        self
    }

    /// What concurrent updates mean.
    pub fn update(&self) -> UpdatePolicy {
        self.update
    }

    /// What happens between deletes and updates.
    pub fn delete(&self) -> DeletePolicy {
        self.delete
    }

    /// The rules of single paths, ordered by path.
    pub fn rules(&self) -> impl Iterator<Item = (&Pointer, &PathRule)> {
        self.paths.iter()
    }

    /// [`diff`](super::diff()) that keeps the values of value rules whole, so that each reaches its rule.
    ///
    /// Replicas should build their patches with this: it matters where a `Custom` value is an object.
    pub fn diff(&self, base: Option<&Value>, mine: &Value) -> Patch {
        diff_stopping_at(base, mine, &|path| self.value_rule(path).is_some())
    }

    /// The value rule of exactly this path.
    pub(super) fn value_rule(&self, path: &Pointer) -> Option<&PathRule> {
        self.paths.get(path).filter(|rule| !matches!(rule, PathRule::Clash(_)))
    }

    /// Whether some path strictly below this one has a rule.
    pub(super) fn has_rules_below(&self, path: &Pointer) -> bool {
        // Everything below a path follows it directly in the order of pointers.
        let next = self.paths.range((Bound::Excluded(path), Bound::Unbounded)).next();
        next.is_some_and(|(rule_path, _)| path.is_prefix_of(rule_path))
    }

    /// Whether changes of this path clash with any concurrent change of the record, wherever it is.
    pub(super) fn clashes_as_a_whole(&self, path: &Pointer) -> bool {
        matches!(self.update, UpdatePolicy::Whole(_)) && self.own_clash(path).is_none()
    }

    /// Who wins where changes of this path clash.
    pub(super) fn winner(&self, path: &Pointer) -> Clash {
        let (UpdatePolicy::Whole(clash) | UpdatePolicy::Fields(clash)) = self.update;
        self.own_clash(path).unwrap_or(clash)
    }

    /// The winner that a rule at or above this path names, if the nearest rule there names one.
    fn own_clash(&self, path: &Pointer) -> Option<Clash> {
        let mut ancestors = successors(Some(path.clone()), Pointer::parent);
        match ancestors.find_map(|ancestor| self.paths.get(&ancestor))? {
            PathRule::Clash(clash) => Some(*clash),
            _ => None,
        }
    }
}
