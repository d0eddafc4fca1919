//! Ops of trees among records: one feed, one order, and rules of their own.

use std::time::Duration;

use serde_json::json;
use sync_core::protocol::{PullPage, PullReply, PullRequest, PushRequest, SnapshotRequest, code};
use sync_core::service::Limits;
use sync_core::{
    Clock, Collection, ErrorKind, Mutation, OpId, Outcome, PropertyKey, Record, Role, TreeId, TreeOp,
    VertexId,
};

use crate::world::{World, actor, batch, create};

pub(crate) fn tree() -> TreeId {
    TreeId::new("outline").unwrap()
}

pub(crate) fn id(text: &str) -> OpId {
    text.parse().unwrap()
}

pub(crate) fn vertex(text: &str) -> VertexId {
    VertexId::new(text).unwrap()
}

pub(crate) fn moving(op: &str, target: &str, parent: Option<&str>) -> TreeOp {
    TreeOp::moving(id(op), vertex(target), parent.map(vertex))
}

fn put(op: &TreeOp) -> Mutation {
    Mutation::put(op.key(&tree()), op.content())
}

fn words(outcomes: &[Outcome]) -> Vec<&str> {
    outcomes
        .iter()
        .map(
            |outcome| {
                if let Outcome::Rejected { code, .. } = outcome { code.as_str() } else { outcome.as_str() }
            },
        )
        .collect()
}

fn names(page: &PullPage) -> Vec<String> {
    page.changes.iter().map(|record| record.key.to_string()).collect()
}

async fn add(
    world: &World,
    who: &str,
    ops: &[TreeOp],
) -> Result<(usize, usize), (ErrorKind, Option<&'static str>, Option<String>)> {
    let added = world.service.add_ops(&actor(who), &world.space, &tree(), ops.to_vec()).await;
    added
        .map(|added| (added.n_new, added.n_known))
        .map_err(|error| (error.kind(), error.code(), error.pointer().map(str::to_owned)))
}

