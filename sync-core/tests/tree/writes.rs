//! Properties, ops that come again, and ops that say something else under the same id.

use sync_core::PropertyKey;
use sync_core::json::Json;
use sync_core::tree::{Place, TreeState};

use crate::histories::{id, moving, setting, vertex};

fn read(tree: &TreeState, target: usize, key: &str) -> Option<String> {
    let key = PropertyKey::new(key).unwrap();
    tree.property(&vertex(target), &key).map(|value: &Json| value.as_str().to_owned())
}

fn with_vertices(n_vertices: usize) -> TreeState {
    let mut tree = TreeState::new();
    tree.apply((0..n_vertices).map(|number| moving(1 + number, 0, number, None)));
    tree
}

#[test]
fn a_removal_is_remembered_and_null_is_a_value() {
    let mut tree = with_vertices(1);
    tree.apply([setting(20, 1, 0, "a", None)]);
    tree.apply([setting(10, 1, 0, "a", Some("1"))]);
    assert_eq!(read(&tree, 0, "a"), None);
    tree.apply([setting(21, 1, 0, "a", Some("null"))]);
    assert_eq!(read(&tree, 0, "a").as_deref(), Some("null"));
}

#[test]
fn a_property_is_of_its_vertex_and_key_whatever_characters_they_have() {
    use sync_core::{TreeOp, VertexId};
    let mut tree = TreeState::new();
    let (short, long) = (VertexId::new("c").unwrap(), VertexId::new("b@c").unwrap());
    let key = |text| PropertyKey::new(text).unwrap();
    tree.apply([TreeOp::moving(id(1, 0), short.clone(), None), TreeOp::moving(id(2, 0), long.clone(), None)]);
    tree.apply([TreeOp::setting(id(3, 0), long.clone(), key("a"), Some(Json::from_canonical("1")))]);
    tree.apply([TreeOp::setting(id(4, 0), short.clone(), key("a@b"), Some(Json::from_canonical("2")))]);
    assert_eq!(tree.property(&long, &key("a")), Some(&Json::from_canonical("1")));
    assert_eq!(tree.property(&short, &key("a@b")), Some(&Json::from_canonical("2")));
}

#[test]
fn a_vertex_may_have_any_number_of_properties() {
    let mut tree = with_vertices(2);
    for round in 0..3 {
        let write = |n: usize| {
            setting(100 * (round + 1) + n, 1, n % 2, &format!("k{}", n / 2), Some(["1", "2", "3"][round]))
        };
        (0..40).for_each(|n| drop(tree.apply([write(n)])));
        assert!(
            (0..40).all(
                |n| read(&tree, n % 2, &format!("k{}", n / 2)).as_deref() == Some(["1", "2", "3"][round])
            )
        );
        assert_eq!(tree.properties(&vertex(0)).len(), 20);
        assert_eq!(read(&tree, 0, "k20"), None);
        tree = TreeState::restore(&tree.checkpoint()).unwrap();
    }
}

#[test]
fn of_writes_with_one_clock_the_peer_with_the_greater_bytes_wins() {
    let mut tree = with_vertices(1);
    // Peer 1 is called "7", peer 2 "e".
    tree.apply([setting(5, 2, 0, "a", Some("2")), setting(5, 1, 0, "a", Some("1"))]);
    assert_eq!(read(&tree, 0, "a").as_deref(), Some("2"));
}

#[test]
fn the_first_op_with_an_id_counts_and_others_are_reported() {
    let ops = [
        moving(10, 1, 0, Some(1)),
        setting(11, 1, 0, "a", Some("1")),
        setting(12, 1, 0, "a", Some("2")),
        moving(13, 1, 50, Some(51)),
        setting(14, 1, 52, "a", None),
    ];
    let others = [
        moving(10, 1, 0, Some(2)),
        setting(11, 1, 0, "a", Some("2")),
        setting(12, 1, 0, "never heard", Some("2")),
        setting(13, 1, 50, "a", Some("1")),
        setting(14, 1, 52, "a", Some("\"\"")),
    ];
    for together in [true, false] {
        let mut tree = with_vertices(3);
        let report = match together {
            true => tree.apply(ops.iter().chain(&others).chain(&ops).cloned()),
            false => {
                tree.apply(ops.to_vec());
                tree.apply(others.iter().chain(&ops).cloned())
            }
        };
        assert_eq!(report.conflicts(), others);
        assert_eq!(report.n_repeated(), ops.len());
        assert_eq!(tree.place(&vertex(0)), Some(Place::Under(vertex(1))));
        assert_eq!(read(&tree, 0, "a").as_deref(), Some("2"));
        assert_eq!(tree.waiting(), [id(13, 1), id(14, 1)]);
        // What comes after the first op that came again is known as well.
        tree.apply([moving(15, 1, 2, Some(1))]);
        assert_eq!(tree.apply([moving(15, 1, 2, Some(0))]).conflicts().len(), 1);
        assert_eq!(tree.apply([moving(15, 1, 2, Some(1))]).n_repeated(), 1);
    }
}

