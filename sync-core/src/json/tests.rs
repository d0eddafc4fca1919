//! The rules one by one, and the laws that hold for every text.

mod laws;

use super::{Json, JsonError, JsonErrorKind as Kind, Limits, canonicalize};

const PAGE: &str = include_str!("../../../docs/canonical-json.md");

fn canonical(text: &str) -> Result<String, JsonError> {
    canonicalize(text.as_bytes(), &Limits::BODY)
}

fn refused(bytes: &[u8]) -> (Kind, usize, String) {
    let error = canonicalize(bytes, &Limits::BODY).expect_err(&String::from_utf8_lossy(bytes));
    (error.kind(), error.offset(), error.pointer().to_owned())
}

fn nested(depth: usize) -> String {
    "[".repeat(depth) + &"]".repeat(depth)
}

#[test]
fn every_example_of_the_page_holds() {
    let rows: Vec<_> = PAGE.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | ")).collect();
    assert_eq!(rows.len(), 73, "rows of both tables");
    for (input, expected) in rows {
        let expected = expected.trim_end_matches(" |").trim_matches('`');
        let found = canonical(input).unwrap_or_else(|error| format!("refused: {:?}", error.kind()));
        assert_eq!(found, expected, "for {input}");
    }
}

#[test]
fn every_control_character_has_one_spelling() {
    for code in 1..0x20_u32 {
        let expected = serde_json::to_string(&char::from_u32(code)).unwrap();
        assert_eq!(canonical(&format!("\"\\u{code:04X}\"")).unwrap(), expected);
        assert_eq!(canonical(&expected).unwrap(), expected);
        for rest in ["", "in a word of eight"] {
            let raw = format!("\"12345678{}{rest}\"", char::from_u32(code).unwrap());
            assert_eq!(refused(raw.as_bytes()), (Kind::Malformed, 9, String::new()), "raw in a string");
        }
    }
}

#[test]
fn special_bytes_are_found_at_every_position() {
    for length in 0..40 {
        for (special, expected) in
            [("\\u0041", "A"), ("\\u000a", "\\n"), ("\\\"", "\\\""), ("\u{7f}\u{80}", "\u{7f}\u{80}")]
        {
            for filler in ["!", "~", "#", "["] {
                let filler = filler.repeat(length);
                let text = format!("\"{filler}{special}{filler}\"");
                assert_eq!(canonical(&text).unwrap(), format!("\"{filler}{expected}{filler}\""));
            }
        }
    }
}

#[test]
fn byte_order_marks_and_other_encodings_are_malformed() {
    let utf_16: Vec<u8> = "[1]".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for bytes in [&b""[..], b" ", b"\xef\xbb\xbf[]", b"\xff\xfe[\0]\0", b"\xfe\xff\0[\0]", &utf_16] {
        assert_eq!(refused(bytes).0, Kind::Malformed, "{bytes:?}");
    }
}

#[test]
fn bytes_that_are_not_utf_8_are_refused_where_they_are() {
    assert_eq!(refused(b"{\"a\":[1,\"x\xff\"]}"), (Kind::Encoding, 10, "/a/1".into()));
    assert_eq!(refused(b"[\"\xc0\xaf\"]"), (Kind::Encoding, 2, "/0".into()), "overlong");
    assert_eq!(refused(b"[\"\xed\xa0\x80\"]"), (Kind::Encoding, 2, "/0".into()), "surrogate");
    assert_eq!(refused(b"[]\xe2\x82"), (Kind::Encoding, 2, String::new()), "truncated");
}

