//! What is read as an op, and what is refused at which place.

use super::*;

fn read(op: &str) -> Result<TreeOp> {
    let (space, tree) = (SpaceId::new("s").unwrap(), TreeId::new("t").unwrap());
    let body = format!("{{\"ops\":[{op}]}}");
    OpsRequest::from_json(body.as_bytes(), &space, &tree).map(|mut request| request.ops.remove(0))
}

#[test]
fn both_spellings_are_read_and_the_first_is_written() {
    for (op, written) in [
        (r#"{"id":{"counter":7,"peerId":"a1"},"targetId":"v","parentId":null}"#, None),
        (r#"{"id":{"counter":7,"peerId":"a1"},"targetId":"v","parentId":"p \"q\""}"#, None),
        (r#"{"id":{"counter":7,"peerId":"a1"},"targetId":"v","key":"","value":null}"#, None),
        (r#"{"id":{"counter":7,"peerId":"a1"},"targetId":"v","key":"k"}"#, None),
        (
            r#"{"id":{"counter":7,"peerId":"a1"},"targetId":"v","key":"k","value":{"b":1.0,"a":[]},"transient":false}"#,
            Some(r#"{"id":{"counter":7,"peerId":"a1"},"targetId":"v","key":"k","value":{"a":[],"b":1}}"#),
        ),
        (
            r#"{"clock":7,"peerId":"a1","treeId":"t","spaceId":"s","targetId":"v","parentId":"p"}"#,
            Some(r#"{"id":{"counter":7,"peerId":"a1"},"targetId":"v","parentId":"p"}"#),
        ),
    ] {
        let mut out = String::new();
        write_op(&read(op).unwrap(), &mut out);
        assert_eq!(out, written.unwrap_or(op));
    }
}

/// Members beside a good id, and where they are wrong.
const WRONG: [(&str, &str); 12] = [
    (r#""targetId":"v""#, "parentId"),
    (r#""targetId":"","parentId":null"#, "targetId"),
    (r#""targetId":"v","parentId":"""#, "parentId"),
    (r#""targetId":"v","parentId":"p","key":"k""#, "key"),
    (r#""targetId":"v","key":"a\u0000""#, "key"),
    (r#""targetId":"v","key":"k","value":1e400"#, "value"),
    (r#""targetId":"v","key":"k","value":{"a":"\u0000"}"#, "value/a"),
    (r#""targetId":"v","key":"k","transient":true"#, "transient"),
    (r#""treeId":"u","targetId":"v","parentId":null"#, "treeId"),
    (r#""spaceId":"u","targetId":"v","parentId":null"#, "spaceId"),
    (r#""clock":7,"peerId":"a1","targetId":"v","parentId":null"#, "id"),
    (r#""targetId":"v","parentId":null,"kind":"x""#, "kind"),
];

#[test]
fn what_is_no_op_of_this_tree_is_refused_at_its_place() {
    let with_id = |members: &str| format!(r#"{{"id":{{"counter":7,"peerId":"a1"}},{members}}}"#);
    let wrong = WRONG.map(|(members, place)| (with_id(members), place));
    let unnamed = [
        (r#"{"targetId":"v","parentId":"p"}"#.to_owned(), "id"),
        (r#"{"clock":7,"targetId":"v","parentId":null}"#.to_owned(), "peerId"),
        (r#"{"id":{"counter":7,"peerId":"A"},"targetId":"v","parentId":null}"#.to_owned(), "id/peerId"),
    ];
    for (op, place) in wrong.into_iter().chain(unnamed) {
        let (error, place) = (read(&op).unwrap_err(), format!("/ops/0/{place}"));
        assert_eq!(
            (error.code(), error.pointer()),
            (Some(code::VALIDATION_FAILED), Some(place.as_str())),
            "{op}"
        );
    }
}

#[test]
fn a_clock_is_a_whole_number_within_its_range() {
    for clock in [
        "0",
        "-1",
        "1.0",
        "9007199254740991",
        "9007199254740992",
        "9223372036854775807",
        "1e3",
        "\"7\"",
        "1e99",
    ] {
        for op in [
            format!(r#"{{"id":{{"counter":{clock},"peerId":"a"}},"targetId":"v","parentId":null}}"#),
            format!(r#"{{"clock":{clock},"peerId":"a","targetId":"v","parentId":null}}"#),
        ] {
            assert_eq!(read(&op).unwrap_err().code(), Some(code::VERSION_OUT_OF_RANGE), "{op}");
        }
    }
}

#[test]
fn a_value_is_as_deep_as_the_record_around_it_allows() {
    let set = |n: usize| {
        let value = format!("{}{}", "[".repeat(n), "]".repeat(n));
        read(&format!(r#"{{"id":{{"counter":7,"peerId":"a"}},"targetId":"v","key":"k","value":{value}}}"#))
    };
    set(31).unwrap();
    let error = set(32).unwrap_err();
    assert_eq!((error.code(), error.pointer()), (Some(code::VALIDATION_FAILED), Some("/ops/0/value")));
}
