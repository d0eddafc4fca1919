//! I11 below the space: no answer depends on records that its reader may never read, neither what is in a page nor where
//! it ends.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use sync_core::json::Json;
use sync_core::protocol::{PullPage, PullReply, PullRequest, PushReply, PushRequest, SnapshotRequest};
use sync_core::service::{Actor, Limits};
use sync_core::store::{Call, FaultyStore, MemoryStore};
use sync_core::{
    ActorId, Collection, Conflict, Cursor, CursorToken, Mutation, Outcome, RecordId, RecordKey, Role, Seq,
};

use crate::world::{World, actor, limits};

/// Everyone reads what names them as its owner, and owners of the space read everything.
fn own(actor: &Actor, _: &RecordKey, data: &Json) -> bool {
    actor.role == Role::Owner || data.to_value()["owner"] == actor.id.as_str()
}

fn root() -> Actor {
    Actor::new(ActorId::new("root").unwrap(), Role::Owner)
}

fn of(owner: &str, n_bytes: usize) -> Value {
    json!({"owner": owner, "text": "x".repeat(n_bytes)})
}

async fn world(limit: impl FnOnce(&mut Limits)) -> World {
    World::with(|builder| builder.scope(own).limits(limits(limit))).await
}

fn key_in(collection: &str, id: &str) -> RecordKey {
    RecordKey::new(Collection::new(collection).unwrap(), RecordId::new(id).unwrap())
}

async fn push(world: &World, who: &Actor, push: PushRequest) -> (Vec<Outcome>, Option<PullPage>) {
    match world.service.push(who, &world.space, push).await.unwrap() {
        PushReply::Done(done) => (done.outcomes, done.page),
        reply => panic!("{reply:?}"),
    }
}

async fn write(world: &World, mutations: Vec<Mutation>) -> Vec<Outcome> {
    push(world, &root(), PushRequest { batch: None, mutations, after: None, receipt: None }).await.0
}

/// Makes a record what it says; `None` deletes it.
async fn set(world: &World, key: RecordKey, value: Option<Value>) {
    let now = world.service.record(&root(), &world.space, &key, true).await.unwrap();
    let base = now.map_or(Seq::ZERO, |record| record.meta.version);
    let mutation = match value {
        Some(value) => Mutation::put(key, Json::from_value(&value).unwrap()),
        None => Mutation::delete(key),
    };
    write(world, vec![mutation.based_on(base)]).await;
}

/// Where the records are that the reader may never read.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Hidden {
    Here,
    /// In a collection of their own, as many and at the same times, and all of them small.
    Elsewhere,
    Nowhere,
}

struct Dice(u64);

impl Dice {
    fn roll(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        usize::try_from(self.0 >> 33).unwrap() % n
    }
}

/// The same story for each place of what is hidden, the hidden ids in it, and cursors that the reader had meanwhile.
async fn story(seed: u64, hidden: Hidden) -> (World, Vec<String>, Vec<CursorToken>) {
    let world = world(|limits| (limits.page_rows_max, limits.page_bytes_max) = (4, 400)).await;
    let (mut dice, mut secret, mut cursors) = (Dice(seed), Vec::new(), Vec::new());
    for n in 0..50 {
        world.clock.advance(Duration::from_secs(1));
        let (collection, name) = (["affairs", "notes", "tasks"][dice.roll(3)], dice.roll(600));
        let (n_bytes, how) = (dice.roll(300), dice.roll(9));
        match how {
            0 => set(&world, key_in(collection, &format!("v{}", name % 20)), None).await,
            1..4 => {
                let value = Some(of("ada", n_bytes));
                set(&world, key_in(collection, &format!("v{}", name % 20)), value).await;
            }
            _ => {
                let id = format!("v{}-{n}", name % 25);
                match hidden {
                    Hidden::Here => set(&world, key_in(collection, &id), Some(of("bob", n_bytes))).await,
                    Hidden::Elsewhere => set(&world, key_in("else", &id), Some(of("bob", 0))).await,
                    Hidden::Nowhere => {}
                }
                secret.push(id);
            }
        }
        if n % 10 == 0 {
            let request = PullRequest { limit: Some(4), ..PullRequest::default() };
            let PullReply::Page(page) =
                world.service.pull(&actor("ada"), &world.space, request).await.unwrap()
            else {
                panic!()
            };
            cursors.push(page.cursor);
        }
    }
    (world, secret, cursors)
}

