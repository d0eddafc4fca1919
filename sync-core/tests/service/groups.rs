//! Groups are carried out together or not at all; chains stop where they break.

use std::sync::Arc;

use serde_json::{Value, json};
use sync_core::merge::{Clash, CollectionPolicy, UpdatePolicy, diff};
use sync_core::{Collection, Mutation, MutationNumber, Outcome, Policies, RecordKey, Seq};

use crate::world::{BEGINNING, World, actor, batch, create, json, key, put};

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

/// What may become of a mutation.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Applied,
    Unchanged,
    Merged,
    /// Merged, and a policy overruled it.
    Overruled,
    Conflict,
    Rejected,
}

impl Fate {
    const ALL: [Self; 6] =
        [Self::Applied, Self::Unchanged, Self::Merged, Self::Overruled, Self::Conflict, Self::Rejected];

    fn word(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Unchanged => "unchanged",
            Self::Merged | Self::Overruled => "merged",
            Self::Conflict => "conflict",
            Self::Rejected => "rejected",
        }
    }

    fn fails(self) -> bool {
        matches!(self, Self::Conflict | Self::Rejected)
    }

    /// A mutation with this fate of a record that was `was` at the version `seen` and is `is` now, and what it makes of it.
    fn mutation(self, id: &str, seen: Seq) -> (Mutation, Value) {
        let collection = if self == Self::Overruled { "overruled" } else { "notes" };
        let key = RecordKey::new(Collection::new(collection).unwrap(), key(id).id);
        let (was, is) = (json!({"a": 0, "b": 0}), json!({"a": 1, "b": 0}));
        let patch = |to: Value| Mutation::patch(key.clone(), diff(Some(&was), &to)).based_on(seen);
        match self {
            Self::Applied => {
                let now = json!({"a": 2, "b": 2});
                // Of the version that is stored, which came right after.
                let latest = Seq::new(seen.get() + 1).unwrap();
                (Mutation::patch(key.clone(), diff(Some(&is), &now)).based_on(latest), now)
            }
            Self::Unchanged => (Mutation::put(key.clone(), json(is.clone())).based_on(seen), is),
            Self::Merged => (patch(json!({"a": 0, "b": 5})), json!({"a": 1, "b": 5})),
            Self::Overruled => (patch(json!({"a": 7, "b": 0})), is),
            Self::Conflict => (patch(json!({"a": 7, "b": 0})), is),
            Self::Rejected => (patch(json!({"a": 7, "b": 0})).based_on(Seq::MAX), is),
        }
    }
}

/// A record for each fate in each of three places: someone has changed `a` since the version that is told.
async fn three_of_each(world: &World) -> Vec<Vec<Seq>> {
    let mut seen = Vec::new();
    for place in 0..3 {
        let mut of_place = Vec::new();
        for fate in Fate::ALL {
            let id = format!("{fate:?}{place}");
            let key = fate.mutation(&id, Seq::ZERO).0.key;
            let write = |a: i64| Mutation::put(key.clone(), json(json!({"a": a, "b": 0})));
            let first = world.one(write(0).based_on(Seq::ZERO)).await.version().unwrap();
            world.one(write(1).based_on(first)).await;
            of_place.push(first);
        }
        seen.push(of_place);
    }
    seen
}

#[tokio::test]
async fn a_group_is_carried_out_whole_or_not_at_all_whatever_becomes_of_its_members() {
    let overruled = CollectionPolicy::default().with_update(UpdatePolicy::Fields(Clash::ServerWins));
    let policies = Policies::default().with(Collection::new("overruled").unwrap(), overruled);
    let original = World::with(|builder| builder.policies(policies.clone())).await;
    let seen = three_of_each(&original).await;
    for n in 0..Fate::ALL.len().pow(3) {
        let idxs = [n % 6, n / 6 % 6, n / 36];
        let fates = idxs.map(|idx| Fate::ALL[idx]);
        let store = original.store.fork();
        let world = World::over(store.clone(), Arc::new(store), |builder| builder.policies(policies.clone()));
        let before = world.state().await;
        let wishes: Vec<(Mutation, Value)> = (0..3)
            .map(|place| {
                fates[place].mutation(&format!("{:?}{place}", fates[place]), seen[place][idxs[place]])
            })
            .collect();
        let group = wishes.iter().map(|(mutation, _)| mutation.clone().in_group("g")).collect::<Vec<_>>();
        let outcomes = world.done(batch(1, group.clone())).await.outcomes;
        let failing = fates.iter().position(|fate| fate.fails());
        let expected = (0..3).map(|place| match failing {
            None => fates[place].word(),
            Some(failing) if failing == place => fates[place].word(),
            Some(_) => "superseded",
        });
        assert_eq!(words(&outcomes), expected.collect::<Vec<_>>(), "{fates:?}");
        let mut after = world.state().await;
        if failing.is_none() {
            for (mutation, value) in &wishes {
                assert_eq!(after[&mutation.key].data, Some(json(value.clone())), "{fates:?}");
            }
            let n_kept = fates.iter().filter(|fate| **fate == Fate::Overruled).count();
            assert_eq!(after.len(), before.len() + n_kept, "{fates:?}: the side that lost is kept");
        } else {
            after.retain(|key, _| !key.collection.is_system());
            assert_eq!(after, before, "{fates:?}");
            let (conflicts, _) =
                world.service.conflicts(&actor("ada"), &world.space, None, true).await.unwrap();
            let is_conflict = failing.is_some_and(|failing| fates[failing] == Fate::Conflict);
            assert_eq!(conflicts.len(), usize::from(is_conflict), "{fates:?}: only what failed is kept");
        }
        assert_eq!(world.done(batch(1, group)).await.outcomes, outcomes, "{fates:?}: a retry");
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
    let (conflicts, _) = world.service.conflicts(&actor("ada"), &world.space, None, true).await.unwrap();
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
    assert_eq!(world.service.conflicts(&actor("ada"), &world.space, None, true).await.unwrap().0, []);
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
    assert_eq!(world.service.conflicts(&actor("ada"), &world.space, None, true).await.unwrap().0, []);
    assert_eq!(world.value("a").await, None);

    let outcomes = world
        .push(vec![create("a", json!(1)).in_group("g"), after(create("b", json!(1)), 7).in_group("g")])
        .await;
    assert_eq!(words(&outcomes), ["superseded", "rejected"]);
}
