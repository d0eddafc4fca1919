//! What an application decides about concurrent edits, with two replicas that edit at once: the result is the same
//! everywhere, it is the one that the policy names, and the side that lost is kept.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::world::*;
use crate::clock::Timestamp;
use crate::conflict::ConflictBody;
use crate::json::Json;
use crate::merge::{Clash, CollectionPolicy, DeletePolicy, PathRule, Pointer, Resolver, UpdatePolicy};
use crate::policies::Policies;
use crate::replica::{Replica, ShownConflict};
use crate::service::Limits;
use crate::store::StoreExt;
use crate::types::Collection;

/// Two edits of one record: the first one arrives first.
struct Edits {
    /// What both have seen; nothing, if they create it.
    base: Option<Value>,
    first: Option<Value>,
    second: Option<Value>,
    /// Whether the one that arrives later was made earlier.
    is_late: bool,
}

/// What must come of them.
#[derive(Debug, PartialEq)]
struct Result {
    value: Option<Value>,
    /// The losing edits that wait for a person.
    open: Vec<Option<Value>>,
    /// Edits that a policy overruled, as their authors wanted the record.
    overruled: Vec<Option<Value>>,
}

impl Result {
    fn joined(value: Value) -> Self {
        Self { value: Some(value), open: vec![], overruled: vec![] }
    }

    fn open(value: Value, loser: Value) -> Self {
        Self { value: Some(value), open: vec![Some(loser)], overruled: vec![] }
    }

    fn overruled(value: Value, loser: Value) -> Self {
        Self { value: Some(value), open: vec![], overruled: vec![Some(loser)] }
    }
}

async fn make(replica: &Replica, value: Option<&Value>) {
    match value {
        Some(value) => replica.put("notes", "r", value).await.unwrap(),
        None => replica.delete("notes", "r").await.unwrap(),
    };
}

/// The side that lost: what arrived, or what was there when that won.
fn loser(body: &ConflictBody, shown: Option<&Value>) -> Option<Value> {
    if body.mine.as_ref() != shown { body.mine.clone() } else { body.theirs.clone() }
}

fn losers(conflicts: &[ShownConflict], shown: Option<&Value>) -> Vec<Option<Value>> {
    conflicts.iter().map(|conflict| loser(&conflict.body, shown)).collect()
}

async fn run(policy: &CollectionPolicy, edits: &Edits) -> Result {
    let policies = Policies::default().with(Collection::new("notes").unwrap(), policy.clone());
    let world = World::with(policies, Limits::default()).await;
    let (one, two) = (world.fresh().await, world.fresh().await);
    if edits.base.is_some() {
        make(&one, edits.base.as_ref()).await;
    }
    world.settle(&[&one, &two]).await;
    world.clock.advance(Duration::from_secs(1));
    let mut in_time = [(&one, &edits.first), (&two, &edits.second)];
    if edits.is_late {
        in_time.reverse();
    }
    for (replica, value) in in_time {
        make(replica, value.as_ref()).await;
        world.clock.advance(Duration::from_secs(1));
    }
    one.sync(&world.loopback()).await.unwrap();
    two.sync(&world.loopback()).await.unwrap();
    world.settle(&[&one, &two]).await;
    world.assert_converged(&[&one, &two]).await;
    let shown = value(&one, "r").await;
    assert_eq!(value(&two, "r").await, shown);
    assert_eq!(at_server(&world).await, shown);
    assert_eq!(one.set_aside(10).await.unwrap().len() + two.set_aside(10).await.unwrap().len(), 0);
    let open = losers(&one.conflicts(10).await.unwrap(), shown.as_ref());
    let overruled = losers(&one.settled_conflicts(10).await.unwrap(), shown.as_ref());
    Result { value: shown, open, overruled }
}

async fn at_server(world: &World) -> Option<Value> {
    let key = crate::conformance::key("notes", "r");
    let mut txn = world.store.read(&space()).await.unwrap();
    let record = txn.records(&[key]).await.unwrap().remove(0);
    record.and_then(|record| record.data).as_ref().map(Json::to_value)
}

fn whole(clash: Clash) -> CollectionPolicy {
    CollectionPolicy::default().with_update(UpdatePolicy::Whole(clash))
}

fn fields(clash: Clash) -> CollectionPolicy {
    CollectionPolicy::default().with_update(UpdatePolicy::Fields(clash))
}

fn rule(path: &str, rule: PathRule) -> CollectionPolicy {
    fields(Clash::Manual).with_rule(path.parse().unwrap(), rule)
}

