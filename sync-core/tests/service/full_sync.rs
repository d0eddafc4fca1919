//! A push with a cursor also pulls: together they lose nothing, and nobody hears an echo of themselves.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::json;
use sync_core::json::Json;
use sync_core::protocol::{ClientBatch, PullPage, PullReply, PullRequest, PushDone, PushReply, PushRequest};
use sync_core::{CursorToken, Mutation, MutationNumber, Op, Outcome, RecordKey, Seq};

use crate::world::{World, actor, batch, batch_of, client, create, key, limits, put};

/// A replica in its simplest form: it believes what it is told, in the order in which it is told.
#[derive(Default)]
struct Copy {
    name: usize,
    n_sent: i64,
    cursor: Option<CursorToken>,
    records: BTreeMap<RecordKey, (Seq, Option<Json>)>,
}

impl Copy {
    fn version(&self, key: &RecordKey) -> Seq {
        self.records.get(key).map_or(Seq::ZERO, |(version, _)| *version)
    }

    fn push(&mut self, mutations: Vec<Mutation>) -> PushRequest {
        let first = MutationNumber::new(self.n_sent + 1).unwrap();
        self.n_sent += i64::try_from(mutations.len()).unwrap();
        let batch = Some(ClientBatch { client: client(self.name), first });
        PushRequest { batch, mutations, after: self.cursor.clone(), receipt: None }
    }

    /// Takes over what became of its mutations, and then, without a look at versions, what else happened.
    fn take(&mut self, mutations: Vec<Mutation>, done: PushDone) {
        for (mutation, outcome) in mutations.into_iter().zip(done.outcomes) {
            let asked = match mutation.op {
                Op::Put(data) => Some(data),
                _ => None,
            };
            let now = match outcome {
                Outcome::Applied { version, .. } => (version, asked),
                Outcome::Merged { version, data, .. } => (version, data),
                Outcome::Conflict { version, theirs, .. } => (version, theirs),
                Outcome::Unchanged { .. } | Outcome::Rejected { .. } | Outcome::Superseded => continue,
            };
            self.records.insert(mutation.key, now);
        }
        if let Some(page) = done.page {
            self.apply(page);
        }
    }

    fn apply(&mut self, page: PullPage) {
        for record in page.changes {
            let known = self.version(&record.key);
            assert!(known <= record.meta.version, "replica {} was set back: {record:?}", self.name);
            self.records.insert(record.key, (record.meta.version, record.data));
        }
        self.cursor = Some(page.cursor);
    }

    async fn catch_up(&mut self, world: &World) {
        loop {
            let page = world.page(self.cursor.as_ref(), None).await;
            let is_last = !page.has_more;
            self.apply(page);
            if is_last {
                return;
            }
        }
    }

    fn living(&self) -> BTreeMap<RecordKey, (Seq, Json)> {
        let living =
            self.records.iter().filter_map(|(key, (version, data))| Some((key, version, data.as_ref()?)));
        living.map(|(key, version, data)| (key.clone(), (*version, data.clone()))).collect()
    }
}

async fn server(world: &World) -> BTreeMap<RecordKey, (Seq, Json)> {
    let state = world.state().await.into_iter();
    state.filter_map(|(key, record)| Some((key, (record.meta.version, record.data?)))).collect()
}

async fn full(world: &World, after: &CursorToken, mut push: PushRequest) -> (Vec<Outcome>, PullPage) {
    push.after = Some(after.clone());
    let done = world.done(push).await;
    (done.outcomes, done.page.unwrap())
}

fn ids(page: &PullPage) -> Vec<&str> {
    page.changes.iter().map(|record| record.key.id.as_str()).collect()
}

#[tokio::test]
async fn own_changes_are_not_echoed_and_those_of_others_are_delivered() {
    let world = World::new().await;
    let start = world.cursor().await;
    world.set("theirs", json!(1)).await;
    let (_, page) = full(&world, &start, batch(1, vec![create("mine", json!(1))])).await;
    assert_eq!((ids(&page), page.has_more), (vec!["theirs"], false));
    assert_eq!(page.cursor, world.cursor().await);
    assert_eq!(world.page(Some(&page.cursor), None).await.changes, []);
    let (_, next) = full(&world, &page.cursor, batch(2, vec![create("more", json!(1))])).await;
    assert_eq!((ids(&next), next.has_more), (vec![], false));
    let empty = batch(3, vec![]);
    let (_, same) = full(&world, &next.cursor, empty).await;
    assert_eq!(same, next);
}