#[test]
fn a_report_says_what_can_be_seen_once() {
    let mut tree = with_vertices(4);
    let report = tree.apply([
        moving(10, 1, 0, Some(1)),
        moving(11, 1, 0, Some(2)),
        moving(12, 1, 1, Some(3)),
        moving(13, 1, 1, None),
        setting(14, 1, 3, "a", Some("1")),
        setting(15, 1, 3, "a", Some("2")),
    ]);
    assert_eq!(report.moves().len(), 1);
    assert_eq!(report.moves()[0].vertex, vertex(0));
    assert_eq!(report.moves()[0].before, Some(Place::Top));
    assert_eq!(report.moves()[0].after, Some(Place::Under(vertex(2))));
    assert_eq!(report.writes(), [(vertex(3), PropertyKey::new("a").unwrap())]);
    assert!(tree.apply([setting(9, 1, 3, "a", Some("0"))]).is_empty(), "a write that loses is not seen");
}

#[test]
fn a_subtree_is_touched_by_what_enters_leaves_or_changes_in_it() {
    let mut tree = with_vertices(6);
    tree.apply([moving(10, 1, 1, Some(0)), moving(11, 1, 2, Some(1)), moving(12, 1, 4, Some(3))]);
    let touched = |tree: &mut TreeState, op| {
        let report = tree.apply([op]);
        [0, 1, 3].map(|top| report.touches(tree, &vertex(top)))
    };
    assert_eq!(touched(&mut tree, setting(20, 1, 2, "a", Some("1"))), [true, true, false]);
    assert_eq!(touched(&mut tree, setting(21, 1, 3, "a", Some("1"))), [false, false, true]);
    assert_eq!(touched(&mut tree, moving(22, 1, 5, Some(1))), [true, true, false]);
    assert_eq!(touched(&mut tree, moving(23, 1, 1, Some(3))), [true, true, true]);
    assert_eq!(touched(&mut tree, moving(24, 1, 5, Some(4))), [false, true, true]);
    assert_eq!(touched(&mut tree, moving(25, 1, 0, None)), [false, false, false]);
}

#[test]
fn children_are_shown_by_when_they_were_created_then_by_name() {
    let mut tree = with_vertices(7);
    tree.apply((1..7).map(|child| moving(20 + child, 1, child, Some(0))));
    let shown = |tree: &TreeState| {
        tree.children(&vertex(0)).iter().map(|it| it.as_str().to_owned()).collect::<String>()
    };
    assert_eq!(shown(&tree), "123456");
    let created =
        [(1, "\"2024-02-01T00:00:00.000Z\""), (4, "\"2024-01-01T00:00:00.000Z\""), (5, "20"), (6, "3")];
    tree.apply(created.map(|(child, time)| setting(40 + child, 1, child, "_c", Some(time))));
    assert_eq!(shown(&tree), "654123");
    tree.apply([moving(60, 1, 5, None), moving(61, 1, 2, Some(3))]);
    assert_eq!(shown(&tree), "6413");
    assert_eq!(tree.tops(), [vertex(5), vertex(0)]);
}

#[test]
fn a_report_holds_late_moves_beside_many_new_ones() {
    let mut tree = with_vertices(40);
    tree.apply((100..3000).map(|clock| moving(clock, 1, 10 + clock % 20, Some(clock % 5))));
    // The first two are done by going back; after that it is known where every vertex was at any time.
    (0..2).for_each(|n| drop(tree.apply([moving(90 + n, 1, 30, Some(n))])));
    let newer = (5000..5020).map(|clock| moving(clock, 1, 10 + clock % 20, Some(5)));
    let report = tree.apply(newer.chain([moving(95, 1, 31, Some(2))]));
    let late = report.moves().iter().find(|moved| moved.vertex == vertex(31)).unwrap();
    assert_eq!((&late.before, &late.after), (&Some(Place::Top), &Some(Place::Under(vertex(2)))));
    assert_eq!(report.moves().len(), 21);
}
