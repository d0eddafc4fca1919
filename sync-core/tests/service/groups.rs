//! Groups are carried out together or not at all; chains stop where they break.

use serde_json::json;
use sync_core::merge::diff;
use sync_core::{Mutation, MutationNumber, Outcome, Seq};

use crate::world::{BEGINNING, World, batch, create, key, put};

fn seq(n: i64) -> Seq {
    Seq::new(BEGINNING + n).unwrap()
}

fn after(mut mutation: Mutation, number: i64) -> Mutation {
    mutation.after = Some(MutationNumber::new(number).unwrap());
    mutation
}

fn words(outcomes: &[Outcome]) -> Vec<&'static str> {
    outcomes.iter().map(Outcome::as_str).collect()
}

#[tokio::test]
async fn a_bad_mutation_does_not_hold_up_those_that_stand_alone() {
    let world = World::new().await;
    let outcomes = world
        .push(vec![create("a", json!(1)), put("b", json!(1)).based_on(seq(9)), create("c", json!(1))])
        .await;
    assert_eq!(words(&outcomes), ["applied", "rejected", "applied"]);
    assert_eq!((world.value("a").await, world.value("c").await), (Some(json!(1)), Some(json!(1))));
}

#[tokio::test]
async fn a_group_that_fails_anywhere_leaves_no_trace() {
    for failing in 0..4 {
        let world = World::new().await;
        let mutation = |idx| match idx == failing {
            true => put(&format!("r{idx}"), json!(1)).based_on(seq(999)).in_group("g"),
            false => create(&format!("r{idx}"), json!(1)).in_group("g"),
        };
        let outcomes = world.push((0..4).map(mutation).collect()).await;
        let expected = (0..4).map(|idx| if idx == failing { "rejected" } else { "superseded" });
        assert_eq!(words(&outcomes), expected.collect::<Vec<_>>());
        assert_eq!(world.state().await.len(), 0);
        // The seqs were given back: the next change takes the first.
        let outcome = world.one(create("next", json!(1))).await;
        assert_eq!(outcome, Outcome::Applied { version: seq(0), revision: 1 });
    }
}

#[tokio::test]
async fn a_conflict_undoes_its_group_and_is_kept_once() {
    let world = World::new().await;
    world.set("shared", json!(1)).await;
    let seen = world.set("shared", json!(2)).await;
    let stale = Seq::new(seen.get() - 1).unwrap();
    let outcomes = world
        .push(vec![
            create("before", json!(1)).in_group("g"),
            put("shared", json!(3)).based_on(stale).in_group("g"),
            create("after", json!(1)).in_group("g"),
            create("alone", json!(1)),
        ])
        .await;
    assert_eq!(words(&outcomes), ["superseded", "conflict", "superseded", "applied"]);
    assert_eq!((world.value("before").await, world.value("shared").await), (None, Some(json!(2))));
    let (conflicts, _) = world.service.conflicts(&world.space, None, true).await.unwrap();
    let Outcome::Conflict { id, version, .. } = &outcomes[1] else { panic!("{outcomes:?}") };
    assert_eq!((&conflicts[0].id, conflicts.len(), *version), (id, 1, seen));
    // Two changes were made, with two seqs and no hole between them.
    let versions: Vec<Seq> = world.page(None, None).await.changes.iter().map(|r| r.meta.version).collect();
    assert_eq!(versions, [seen, Seq::new(seen.get() + 1).unwrap(), Seq::new(seen.get() + 2).unwrap()]);
}

#[tokio::test]
async fn a_group_may_change_a_record_twice_and_fails_where_it_contradicts_itself() {
    let world = World::new().await;
    let (one, two) = (json!({"a": 1, "b": 1}), json!({"a": 1, "b": 2}));
    let outcomes = world
        .push(vec![
            create("r", one.clone()).in_group("g"),
            Mutation::patch(key("r"), diff(Some(&one), &two)).in_group("g"),
        ])
        .await;
    assert_eq!(words(&outcomes), ["applied", "merged"]);
    assert_eq!(world.value("r").await, Some(two));

    let (a, b) = (create("x", json!({"a": 1})), create("x", json!({"a": 2})));
    let outcomes = world.push(vec![a.in_group("g"), b.in_group("g")]).await;
    // The author must learn which one to mend: not all of them may be called superseded.
    let why = "it clashes with an earlier mutation of its own group";
    assert_eq!(outcomes, [Outcome::Superseded, Outcome::rejected("validation_failed", why)]);
    assert_eq!(world.value("x").await, None);
    assert_eq!(world.service.conflicts(&world.space, None, true).await.unwrap().0, []);
}

#[tokio::test]
async fn groups_with_the_same_name_that_do_not_touch_are_two() {
    let world = World::new().await;
    let bad = put("c", json!(1)).based_on(seq(9));
    let outcomes = world
        .push(vec![create("a", json!(1)).in_group("g"), create("b", json!(1)), bad.clone().in_group("g")])
        .await;
    assert_eq!(words(&outcomes), ["applied", "applied", "rejected"]);
}

#[tokio::test]
async fn a_chain_stops_where_it_breaks() {
    let world = World::new().await;
    world.done(batch(1, vec![create("old", json!(1))])).await;
    let outcomes = world
        .done(batch(
            2,
            vec![
                create("a", json!(1)),
                after(create("b", json!(1)), 2),
                after(put("c", json!(1)).based_on(seq(999)), 3),
                after(create("d", json!(1)), 4),
                after(create("e", json!(1)), 5),
                after(create("f", json!(1)), 2),
                // Itself, a later one, and one of another batch.
                after(create("g", json!(1)), 8),
                after(create("h", json!(1)), 10),
                after(create("i", json!(1)), 1),
            ],
        ))
        .await
        .outcomes;
    let expected = [
        "applied",
        "applied",
        "rejected",
        "superseded",
        "superseded",
        "applied",
        "rejected",
        "rejected",
        "rejected",
    ];
    assert_eq!(words(&outcomes), expected);
    assert_eq!(world.state().await.len(), 4);
}

#[tokio::test]
async fn a_group_that_depends_on_what_failed_is_not_tried() {
    let world = World::new().await;
    world.set("shared", json!(1)).await;
    let seen = world.set("shared", json!(2)).await;
    let stale = put("shared", json!(3)).based_on(Seq::new(seen.get() - 1).unwrap());
    let outcomes = world
        .push(vec![
            put("x", json!(1)).based_on(seq(999)),
            create("a", json!(1)).in_group("g"),
            // On its own it would be a conflict; as it is not tried, it must not leave one.
            after(stale, 1).in_group("g"),
        ])
        .await;
    assert_eq!(words(&outcomes), ["rejected", "superseded", "superseded"]);
    assert_eq!(world.service.conflicts(&world.space, None, true).await.unwrap().0, []);
    assert_eq!(world.value("a").await, None);

    let outcomes = world
        .push(vec![create("a", json!(1)).in_group("g"), after(create("b", json!(1)), 7).in_group("g")])
        .await;
    assert_eq!(words(&outcomes), ["superseded", "rejected"]);
}
