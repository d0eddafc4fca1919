//! The policies in tables, deletes against updates in both orders, and what patches and pointers refuse.

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;

/// A merge of `mine` (made from `base`) into `theirs`; mine has the earlier stamp.
fn merged(policy: &CollectionPolicy, change: Change<'_>, base: Base<'_>, theirs: Option<&Value>) -> Merge {
    let (early, late) = (stamp(1, "a"), stamp(2, "a"));
    merge(&Mine { change, base, stamp: &early }, &Theirs { value: theirs, stamp: &late }, policy)
}

fn put(policy: &CollectionPolicy, base: &Value, mine: &Value, theirs: &Value) -> Merge {
    merged(policy, Change::Put(mine), Base::Value(base), Some(theirs))
}

fn stamp(at: i64, by: &str) -> Stamp {
    Stamp { at, by: by.into() }
}

fn pointer(text: &str) -> Pointer {
    text.parse().unwrap()
}

fn fields(clash: Clash) -> CollectionPolicy {
    CollectionPolicy::default().with_update(UpdatePolicy::Fields(clash))
}

fn whole(clash: Clash) -> CollectionPolicy {
    CollectionPolicy::default().with_update(UpdatePolicy::Whole(clash))
}

fn ruled(path: &str, rule: PathRule) -> CollectionPolicy {
    CollectionPolicy::default().with_rule(pointer(path), rule)
}

fn kept(value: Value) -> Merge {
    Merge::Merged { value: Some(value), lost: vec![] }
}

fn conflict(paths: &[&str]) -> Merge {
    Merge::Conflict { paths: paths.iter().copied().map(pointer).collect() }
}

fn overruled<const N: usize>(value: Option<Value>, lost: [(&str, Side, Option<Value>); N]) -> Merge {
    let loss = |(path, side, value)| Loss { path: pointer(path), side, value };
    Merge::Merged { value, lost: lost.into_iter().map(loss).collect() }
}

#[test]
fn a_field_that_clashes_goes_to_the_policy() {
    let (base, mine, theirs) =
        (json!({"a": 1, "b": 1}), json!({"a": 2, "b": 2}), json!({"a": 3, "b": 1, "c": 1}));
    let with_a = |a: i64| Some(json!({"a": a, "b": 2, "c": 1}));
    let mine_lost = overruled(with_a(3), [("/a", Side::Mine, Some(json!(2)))]);
    for (clash, expected) in [
        (Clash::Manual, conflict(&["/a"])),
        (Clash::ServerWins, mine_lost.clone()),
        (Clash::ClientWins, overruled(with_a(2), [("/a", Side::Theirs, Some(json!(3)))])),
        (Clash::LastWriteWins, mine_lost),
    ] {
        assert_eq!(put(&fields(clash), &base, &mine, &theirs), expected, "{clash:?}");
    }
}

#[test]
fn a_record_that_clashes_as_a_whole_goes_to_the_policy() {
    let (base, mine, theirs) = (json!({"a": 1, "b": 1}), json!({"a": 2, "b": 1}), json!({"a": 1, "b": 3}));
    let mine_lost = overruled(Some(theirs.clone()), [("/a", Side::Mine, Some(json!(2)))]);
    for (clash, expected) in [
        (Clash::Manual, conflict(&["/a"])),
        (Clash::ServerWins, mine_lost.clone()),
        (Clash::ClientWins, kept(json!({"a": 2, "b": 3}))),
        (Clash::LastWriteWins, mine_lost),
    ] {
        assert_eq!(put(&whole(clash), &base, &mine, &theirs), expected, "{clash:?}");
        assert_eq!(put(&whole(clash), &base, &mine, &base), kept(mine.clone()), "{clash:?}");
    }
}