/// What is asked in each world, and what is compared of the answers.
struct Reader<'a> {
    world: &'a World,
    who: Actor,
    /// Whether the histories are as long as each other, so that they also have the same places.
    places: bool,
    seen: Vec<String>,
}

impl Reader<'_> {
    fn note(&mut self, what: impl std::fmt::Debug) {
        self.seen.push(format!("{what:?}"));
    }

    fn place(&self, cursor: &CursorToken) -> Option<(Seq, Seq)> {
        let cursor = Cursor::decode(cursor, &self.world.space).unwrap();
        self.places.then_some((cursor.seq, cursor.seen))
    }

    fn note_page(&mut self, page: &PullPage) {
        let head = self.places.then_some(page.head);
        let place = self.place(&page.cursor);
        self.note((&page.changes, page.has_more, place, head));
    }

    async fn pull(
        &mut self,
        mut after: Option<CursorToken>,
        collections: Option<Vec<Collection>>,
        limit: usize,
    ) -> CursorToken {
        loop {
            let request = PullRequest {
                after,
                collections: collections.clone(),
                limit: Some(limit),
                ..Default::default()
            };
            let reply = self.world.service.pull(&self.who, &self.world.space, request).await.unwrap();
            let PullReply::Page(page) = reply else { panic!("{reply:?}") };
            self.note_page(&page);
            if !page.has_more {
                return page.cursor;
            }
            after = Some(page.cursor);
        }
    }

    async fn push(&mut self, after: CursorToken) {
        let wish = PushRequest { batch: None, mutations: vec![], after: Some(after), receipt: None };
        let (outcomes, page) = push(self.world, &self.who, wish).await;
        assert!(outcomes.is_empty());
        self.note_page(&page.unwrap());
    }

    async fn list(&mut self, collection: &str, after: Option<&str>, limit: usize) {
        let collection = Collection::new(collection).unwrap();
        let mut after = after.map(|id| RecordId::new(id).unwrap());
        loop {
            let (service, space) = (&self.world.service, &self.world.space);
            let page = service.records(&self.who, space, &collection, after, Some(limit)).await.unwrap();
            self.note(&page);
            let Some(next) = page.next else { return };
            assert_eq!(Some(&next), page.records.last().map(|record| &record.key.id), "it was shown");
            after = Some(next);
        }
    }

    async fn snapshot(&mut self, collections: Option<Vec<Collection>>) {
        let mut request = SnapshotRequest { collections, from: None };
        loop {
            let page = self.world.service.snapshot(&self.who, &self.world.space, &request).await.unwrap();
            // The key in a token; what stands before and after it is a cursor.
            let next = page.next.as_ref().map(|next| next.as_str().split('.').nth(1).unwrap().to_owned());
            let place = self.place(&page.cursor);
            self.note((page.n_records, &page.records, &next, place));
            let Some(next) = page.next else { return };
            request.from = Some(next);
        }
    }

    async fn rest(&mut self, secret: &[String]) {
        let (service, space) = (&self.world.service, &self.world.space);
        let status = service.status(&self.who, space, true).await.unwrap();
        let conflicts = service.conflicts(&self.who, space, None, true).await.unwrap();
        self.note((status.collections, status.state_hash, conflicts));
        if self.places {
            let log = service.log(&self.who, space, None, None).await.unwrap();
            self.note(log);
        }
        for id in secret {
            for collection in ["affairs", "notes", "tasks"] {
                self.note(service.record(&self.who, space, &key_in(collection, id), true).await.unwrap());
            }
        }
    }
}