#[tokio::test]
async fn ops_and_records_share_one_feed() {
    let world = World::new().await;
    let ops = [moving("1@a1", "book", None), moving("2@a1", "intro", Some("book"))];
    world.push(vec![create("first", json!(1)), put(&ops[0]), create("second", json!(2)), put(&ops[1])]).await;
    let page = world.page(None, None).await;
    let expected = [
        "notes/first",
        "$tree:outline/0000000000000001@a1",
        "notes/second",
        "$tree:outline/0000000000000002@a1",
    ];
    assert_eq!(names(&page), expected);
    let read: Vec<TreeOp> = page
        .changes
        .iter()
        .filter(|record| record.key.collection.is_tree())
        .map(|record: &Record| {
            TreeOp::from_record(&record.key.id, record.data.as_ref().unwrap().as_str()).unwrap()
        })
        .collect();
    assert_eq!(read, ops);
    // Page by page, and from the end on: the books about trees and peers are nobody's to see and hold nothing up.
    let mut after = world.page(None, Some(1)).await;
    let mut seen = names(&after);
    while after.has_more {
        after = world.page(Some(&after.cursor), Some(1)).await;
        seen.extend(names(&after));
    }
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_reader_may_ask_for_one_tree_alone() {
    let world = World::new().await;
    let other = TreeId::new("other").unwrap();
    let op = moving("1@a1", "book", None);
    world.push(vec![put(&op), Mutation::put(op.key(&other), op.content()), create("r", json!(1))]).await;
    let collections = Some(vec![Collection::of_tree(&other)]);
    let request = SnapshotRequest { collections: collections.clone(), ..SnapshotRequest::default() };
    let snapshot = world.service.snapshot(&actor("ada"), &world.space, &request).await.unwrap().records;
    let pull = PullRequest { collections, ..PullRequest::default() };
    let PullReply::Page(page) = world.pull(pull).await else { panic!("no page") };
    for records in [snapshot, page.changes] {
        let keys: Vec<_> = records.iter().map(|record| record.key.clone()).collect();
        assert_eq!(keys, [op.key(&other)]);
    }
}

#[tokio::test]
async fn a_known_op_is_passed_over_whoever_sends_it() {
    let world = World::new().await;
    let op = moving("1@a1", "book", None);
    assert_eq!(add(&world, "ada", std::slice::from_ref(&op)).await, Ok((1, 0)));
    assert_eq!(add(&world, "ada", &[op.clone(), op.clone()]).await, Ok((0, 2)));
    let head = world.page(None, None).await.head;
    assert_eq!(add(&world, "bob", &[op]).await, Ok((0, 1)));
    assert_eq!(world.page(None, None).await.head, head, "nothing was written");
}

#[tokio::test]
async fn an_op_with_a_known_id_and_other_content_is_refused_and_nothing_with_it() {
    let world = World::new().await;
    add(&world, "ada", &[moving("1@a1", "book", None)]).await.unwrap();
    let batch = [moving("2@a1", "new", None), moving("1@a1", "book", Some("elsewhere"))];
    let refused = add(&world, "ada", &batch).await;
    assert_eq!(refused, Err((ErrorKind::Invalid, Some(code::OP_CONFLICT), Some("/ops/1".to_owned()))));
    let ops = world.service.ops(&actor("ada"), &world.space, &tree(), None, None).await.unwrap().ops;
    assert_eq!(ops, [moving("1@a1", "book", None)]);
    // Among mutations that stand alone it holds nothing up.
    let outcomes = world.push(vec![put(&batch[1]), put(&batch[0])]).await;
    assert_eq!(words(&outcomes), [code::OP_CONFLICT, "applied"]);
    // Also within one batch the first one counts.
    let outcomes = world.push(vec![put(&moving("3@a1", "x", None)), put(&moving("3@a1", "y", None))]).await;
    assert_eq!(words(&outcomes), ["applied", code::OP_CONFLICT]);
}

#[tokio::test]
async fn a_peer_belongs_to_whoever_used_it_first() {
    let world = World::new().await;
    add(&world, "ada", &[moving("1@a1", "book", None)]).await.unwrap();
    let foreign = Err((ErrorKind::Forbidden, Some(code::FORBIDDEN_CLIENT), Some("/ops/0".to_owned())));
    assert_eq!(add(&world, "bob", &[moving("2@a1", "mine", None)]).await, foreign);
    assert_eq!(add(&world.restarted(), "bob", &[moving("2@a1", "mine", None)]).await, foreign);
    assert_eq!(add(&world, "bob", &[moving("2@b1", "mine", None)]).await, Ok((1, 0)));
    assert_eq!(add(&world, "ada", &[moving("3@b1", "mine", None)]).await, foreign);
}

#[tokio::test]
async fn a_peer_of_a_group_that_failed_is_free() {
    let world = World::new().await;
    let bad = Mutation::delete(moving("2@a1", "x", None).key(&tree()));
    let outcomes = world.push(vec![put(&moving("1@a1", "x", None)).in_group("g"), bad.in_group("g")]).await;
    assert_eq!(words(&outcomes), ["superseded", code::VALIDATION_FAILED]);
    assert_eq!(add(&world, "bob", &[moving("1@a1", "x", None)]).await, Ok((1, 0)));
}

#[tokio::test]
async fn a_clock_far_ahead_of_its_tree_is_refused() {
    let limits = Limits { op_clock_ahead_max: 10, ..Limits::default() };
    let world = World::with(|builder| builder.limits(limits.clone())).await;
    let drift = Err((ErrorKind::Invalid, Some(code::CLOCK_DRIFT), Some("/ops/0".to_owned())));
    assert_eq!(add(&world, "ada", &[moving("11@a1", "x", None)]).await, drift);
    let begun = [moving("10@a1", "x", None), moving("9@a1", "y", None)];
    assert_eq!(add(&world, "ada", &begun).await, Ok((2, 0)));
    // A batch does not lead away step by step.
    let steps = [moving("20@a1", "y", None), moving("21@a1", "y", None)];
    let second = Err((ErrorKind::Invalid, Some(code::CLOCK_DRIFT), Some("/ops/1".to_owned())));
    assert_eq!(add(&world, "ada", &steps).await, second);
    assert_eq!(add(&world, "ada", &steps[..1]).await, Ok((1, 0)));
    // What an earlier commit brought counts; what failed does not.
    let bad = Mutation::delete(moving("2@a1", "x", None).key(&tree()));
    world.push(vec![put(&moving("30@a1", "z", None)).in_group("g"), bad.in_group("g")]).await;
    assert_eq!(add(&world, "ada", &[moving("31@a1", "z", None)]).await, drift);
    assert_eq!(
        add(&world, "bob", &[moving("30@b1", "z", None), moving("5@b1", "late", None)]).await,
        Ok((2, 0))
    );
    // Each tree has a clock of its own.
    let other = TreeId::new("other").unwrap();
    let far =
        world.service.add_ops(&actor("ada"), &world.space, &other, vec![moving("11@a1", "x", None)]).await;
    assert_eq!(far.unwrap_err().code(), Some(code::CLOCK_DRIFT));
}

#[tokio::test]
async fn ops_of_a_replica_are_pushed_exactly_once() {
    let world = World::new().await;
    let push = |ops: &[TreeOp]| PushRequest { mutations: ops.iter().map(put).collect(), ..batch(1, vec![]) };
    let first = world.done(push(&[moving("1@a1", "x", None)])).await;
    assert_eq!(world.done(push(&[moving("1@a1", "x", None)])).await.outcomes, first.outcomes);
    assert_eq!(words(&first.outcomes), ["applied"]);
}

#[tokio::test]
async fn who_pushes_ops_and_pulls_at_once_is_up_to_date() {
    let world = World::new().await;
    let after = Some(world.cursor().await);
    let push = PushRequest { mutations: vec![put(&moving("1@a1", "x", None))], after, ..batch(1, vec![]) };
    let page = world.done(push).await.page.unwrap();
    assert!(!page.has_more && page.changes.is_empty(), "{page:?}");
}

#[tokio::test]
async fn a_value_that_is_deeper_than_a_record_is_refused() {
    let world = World::new().await;
    let deep = (0..32).fold(json!(1), |value, _| json!([value]));
    let value = Some(sync_core::json::Json::from_value(&deep).unwrap());
    let op = TreeOp::setting(id("2@a1"), vertex("x"), PropertyKey::new("k").unwrap(), value);
    let refused = Err((ErrorKind::Invalid, Some(code::VALIDATION_FAILED), Some("/ops/0".to_owned())));
    assert_eq!(add(&world, "ada", &[op]).await, refused);
}

#[tokio::test]
async fn the_books_of_trees_are_in_no_status() {
    let world = World::new().await;
    add(&world, "ada", &[moving("1@a1", "x", None)]).await.unwrap();
    let status = world.service.status(&actor("ada"), &world.space, false).await.unwrap();
    let names: Vec<_> = status.collections.iter().map(|counted| counted.name.as_str()).collect();
    assert_eq!(names, ["$tree:outline"]);
}

#[tokio::test]
async fn ops_are_listed_in_their_order_however_they_came() {
    let world = World::new().await;
    let ids = ["10@a1", "2@c", "2@b", "9@a1", "1@a1"];
    let ops: Vec<TreeOp> = ids.iter().map(|op| moving(op, "x", None)).collect();
    add(&world, "ada", &ops).await.unwrap();
    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let page = world.service.ops(&actor("ada"), &world.space, &tree(), after, Some(2)).await.unwrap();
        listed.extend(page.ops.iter().map(|op| op.id.to_string()));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(listed, ["1@a1", "2@b", "2@c", "9@a1", "10@a1"]);
}

#[tokio::test]
async fn who_may_only_read_adds_no_ops() {
    let world = World::new().await;
    let viewer = sync_core::service::Actor { role: Role::Viewer, ..actor("eve") };
    let refused = world.service.add_ops(&viewer, &world.space, &tree(), vec![moving("1@e", "x", None)]).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Forbidden);
}