#[tokio::test]
async fn the_conflicts_a_batch_causes_come_with_the_answer() {
    let world = World::new().await;
    let old = world.set("r", json!(1)).await;
    world.set("r", json!(2)).await;
    let cursor = world.cursor().await;
    let push = batch(1, vec![create("mine", json!(1)), put("r", json!(3)).based_on(old)]);
    let (outcomes, page) = full(&world, &cursor, push).await;
    let Outcome::Conflict { id, .. } = &outcomes[1] else { panic!("{outcomes:?}") };
    assert_eq!((ids(&page), page.has_more), (vec![id.as_str()], false));
    assert_eq!(page.cursor, world.cursor().await);
}

#[tokio::test]
async fn what_a_batch_overwrites_is_not_delivered_after_it() {
    let world = World::new().await;
    let cursor = world.cursor().await;
    let seen = world.set("r", json!(1)).await;
    let (outcomes, page) = full(&world, &cursor, batch(1, vec![put("r", json!(2)).based_on(seen)])).await;
    assert_eq!((outcomes[0].as_str(), ids(&page)), ("applied", vec![]));
}

#[tokio::test]
async fn a_long_page_is_cut_and_goes_on_where_it_was_cut() {
    let world = World::with(|builder| builder.limits(limits(|limits| limits.page_rows_max = 2))).await;
    let start = world.cursor().await;
    world.push((0..5).map(|n| create(&n.to_string(), json!(n))).collect()).await;
    let (_, page) = full(&world, &start, batch(1, vec![create("mine", json!(1))])).await;
    assert_eq!((ids(&page), page.has_more), (vec!["0", "1"], true));
    let page = world.page(Some(&page.cursor), None).await;
    assert_eq!((ids(&page), page.has_more), (vec!["2", "3"], true));
    let page = world.page(Some(&page.cursor), None).await;
    assert_eq!((ids(&page), page.has_more), (vec!["4", "mine"], false));
}

#[tokio::test]
async fn batches_of_one_commit_do_not_hide_each_other() {
    let world = World::new().await;
    let start = world.cursor().await;
    world.set("before", json!(0)).await;
    let push = |n: usize| full(&world, &start, batch_of(n, 1, vec![create(&format!("by-{n}"), json!(n))]));
    let answers = futures_util::future::join_all((1..=4).map(push)).await;
    for (idx, (_, page)) in answers.iter().enumerate() {
        let own = format!("by-{}", idx + 1);
        let mut seen: Vec<String> = ids(page).into_iter().map(String::from).chain([own]).collect();
        assert!(page.has_more, "there are the other three");
        let rest = world.page(Some(&page.cursor), None).await;
        seen.extend(ids(&rest).into_iter().map(String::from));
        seen.sort();
        seen.dedup();
        assert_eq!(seen, ["before", "by-1", "by-2", "by-3", "by-4"]);
    }
}

#[tokio::test]
async fn the_answers_of_one_commit_together_stay_within_a_page() {
    let max = 10_000;
    let world = World::with(|builder| builder.limits(limits(|limits| limits.page_bytes_max = max))).await;
    let start = world.cursor().await;
    let text = "x".repeat(900);
    world.push((0..10).map(|n| create(&n.to_string(), json!(text))).collect()).await;
    let push = |n: usize| full(&world, &start, batch_of(n, 1, vec![create(&format!("by-{n}"), json!(n))]));
    let answers = futures_util::future::join_all((1..=50).map(push)).await;
    let n_bytes = |page: &PullPage| page.changes.iter().map(|record| record.data_len()).sum::<usize>();
    let total: usize = answers.iter().map(|(_, page)| n_bytes(page)).sum();
    assert!(total <= max + 1_000, "a page has one record even where there is no room: {total}");
    for (_, page) in &answers {
        assert!(page.has_more);
        let mut copy = Copy { cursor: Some(page.cursor.clone()), ..Copy::default() };
        copy.catch_up(&world).await;
        assert!(copy.records.len() + page.changes.len() >= 59);
    }
}

#[derive(Clone, Debug)]
enum Step {
    Push {
        who: usize,
        what: Vec<(u8, Option<u8>)>,
    },
    /// Several at once, in one commit.
    Together(Vec<(usize, u8)>),
    Pull {
        who: usize,
        limit: usize,
    },
    Jump(i8),
}