#[test]
fn a_rule_of_a_path_holds_where_the_record_clashes_as_a_whole() {
    let policy = whole(Clash::Manual).with_rule(pointer("/s/n"), PathRule::Counter);
    let (base, theirs) = (json!({"s": {"n": 1}}), json!({"s": {"n": 5, "x": 1}}));
    assert_eq!(put(&policy, &base, &json!({"s": {"n": 2}}), &theirs), kept(json!({"s": {"n": 6, "x": 1}})));
    assert_eq!(put(&policy, &base, &json!({"s": {"n": 2, "y": 1}}), &theirs), conflict(&["/s/y"]));
    let policy = whole(Clash::Manual).with_rule(pointer("/s/n"), PathRule::Clash(Clash::ServerWins));
    let theirs = json!({"s": {"n": 1, "x": 1}});
    assert_eq!(put(&policy, &base, &json!({"s": {"n": 2}}), &theirs), kept(json!({"s": {"n": 2, "x": 1}})));
}

#[test]
fn the_later_stamp_wins_and_ties_go_to_the_greater_name() {
    let (base, mine, theirs) = (json!({"a": 1}), json!({"a": 2}), json!({"a": 3}));
    for (mine_stamp, theirs_stamp, winner) in [
        (stamp(2, "a"), stamp(1, "b"), &mine),
        (stamp(1, "b"), stamp(2, "a"), &theirs),
        (stamp(1, "b"), stamp(1, "a"), &mine),
        (stamp(1, "a"), stamp(1, "b"), &theirs),
        (stamp(1, "a"), stamp(1, "a"), &theirs),
    ] {
        let change = Mine { change: Change::Put(&mine), base: Base::Value(&base), stamp: &mine_stamp };
        let theirs = Theirs { value: Some(&theirs), stamp: &theirs_stamp };
        let Merge::Merged { value, .. } = merge(&change, &theirs, &fields(Clash::LastWriteWins)) else {
            panic!()
        };
        assert_eq!(value.as_ref(), Some(winner), "{mine_stamp:?} {theirs_stamp:?}");
    }
}

#[test]
fn a_put_whose_base_is_unknown_clashes_as_a_whole() {
    let (mine, theirs) = (json!({"a": 1}), json!({"b": 2}));
    let mine_lost = overruled(Some(theirs.clone()), [("", Side::Mine, Some(mine.clone()))]);
    let theirs_lost = overruled(Some(mine.clone()), [("", Side::Theirs, Some(theirs.clone()))]);
    for (policy, expected) in [
        (fields(Clash::Manual), conflict(&[""])),
        (fields(Clash::ServerWins), mine_lost.clone()),
        (whole(Clash::ClientWins), theirs_lost),
        (whole(Clash::LastWriteWins), mine_lost),
    ] {
        assert_eq!(merged(&policy, Change::Put(&mine), Base::Older, Some(&theirs)), expected, "{policy:?}");
    }
}

#[test]
fn two_creations_of_one_record_or_object_merge() {
    let (mine, theirs) = (json!({"a": 1, "s": {"x": 1}}), json!({"b": 2, "s": {"y": 2}}));
    let both = kept(json!({"a": 1, "b": 2, "s": {"x": 1, "y": 2}}));
    let policy = CollectionPolicy::default();
    assert_eq!(merged(&policy, Change::Put(&mine), Base::Absent, Some(&theirs)), both);
    assert_eq!(put(&policy, &json!({}), &mine, &theirs), both);
}

#[test]
fn an_edit_inside_a_removed_object_clashes_and_recreates_it_when_it_wins() {
    let (base, mine) = (json!({"s": {"x": 1, "y": 1}}), json!({"s": {"x": 2, "y": 2}}));
    let recreated = Some(json!({"s": {"x": 2, "y": 2}}));
    for (theirs, loser) in [(json!({}), None), (json!({"s": [7]}), Some(json!([7])))] {
        assert_eq!(put(&fields(Clash::Manual), &base, &mine, &theirs), conflict(&["/s/x", "/s/y"]));
        let won = put(&fields(Clash::ClientWins), &base, &mine, &theirs);
        assert_eq!(won, overruled(recreated.clone(), [("/s", Side::Theirs, loser)]));
    }
}