#[tokio::test]
async fn what_is_too_much_is_refused_before_anything_happens() {
    let limits = Limits { mutations_max: 2, op_bytes_max: 60, ..Limits::default() };
    let world = World::with(|builder| builder.limits(limits)).await;
    let many: Vec<TreeOp> = (1..4).map(|n| moving(&format!("{n}@a1"), "x", None)).collect();
    let refused = add(&world, "ada", &many).await;
    assert_eq!(refused, Err((ErrorKind::Invalid, Some(code::BODY_TOO_LARGE), Some("/ops".to_owned()))));
    let value = Some(sync_core::json::Json::from_value(&json!("x".repeat(60))).unwrap());
    let large = TreeOp::setting(id("2@a1"), vertex("x"), PropertyKey::new("k").unwrap(), value);
    let refused = add(&world, "ada", &[moving("1@a1", "x", None), large]).await;
    assert_eq!(refused, Err((ErrorKind::Invalid, Some(code::VALIDATION_FAILED), Some("/ops/1".to_owned()))));
    assert_eq!(world.state().await.len(), 0);
}

/// Those that build on it could not wait for another one, and its date decides nothing.
#[tokio::test]
async fn an_op_of_a_device_whose_clock_is_ahead_is_taken_and_dated_by_the_server() {
    let world = World::new().await;
    let now = world.clock.now();
    let ahead = put(&moving("1@a1", "book", None)).at(now.saturating_add(Duration::from_secs(3600)));
    let soon = put(&moving("2@a1", "intro", None)).at(now.saturating_add(Duration::from_secs(60)));
    assert_eq!(words(&world.push(vec![ahead, soon]).await), ["applied", "applied"]);
    let dates: Vec<_> = world.state().await.into_values().map(|record| record.meta.edited_at).collect();
    assert_eq!(dates, [now, now.saturating_add(Duration::from_secs(60))]);
}
