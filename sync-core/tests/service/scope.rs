//! I11 below the space: nothing of a record reaches someone who may not read it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use sync_core::json::Json;
use sync_core::protocol::{PullReply, PullRequest, PushDone, PushReply, PushRequest, ResyncReason};
use sync_core::protocol::{SnapshotPage, SnapshotRequest};
use sync_core::service::rules::Scope;
use sync_core::service::{Actor, Limits};
use sync_core::{
    ActorId, Collection, CursorToken, Mutation, Outcome, Record, RecordKey, Resolution, Role, Seq,
};

use crate::world::{World, actor, create, key, limits, notes, put};

/// Everyone reads what names them as its owner, and owners of the space read everything.
fn own(actor: &Actor, _: &RecordKey, data: &Json) -> bool {
    actor.role == Role::Owner || data.to_value()["owner"] == actor.id.as_str()
}

fn root() -> Actor {
    Actor::new(ActorId::new("root").unwrap(), Role::Owner)
}

fn of(owner: &str, n: usize) -> Value {
    json!({"owner": owner, "n": n})
}

async fn world() -> World {
    World::with(|builder| builder.scope(own)).await
}

async fn small(limit: impl FnOnce(&mut Limits)) -> World {
    World::with(|builder| builder.scope(own).limits(limits(limit))).await
}

async fn push_as(world: &World, who: &Actor, push: PushRequest) -> PushDone {
    match world.service.push(who, &world.space, push).await.unwrap() {
        PushReply::Done(done) => done,
        reply => panic!("{reply:?}"),
    }
}

async fn one_as(world: &World, who: &Actor, mutation: Mutation) -> Outcome {
    let push = PushRequest { batch: None, mutations: vec![mutation], after: None, receipt: None };
    push_as(world, who, push).await.outcomes.remove(0)
}

/// Makes a record what it says, whoever may read it before or after; `None` deletes it.
async fn set(world: &World, id: &str, value: Option<Value>) -> Seq {
    let now = world.service.record(&root(), &world.space, &key(id), true).await.unwrap();
    let base = now.map_or(Seq::ZERO, |record| record.meta.version);
    let mutation = value.map_or(Mutation::delete(key(id)), |value| put(id, value));
    let outcome = one_as(world, &root(), mutation.based_on(base)).await;
    outcome.version().unwrap_or_else(|| panic!("{outcome:?}"))
}

/// What one actor is given after a cursor, in pages of so many, and the cursor at the end.
async fn pull(
    world: &World,
    who: &Actor,
    mut after: Option<CursorToken>,
    limit: usize,
) -> (Vec<Record>, CursorToken) {
    let mut changes = Vec::new();
    loop {
        let request = PullRequest { after, limit: Some(limit), ..PullRequest::default() };
        let PullReply::Page(page) = world.service.pull(who, &world.space, request).await.unwrap() else {
            panic!("{who:?} must load anew")
        };
        changes.extend(page.changes);
        if !page.has_more {
            return (changes, page.cursor);
        }
        after = Some(page.cursor);
    }
}

async fn snapshot(world: &World, who: &Actor) -> (Option<u64>, Vec<Record>, CursorToken) {
    let (mut request, mut records, mut n_records) = (SnapshotRequest::default(), Vec::new(), None);
    loop {
        let page: SnapshotPage = world.service.snapshot(who, &world.space, &request).await.unwrap();
        n_records = n_records.or(page.n_records);
        records.extend(page.records);
        match page.next {
            Some(next) => request.from = Some(next),
            None => return (n_records, records, page.cursor),
        }
    }
}

fn ids(records: &[Record]) -> Vec<&str> {
    records.iter().map(|record| record.key.id.as_str()).collect()
}

/// All that a reader is told of a record that is gone for them.
fn is_bare(record: &Record) -> bool {
    let meta = &record.meta;
    record.is_deleted()
        && (meta.author.as_str(), meta.revision, meta.edited_at.as_micros()) == ("system", 1, 0)
        && meta.client.is_none()
}