/// An update of both replicas, the first of which arrives first and was made first.
fn updates(base: Value, first: Value, second: Value) -> Edits {
    Edits { base: Some(base), first: Some(first), second: Some(second), is_late: false }
}

fn late(edits: Edits) -> Edits {
    Edits { is_late: true, ..edits }
}

fn x(x: i32, y: i32) -> Value {
    json!({"x": x, "y": y})
}

#[tokio::test]
async fn edits_of_the_same_field_clash_and_the_policy_names_the_winner() {
    let same = || updates(x(0, 0), x(1, 0), x(2, 0));
    for of in [whole, fields] {
        let cases = [
            (Clash::Manual, same(), Result::open(x(1, 0), x(2, 0))),
            (Clash::ServerWins, same(), Result::overruled(x(1, 0), x(2, 0))),
            (Clash::ClientWins, same(), Result::overruled(x(2, 0), x(1, 0))),
            (Clash::LastWriteWins, same(), Result::overruled(x(2, 0), x(1, 0))),
            // Made before what is there already: it comes too late to be the last.
            (Clash::LastWriteWins, late(same()), Result::overruled(x(1, 0), x(2, 0))),
            (Clash::ServerWins, late(same()), Result::overruled(x(1, 0), x(2, 0))),
            (Clash::ClientWins, late(same()), Result::overruled(x(2, 0), x(1, 0))),
        ];
        for (clash, edits, expected) in cases {
            let policy = of(clash);
            assert_eq!(run(&policy, &edits).await, expected, "{policy:?}, late {}", edits.is_late);
        }
    }
}

#[tokio::test]
async fn edits_of_different_fields_clash_only_where_records_are_taken_as_a_whole() {
    let apart = || updates(x(0, 0), x(1, 0), x(0, 2));
    for clash in [Clash::Manual, Clash::ServerWins, Clash::ClientWins, Clash::LastWriteWins] {
        assert_eq!(run(&fields(clash), &apart()).await, Result::joined(x(1, 2)), "{clash:?}");
    }
    let mine = x(1, 2);
    assert_eq!(run(&whole(Clash::Manual), &apart()).await, Result::open(x(1, 0), mine.clone()));
    assert_eq!(run(&whole(Clash::ServerWins), &apart()).await, Result::overruled(x(1, 0), mine));
}

#[tokio::test]
async fn fields_that_clash_fall_to_the_second_policy_and_the_others_are_joined() {
    let edits = || updates(x(0, 0), x(1, 1), json!({"x": 2, "y": 0, "z": 2}));
    let kept = json!({"x": 1, "y": 1, "z": 2});
    let theirs = Result::overruled(kept.clone(), json!({"x": 2, "y": 1, "z": 2}));
    assert_eq!(run(&fields(Clash::ServerWins), &edits()).await, theirs);
    let mine = json!({"x": 2, "y": 1, "z": 2});
    assert_eq!(run(&fields(Clash::ClientWins), &edits()).await, Result::overruled(mine.clone(), x(1, 1)));
    assert_eq!(run(&fields(Clash::LastWriteWins), &edits()).await, Result::overruled(mine, x(1, 1)));
    // A conflict leaves all of it to a person, also what did not clash.
    let open = Result::open(x(1, 1), json!({"x": 2, "y": 1, "z": 2}));
    assert_eq!(run(&fields(Clash::Manual), &edits()).await, open);
}

#[tokio::test]
async fn the_longest_path_decides() {
    let policy = fields(Clash::Manual)
        .with_rule("/a".parse().unwrap(), PathRule::Clash(Clash::ServerWins))
        .with_rule("/a/b".parse().unwrap(), PathRule::Clash(Clash::ClientWins));
    let of = |b: i32, c: i32| json!({"a": {"b": b, "c": c}, "d": 0});
    let result = run(&policy, &updates(of(0, 0), of(1, 1), of(2, 2))).await;
    assert_eq!(result.value, Some(of(2, 1)));
    assert_eq!((result.open.len(), result.overruled.len()), (0, 1));
    // Where no path says anything, the collection does; and a path may say so where records are taken as a whole.
    let d = |d: i32| json!({"a": {"b": 0, "c": 0}, "d": d});
    assert_eq!(run(&policy, &updates(d(0), d(1), d(2))).await, Result::open(d(1), d(2)));
    let policy = whole(Clash::Manual).with_rule("/y".parse().unwrap(), PathRule::Clash(Clash::ClientWins));
    assert_eq!(run(&policy, &updates(x(0, 0), x(1, 0), x(0, 2))).await, Result::joined(x(1, 2)));
}

