//! The history of a disk: which commits took effect, as the simulation saw it happen.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::store::CommitInfo;
use crate::types::{Cursor, Seq, SpaceId, Tag};

/// The commits on one disk, from its beginning, those before a restore included.
#[derive(Debug, Default)]
pub(crate) struct History(Mutex<Known>);

#[derive(Clone, Debug, Default)]
struct Known {
    commits: BTreeMap<SpaceId, BTreeMap<Seq, Commit>>,
    settled: BTreeSet<String>,
}

#[derive(Clone, Debug)]
struct Commit {
    first: Seq,
    tag: Tag,
    /// What was written in it, also into conflicts.
    tokens: BTreeSet<String>,
    /// Whether the store told its caller.
    is_told: bool,
}

impl History {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same up to the heads that a copy of the disk has.
    pub(crate) fn up_to(&self, heads: &BTreeMap<SpaceId, Seq>) -> Self {
        let mut known = self.known().clone();
        for (space, commits) in &mut known.commits {
            let head = heads.get(space).copied().unwrap_or(Seq::ZERO);
            commits.retain(|last, _| *last <= head);
        }
        Self(Mutex::new(known))
    }

    /// These commits are on the disk now.
    pub(crate) fn took_effect(&self, space: &SpaceId, commits: &[CommitInfo], mut tokens: BTreeSet<String>) {
        let mut known = self.known();
        let of_space = known.commits.entry(space.clone()).or_default();
        for commit in commits {
            let tokens = std::mem::take(&mut tokens);
            let commit =
                (commit.last, Commit { first: commit.first, tag: commit.tag, tokens, is_told: false });
            of_space.insert(commit.0, commit.1);
        }
    }

    /// Everything that was ever written to a space.
    pub(crate) fn written(&self, space: &SpaceId) -> BTreeSet<String> {
        let known = self.known();
        let commits = known.commits.get(space).into_iter().flat_map(BTreeMap::values);
        commits.flat_map(|commit| commit.tokens.iter().cloned()).collect()
    }

    /// Whoever made these commits knows that they are on the disk.
    pub(crate) fn was_told(&self, space: &SpaceId, commits: &[CommitInfo]) {
        let mut known = self.known();
        let Some(of_space) = known.commits.get_mut(space) else { return };
        for commit in commits {
            if let Some(commit) = of_space.get_mut(&commit.last) {
                commit.is_told = true;
            }
        }
    }

    /// Whether the version was written by a commit on the disk, and whether whoever made that commit was told.
    pub(crate) fn commit_of(&self, space: &SpaceId, version: Seq) -> Option<bool> {
        let known = self.known();
        let (_, commit) = known.commits.get(space)?.range(version..).next()?;
        (commit.first <= version).then_some(commit.is_told)
    }

    /// Whether a cursor belongs to this history: its tag is the one of the commit that contains it.
    pub(crate) fn contains(&self, space: &SpaceId, cursor: &Cursor) -> bool {
        if cursor.seen == Seq::ZERO {
            return true;
        }
        let known = self.known();
        let commit = known.commits.get(space).and_then(|commits| commits.range(cursor.seen..).next());
        commit.is_some_and(|(_, commit)| commit.first <= cursor.seen && commit.tag == cursor.tag)
    }

    /// What the server kept as the side that a policy overruled. It may be collected later, and was told of.
    pub(crate) fn keep_settled(&self, tokens: BTreeSet<String>) {
        self.known().settled.extend(tokens);
    }

    pub(crate) fn settled(&self) -> BTreeSet<String> {
        self.known().settled.clone()
    }
}
