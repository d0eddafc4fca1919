//! The messages as docs/live.md shows them, in both directions.

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::json::Json;
use crate::protocol::{PullPage, Resync, ResyncReason, code};
use crate::types::{
    ActorId, Collection, CursorToken, Epoch, Record, RecordId, RecordKey, RecordMeta, Seq, SpaceId, TreeId,
    Version,
};

fn space() -> SpaceId {
    SpaceId::new("family").unwrap()
}

fn tree() -> TreeId {
    TreeId::new("outline").unwrap()
}

fn ada() -> ActorId {
    ActorId::new("ada").unwrap()
}

fn cursor(text: &str) -> CursorToken {
    CursorToken::new(text)
}

#[test]
fn what_clients_send() {
    let subscribe = Subscribe {
        after: Some(cursor("AbC")),
        collections: Some(
            ["notes", "$conflicts", "$tree:outline"]
                .map(|name| Collection::from_stored(name).unwrap())
                .to_vec(),
        ),
        receipt: Some(cursor("kQ3v")),
    };
    let at = BTreeMap::from([(space(), cursor("AbC"))]);
    let state = Some(Json::from_canonical(r#"{"row":3}"#));
    for (reference, ask, text) in [
        (None, Ask::Auth { token: "t".into() }, r#"{"type":"auth","token":"t"}"#),
        (
            Some("1"),
            Ask::Subscribe { space: space(), subscribe: Subscribe::default(), presence: false },
            r#"{"type":"subscribe","ref":"1","space":"family"}"#,
        ),
        (
            None,
            Ask::Subscribe { space: space(), subscribe, presence: true },
            r#"{"type":"subscribe","space":"family","after":"AbC","collections":["notes","$conflicts","$tree:outline"],"receipt":"kQ3v","presence":true}"#,
        ),
        (None, Ask::Unsubscribe { space: space() }, r#"{"type":"unsubscribe","space":"family"}"#),
        (
            Some("2"),
            Ask::Push { space: space(), push: r#"{"mutations":[ ]}"#.into() },
            r#"{"type":"push","ref":"2","space":"family","push":{"mutations":[ ]}}"#,
        ),
        (
            Some("3"),
            Ask::Ops { space: space(), tree: tree(), ops: "[ ]".into() },
            r#"{"type":"ops","ref":"3","space":"family","tree":"outline","ops":[ ]}"#,
        ),
        (
            None,
            Ask::Missing { space: space(), tree: tree(), vector: r#"{"a1":[[1,7]]}"#.into(), limit: Some(2) },
            r#"{"type":"missing","space":"family","tree":"outline","vector":{"a1":[[1,7]]},"limit":2}"#,
        ),
        (
            None,
            Ask::Presence { space: space(), state },
            r#"{"type":"presence","space":"family","state":{"row":3}}"#,
        ),
        (
            None,
            Ask::Presence { space: space(), state: None },
            r#"{"type":"presence","space":"family","state":null}"#,
        ),
        (None, Ask::Ping { at: BTreeMap::new() }, r#"{"type":"ping"}"#),
        (None, Ask::Ping { at }, r#"{"type":"ping","at":{"family":"AbC"}}"#),
    ] {
        let asked = Asked { reference: reference.map(str::to_owned), ask };
        assert_eq!(asked.to_json(), text);
        assert_eq!(Asked::from_json(text).unwrap(), asked);
    }
}

#[test]
fn a_token_is_not_shown_where_a_message_is() {
    let asked = Asked::new(Ask::Auth { token: "secret".into() });
    assert_eq!(format!("{:?}", asked.ask), r#"{"type":"auth","token":"***"}"#);
    assert!(!format!("{asked:#?}").contains("secret"));
    assert_eq!(
        format!("{:?}", Ask::Unsubscribe { space: space() }),
        r#"{"type":"unsubscribe","space":"family"}"#
    );
}

#[test]
fn what_makes_no_sense_is_refused() {
    let long = format!(r#"{{"type":"ping","ref":"{}"}}"#, "x".repeat(65));
    let large = format!(r#"{{"type":"presence","space":"a","state":"{}"}}"#, "x".repeat(STATE_BYTES_MAX));
    let grown = format!(r#"{{"type":"presence","space":"a","state":[1{}]}}"#, ",1e20".repeat(100));
    for (text, expected) in [
        ("", code::MALFORMED_JSON),
        ("ping", code::MALFORMED_JSON),
        (r#"{"type":"ping","type":"ping"}"#, code::MALFORMED_JSON),
        (r#"["ping"]"#, code::VALIDATION_FAILED),
        ("{}", code::VALIDATION_FAILED),
        (r#"{"type":"shout"}"#, code::VALIDATION_FAILED),
        (r#"{"type":"ping","loud":true}"#, code::VALIDATION_FAILED),
        (r#"{"type":"ping","space":"family"}"#, code::VALIDATION_FAILED),
        (r#"{"type":"subscribe"}"#, code::VALIDATION_FAILED),
        (r#"{"type":"subscribe","space":"../x"}"#, code::VALIDATION_FAILED),
        (r#"{"type":"subscribe","space":7}"#, code::VALIDATION_FAILED),
        (r#"{"type":"push","space":"family"}"#, code::VALIDATION_FAILED),
        (r#"{"type":"ops","space":"family","tree":"outline"}"#, code::VALIDATION_FAILED),
        (r#"{"type":"ops","space":"family","ops":[]}"#, code::VALIDATION_FAILED),
        (r#"{"type":"missing","space":"family","tree":"a/b","vector":{}}"#, code::VALIDATION_FAILED),
        (
            r#"{"type":"missing","space":"family","tree":"outline","vector":{},"limit":-1}"#,
            code::VALIDATION_FAILED,
        ),
        (r#"{"type":"push","space":"family","push":{},"tree":"outline"}"#, code::VALIDATION_FAILED),
        (r#"{"type":"presence","space":"family","state":"\u0000"}"#, code::VALIDATION_FAILED),
        (r#"{"type":"presence","space":"family","state":[[[[[[[[[1]]]]]]]]]}"#, code::VALIDATION_FAILED),
        (&large, code::BODY_TOO_LARGE),
        (&grown, code::BODY_TOO_LARGE),
        (&long, code::VALIDATION_FAILED),
    ] {
        assert_eq!(Asked::from_json(text).unwrap_err().code(), Some(expected), "{text}");
    }
}

fn frame() -> LiveFrame {
    let meta = RecordMeta::first(Version::new(7).unwrap(), ada());
    let key = RecordKey::new(Collection::new("notes").unwrap(), RecordId::new("1").unwrap());
    let change = Record { key, data: Some(Json::from_canonical("\"milk\"")), meta };
    let page =
        PullPage { changes: vec![change], cursor: cursor("B"), has_more: false, head: Seq::new(7).unwrap() };
    LiveFrame::new(space(), Some(cursor("A")), page)
}

#[test]
fn what_servers_send() {
    let heads = || Heads::from([(space(), Seq::new(7).unwrap())]);
    let resync = Resync {
        reason: ResyncReason::EpochChanged,
        epoch: Epoch::from_bytes([7; 16]),
        floor: Seq::new(3).unwrap(),
    };
    let here =
        vec![Present { connection: "c1".into(), user: ada(), state: Json::from_canonical(r#"{"row":3}"#) }];
    let presence = Presence { space: space(), all: true, here, gone: vec!["c2".into()] };
    let refusal = Refusal {
        code: "space_not_found".into(),
        detail: "no".into(),
        space: Some(space()),
        reference: Some("7".into()),
        retry_after: Some(3),
        ..Refusal::default()
    };
    let reference = || Some("9".to_owned());
    for (told, text) in [
        (
            Tell::Ready { connection: "c1".into(), user: ada(), beat: Duration::from_secs(20) },
            r#"{"type":"ready","connection":"c1","user":"ada","beat_s":20}"#,
        ),
        (
            Tell::Frame(frame()),
            r#"{"type":"frame","space":"family","from":"A","to":"B","changes":[{"collection":"notes","id":"1","version":7,"revision":1,"edited_at":0,"author":"ada","deleted":false,"data":"milk"}],"has_more":false,"head":7}"#,
        ),
        (
            Tell::Resync { space: space(), resync },
            r#"{"type":"resync","space":"family","reason":"epoch_changed","epoch":"07070707070707070707070707070707","floor":3}"#,
        ),
        (
            Tell::Pushed { space: space(), reference: reference(), reply: r#"{"outcomes":[]}"#.into() },
            r#"{"type":"pushed","ref":"9","space":"family","reply":{"outcomes":[]}}"#,
        ),
        (
            Tell::Added {
                space: space(),
                tree: tree(),
                reference: reference(),
                reply: r#"{"n_new":1}"#.into(),
            },
            r#"{"type":"added","ref":"9","space":"family","tree":"outline","reply":{"n_new":1}}"#,
        ),
        (
            Tell::Ops { space: space(), tree: tree(), reference: None, reply: r#"{"ops":[]}"#.into() },
            r#"{"type":"ops","space":"family","tree":"outline","reply":{"ops":[]}}"#,
        ),
        (
            Tell::Presence(presence),
            r#"{"type":"presence","space":"family","all":true,"here":[{"connection":"c1","user":"ada","state":{"row":3}}],"gone":["c2"]}"#,
        ),
        (Tell::Beat { heads: heads() }, r#"{"type":"beat","heads":{"family":7}}"#),
        (
            Tell::Pong { reference: reference(), heads: heads() },
            r#"{"type":"pong","ref":"9","heads":{"family":7}}"#,
        ),
        (
            Tell::Error(refusal),
            r#"{"type":"error","code":"space_not_found","detail":"no","space":"family","ref":"7","retry_after":3}"#,
        ),
    ] {
        assert_eq!(told.to_json(), text);
        assert_eq!(Tell::from_json(text).unwrap().to_json(), text);
    }
}

#[test]
fn what_a_newer_server_says_is_passed_over_and_what_is_cut_is_not_believed() {
    assert!(matches!(Tell::from_json(r#"{"type":"song","words":1}"#), Ok(Tell::Unknown)));
    assert!(matches!(Tell::from_json(r#"{"type":"beat","heads":{},"mood":"good"}"#), Ok(Tell::Beat { .. })));
    let text = Tell::Frame(frame()).to_json();
    for end in 0..text.len() {
        assert!(Tell::from_json(&text[..end]).is_err(), "{end}");
    }
    for member in ["to", "changes", "has_more", "head", "space"] {
        let without = text.replace(&format!("\"{member}\":"), "\"other\":");
        assert!(Tell::from_json(&without).is_err(), "{member}");
    }
}