#[tokio::test]
async fn value_rules_take_both_sides_in_either_order() {
    let n = |value: Value| json!({"n": value, "other": true});
    let cases = [
        (PathRule::Max, json!(5), json!(7), json!(6), json!(7)),
        (PathRule::Max, json!(5), json!(3), json!(4), json!(4)),
        (PathRule::Min, json!(5), json!(7), json!(6), json!(6)),
        (PathRule::Min, json!(5), json!(3), json!(4), json!(3)),
        (PathRule::Counter, json!(5), json!(7), json!(6), json!(8)),
        (PathRule::Counter, json!(5), json!(6), json!(6), json!(7)),
        (PathRule::Counter, json!(5), json!(2), json!(9), json!(6)),
        (PathRule::Set, json!(["a"]), json!(["a", "b"]), json!(["c", "a"]), json!(["a", "b", "c"])),
        (PathRule::Set, json!(["a", "b"]), json!(["b"]), json!(["a", "b", "c"]), json!(["b", "c"])),
    ];
    for (of, base, one, two, expected) in cases {
        let policy = rule("/n", of);
        for (first, second) in [(&one, &two), (&two, &one)] {
            let edits = updates(n(base.clone()), n(first.clone()), n(second.clone()));
            let expected = Result::joined(n(expected.clone()));
            assert_eq!(run(&policy, &edits).await, expected, "{policy:?}: {first}, {second}");
        }
    }
}

#[tokio::test]
async fn a_value_rule_that_cannot_combine_leaves_it_to_a_person() {
    let n = |value: Value| json!({ "n": value });
    let cases = [
        (PathRule::Counter, json!(1), json!(2), json!("many")),
        (PathRule::Counter, json!(1), json!(u64::MAX), json!(3)),
        (PathRule::Max, json!(1), json!(2), json!("many")),
        (PathRule::Min, json!(1), json!(2), json!(null)),
        (PathRule::Set, json!(["a"]), json!(["b"]), json!("c")),
    ];
    for (of, base, first, second) in cases {
        let policy = rule("/n", of);
        let edits = updates(n(base), n(first.clone()), n(second.clone()));
        assert_eq!(run(&policy, &edits).await, Result::open(n(first), n(second)), "{policy:?}");
    }
}

/// A resolver of the application's.
struct Answers(fn(Option<&Value>, Option<&Value>) -> Option<Value>);

impl Resolver for Answers {
    fn resolve(
        &self,
        _: &Pointer,
        _: Option<&Value>,
        mine: Option<&Value>,
        theirs: Option<&Value>,
    ) -> Option<Value> {
        (self.0)(mine, theirs)
    }
}

#[tokio::test]
async fn a_resolver_decides_and_one_that_cannot_or_fails_loses_nothing() {
    let of = |answer| rule("/text", PathRule::Custom(Arc::new(Answers(answer))));
    let text = |text: &str| json!({"text": text, "n": 1});
    let edits = || updates(text("old"), text("first"), text("second"));
    let both = of(|mine, theirs| Some(json!(format!("{} {}", theirs?.as_str()?, mine?.as_str()?))));
    assert_eq!(run(&both, &edits()).await, Result::joined(text("first second")));
    let open = || Result::open(text("first"), text("second"));
    assert_eq!(run(&of(|_, _| None), &edits()).await, open());
    assert_eq!(run(&of(|_, _| panic!("a fault of the application's")), &edits()).await, open());
}

#[tokio::test]
async fn an_answer_of_a_resolver_that_is_no_record_is_refused_and_the_edit_kept() {
    let too_deep = Answers(|_, _| Some((0..100).fold(json!(1), |value, _| json!([value]))));
    let policy = rule("/text", PathRule::Custom(Arc::new(too_deep)));
    let policies = Policies::default().with(Collection::new("notes").unwrap(), policy);
    let world = World::with(policies, Limits::default()).await;
    let (one, two) = (world.fresh().await, world.fresh().await);
    let text = |text: &str| json!({ "text": text });
    make(&one, Some(&text("old"))).await;
    world.settle(&[&one, &two]).await;
    make(&one, Some(&text("first"))).await;
    make(&two, Some(&text("second"))).await;
    one.sync(&world.loopback()).await.unwrap();
    world.settle(&[&two, &one]).await;
    assert_eq!(value(&two, "r").await, Some(text("first")));
    assert_eq!(two.set_aside(10).await.unwrap().len(), 1);
    world.assert_converged(&[&one, &two]).await;
}