#[tokio::test]
async fn the_feed_tells_everyone_what_is_theirs_and_of_the_rest_that_it_is_gone() {
    let world = world().await;
    let (ada, bob) = (actor("ada"), actor("bob"));
    set(&world, "a", Some(of("ada", 1))).await;
    set(&world, "b", Some(of("bob", 1))).await;
    let (changes, at) = pull(&world, &bob, None, 10).await;
    assert_eq!(ids(&changes), ["b"], "nobody who could not read it was ever told of a");

    let moved = set(&world, "b", Some(of("ada", 2))).await;
    let (changes, at) = pull(&world, &bob, Some(at), 10).await;
    assert_eq!((ids(&changes), is_bare(&changes[0])), (vec!["b"], true));
    assert_eq!(changes[0].meta.version, moved);

    set(&world, "b", Some(of("bob", 3))).await;
    let (changes, at) = pull(&world, &bob, Some(at), 10).await;
    assert_eq!(changes[0].data.as_ref().unwrap().to_value(), of("bob", 3));

    // Whether a record is deleted or out of reach cannot be told apart.
    set(&world, "b", Some(of("ada", 4))).await;
    set(&world, "a", None).await;
    let (changes, _) = pull(&world, &bob, Some(at), 10).await;
    assert_eq!(ids(&changes), ["b", "a"]);
    assert!(changes.iter().all(is_bare));
    assert_eq!(ids(&pull(&world, &ada, None, 10).await.0), ["b", "a"]);
}

#[tokio::test]
async fn who_gives_a_record_away_is_told_that_it_is_gone() {
    let world = world().await;
    let (ada, eve) = (actor("ada"), actor("eve"));
    let (_, before) = pull(&world, &eve, None, 1).await;
    let seen = one_as(&world, &ada, create("a", of("ada", 1))).await.version().unwrap();
    let (_, after) = pull(&world, &ada, None, 10).await;
    let give = vec![put("a", of("bob", 2)).based_on(seen), create("new", of("bob", 3))];
    let push = PushRequest { batch: None, mutations: give, after: Some(after.clone()), receipt: None };
    let done = push_as(&world, &ada, push).await;
    assert!(done.outcomes.iter().all(|outcome| outcome.as_str() == "applied"), "{:?}", done.outcomes);
    let page = done.page.unwrap();
    assert_eq!((ids(&page.changes), page.has_more), (vec!["a", "new"], false));
    assert!(page.changes.iter().all(is_bare));
    // The same for who only pulls; the one who made it knows of a record that nobody else could have seen.
    assert_eq!(ids(&pull(&world, &ada, Some(after.clone()), 1).await.0), ["a", "new"]);
    assert_eq!(ids(&pull(&world, &eve, Some(before), 1).await.0), ["a"]);
    assert_eq!(pull(&world, &ada, Some(page.cursor), 10).await.0, []);
}

#[tokio::test]
async fn pages_and_snapshots_of_any_size_show_exactly_what_may_be_read() {
    let world = small(|limits| (limits.page_rows_max, limits.page_bytes_max) = (3, 200)).await;
    let owners = ["ada", "bob", "carol"];
    let readers = [actor("ada"), actor("bob"), actor("nobody"), root()];
    let mut copies: Vec<(BTreeMap<RecordKey, Record>, Option<CursorToken>)> = vec![Default::default(); 4];
    let mut dice = 7u64;
    let mut roll = |n: u64| {
        dice = dice.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (dice >> 33) % n
    };
    for round in 0..60 {
        for n in 0..roll(8) {
            let value = (roll(5) > 0).then(|| of(owners[roll(3) as usize], n as usize));
            set(&world, &format!("r{}", roll(25)), value).await;
        }
        let (truth, _) = pull(&world, &root(), None, 2).await;
        for (reader, (copy, after)) in readers.iter().zip(&mut copies) {
            let mine =
                |record: &&Record| record.data.as_ref().is_some_and(|data| own(reader, &record.key, data));
            let mine: BTreeMap<_, _> =
                truth.iter().filter(mine).map(|record| (record.key.clone(), record.clone())).collect();
            let (changes, cursor) = pull(&world, reader, after.take(), 1 + roll(3) as usize).await;
            for change in changes {
                match change.is_deleted() {
                    true => copy.remove(&change.key),
                    false => copy.insert(change.key.clone(), change),
                };
            }
            assert_eq!(*copy, mine, "round {round}, {}", reader.id);
            *after = Some(cursor);

            let (n_records, records, _) = snapshot(&world, reader).await;
            assert_eq!(n_records, Some(mine.len() as u64));
            assert!(records.iter().eq(mine.values()), "round {round}, {}", reader.id);

            let status = world.service.status(reader, &world.space, true).await.unwrap();
            let n_counted: u64 = status.collections.iter().map(|counted| counted.n_records).sum();
            assert_eq!(n_counted, mine.len() as u64);
        }
    }
    assert!(copies[0].0.len() > 1 && copies[2].0.is_empty());
}

