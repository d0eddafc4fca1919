//! The laws of merging, held against generated triples of base, mine and theirs under generated policies.
//!
//! Few names and few values make clashes frequent. `SYNC_MERGE_CASES` sets the number of triples per law. A failing
//! law prints its triple whole, with the seed from which `Triple::new` makes it again.

mod triples;

use serde_json::{Map, Value, json};

use super::*;
use triples::{Source, Triple, hold};

fn at<'a>(value: Option<&'a Value>, path: &Pointer) -> Option<&'a Value> {
    path.find(value?)
}

fn alike(a: Option<&Value>, b: Option<&Value>) -> bool {
    a == b || matches!((a, b), (Some(a), Some(b)) if same(a, b))
}

fn is_object(value: Option<&Value>) -> bool {
    value.is_some_and(Value::is_object)
}

/// Merges that are equal but for the spelling of numbers.
fn alike_merges(a: &Merge, b: &Merge) -> bool {
    match (a, b) {
        (Merge::Merged { value: a, lost: x }, Merge::Merged { value: b, lost: y }) => {
            alike(a.as_ref(), b.as_ref()) && x == y
        }
        _ => a == b,
    }
}

/// The state after a merge that kept theirs or settled.
fn result<'a>(merged: &'a Merge, theirs: &'a Value) -> Option<&'a Value> {
    match merged {
        Merge::Merged { value, .. } => value.as_ref(),
        _ => Some(theirs),
    }
}

#[test]
fn a_change_of_nothing_leaves_theirs() {
    hold(|t| {
        let put = t.merge(Change::Put(&t.base), Base::Value(&t.base));
        let patch = t.merge(Change::Patch(&diff(Some(&t.base), &t.base)), Base::Older);
        assert_eq!((put, patch), (Merge::Unchanged, Merge::Unchanged), "{t:#?}");
    });
}

#[test]
fn a_change_of_what_is_stored_is_taken_as_it_is() {
    hold(|t| {
        let patch = t.policy.diff(Some(&t.base), &t.mine);
        let mut merges = vec![
            t.merge_onto(&t.base, Change::Put(&t.mine), Base::Current),
            t.merge_onto(&t.base, Change::Put(&t.mine), Base::Value(&t.base)),
            t.merge_onto(&t.base, Change::Patch(&patch), Base::Current),
        ];
        if !t.is_whole() {
            merges.push(t.merge_onto(&t.base, Change::Patch(&patch), Base::Older));
        }
        for merged in merges {
            assert!(alike(result(&merged, &t.base), Some(&t.mine)), "{merged:?} {t:#?}");
            assert!(!matches!(&merged, Merge::Merged { lost, .. } if !lost.is_empty()), "{merged:?} {t:#?}");
            assert_eq!(merged == Merge::Unchanged, same(&t.base, &t.mine), "{merged:?} {t:#?}");
        }
    });
}

#[test]
fn asking_for_what_is_there_is_unchanged() {
    hold(|t| {
        if t.has_rule(|rule| matches!(rule, PathRule::Counter)) {
            return;
        }
        for base in [Base::Current, Base::Absent, Base::Value(&t.base), Base::Older] {
            let merged = t.merge(Change::Put(&t.theirs), base);
            assert_eq!(merged, Merge::Unchanged, "put on {base:?} {t:#?}");
        }
        let patch = diff(Some(&t.base), &t.theirs);
        assert_eq!(t.merge(Change::Patch(&patch), Base::Older), Merge::Unchanged, "{t:#?}");
    });
}

#[test]
fn disjoint_edits_never_conflict_and_keep_both() {
    let seen = std::cell::Cell::new(0_u32);
    hold(|t| {
        let (mine, theirs) = (t.policy.diff(Some(&t.base), &t.mine), t.policy.diff(Some(&t.base), &t.theirs));
        let overlap =
            |a: &PathEdit, b: &PathEdit| a.path.is_prefix_of(&b.path) || b.path.is_prefix_of(&a.path);
        let disjoint = !mine.edits().iter().any(|a| theirs.edits().iter().any(|b| overlap(a, b)));
        if t.is_whole() || !disjoint || mine.is_empty() || theirs.is_empty() {
            return;
        }
        seen.set(seen.get() + 1);
        let merged = t.merge(Change::Patch(&mine), Base::Older);
        let Merge::Merged { value, lost } = &merged else { panic!("{merged:?} {t:#?}") };
        assert!(lost.is_empty(), "{merged:?} {t:#?}");
        let kept = |edit: &PathEdit| alike(at(value.as_ref(), &edit.path), edit.now.as_ref());
        assert!(mine.edits().iter().chain(theirs.edits()).all(kept), "{merged:?} {t:#?}");
    });
    assert!(seen.get() > 100, "only {} triples were disjoint", seen.get());
}