#[test]
fn removing_from_a_removed_object_is_done_already() {
    let (base, mine) = (json!({"s": {"x": 1, "y": 1}}), json!({"s": {"y": 1}}));
    for theirs in [json!({}), json!({"s": 5})] {
        assert_eq!(put(&fields(Clash::Manual), &base, &mine, &theirs), Merge::Unchanged, "{theirs}");
    }
}

#[test]
fn null_is_a_value_and_absent_is_none() {
    let policy = CollectionPolicy::default();
    assert_eq!(
        put(&policy, &json!({"a": null}), &json!({}), &json!({"a": null, "b": 1})),
        kept(json!({"b": 1}))
    );
    assert_eq!(
        put(&policy, &json!({}), &json!({"a": null}), &json!({"b": 1})),
        kept(json!({"a": null, "b": 1}))
    );
    assert_eq!(put(&policy, &json!({"a": 1}), &json!({"a": null}), &json!({})), conflict(&["/a"]));
}

#[test]
fn arrays_are_one_value() {
    let merged =
        put(&CollectionPolicy::default(), &json!({"a": [1]}), &json!({"a": [1, 2]}), &json!({"a": [1, 3]}));
    assert_eq!(merged, conflict(&["/a"]));
}

#[test]
fn value_rules_combine_both_sides() {
    let table = [
        (PathRule::Max, json!([1, 2, 3]), Some(json!(3))),
        (PathRule::Max, json!([1, 3.5, 3]), Some(json!(3.5))),
        (PathRule::Max, json!([9, 2, 3]), Some(json!(3))),
        (PathRule::Max, json!([1, "2", 3]), None),
        (PathRule::Min, json!([9, 2, 3]), Some(json!(2))),
        (PathRule::Min, json!([9, null, 3]), None),
        (
            PathRule::Min,
            json!([0, 9007199254740992.0, 9007199254740993_i64]),
            Some(json!(9007199254740992.0)),
        ),
        (PathRule::Counter, json!([1, 2, 3]), Some(json!(4))),
        (PathRule::Counter, json!([1, 2, 2]), Some(json!(3))),
        (PathRule::Counter, json!([1, 0, -4]), Some(json!(-5))),
        (PathRule::Counter, json!([1.0, 2, 3.0]), Some(json!(4))),
        (PathRule::Counter, json!([0.5, 1, 0.25]), Some(json!(0.75))),
        (PathRule::Counter, json!([0, u64::MAX, 1]), None),
        (PathRule::Counter, json!([0, u64::MAX, u64::MAX]), None),
        (PathRule::Counter, json!(["x", "y", "y"]), Some(json!("y"))),
        (PathRule::Counter, json!([0, i64::MAX, 1]), Some(json!(1_u64 << 63))),
        (PathRule::Counter, json!([0, -1, i64::MIN]), None),
        (PathRule::Counter, json!([0, 0.5, u64::MAX]), None),
        (PathRule::Counter, json!([0.0, 1.5e308, 1.7e308]), None),
        (PathRule::Counter, json!([1, "2", 3]), None),
        (PathRule::Set, json!([[1], [3, 1], [2, 1.0]]), Some(json!([1, 2, 3]))),
        (PathRule::Set, json!([[1, 2], [2], [1, 2, 4]]), Some(json!([2, 4]))),
        (PathRule::Set, json!([[], ["b", "b"], ["a", "b", "a"]]), Some(json!(["a", "b"]))),
        (
            PathRule::Set,
            json!([[], [{"x": 1, "y": 2}], [{"y": 2.0, "x": 1.0}, 1]]),
            Some(json!([1, {"x": 1, "y": 2}])),
        ),
        (PathRule::Set, json!([[1], 5, [2]]), None),
    ];
    for (rule, sides, expected) in table {
        let [base, mine, theirs] = [0, 1, 2].map(|idx| json!({"n": sides[idx]}));
        let expected = expected.map_or(conflict(&["/n"]), |n| match json!({ "n": n }) {
            same_as_theirs if same(&same_as_theirs, &theirs) => Merge::Unchanged,
            value => kept(value),
        });
        assert_eq!(put(&ruled("/n", rule.clone()), &base, &mine, &theirs), expected, "{rule:?} of {sides}");
    }
}

