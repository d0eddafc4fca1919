//! Merging edits onto a record that changed meanwhile, path by path.
//!
//! ```text
//! for each edit (was -> now) of mine, with cur = what theirs has at that path:
//!
//!   was = now                                 I changed nothing: theirs stays
//!   the path has a value rule                 the rule combines was, now and cur
//!   cur = now                                 done already
//!   cur = was                                 mine is taken (not where any update clashes as a whole)
//!   now and cur are objects, was too or none  the same again for each member
//!   else                                      a clash: someone wins, or a person decides
//! ```
//!
//! Edits are judged against theirs as it is, never against each other's results: their paths do not overlap.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::{Map, Value};

use super::patch::{Patch, PathEdit, may_descend, member_names, set};
use super::pointer::Pointer;
use super::policy::{Clash, CollectionPolicy, PathRule, Resolver};
use super::values::{add_difference, choose, merge_sets, same, same_option};
use super::{Loss, Merge, Side};

/// A merge under way: theirs and the rules on one side, what came of the edits so far on the other.
pub(super) struct Fields<'a> {
    theirs: &'a Value,
    policy: &'a CollectionPolicy,
    mine_is_later: bool,
    taken: Vec<(Pointer, Option<Value>)>,
    lost: BTreeMap<(Pointer, Side), Option<Value>>,
    conflicts: Vec<Pointer>,
    /// Members that may still be looked at one by one.
    n_members_left: usize,
}

/// Members that one merge takes apart. Ten times what a patch may name; what is beyond clashes as the object it is in,
/// so that the memory of a merge does not depend on what someone sends.
const MEMBERS_MAX: usize = 10_000;

/// What theirs has at the path of an edit.
struct Site<'a> {
    cur: Option<&'a Value>,
    /// The nearest ancestor that should hold the path and is not an object, with what it is instead.
    blocked: Option<(Pointer, Option<&'a Value>)>,
}

impl<'a> Fields<'a> {
    /// A merge onto `theirs`; `mine_is_later` settles the clashes where the last write wins.
    pub(super) fn new(theirs: &'a Value, policy: &'a CollectionPolicy, mine_is_later: bool) -> Self {
        Self {
            theirs,
            policy,
            mine_is_later,
            taken: Vec::new(),
            lost: BTreeMap::new(),
            conflicts: Vec::new(),
            n_members_left: MEMBERS_MAX,
        }
    }

    /// Merges a patch, edit by edit.
    pub(super) fn patch(mut self, patch: &Patch) -> Merge {
        patch.edits().iter().for_each(|edit| self.edit(edit));
        self.finish()
    }

    /// Merges a record whose author saw something unknown: unless nothing differs, the whole record clashes.
    pub(super) fn replace(mut self, mine: &Value) -> Merge {
        if !same(mine, self.theirs) {
            let edit = PathEdit { path: Pointer::root(), was: None, now: Some(mine.clone()) };
            self.clash(&edit, &Site { cur: Some(self.theirs), blocked: None });
        }
        self.finish()
    }

    fn edit(&mut self, edit: &PathEdit) {
        if edit.is_idle() {
            return;
        }
        let site = locate(self.theirs, &edit.path);
        if site.blocked.is_none() {
            if let Some(rule) = self.policy.value_rule(&edit.path) {
                return self.apply_rule(rule, edit, site.cur);
            }
            if self.descends(edit, site.cur) {
                self.n_members_left -= n_members_of(edit);
                return members_of(edit).iter().for_each(|member| self.edit(member));
            }
        }
        if same_option(site.cur, edit.now.as_ref()) {
            return;
        }
        if site.blocked.is_none() && self.is_settled(edit, site.cur) {
            self.take(&edit.path, edit.now.clone());
        } else {
            self.clash(edit, &site);
        }
    }

    /// What all edits together amount to.
    fn finish(self) -> Merge {
        if !self.conflicts.is_empty() {
            // In the order of the edits, which is that of their paths.
            return Merge::Conflict { paths: self.conflicts };
        }
        let mut value = Some(self.theirs.clone());
        for (path, now) in self.taken {
            set(&mut value, &path, now);
        }
        if self.lost.is_empty() && same_option(value.as_ref(), Some(self.theirs)) {
            return Merge::Unchanged;
        }
        let loss = |((path, side), value)| Loss { path, side, value };
        Merge::Merged { value, lost: self.lost.into_iter().map(loss).collect() }
    }

    /// Whether the members are merged one by one: two sides made or changed the same object, or a rule below
    /// must see its own values.
    fn descends(&self, edit: &PathEdit, cur: Option<&Value>) -> bool {
        let was_members = edit.was.as_ref().is_none_or(Value::is_object);
        let is_members = |value: Option<&Value>| value.is_some_and(Value::is_object);
        let in_bounds = may_descend(&edit.path) && n_members_of(edit) <= self.n_members_left;
        if !(was_members && is_members(edit.now.as_ref()) && is_members(cur) && in_bounds) {
            return false;
        }
        !self.is_settled(edit, cur) || self.policy.has_rules_below(&edit.path)
    }