#[test]
fn the_same_arguments_give_the_same_result() {
    hold(|t| {
        let patch = diff(Some(&t.base), &t.mine);
        let reversed = Patch::new(patch.edits().iter().rev().cloned().collect()).unwrap();
        let again = Triple { policy: t.policy.clone(), ..Triple::new(t.seed) };
        let merged = t.merge(Change::Patch(&patch), Base::Older);
        assert_eq!(merged, again.merge(Change::Patch(&reversed), Base::Older), "{t:#?}");
    });
}

#[test]
fn client_and_server_agree() {
    hold(|t| {
        // That a record came back to the content of the base cannot be seen from a patch.
        if t.is_whole() && same(&t.base, &t.theirs) {
            return;
        }
        let put = t.merge(Change::Put(&t.mine), Base::Value(&t.base));
        let patch = t.policy.diff(Some(&t.base), &t.mine);
        let sent: Patch = serde_json::from_str(&serde_json::to_string(&patch).unwrap()).unwrap();
        let patched = t.merge(Change::Patch(&sent), Base::Older);
        assert!(alike_merges(&put, &patched), "{put:?} {patched:?} {t:#?}");
    });
}

#[test]
fn one_edit_of_the_whole_record_merges_like_many() {
    hold(|t| {
        let patch = t.policy.diff(Some(&t.base), &t.mine);
        let has_parent = |edit: &PathEdit| {
            let parent = edit.path.parent().and_then(|parent| at(Some(&t.theirs), &parent));
            is_object(parent)
        };
        if !patch.edits().iter().all(has_parent) {
            return;
        }
        let edit = PathEdit { path: Pointer::root(), was: Some(t.base.clone()), now: Some(t.mine.clone()) };
        let whole = Patch::new(vec![edit]).unwrap();
        let merges = [&patch, &whole].map(|patch| t.merge(Change::Patch(patch), Base::Older));
        assert!(alike_merges(&merges[0], &merges[1]), "{merges:?} {t:#?}");
    });
}

/// The members and elements of a value that have no members of their own.
fn leaves(value: Option<&Value>, path: Pointer, found: &mut Vec<Pointer>) {
    match value {
        Some(Value::Object(members)) if !members.is_empty() => {
            members.iter().for_each(|(name, member)| leaves(Some(member), path.child(name), found));
        }
        Some(_) => found.push(path),
        None => {}
    }
}

/// What a side changed, leaf by leaf: its own leaves that differ from the base, and those of the base that it removed.
fn changes(base: Option<&Value>, side: Option<&Value>) -> Vec<Pointer> {
    let (mut own, mut removed) = (Vec::new(), Vec::new());
    leaves(side, Pointer::root(), &mut own);
    leaves(base, Pointer::root(), &mut removed);
    // An object that was emptied is changed where its members were removed.
    let was_emptied = |path: &Pointer| is_object(at(base, path)) && is_object(at(side, path));
    own.retain(|path| !alike(at(base, path), at(side, path)) && !was_emptied(path));
    removed.retain(|path| at(side, path).is_none());
    own.extend(removed);
    own
}

/// Whether a leaf of a side is in the result, or in what the side is said to have lost.
fn is_accounted_for(
    leaf: &Pointer,
    wanted: Option<&Value>,
    side: Side,
    merged: &Merge,
    state: Option<&Value>,
) -> bool {
    let holds = |found: Option<&Value>| {
        let empty_object = wanted.and_then(Value::as_object).is_some_and(Map::is_empty);
        alike(found, wanted) || empty_object && is_object(found)
    };
    let is_in = |loss: &Loss| {
        let Some(rest) = leaf.as_str().strip_prefix(loss.path.as_str()) else { return false };
        let below = Pointer::parse(rest);
        loss.side == side && below.is_ok_and(|below| holds(at(loss.value.as_ref(), &below)))
    };
    holds(at(state, leaf)) || matches!(merged, Merge::Merged { lost, .. } if lost.iter().any(is_in))
}