#[tokio::test]
async fn plain_reading_knows_nothing_of_what_is_hidden() {
    let world = small(|limits| limits.page_rows_max = 2).await;
    for n in 0..9 {
        set(&world, &format!("r{n}"), Some(of(if n == 4 { "ada" } else { "bob" }, n))).await;
    }
    set(&world, "r8", Some(of("bob", 88))).await;
    let ada = actor("ada");
    let read = |id: &'static str, with_tombstone| {
        let (service, space, ada) = (world.service.clone(), world.space.clone(), ada.clone());
        async move { service.record(&ada, &space, &key(id), with_tombstone).await.unwrap() }
    };
    assert!(read("r4", false).await.is_some());
    for id in ["r3", "r8", "never"] {
        assert_eq!(read(id, false).await, None, "{id}");
    }
    assert_eq!(
        (read("r3", true).await, read("r8", true).await.map(|record| is_bare(&record))),
        (None, Some(true))
    );
    // That others follow is not told either.
    let page = world.service.records(&ada, &world.space, &notes(), None, None).await.unwrap();
    assert_eq!((ids(&page.records), page.next), (vec!["r4"], None));
    let status = world.service.status(&ada, &world.space, true).await.unwrap();
    let [counted] = &status.collections[..] else { panic!("{status:?}") };
    // As many as a pull from the beginning would tell of.
    assert_eq!((counted.n_records, counted.n_tombstones), (1, 1));
    let all = world.service.status(&root(), &world.space, true).await.unwrap();
    assert_ne!(status.state_hash, all.state_hash);
}

#[tokio::test]
async fn the_log_names_what_may_be_read_and_what_one_did_oneself() {
    let world = world().await;
    let (ada, bob) = (actor("ada"), actor("bob"));
    let push = |ids: [&str; 2], owner: &str| PushRequest {
        batch: None,
        mutations: ids.iter().map(|id| create(id, of(owner, 1))).collect(),
        after: None,
        receipt: None,
    };
    push_as(&world, &bob, push(["b1", "b2"], "bob")).await;
    push_as(&world, &bob, push(["a1", "b3"], "ada")).await;
    push_as(&world, &ada, push(["b1", "a2"], "ada")).await;
    set(&world, "b3", Some(of("bob", 2))).await;
    set(&world, "b2", None).await;
    let log = world.service.log(&ada, &world.space, None, None).await.unwrap();
    let named: Vec<Vec<&str>> = log
        .iter()
        .map(|entry| entry.outcomes.iter().map(|outcome| outcome.key.id.as_str()).collect())
        .collect();
    let expected: [Vec<&str>; 5] = [vec!["b2"], vec![], vec!["b1", "a2"], vec!["a1"], vec!["b2"]];
    assert_eq!(named, expected);
    assert_eq!(world.service.log(&root(), &world.space, None, None).await.unwrap()[1].outcomes.len(), 1);
}

/// Every way to ask for something about a record, whose version was `old` once and is `now`.
fn wishes(old: Seq, now: Seq) -> Vec<Mutation> {
    let patch = sync_core::merge::diff(Some(&of("bob", 1)), &json!({"owner": "ada", "n": 9}));
    let ops = [
        put("x", of("ada", 9)),
        put("x", of("bob", 2)),
        Mutation::patch(key("x"), patch),
        Mutation::delete(key("x")),
    ];
    let bases = [None, Some(Seq::ZERO), Some(old), Some(now), Some(Seq::MAX)];
    let with = |op: &Mutation| bases.map(|base| Mutation { base_version: base, ..op.clone() });
    ops.iter().flat_map(with).collect()
}