    /// Whether the edit can be taken, or is there already.
    fn is_settled(&self, edit: &PathEdit, cur: Option<&Value>) -> bool {
        same_option(cur, edit.now.as_ref())
            || same_option(cur, edit.was.as_ref()) && !self.policy.clashes_as_a_whole(&edit.path)
    }

    fn apply_rule(&mut self, rule: &PathRule, edit: &PathEdit, cur: Option<&Value>) {
        let (was, now) = (edit.was.as_ref(), edit.now.as_ref());
        if same_option(cur, was) {
            return self.take(&edit.path, edit.now.clone());
        }
        // Two equal steps of a counter are two steps.
        let is_step = matches!(rule, PathRule::Counter) && now.is_some_and(Value::is_number);
        if same_option(cur, now) && !is_step {
            return;
        }
        let combined = match rule {
            PathRule::Max => choose(Ordering::Greater, cur, now),
            PathRule::Min => choose(Ordering::Less, cur, now),
            PathRule::Counter => add_difference(was, now, cur),
            PathRule::Set => merge_sets(was, now, cur),
            PathRule::Custom(resolver) => ask(&**resolver, edit, cur),
            PathRule::Clash(_) => None,
        };
        match combined {
            Some(value) => self.take(&edit.path, Some(value)),
            None => self.conflicts.push(edit.path.clone()),
        }
    }

    fn clash(&mut self, edit: &PathEdit, site: &Site<'_>) {
        let mine_wins = match self.policy.winner(&edit.path) {
            Clash::Manual => return self.conflicts.push(edit.path.clone()),
            Clash::ServerWins => false,
            Clash::ClientWins => true,
            Clash::LastWriteWins => self.mine_is_later,
        };
        if !mine_wins {
            return self.lose(&edit.path, Side::Mine, edit.now.as_ref());
        }
        self.take(&edit.path, edit.now.clone());
        match &site.blocked {
            Some((ancestor, value)) => self.lose(ancestor, Side::Theirs, *value),
            // A whole-record clash also overrules paths that theirs had left alone: nothing is lost there.
            None if same_option(site.cur, edit.was.as_ref()) => {}
            None => self.lose(&edit.path, Side::Theirs, site.cur),
        }
    }

    fn take(&mut self, path: &Pointer, now: Option<Value>) {
        self.taken.push((path.clone(), now));
    }

    fn lose(&mut self, path: &Pointer, side: Side, value: Option<&Value>) {
        // Many edits may be blocked by one ancestor: it is overruled, and copied, once.
        self.lost.entry((path.clone(), side)).or_insert_with(|| value.cloned());
    }
}

/// Follows a path through the objects of a value.
fn locate<'a>(value: &'a Value, path: &Pointer) -> Site<'a> {
    let mut cur = Some(value);
    for (idx, name) in path.tokens().enumerate() {
        let Some(Value::Object(members)) = cur else {
            let ancestor = path.tokens().take(idx).fold(Pointer::root(), |at, name| at.child(&name));
            return Site { cur: None, blocked: Some((ancestor, cur)) };
        };
        cur = members.get(&*name);
    }
    Site { cur, blocked: None }
}

/// How many edits [`members_of`] makes of an edit, at most.
fn n_members_of(edit: &PathEdit) -> usize {
    let n_members = |value: &Option<Value>| value.as_ref().and_then(Value::as_object).map_or(0, Map::len);
    n_members(&edit.was) + n_members(&edit.now)
}

/// An edit of an object as edits of the members that either side of it has.
fn members_of(edit: &PathEdit) -> Vec<PathEdit> {
    let nothing = Map::new();
    let members = |value| Option::<&'_ Value>::and_then(value, Value::as_object).unwrap_or(&nothing);
    let (was, now) = (members(edit.was.as_ref()), members(edit.now.as_ref()));
    let member = |name: &str| PathEdit {
        path: edit.path.child(name),
        was: was.get(name).cloned(),
        now: now.get(name).cloned(),
    };
    member_names(was, now).into_iter().map(member).collect()
}

/// The application's answer for a path, if it has one and does not fail.
fn ask(resolver: &dyn Resolver, edit: &PathEdit, cur: Option<&Value>) -> Option<Value> {
    let answer = || resolver.resolve(&edit.path, edit.was.as_ref(), edit.now.as_ref(), cur);
    // Nothing of ours is changed while it runs, so there is nothing a panic could leave half done.
    catch_unwind(AssertUnwindSafe(answer)).ok().flatten()
}