fn nothing_is_lost(t: &Triple, base: Option<&Value>, merged: &Merge) {
    let (mine, theirs) = (Some(&t.mine), Some(&t.theirs));
    if let Merge::Conflict { paths } = merged {
        assert!(!paths.is_empty(), "{t:#?}");
        for leaf in changes(base, mine) {
            let named = paths.iter().any(|path| path.is_prefix_of(&leaf));
            let cur = at(theirs, &leaf);
            let agrees = alike(cur, at(base, &leaf)) || alike(cur, at(mine, &leaf));
            let merges_by_member = is_object(cur) && is_object(at(mine, &leaf));
            let has_winner = t.policy.winner(&leaf) != Clash::Manual;
            assert!(named || agrees || has_winner || merges_by_member, "{leaf} is not in {paths:?} {t:#?}");
        }
        return;
    }
    let state = result(merged, &t.theirs);
    for (side, value) in [(Side::Mine, mine), (Side::Theirs, theirs)] {
        for leaf in changes(base, value) {
            let kept = is_accounted_for(&leaf, at(value, &leaf), side, merged, state);
            assert!(kept, "{side:?} at '{leaf}' vanished: {merged:?} {t:#?}");
        }
    }
}

#[test]
fn nothing_is_lost_silently() {
    hold(|t| {
        // Value rules make a third value out of two; they have laws of their own.
        if t.has_rule(|rule| !matches!(rule, PathRule::Clash(_))) {
            return;
        }
        nothing_is_lost(t, Some(&t.base), &t.merge(Change::Put(&t.mine), Base::Value(&t.base)));
        nothing_is_lost(t, None, &t.merge(Change::Put(&t.mine), Base::Absent));
        nothing_is_lost(t, None, &t.merge(Change::Put(&t.mine), Base::Older));
    });
}

#[test]
fn value_rules_give_the_same_result_in_either_order() {
    let number =
        |source: &mut Source| source.pick(&[json!(-3), json!(0), json!(1), json!(2), json!(2.0), json!(0.5)]);
    hold(|t| {
        let mut source = Source(t.seed);
        let rule = source.pick(&[PathRule::Max, PathRule::Min, PathRule::Counter, PathRule::Set]);
        let mut draw = || match rule {
            PathRule::Set => json!({"n": source.array()}),
            _ => json!({"n": number(&mut source)}),
        };
        let (first, second, mut base) = (draw(), draw(), draw());
        if source.below(4) == 0 {
            base = json!({});
        }
        let path: Pointer = "/n".parse().unwrap();
        let t = Triple { policy: CollectionPolicy::default().with_rule(path, rule), ..Triple::new(t.seed) };
        let after = |a: &Value, b: &Value| {
            let (a, b) = (diff(Some(&base), a), diff(Some(&base), b));
            let between = t.merge_onto(&base, Change::Patch(&a), Base::Older);
            let between = result(&between, &base).unwrap().clone();
            let end = t.merge_onto(&between, Change::Patch(&b), Base::Older);
            assert!(!matches!(end, Merge::Conflict { .. }), "{base} {first} {second} {t:#?}");
            result(&end, &between).unwrap().clone()
        };
        let (one, other) = (after(&first, &second), after(&second, &first));
        assert!(same(&one, &other), "{one} or {other} from {base} {first} {second} {t:#?}");
    });
}

#[test]
fn a_patch_leads_from_its_base_to_mine() {
    hold(|t| {
        for base in [Some(&t.base), None] {
            for patch in [diff(base, &t.mine), t.policy.diff(base, &t.mine)] {
                assert!(alike(patch.apply(base).as_ref(), Some(&t.mine)), "{patch:?} {t:#?}");
                assert_eq!(Patch::new(patch.edits().to_vec()), Ok(patch), "{t:#?}");
            }
        }
    });
}

#[test]
fn a_patch_from_anywhere_is_answered() {
    hold(|t| {
        let mut source = Source(t.seed);
        let mut side = || (source.below(3) > 0).then(|| source.value(1));
        let sides = [(side(), side()), (side(), side())];
        let edit = |(was, now)| PathEdit { path: source.path(), was, now };
        let Ok(patch) = Patch::new(sides.into_iter().map(edit).collect()) else { return };
        match t.merge(Change::Patch(&patch), Base::Older) {
            Merge::Merged { value, lost } => {
                let value = value.expect("a patch never deletes");
                assert!(!lost.is_empty() || !same(&value, &t.theirs), "{patch:?} {t:#?}");
            }
            Merge::Conflict { paths } => assert!(!paths.is_empty() && paths.is_sorted(), "{patch:?} {t:#?}"),
            Merge::Unchanged => {}
            Merge::NeedsContent => {
                panic!("asked for the content of a record that is there: {patch:?} {t:#?}")
            }
        }
    });
}