#[test]
fn a_counter_that_is_not_there_counts_from_nothing() {
    let policy = ruled("/n", PathRule::Counter);
    assert_eq!(put(&policy, &json!({}), &json!({"n": 1}), &json!({"n": 1})), kept(json!({"n": 2})));
    assert_eq!(put(&policy, &json!({"n": 5}), &json!({"n": 7}), &json!({})), kept(json!({"n": 2})));
    assert_eq!(put(&policy, &json!({"n": 5}), &json!({}), &json!({})), Merge::Unchanged);
    assert_eq!(put(&policy, &json!({"n": 5}), &json!({}), &json!({"n": 6})), conflict(&["/n"]));
    assert_eq!(
        merged(&policy, Change::Put(&json!({"n": 1})), Base::Current, Some(&json!({"n": 1}))),
        Merge::Unchanged
    );
}

#[test]
fn a_rule_reaches_into_an_object_that_both_sides_made() {
    let policy = fields(Clash::ServerWins).with_rule(pointer("/s/n"), PathRule::Counter);
    let side = json!({"s": {"n": 1, "x": 1}});
    assert_eq!(put(&policy, &json!({}), &side, &side), kept(json!({"s": {"n": 2, "x": 1}})));
}

#[test]
fn the_longest_path_decides() {
    let policy = fields(Clash::Manual)
        .with_rule(pointer("/s"), PathRule::Clash(Clash::ClientWins))
        .with_rule(pointer("/s/x"), PathRule::Clash(Clash::ServerWins));
    let sides = [1, 2, 3].map(|n| json!({"s": {"x": n, "y": n}}));
    let merged = put(&policy, &sides[0], &sides[1], &sides[2]);
    let lost = [("/s/x", Side::Mine, Some(json!(2))), ("/s/y", Side::Theirs, Some(json!(3)))];
    assert_eq!(merged, overruled(Some(json!({"s": {"x": 3, "y": 2}})), lost));
}

#[test]
fn an_edit_below_a_value_rule_is_up_to_the_collection() {
    let policy = fields(Clash::ServerWins).with_rule(pointer("/s"), PathRule::Set);
    let edit = PathEdit { path: pointer("/s/x"), was: Some(json!(1)), now: Some(json!(2)) };
    let patch = Patch::new(vec![edit]).unwrap();
    let theirs = json!({"s": {"x": 3}});
    let merged = merged(&policy, Change::Patch(&patch), Base::Older, Some(&theirs));
    assert_eq!(merged, overruled(Some(theirs), [("/s/x", Side::Mine, Some(json!(2)))]));
}

/// Joins texts, has no answer for null, and fails on everything else.
struct Join;

impl Resolver for Join {
    fn resolve(
        &self,
        _: &Pointer,
        _: Option<&Value>,
        mine: Option<&Value>,
        theirs: Option<&Value>,
    ) -> Option<Value> {
        match (mine?, theirs?) {
            (Value::String(mine), Value::String(theirs)) => Some(json!(format!("{theirs}+{mine}"))),
            (Value::Null, _) => None,
            (Value::Object(mine), Value::Object(theirs)) => Some(json!(mine.len() + theirs.len())),
            _ => panic!("a resolver that fails"),
        }
    }
}

#[test]
fn a_resolver_that_has_no_answer_or_fails_is_a_conflict() {
    let policy = ruled("/n", PathRule::Custom(Arc::new(Join)));
    for (mine, theirs, expected) in [
        (json!("m"), json!("t"), kept(json!({"n": "t+m"}))),
        (json!(null), json!("t"), conflict(&["/n"])),
        (json!(1), json!("t"), conflict(&["/n"])),
        (json!({"a": 1, "b": 2}), json!({"c": 1}), kept(json!({"n": 3}))),
    ] {
        let merged = put(&policy, &json!({"n": {"a": 1}}), &json!({ "n": mine }), &json!({ "n": theirs }));
        assert_eq!(merged, expected, "{mine} {theirs}");
    }
}