/// Everything that can be asked for, with every place and size.
async fn told(seed: u64, hidden: Hidden, who: &str, places: bool) -> Vec<String> {
    let (world, secret, cursors) = story(seed, hidden).await;
    let mut reader = Reader { world: &world, who: actor(who), places, seen: Vec::new() };
    let selections = [None, Some(vec!["notes"]), Some(vec!["tasks", "affairs"]), Some(vec!["nothing"])];
    let named = |names: Vec<&str>| names.into_iter().map(|name| Collection::new(name).unwrap()).collect();
    for names in selections {
        let names: Option<Vec<Collection>> = names.map(named);
        for limit in [1, 2, 4] {
            reader.pull(None, names.clone(), limit).await;
            if who == "ada" {
                for cursor in &cursors {
                    reader.pull(Some(cursor.clone()), names.clone(), limit).await;
                }
            }
        }
        reader.snapshot(names).await;
    }
    for collection in ["affairs", "notes", "nothing"] {
        for limit in 1..=4 {
            reader.list(collection, None, limit).await;
            for id in &secret {
                let short = &id[..id.len() - 1];
                reader.list(collection, Some(id), limit).await;
                reader.list(collection, Some(short), limit).await;
                reader.list(collection, Some(&format!("{short}~")), limit).await;
            }
        }
    }
    reader.rest(&secret).await;
    // A push makes one read, which is a place of the space: how far that is depends on how much happened.
    if who == "ada" && places {
        for cursor in cursors {
            reader.push(cursor).await;
        }
    }
    reader.seen
}

#[tokio::test]
async fn no_answer_depends_on_records_that_its_reader_may_never_read() {
    for seed in 1..=12 {
        for who in ["ada", "nobody"] {
            for (other, places) in [(Hidden::Elsewhere, true), (Hidden::Nowhere, false)] {
                let here = told(seed, Hidden::Here, who, places).await;
                let there = told(seed, other, who, places).await;
                assert_eq!(here.len(), there.len(), "answers to {who}, {other:?}, seed {seed}");
                for (here, there) in here.iter().zip(&there) {
                    assert_eq!(here, there, "{who}, {other:?}, seed {seed}");
                }
            }
        }
    }
}

/// Whoever chooses where a page begins could find each hidden id, character by character.
#[tokio::test]
async fn the_length_of_a_list_tells_no_hidden_id() {
    let world = world(|_| {}).await;
    for (id, owner) in [("x1", "bob"), ("x2", "bob"), ("secret-7f3a", "ada"), ("q-other", "ada")] {
        set(&world, key_in("notes", id), Some(of(owner, 1))).await;
    }
    let notes = Collection::new("notes").unwrap();
    for after in ["a", "q-othep", "q-other", "secret-7f39", "secret-7f3a", "x"] {
        let after = Some(RecordId::new(after).unwrap());
        let page = world.service.records(&actor("bob"), &world.space, &notes, after.clone(), Some(2)).await;
        let page = page.unwrap();
        let ids: Vec<&str> = page.records.iter().map(|record| record.key.id.as_str()).collect();
        assert_eq!((ids, page.next), (vec!["x1", "x2"], None), "after {after:?}");
    }
}

#[tokio::test]
async fn pulling_a_collection_neither_counts_nor_dates_what_is_hidden_in_it() {
    let world = world(|_| {}).await;
    for n in 0..3 {
        world.clock.advance(Duration::from_secs(60));
        set(&world, key_in("affairs", &format!("r{n}")), Some(of("ada", n))).await;
        set(&world, key_in("notes", &format!("r{n}")), Some(of("ada", n))).await;
    }
    let mut told = Vec::new();
    for name in ["affairs", "nothing"] {
        let collections = Some(vec![Collection::new(name).unwrap()]);
        let request = PullRequest { collections, limit: Some(1), ..PullRequest::default() };
        let PullReply::Page(page) = world.service.pull(&actor("bob"), &world.space, request).await.unwrap()
        else {
            panic!()
        };
        assert!(page.changes.is_empty() && !page.has_more, "{name}: {page:?}");
        told.push(page);
    }
    assert_eq!(told[0], told[1]);
}