#[tokio::test]
async fn a_hidden_record_is_answered_about_as_one_that_is_not_there() {
    for n_changes in [1, 2] {
        let (mut n_same, mut n_refused) = (0, 0);
        for idx in 0..wishes(Seq::ZERO, Seq::ZERO).len() {
            let (hidden, absent) = (world().await, world().await);
            let (mut old, mut now) = (Seq::ZERO, Seq::ZERO);
            for n in 1..=n_changes {
                (old, now) = (now, set(&hidden, "x", Some(of("bob", n))).await);
                // Nothing there, in a history of the same length; or a record that was deleted by now.
                let there = (n_changes == 2).then(|| (n == 1).then(|| of("bob", n)));
                match there {
                    Some(value) => assert_eq!(set(&absent, "x", value).await, now),
                    None => assert_eq!(set(&absent, "y", Some(of("bob", n))).await, now),
                }
            }
            let before = hidden.service.status(&root(), &hidden.space, true).await.unwrap();
            let wish = wishes(old, now).remove(idx);
            let answer = one_as(&hidden, &actor("ada"), wish.clone()).await;
            let same = one_as(&absent, &actor("ada"), wish.clone()).await;
            match same {
                Outcome::Unchanged { .. } | Outcome::Rejected { .. } => {
                    assert_eq!(answer, same, "{wish:?}");
                    n_same += 1;
                }
                _ => {
                    let Outcome::Rejected { code, .. } = &answer else { panic!("{wish:?}: {answer:?}") };
                    assert_eq!(code, "out_of_scope", "{wish:?}, where an absent one gives {same:?}");
                    n_refused += 1;
                }
            }
            let after = hidden.service.status(&root(), &hidden.space, true).await.unwrap();
            assert_eq!((before.head, before.state_hash), (after.head, after.state_hash), "{wish:?}");
        }
        assert!(n_same > 5 && n_refused > 3, "{n_same} {n_refused}");
    }
}

#[tokio::test]
async fn a_conflict_is_shown_to_who_may_read_both_sides() {
    let world = world().await;
    let (ada, bob) = (actor("ada"), actor("bob"));
    let old = set(&world, "r", Some(of("ada", 1))).await;
    set(&world, "r", Some(of("ada", 2))).await;
    // By ada, who may read what is there; what she wants is not for her any more.
    let outcome = one_as(&world, &ada, put("r", of("bob", 3)).based_on(old)).await;
    let Outcome::Conflict { id, .. } = outcome else { panic!("{outcome:?}") };
    let outcome = one_as(&world, &root(), put("r", of("bob", 4)).based_on(old)).await;
    assert_eq!(outcome.as_str(), "conflict");

    let listed = |who: Actor| {
        let (service, space) = (world.service.clone(), world.space.clone());
        async move { service.conflicts(&who, &space, None, true).await.unwrap().0 }
    };
    assert_eq!(listed(root()).await.len(), 2);
    let [mine] = &listed(ada.clone()).await[..] else { panic!() };
    assert_eq!(mine.id, id);
    assert_eq!(listed(bob.clone()).await, []);
    let conflicts = |records: &[Record]| {
        records.iter().filter(|record| record.key.collection.as_str() == Collection::CONFLICTS).count()
    };
    assert_eq!(conflicts(&pull(&world, &ada, None, 10).await.0), 1);
    assert_eq!(conflicts(&pull(&world, &bob, None, 10).await.0), 0);

    for how in [Resolution::TakeMine, Resolution::TakeTheirs] {
        let refused = world.service.resolve(&bob, &world.space, &id, how, None).await.unwrap_err();
        assert_eq!(refused.code(), Some("not_found"));
    }
    let blind = put("r", of("bob", 5)).based_on(Seq::ZERO).resolving(id.clone());
    let Outcome::Rejected { code, .. } = one_as(&world, &bob, blind).await else { panic!() };
    assert_eq!(code, "not_found");
    let dismiss = Mutation::delete(sync_core::Conflict::key(id));
    assert_eq!(one_as(&world, &bob, dismiss).await, Outcome::Unchanged { version: Seq::ZERO });
    assert_eq!(listed(root()).await.len(), 2);
}

/// A scope with a list of who may read, which an application changes.
#[derive(Clone, Default)]
struct Listed(Arc<AtomicU64>);

impl Scope for Listed {
    fn may_read(&self, _: &Actor, _: &RecordKey, data: &Json) -> bool {
        data.to_value()["n"].as_u64() <= Some(self.0.load(Ordering::Relaxed))
    }

