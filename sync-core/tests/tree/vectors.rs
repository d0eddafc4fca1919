//! State vectors as they are read and written.

use sync_core::tree::{StateVector, TreeState};

use crate::histories::{id, moving, setting};

#[test]
fn what_is_no_state_vector_is_refused() {
    let bad = [
        "",
        "[]",
        "null",
        "{\"a\":1}",
        "{\"a\":[1,2]}",
        "{\"a\":[[1]]}",
        "{\"a\":[[1,2,3]]}",
        "{\"a\":[[2,1]]}",
        "{\"a\":[[0,1]]}",
        "{\"a\":[[1,1.5]]}",
        "{\"a\":[[-1,2]]}",
        "{\"a\":[[1,9007199254740992]]}",
        "{\"a\":[[1,3],[3,4]]}",
        "{\"a\":[[5,6],[1,2]]}",
        "{\"x y\":[[1,2]]}",
        "{\"A\":[[1,2]]}",
        "{\"a\":[[1,2]],\"a\":[[4,5]]}",
        "{\"a\":[[1,2]]} x",
    ];
    for text in bad {
        assert!(StateVector::parse(text).is_err(), "{text} was read");
    }
}

#[test]
fn a_vector_is_written_in_one_way() {
    let vector = StateVector::parse(r#" {"b":[[4,6],[7,9]], "a":[[1,1]], "c":[]} "#).unwrap();
    assert_eq!(vector.to_json().as_str(), r#"{"a":[[1,1]],"b":[[4,9]]}"#);
    assert_eq!(vector.len(), 7);
    assert_eq!(format!("{vector:?}"), vector.to_json().as_str());
    let widest = r#"{"a":[[1,9007199254740990]]}"#;
    assert_eq!(StateVector::parse(widest).unwrap().to_json().as_str(), widest);
}

#[test]
fn ops_that_wait_lose_or_have_no_effect_are_in_the_vector() {
    let mut tree = TreeState::new();
    tree.apply([
        moving(1, 1, 0, None),
        moving(2, 1, 0, Some(0)),
        moving(9, 1, 7, Some(8)),
        setting(5, 1, 0, "a", Some("1")),
        setting(4, 1, 0, "a", Some("2")),
        setting(30, 1, 9, "a", Some("2")),
    ]);
    assert_eq!(tree.state_vector().to_json().as_str(), r#"{"7":[[1,2],[4,5],[9,9],[30,30]]}"#);
    assert_eq!(tree.waiting(), [id(9, 1), id(30, 1)]);
    assert_eq!(tree.clock().unwrap().get(), 30, "ops that wait raise the clock, too");
}