#[tokio::test]
async fn hidden_conflicts_shorten_no_page_and_follow_none() {
    let world = world(|limits| limits.page_rows_max = 3).await;
    let mut shown = Vec::new();
    for n in 0..24 {
        let (key, owner) = (key_in("notes", &n.to_string()), if n % 4 == 0 { "ada" } else { "bob" });
        set(&world, key.clone(), Some(of(owner, 1))).await;
        let old = world.service.record(&root(), &world.space, &key, false).await.unwrap().unwrap();
        set(&world, key.clone(), Some(of(owner, 2))).await;
        let late = Mutation::put(key, Json::from_value(&of(owner, 3)).unwrap()).based_on(old.meta.version);
        let Outcome::Conflict { id, .. } = write(&world, vec![late]).await.remove(0) else { panic!() };
        if owner == "ada" {
            shown.push(id);
        }
    }
    shown.sort();
    let (mut pages, mut after) = (Vec::new(), None);
    loop {
        let (page, next) = world.service.conflicts(&actor("ada"), &world.space, after, false).await.unwrap();
        pages.push(page.into_iter().map(|conflict: Conflict| conflict.id).collect::<Vec<_>>());
        match next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    assert_eq!(pages, [&shown[..3], &shown[3..]]);
}

/// I13 and I14: one pull does not read a whole history, and its reader gets on all the same. Where it ends says how much
/// happened in the space, and nothing of where.
#[tokio::test]
async fn a_pull_ends_after_ten_thousand_hidden_changes_at_the_same_place_for_every_collection() {
    let world = world(|_| {}).await;
    let request = PullRequest::default();
    let PullReply::Page(start) = world.service.pull(&actor("ada"), &world.space, request).await.unwrap()
    else {
        panic!()
    };
    for n in 0..25 {
        let hidden = |id| {
            let key = key_in("affairs", &format!("{n}-{id}"));
            Mutation::put(key, Json::from_value(&of("bob", 1)).unwrap()).based_on(Seq::ZERO)
        };
        write(&world, (0..1000).map(hidden).collect()).await;
    }
    set(&world, key_in("notes", "mine"), Some(of("ada", 1))).await;
    let mut places = BTreeMap::new();
    for name in ["affairs", "notes", "nothing"] {
        let (mut after, mut n_told) = (None, 0);
        let places: &mut Vec<CursorToken> = places.entry(name).or_default();
        loop {
            let collections = Some(vec![Collection::new(name).unwrap()]);
            let request = PullRequest { after, collections, ..PullRequest::default() };
            let reply = world.service.pull(&actor("ada"), &world.space, request).await.unwrap();
            let PullReply::Page(page) = reply else { panic!("{reply:?}") };
            n_told += page.changes.len();
            places.push(page.cursor.clone());
            if !page.has_more {
                break;
            }
            after = Some(page.cursor);
        }
        assert_eq!((n_told, places.len()), (usize::from(name == "notes"), 3), "{name}");
    }
    assert!(places["affairs"] == places["nothing"] && places["notes"] == places["nothing"]);
    // A push holds up everyone else, so it makes one read, and says that there is more.
    let wish = PushRequest { batch: None, mutations: vec![], after: Some(start.cursor), receipt: None };
    let page = push(&world, &actor("ada"), wish).await.1.unwrap();
    assert_eq!((page.changes.len(), page.has_more), (0, true));
}

#[tokio::test]
async fn without_a_scope_a_page_is_one_read_and_a_reader_who_has_everything_costs_none() {
    let store = MemoryStore::default();
    let faulty = FaultyStore::new(Arc::new(store.clone()));
    let world = World::over(store, Arc::new(faulty.clone()), |builder| {
        builder.limits(limits(|limits| limits.page_rows_max = 2))
    });
    world.service.create_space(&world.space).await.unwrap();
    for n in 0..7 {
        set(&world, key_in("notes", &n.to_string()), Some(json!(n))).await;
    }
    let n_reads = || (faulty.n_calls_of(Call::Feed), faulty.n_calls_of(Call::Scan));
    let before = n_reads();
    let mut reader = Reader { world: &world, who: actor("ada"), places: true, seen: Vec::new() };
    let end = reader.pull(None, None, 2).await;
    reader.list("notes", None, 2).await;
    reader.snapshot(None).await;
    assert_eq!(n_reads(), (before.0 + 4, before.1 + 8));
    let before = n_reads();
    reader.pull(Some(end.clone()), None, 2).await;
    reader.push(end).await;
    assert_eq!(n_reads(), before);
}