#[test]
fn errors_point_at_the_value_and_say_what_to_change() {
    let error = canonical(r#"{"list":[0,{"a/b~c":"\ud800"}]}"#).unwrap_err();
    assert_eq!((error.pointer(), error.offset()), ("/list/1/a~1b~0c", 21));
    assert_eq!(
        error.to_string(),
        "cannot read json at byte 21, in the value \"/list/1/a~1b~0c\": a surrogate escape needs its other half"
    );
    assert_eq!(refused(br#"[{"b":1,"a":2,"b":3}]"#), (Kind::DuplicateKey, 14, "/0/b".into()));
    assert_eq!(refused(br#"{"a":1,"a":2}"#), (Kind::DuplicateKey, 7, "/a".into()));
    assert_eq!(refused(b"{\"a\":tru}"), (Kind::Malformed, 5, "/a".into()));
    assert_eq!(refused(b"{\"a\":1 \"b\":2}"), (Kind::Malformed, 7, String::new()));
    assert_eq!(refused(b"[1.x]"), (Kind::Malformed, 3, "/0".into()));
    assert_eq!(size_of::<Result<(), JsonError>>(), size_of::<usize>());
}

#[test]
fn depth_is_counted_from_the_outermost_bracket() {
    for (limits, depth) in
        [(Limits::RECORD, 32), (Limits::BODY, 36), (Limits { depth_max: 9999, ..Limits::BODY }, 127)]
    {
        let json = Json::parse(nested(depth).as_bytes(), &limits).unwrap();
        assert!(json.to_value().is_array());
        let error = Json::parse(nested(depth + 1).as_bytes(), &limits).unwrap_err();
        assert_eq!((error.kind(), error.offset()), (Kind::TooDeep, depth));
    }
    assert!(Json::parse(b"1", &Limits { depth_max: 0, ..Limits::BODY }).is_ok());
    assert_eq!(refused("[{\"a\":".repeat(1_000_000).as_bytes()).0, Kind::TooDeep);
}

#[test]
fn size_is_limited_before_and_after() {
    let limits = Limits { bytes_max: 10, key_bytes_max: 3, ..Limits::BODY };
    let kind = |text: &str| Json::parse(text.as_bytes(), &limits).map(|_| ()).map_err(|error| error.kind());
    assert_eq!(kind("[12345678]"), Ok(()));
    assert_eq!(kind("[123456789]"), Err(Kind::TooLarge));
    assert_eq!(kind("[1e20]"), Err(Kind::TooLarge), "written out it is longer");
    assert_eq!(kind("{\"abc\":1}"), Ok(()));
    assert_eq!(kind("{\"abcd\":1}"), Err(Kind::KeyTooLong));
    assert_eq!(
        Json::parse(br#"{"\u0041\u0042\u0043":1}"#, &Limits { bytes_max: 99, ..limits }).unwrap().as_str(),
        r#"{"ABC":1}"#
    );
}

#[test]
fn literals_of_more_than_800_bytes_are_refused() {
    let longest_exact = format!("{:.766e}", f64::from_bits(0x001f_ffff_ffff_ffff));
    assert_eq!(canonical(&longest_exact).unwrap(), "4.4501477170144023e-308");
    assert_eq!(canonical(&format!("0.{}", "0".repeat(798))).unwrap(), "0");
    assert_eq!(refused(format!("0.{}", "0".repeat(799)).as_bytes()).0, Kind::Number);
}

#[test]
fn a_million_keys_out_of_order_are_sorted() {
    let limits = Limits { bytes_max: 1 << 30, ..Limits::BODY };
    let member = |n: u32| format!("\"{n:07}\":{n}");
    let object = |keys: &mut dyn Iterator<Item = u32>| {
        format!("{{{}}}", keys.map(member).collect::<Vec<_>>().join(","))
    };
    // 7 is coprime to 1,000,003, so that this visits every number once.
    let shuffled = object(&mut (0..1_000_003).map(|n| (n * 7) % 1_000_003));
    assert!(canonicalize(shuffled.as_bytes(), &limits).unwrap() == object(&mut (0..1_000_003)));
}

#[test]
fn nested_objects_out_of_order_are_each_sorted() {
    let (mut shuffled, mut sorted) = ("1".to_owned(), "1".to_owned());
    for _ in 0..35 {
        shuffled = format!("{{ \"c\" : {shuffled} ,\"b\\n\":[ ],\"a\":1.0}}");
        sorted = format!("{{\"a\":1,\"b\\n\":[],\"c\":{sorted}}}");
    }
    assert_eq!(canonical(&shuffled).unwrap(), sorted);
}

#[test]
fn serde_json_splices_the_text_and_reads_it_back() {
    let json = Json::from_canonical(r#"{"a":1e+21,"b":[1,"é"]}"#);
    let printed = serde_json::to_string(&[&json, &Json::null()]).unwrap();
    assert_eq!(printed, r#"[{"a":1e+21,"b":[1,"é"]},null]"#);
    let pretty = r#"[ { "b" : [1.0, "\u00e9"], "a" : 1e21 }, null ]"#;
    assert_eq!(serde_json::from_str::<Vec<Json>>(pretty).unwrap(), [json.clone(), Json::null()]);
    assert_eq!(serde_json::to_value(&json).unwrap(), json.to_value());
    assert_eq!(serde_json::from_value::<Json>(json.to_value()).unwrap(), json);
    let error = serde_json::from_str::<Vec<Json>>(r#"[{"a":[1e400]}]"#).unwrap_err().to_string();
    assert!(error.contains("/a/0"), "{error}");
    assert!(serde_json::from_str::<Json>(&nested(33)).is_err());
}

#[test]
fn values_in_memory_are_held_to_the_rules_of_a_record() {
    let kind = |value| Json::from_value(&value).unwrap_err().kind();
    assert_eq!(kind(serde_json::json!({"a": "\0"})), Kind::NulCharacter);
    assert_eq!(kind(serde_json::from_str(&nested(33)).unwrap()), Kind::TooDeep);
    assert_eq!(kind(serde_json::json!("x".repeat(1 << 20))), Kind::TooLarge);
    let error = Json::from_value(&serde_json::json!("x".repeat(1 << 20))).unwrap_err();
    assert_eq!(error.bytes_max(), Some(1 << 20));
    assert!(error.to_string().starts_with("it has 1048578 bytes, and may have 1048576: "), "{error}");
}

#[test]
#[cfg(debug_assertions)]
#[should_panic(expected = "not canonical")]
fn debug_builds_notice_text_that_is_not_canonical() {
    Json::from_canonical("{\"b\":1,\"a\":2}");
}