fn step() -> impl Strategy<Value = Step> {
    let what = prop::collection::vec((0..6u8, prop::option::weighted(0.8, any::<u8>())), 1..5);
    prop_oneof![
        4 => (0..3usize, what).prop_map(|(who, what)| Step::Push { who, what }),
        2 => prop::collection::btree_map(0..3usize, 0..6u8, 2..4)
            .prop_map(|all| Step::Together(all.into_iter().collect())),
        2 => (0..3usize, 1..4usize).prop_map(|(who, limit)| Step::Pull { who, limit }),
        1 => any::<i8>().prop_map(Step::Jump),
    ]
}

fn mutation_of(copy: &Copy, id: u8, value: Option<u8>) -> Mutation {
    let key = key(&id.to_string());
    let base = copy.version(&key);
    let op = value.map_or(Op::Delete, |value| Op::Put(crate::world::json(json!({ "v": value }))));
    Mutation::new(key, op).based_on(base)
}

async fn play(steps: Vec<Step>) {
    let small = limits(|limits| limits.page_rows_max = 3);
    let world = World::with(|builder| builder.limits(small)).await;
    let mut copies: Vec<Copy> = (0..3).map(|name| Copy { name, ..Copy::default() }).collect();
    for copy in &mut copies {
        copy.catch_up(&world).await;
    }
    for step in steps {
        match step {
            Step::Jump(by) => {
                let now = crate::world::BEGINNING + i64::from(by) * 1_000_000;
                world.clock.set(sync_core::Timestamp::from_micros(now).unwrap());
            }
            Step::Pull { who, limit } => {
                let page = world.page(copies[who].cursor.as_ref(), Some(limit)).await;
                copies[who].apply(page);
            }
            Step::Push { who, what } => {
                let copy = &mut copies[who];
                let mut what = what;
                what.sort();
                what.dedup_by_key(|(id, _)| *id);
                let mutations: Vec<_> =
                    what.into_iter().map(|(id, value)| mutation_of(copy, id, value)).collect();
                let push = copy.push(mutations.clone());
                copy.take(mutations, world.done(push).await);
            }
            Step::Together(all) => {
                let mut sent = Vec::new();
                for (who, id) in all {
                    let copy = &mut copies[who];
                    let mutation = mutation_of(copy, id, Some(u8::try_from(who).unwrap()));
                    sent.push((who, mutation.clone(), copy.push(vec![mutation])));
                }
                let pushes = sent.iter().map(|(_, _, push)| world.done(push.clone()));
                let answers = futures_util::future::join_all(pushes).await;
                for ((who, mutation, _), done) in sent.into_iter().zip(answers) {
                    copies[who].take(vec![mutation], done);
                }
            }
        }
    }
    let expected = server(&world).await;
    for copy in &mut copies {
        copy.catch_up(&world).await;
        assert_eq!(copy.living(), expected, "replica {}", copy.name);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn replicas_that_believe_every_answer_end_up_with_what_the_server_has(
        steps in prop::collection::vec(step(), 1..40)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(play(steps));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixteen_replicas_that_push_and_pull_at_once_lose_nothing() {
    let world = Arc::new(World::new().await);
    let tasks = (0..16).map(|name| {
        let world = Arc::clone(&world);
        tokio::spawn(async move {
            let mut copy = Copy { name, ..Copy::default() };
            copy.catch_up(&world).await;
            for round in 0..40 {
                let mutations = vec![
                    create(&format!("{name}-{round}"), json!(round)),
                    mutation_of(
                        &copy,
                        u8::try_from((name + round) % 5).unwrap(),
                        Some(u8::try_from(round).unwrap()),
                    ),
                ];
                let push = copy.push(mutations.clone());
                let reply = world.service.push(&actor("ada"), &world.space, push).await.unwrap();
                let PushReply::Done(done) = reply else { panic!("{reply:?}") };
                copy.take(mutations, done);
                if round % 3 == name % 3 {
                    let pull = PullRequest { after: copy.cursor.clone(), ..PullRequest::default() };
                    let PullReply::Page(page) = world.pull(pull).await else { panic!() };
                    copy.apply(page);
                }
            }
            copy
        })
    });
    let copies = futures_util::future::join_all(tasks).await;
    let expected = server(&world).await;
    assert!(expected.len() >= 16 * 40);
    for copy in copies {
        let mut copy = copy.unwrap();
        copy.catch_up(&world).await;
        assert_eq!(copy.living(), expected, "replica {}", copy.name);
    }
}
