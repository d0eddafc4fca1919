use super::*;
use crate::json::Json;
use crate::merge::diff;
use serde_json::json;

fn key(id: &str) -> RecordKey {
    RecordKey::new(Collection::new("notes").unwrap(), RecordId::new(id).unwrap())
}

fn refused(body: &str) -> (String, String) {
    let error = PushRequest::from_json(body.as_bytes()).unwrap_err();
    (error.code().unwrap().to_owned(), error.pointer().unwrap_or_default().to_owned())
}

#[test]
fn a_push_reads_back_as_it_was_written() {
    let (one, two) = (json!({"a": 1, "b": null}), json!({"a": 2, "c": [1.5, "ü\n"]}));
    let mutations = vec![
        Mutation::put(key("1"), Json::from_value(&two).unwrap()).based_on(Version::ZERO).in_group("g"),
        Mutation::put(key("null"), Json::null()),
        Mutation::patch(key("\"2\""), diff(Some(&one), &two)).at(Timestamp::from_micros(5).unwrap()),
        Mutation::delete(key("3")).resolving(RecordId::new("c1").unwrap()),
    ];
    let client = ClientId::new("replica-1").unwrap();
    let batch = Some(ClientBatch { client, first: MutationNumber::FIRST });
    let push = PushRequest {
        batch,
        mutations,
        after: Some(CursorToken::new("x\"y")),
        receipt: Some(CursorToken::new("z")),
    };
    let read = PushRequest::from_json(push.to_json().as_bytes()).unwrap();
    assert_eq!(read, push);
    assert_eq!(read.batch_hash(), push.batch_hash());
}

#[test]
fn an_answer_reads_back_as_it_was_written() {
    let v = |n| Seq::new(n).unwrap();
    let outcomes = vec![
        Outcome::Applied { version: v(1), revision: 1 },
        Outcome::Unchanged { version: v(0) },
        Outcome::Merged { version: v(2), revision: 2, data: Some(Json::null()), lost: vec![] },
        Outcome::Merged { version: v(3), revision: 2, data: None, lost: vec!["/a".parse().unwrap()] },
        Outcome::Conflict { id: RecordId::new("c").unwrap(), version: v(3), theirs: None, paths: vec![] },
        Outcome::rejected("too_much", "why"),
        Outcome::Superseded,
    ];
    let done = PushDone { outcomes, head: v(9), receipt: None, page: None };
    assert_eq!(PushDone::from_json(done.to_json().as_bytes()).unwrap(), done);
    let done = PushDone { receipt: Some(CursorToken::new("z")), ..done };
    assert_eq!(PushDone::from_json(done.to_json().as_bytes()).unwrap(), done);
}

#[test]
fn every_fault_of_a_push_is_named_with_its_place() {
    let one =
        |fields: &str| format!(r#"{{"mutations":[{{"op":"put","collection":"c","id":"1",{fields}}}]}}"#);
    let cases = [
        ("{", "malformed_json", ""),
        ("\u{feff}{}", "malformed_json", ""),
        ("[]", "validation_failed", ""),
        (r#"[null,null,[],null]"#, "validation_failed", ""),
        (r#"{"mutations":[["delete","c","1"]]}"#, "validation_failed", "/mutations/0"),
        (
            r#"{"mutations":[{"op":"patch","collection":"c","id":"1","patch":[["/a",1,2]]}]}"#,
            "validation_failed",
            "/mutations/0/patch/0",
        ),
        ("{}", "validation_failed", ""),
        (r#"{"mutations":[],"mutations":[]}"#, "malformed_json", ""),
        (r#"{"mutations":[],"role":"owner"}"#, "validation_failed", "/role"),
        (r#"{"mutations":[],"first":1}"#, "validation_failed", "/client_id"),
        (r#"{"mutations":[],"client_id":"replica-1"}"#, "validation_failed", "/first"),
        (
            r#"{"mutations":[{"op":"drop","collection":"c","id":"1"}]}"#,
            "validation_failed",
            "/mutations/0/op",
        ),
        (
            r#"{"mutations":[{"op":"put","collection":"$conflicts","id":"1","data":1}]}"#,
            "validation_failed",
            "/mutations/0/collection",
        ),
        (
            r#"{"mutations":[{"op":"put","collection":"c","id":"a\u0000","data":1}]}"#,
            "validation_failed",
            "/mutations/0/id",
        ),
        (&one(r#""base_version":-1,"data":1"#), "version_out_of_range", "/mutations/0/base_version"),
        (
            &one(r#""base_version":9007199254740992,"data":1"#),
            "version_out_of_range",
            "/mutations/0/base_version",
        ),
        (
            &one(r#""base_version":9223372036854775808,"data":1"#),
            "version_out_of_range",
            "/mutations/0/base_version",
        ),
        (&one(r#""base_version":"5","data":1"#), "version_out_of_range", "/mutations/0/base_version"),
        (&one(r#""base_version":5.0,"data":1"#), "version_out_of_range", "/mutations/0/base_version"),
        (&one(r#""base_version":1e2,"data":1"#), "version_out_of_range", "/mutations/0/base_version"),
        (&one(r#""version":1,"data":1"#), "validation_failed", "/mutations/0/version"),
        (&one(r#""data":{"a":[1e400]}"#), "validation_failed", "/mutations/0/data/a/0"),
        (&one(r#""data":{"a":1,"a":2}"#), "malformed_json", "/mutations/0/data/a"),
        (&one(r#""data":"\ud800""#), "malformed_json", "/mutations/0/data"),
        (&one(r#""data":"a\u0000""#), "validation_failed", "/mutations/0/data"),
        (&one(r#""patch":[]"#), "validation_failed", "/mutations/0/data"),
        (&one(r#""data":1,"patch":[]"#), "validation_failed", "/mutations/0/patch"),
        (&one(r#""at":-5,"data":1"#), "validation_failed", "/mutations/0/at"),
    ];
    for (body, code, pointer) in cases {
        assert_eq!(refused(body), (code.to_owned(), pointer.to_owned()), "{body}");
    }
    assert_eq!(PushRequest::from_json(b"\xff\xfe{\0").unwrap_err().code(), Some("malformed_json"));
    assert_eq!(PushRequest::from_json(b"{\xff}").unwrap_err().code(), Some("invalid_encoding"));
}