    fn edition(&self, _: &Actor) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[tokio::test]
async fn a_reader_whose_scope_changed_loads_anew() {
    let scope = Listed::default();
    let listed = scope.clone();
    let world = World::with(|builder| builder.scope(listed)).await;
    scope.0.store(1, Ordering::Relaxed);
    let ada = actor("ada");
    for n in 0..3 {
        let seen = one_as(&world, &ada, create(&n.to_string(), json!({"n": n}))).await;
        assert_eq!(seen.as_str(), "applied");
    }
    let reason = |who: Actor, after: CursorToken| {
        let request = PullRequest { after: Some(after), ..PullRequest::default() };
        let (service, space) = (world.service.clone(), world.space.clone());
        async move {
            match service.pull(&who, &space, request).await.unwrap() {
                PullReply::Page(_) => None,
                PullReply::ResyncRequired(resync) => Some(resync.reason),
            }
        }
    };
    let (n_records, _, cursor) = snapshot(&world, &ada).await;
    assert_eq!((n_records, reason(ada.clone(), cursor.clone()).await), (Some(2), None));
    // Another edition, another role, another person, and a server that has no scope any more.
    let viewer = Actor::new(ada.id.clone(), Role::Viewer);
    for who in [viewer, actor("bob")] {
        assert_eq!(reason(who, cursor.clone()).await, Some(ResyncReason::Horizon));
    }
    assert_eq!(world.restarted().refusal(&cursor).await, Some(ResyncReason::Horizon));
    scope.0.store(2, Ordering::Relaxed);
    assert_eq!(reason(ada.clone(), cursor.clone()).await, Some(ResyncReason::Horizon));
    let push = PushRequest { batch: None, mutations: vec![], after: Some(cursor), receipt: None };
    let reply = world.service.push(&ada, &world.space, push).await.unwrap();
    assert!(matches!(reply, PushReply::ResyncRequired(resync) if resync.reason == ResyncReason::Horizon));
    assert_eq!(snapshot(&world, &ada).await.0, Some(3));
    // A history that went back is still told from that.
    let (_, _, cursor) = snapshot(&world, &ada).await;
    world.clock.advance(Duration::from_secs(1));
    world.service.delete_space(&world.space).await.unwrap();
    world.service.create_space(&world.space).await.unwrap();
    assert_eq!(reason(ada, cursor).await, Some(ResyncReason::EpochChanged));
}

#[tokio::test]
async fn a_scope_that_panics_hides() {
    let brittle = |_: &Actor, key: &RecordKey, _: &Json| {
        assert_ne!(key.id.as_str(), "brittle", "a scope with a mistake");
        true
    };
    let world = World::with(|builder| builder.scope(brittle)).await;
    for id in ["brittle", "whole"] {
        assert_eq!(one_as(&world, &root(), create(id, json!(1))).await.as_str(), "applied");
    }
    assert_eq!(ids(&pull(&world, &actor("ada"), None, 10).await.0), ["whole"]);
    assert_eq!(one_as(&world, &root(), create("next", json!(1))).await.as_str(), "applied");
}

#[tokio::test]
async fn a_waiting_pull_sleeps_through_what_is_hidden() {
    let world = Arc::new(small(|limits| limits.page_rows_max = 2).await);
    let (_, cursor) = pull(&world, &actor("ada"), None, 10).await;
    let waiting = tokio::spawn({
        let world = world.clone();
        let wait = Some(Duration::from_secs(30));
        let request = PullRequest { after: Some(cursor), wait, ..PullRequest::default() };
        async move { world.service.pull(&actor("ada"), &world.space, request).await }
    });
    for n in 0..5 {
        set(&world, &format!("b{n}"), Some(of("bob", n))).await;
        tokio::task::yield_now().await;
    }
    assert!(!waiting.is_finished());
    // In one commit, of which it is woken once, and more than a page before what is for her.
    let mut batch: Vec<_> = (5..10).map(|n| create(&format!("b{n}"), of("bob", n))).collect();
    batch.push(create("a", of("ada", 1)));
    push_as(&world, &root(), PushRequest { batch: None, mutations: batch, after: None, receipt: None }).await;
    let reply = tokio::time::timeout(Duration::from_secs(10), waiting).await;
    let mut reply = reply.expect("it is told that there is more").unwrap().unwrap();
    while let PullReply::Page(page) = &reply
        && page.changes.is_empty()
    {
        assert!(page.has_more);
        let request = PullRequest { after: Some(page.cursor.clone()), ..PullRequest::default() };
        reply = world.service.pull(&actor("ada"), &world.space, request).await.unwrap();
    }
    let PullReply::Page(page) = reply else { panic!("{reply:?}") };
    assert_eq!(ids(&page.changes), ["a"]);
}