#[tokio::test]
async fn an_update_and_a_delete_meet_as_the_policy_says_whichever_comes_first() {
    let base = || Some(x(0, 0));
    let update = || Some(x(1, 0));
    let updated = |open: Vec<_>, overruled: Vec<_>| Result { value: update(), open, overruled };
    let gone = |open: Vec<_>, overruled: Vec<_>| Result { value: None, open, overruled };
    let delete_last = || Edits { base: base(), first: update(), second: None, is_late: false };
    let delete_first = || Edits { base: base(), first: None, second: update(), is_late: false };
    let of = |policy| fields(Clash::Manual).with_delete(policy);
    assert_eq!(run(&of(DeletePolicy::UpdateWins), &delete_last()).await, updated(vec![], vec![None]));
    assert_eq!(run(&of(DeletePolicy::UpdateWins), &delete_first()).await, updated(vec![], vec![]));
    assert_eq!(run(&of(DeletePolicy::DeleteWins), &delete_last()).await, gone(vec![], vec![update()]));
    assert_eq!(run(&of(DeletePolicy::Manual), &delete_last()).await, updated(vec![None], vec![]));
    assert_eq!(run(&of(DeletePolicy::Manual), &delete_first()).await, gone(vec![update()], vec![]));
    let lost = run(&of(DeletePolicy::DeleteWins), &delete_first()).await;
    assert_eq!((lost.value, lost.open.len(), lost.overruled.len()), (None, 0, 1));
    // Both delete: there is nothing to decide.
    let both = Edits { base: base(), first: None, second: None, is_late: false };
    for policy in [DeletePolicy::UpdateWins, DeletePolicy::DeleteWins, DeletePolicy::Manual] {
        assert_eq!(run(&of(policy), &both).await, gone(vec![], vec![]));
    }
}

#[tokio::test]
async fn two_that_create_the_same_record_are_joined_or_clash_like_any_others() {
    let creates =
        |first, second| Edits { base: None, first: Some(first), second: Some(second), is_late: false };
    let (a, b) = (json!({"a": 1}), json!({"b": 2}));
    let policy = fields(Clash::Manual);
    assert_eq!(run(&policy, &creates(a.clone(), b)).await, Result::joined(json!({"a": 1, "b": 2})));
    assert_eq!(run(&policy, &creates(a.clone(), json!({"a": 2}))).await, Result::open(a, json!({"a": 2})));
    assert_eq!(
        run(&fields(Clash::LastWriteWins), &late(creates(x(1, 1), x(2, 2)))).await,
        Result::overruled(x(1, 1), x(2, 2))
    );
}

/// Two replicas under "the last write wins", of which one has a clock that is ahead.
async fn with_a_clock_ahead(ahead: Duration) -> (Option<Value>, usize) {
    let policies = Policies::default().with(Collection::new("notes").unwrap(), fields(Clash::LastWriteWins));
    let world = World::with(policies, Limits::default()).await;
    let (one, two) = (world.fresh().await, world.fresh().await);
    make(&one, Some(&x(0, 0))).await;
    world.settle(&[&one, &two]).await;
    let now = Timestamp::from_micros(3_000_000_000).unwrap();
    world.clock.set(now.saturating_add(ahead));
    make(&one, Some(&x(1, 0))).await;
    world.clock.set(now);
    one.sync(&world.loopback()).await.unwrap();
    // The other one edits a minute later, on a clock that is right.
    world.clock.advance(Duration::from_secs(60));
    make(&two, Some(&x(2, 0))).await;
    two.sync(&world.loopback()).await.unwrap();
    world.settle(&[&one, &two]).await;
    world.assert_converged(&[&one, &two]).await;
    assert_eq!(
        one.set_aside(10).await.unwrap().len(),
        0,
        "an edit is not refused for the clock of its device"
    );
    (value(&one, "r").await, one.settled_conflicts(10).await.unwrap().len())
}

#[tokio::test]
async fn a_clock_that_is_ahead_wins_within_bounds_and_not_beyond() {
    assert_eq!(with_a_clock_ahead(Duration::from_secs(30)).await, (Some(x(2, 0)), 1));
    assert_eq!(with_a_clock_ahead(Duration::from_secs(4 * 60)).await, (Some(x(1, 0)), 1), "it is believed");
    assert_eq!(with_a_clock_ahead(Duration::from_secs(6 * 60)).await, (Some(x(2, 0)), 1), "it is not");
    assert_eq!(with_a_clock_ahead(Duration::from_secs(10 * 365 * 86_400)).await, (Some(x(2, 0)), 1));
}
