//! Watching a part of a tree: told of what happens there, wherever it was done, and of nothing else.

use futures_util::FutureExt;
use serde_json::json;

use super::trees::{create, json_of, key, moves, outline, sync_all, vertex};
use super::world::World;
use crate::replica::{Replica, SubtreeWatch};
use crate::types::PropertyKey;

/// Two replicas of a tree: `root` with the branches `a` and `b`, and a leaf under each.
async fn two(world: &World) -> (Replica, Replica) {
    let (desk, phone) = (world.fresh().await, world.fresh().await);
    for (name, parent) in
        [("root", None), ("a", Some("root")), ("b", Some("root")), ("a1", Some("a")), ("b1", Some("b"))]
    {
        create(&desk, name, parent).await;
    }
    sync_all(world, &[&desk, &phone]).await;
    (desk, phone)
}

async fn set(replica: &Replica, name: &str, to: i32) {
    let (name, outline) = (vertex(name), outline(replica));
    outline.edit(|edit| edit.set(&name, key("text"), json_of(json!(to))).map(drop)).await.unwrap();
}

/// Whether something was told. Nothing else is at work here, so what is not told at once is not told at all.
async fn is_told(watch: &mut SubtreeWatch) -> bool {
    let told = tokio::time::timeout(std::time::Duration::from_millis(200), watch.changed()).await;
    told.inspect(|told| assert!(told.is_ok(), "{told:?}")).is_ok()
}

#[tokio::test(start_paused = true)]
async fn what_is_done_here_is_told_where_it_was_done() {
    let world = World::new().await;
    let (desk, _) = two(&world).await;
    let mut watches = Vec::new();
    for name in ["a", "b", "root", "a1"] {
        watches.push(outline(&desk).watch_subtree(vertex(name)).await.unwrap());
    }
    let mut seen = async |what: &str| {
        let mut told = Vec::new();
        for (watch, name) in watches.iter_mut().zip(["a", "b", "root", "a1"]) {
            if is_told(watch).await {
                told.push(name);
            }
        }
        (what.to_owned(), told)
    };
    assert_eq!(seen("nothing").await.1, [""; 0]);
    set(&desk, "a1", 1).await;
    assert_eq!(seen("a property of a leaf").await.1, ["a", "root", "a1"]);
    set(&desk, "root", 1).await;
    assert_eq!(seen("a property of the root").await.1, ["root"]);
    moves(&desk, "a1", "b").await;
    assert_eq!(seen("a leaf that moves from one to the other").await.1, ["a", "b", "root", "a1"]);
    set(&desk, "a1", 2).await;
    assert_eq!(seen("where it is now").await.1, ["b", "root", "a1"]);
    // Both at once, told once.
    set(&desk, "a", 3).await;
    set(&desk, "a", 4).await;
    assert_eq!(seen("twice").await.1, ["a", "root"]);
    // What fails is not told.
    let (a, a1) = (vertex("a"), vertex("a1"));
    let tree = outline(&desk);
    let failed = tree.edit(|edit| {
        edit.set(&a1, key("text"), json_of(json!(9)))?;
        edit.move_to(&a, &a).map(drop)
    });
    failed.await.unwrap_err();
    assert_eq!(outline(&desk).read(|tree| text_of(tree, "a1")).await.unwrap(), Some(json!(2)));
}

fn text_of(tree: &crate::tree::Tree, name: &str) -> Option<serde_json::Value> {
    tree.property(&vertex(name), &PropertyKey::new("text").unwrap()).map(|value| value.to_value())
}

#[tokio::test(start_paused = true)]
async fn what_others_do_is_told_where_it_has_an_effect() {
    let world = World::new().await;
    let (desk, phone) = two(&world).await;
    let (mut a, mut b) = (
        outline(&desk).watch_subtree(vertex("a")).await.unwrap(),
        outline(&desk).watch_subtree(vertex("b")).await.unwrap(),
    );
    set(&phone, "b1", 1).await;
    sync_all(&world, &[&phone, &desk]).await;
    assert_eq!((is_told(&mut a).await, is_told(&mut b).await), (false, true));
    // Also when someone else has looked meanwhile, and has taken it in.
    moves(&phone, "b1", "a").await;
    sync_all(&world, &[&phone, &desk]).await;
    outline(&desk).read(|_| ()).await.unwrap();
    assert_eq!((is_told(&mut a).await, is_told(&mut b).await), (true, true));
    // An older write has no effect any more.
    set(&phone, "b1", 5).await;
    set(&desk, "b1", 6).await;
    set(&desk, "b1", 7).await;
    assert!(is_told(&mut a).await);
    sync_all(&world, &[&phone, &desk]).await;
    assert_eq!((is_told(&mut a).await, is_told(&mut b).await), (false, false));
    assert_eq!(outline(&desk).read(|tree| text_of(tree, "b1")).await.unwrap(), Some(json!(7)));
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_nobody_waits_for_tells_when_it_is_asked_and_one_that_was_dropped_costs_nothing() {
    let world = World::new().await;
    let (desk, phone) = two(&world).await;
    let mut watch = outline(&desk).watch_subtree(vertex("a")).await.unwrap();
    assert!(watch.changed().now_or_never().is_none());
    for n in 0..3 {
        set(&phone, "a1", n).await;
        sync_all(&world, &[&phone, &desk]).await;
    }
    assert_eq!((is_told(&mut watch).await, is_told(&mut watch).await), (true, false));
    drop(watch);
    set(&desk, "a1", 9).await;
    // A vertex that is not there yet.
    let mut new = outline(&desk).watch_subtree(vertex("new")).await.unwrap();
    set(&phone, "a1", 10).await;
    create(&phone, "new", Some("b")).await;
    sync_all(&world, &[&phone, &desk]).await;
    assert!(is_told(&mut new).await);
}

/// Whoever waits may give up at any point, as in a `select`; what was heard of is told all the same.
#[tokio::test(start_paused = true)]
async fn nothing_is_missed_by_who_asks_again() {
    let world = World::new().await;
    let (desk, phone) = two(&world).await;
    for n in 0..10 {
        let mut watch = outline(&desk).watch_subtree(vertex("a")).await.unwrap();
        set(&phone, "a1", n).await;
        sync_all(&world, &[&phone, &desk]).await;
        // A little further each time, into what takes the ops in.
        let is_told = {
            let mut changed = Box::pin(watch.changed());
            let mut told = None;
            for _ in 0..=n {
                told = told.or(changed.as_mut().now_or_never());
                if told.is_some() {
                    break;
                }
                tokio::task::yield_now().await;
            }
            told.is_some()
        };
        assert!(is_told || self::is_told(&mut watch).await, "given up after {n} looks");
    }
}

#[tokio::test(start_paused = true)]
async fn a_watch_of_a_closed_replica_says_so() {
    let world = World::new().await;
    let (desk, _) = two(&world).await;
    let mut watch = outline(&desk).watch_subtree(vertex("a")).await.unwrap();
    desk.close().await;
    watch.changed().await.unwrap_err();
}