/// Says what it was asked.
struct Echo;

impl Resolver for Echo {
    fn resolve(
        &self,
        path: &Pointer,
        base: Option<&Value>,
        mine: Option<&Value>,
        theirs: Option<&Value>,
    ) -> Option<Value> {
        Some(json!([path, base, mine, theirs]))
    }
}

#[test]
fn a_resolver_of_whole_records_sees_them_whole() {
    let policy = ruled("", PathRule::Custom(Arc::new(Echo)));
    let (base, mine, theirs) = (json!({"a": 1}), json!({"a": 2}), json!({"b": 1}));
    assert_eq!(put(&policy, &base, &mine, &theirs), kept(json!(["", base, mine, theirs])));
    let created = merged(&policy, Change::Put(&mine), Base::Absent, Some(&theirs));
    assert_eq!(created, kept(json!(["", null, mine, theirs])));
}

const DELETE_POLICIES: [DeletePolicy; 3] =
    [DeletePolicy::UpdateWins, DeletePolicy::DeleteWins, DeletePolicy::Manual];

#[test]
fn a_delete_of_a_record_updated_meanwhile() {
    let (old, new) = (json!({"a": 1}), json!({"a": 2}));
    for delete in DELETE_POLICIES {
        let policy = CollectionPolicy::default().with_delete(delete);
        let expected = match delete {
            DeletePolicy::UpdateWins => overruled(Some(new.clone()), [("", Side::Mine, None)]),
            DeletePolicy::DeleteWins => overruled(None, [("", Side::Theirs, Some(new.clone()))]),
            DeletePolicy::Manual => conflict(&[""]),
        };
        for base in [Base::Value(&old), Base::Older, Base::Absent] {
            assert_eq!(merged(&policy, Change::Delete, base, Some(&new)), expected, "{delete:?} {base:?}");
        }
        for base in [Base::Value(&new), Base::Current] {
            assert_eq!(merged(&policy, Change::Delete, base, Some(&new)), overruled(None, []), "{delete:?}");
        }
        assert_eq!(merged(&policy, Change::Delete, Base::Older, None), Merge::Unchanged, "{delete:?}");
    }
}

#[test]
fn a_put_of_a_record_deleted_meanwhile() {
    let (old, mine) = (json!({"a": 1}), json!({"a": 2}));
    for delete in DELETE_POLICIES {
        let policy = CollectionPolicy::default().with_delete(delete);
        let expected = match delete {
            DeletePolicy::UpdateWins => overruled(Some(mine.clone()), [("", Side::Theirs, None)]),
            DeletePolicy::DeleteWins => overruled(None, [("", Side::Mine, Some(mine.clone()))]),
            DeletePolicy::Manual => conflict(&[""]),
        };
        for base in [Base::Value(&old), Base::Older, Base::Absent] {
            assert_eq!(merged(&policy, Change::Put(&mine), base, None), expected, "{delete:?} {base:?}");
        }
        assert_eq!(
            merged(&policy, Change::Put(&mine), Base::Current, None),
            kept(mine.clone()),
            "{delete:?}"
        );
        assert_eq!(
            merged(&policy, Change::Put(&mine), Base::Value(&mine), None),
            Merge::Unchanged,
            "{delete:?}"
        );
    }
}

#[test]
fn a_patch_of_a_record_deleted_meanwhile() {
    let patch = diff(Some(&json!({"a": 1})), &json!({"a": 2}));
    for delete in DELETE_POLICIES {
        let policy = CollectionPolicy::default().with_delete(delete);
        let expected = match delete {
            DeletePolicy::DeleteWins => overruled(None, [("/a", Side::Mine, Some(json!(2)))]),
            DeletePolicy::UpdateWins | DeletePolicy::Manual => Merge::NeedsContent,
        };
        assert_eq!(merged(&policy, Change::Patch(&patch), Base::Older, None), expected, "{delete:?}");
        assert_eq!(
            merged(&policy, Change::Patch(&patch), Base::Current, None),
            Merge::NeedsContent,
            "{delete:?}"
        );
        let empty = Patch::default();
        assert_eq!(merged(&policy, Change::Patch(&empty), Base::Older, None), Merge::Unchanged, "{delete:?}");
    }
}

#[test]
fn what_lies_deeper_than_a_pointer_reaches_is_one_value() {
    let nested = |leaf: i64| (0..=POINTER_DEPTH_MAX).fold(json!(leaf), |value, _| json!({ "a": value }));
    let (base, mine) = (nested(1), nested(2));
    let patch = diff(Some(&base), &mine);
    let path = pointer(&"/a".repeat(POINTER_DEPTH_MAX));
    let edit = PathEdit { path: path.clone(), was: Some(json!({"a": 1})), now: Some(json!({"a": 2})) };
    assert_eq!(patch.edits(), [edit]);
    assert_eq!(put(&fields(Clash::Manual), &base, &mine, &nested(3)), Merge::Conflict { paths: vec![path] });
}

#[test]
fn a_difference_of_too_many_paths_is_one_edit_that_still_merges() {
    let object =
        |n: i64| -> Value { (0..=PATCH_PATHS_MAX).map(|idx| (format!("k{idx}"), json!(n))).collect() };
    let (base, mine) = (object(1), object(2));
    let patch = diff(Some(&base), &mine);
    assert_eq!(
        patch.edits(),
        [PathEdit { path: Pointer::root(), was: Some(base.clone()), now: Some(mine.clone()) }]
    );
    let (mut theirs, mut both) = (base.clone(), mine);
    theirs["other"] = json!(true);
    both["other"] = json!(true);
    let policy = CollectionPolicy::default();
    assert_eq!(merged(&policy, Change::Patch(&patch), Base::Older, Some(&theirs)), kept(both));
}

#[test]
fn policies_are_written_as_words() {
    let text = r#"{"update":{"merge":"last_write_wins"},"delete":"manual","paths":{"/n":"counter","/s":"server_wins"}}"#;
    let policy: CollectionPolicy = serde_json::from_str(text).unwrap();
    assert_eq!(policy.update(), UpdatePolicy::Fields(Clash::LastWriteWins));
    assert_eq!(serde_json::to_string(&policy).unwrap(), text);
    let custom = ruled("/n", PathRule::Custom(Arc::new(Join)));
    assert!(serde_json::to_string(&custom).is_err());
    assert!(serde_json::from_str::<CollectionPolicy>(r#"{"delte":"manual"}"#).is_err());
}

/// 30 names of a kilobyte inside each other, and many members at the bottom: every path would repeat all the names.
#[test]
fn long_names_around_many_members_do_not_multiply() {
    let nested = |n: i32| {
        let bottom: serde_json::Map<_, _> = (0..4_000).map(|idx| (format!("m{idx}"), json!(n))).collect();
        (0..30).fold(Value::Object(bottom), |inner, _| json!({ "n".repeat(1000): inner }))
    };
    let (base, mine, theirs) = (nested(0), nested(1), nested(2));
    let patch = diff(Some(&base), &mine);
    let n_bytes: usize = patch.edits().iter().map(|edit| edit.path.as_str().len()).sum();
    assert!(n_bytes < 10_000, "the paths of the patch have {n_bytes} bytes");
    let stamp = Stamp { at: 1, by: "a".into() };
    let merged = merge(
        &Mine { change: Change::Put(&mine), base: Base::Absent, stamp: &stamp },
        &Theirs { value: Some(&theirs), stamp: &stamp },
        &CollectionPolicy::default(),
    );
    let Merge::Conflict { paths } = merged else { panic!("both sides changed the same members") };
    assert!(paths.iter().map(|path| path.as_str().len()).sum::<usize>() < 10_000);
}
