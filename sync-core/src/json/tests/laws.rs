//! What holds for every text and every value, on random ones.

use proptest::prelude::*;
use serde_json::{Map, Number, Value, json};

use super::canonical;
use crate::json::{Json, Limits, canonicalize};

/// Values in all shapes, with keys that are close to each other and strings that need escapes.
fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        finite_floats().prop_map(Value::from),
        texts().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((texts(), inner), 0..6).prop_map(|m| Value::Object(Map::from_iter(m))),
        ]
    })
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof!["[\u{1}-~]{0,3}", "[\\\\\"/\u{1f}a!\\[\n]{0,4}", "[aé\u{2028}\u{ffff}😀]{0,3}", "\\PC{0,20}"]
}

fn finite_floats() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<u64>().prop_map(f64::from_bits),
        // Powers of two and their neighbours: the gap below is half the gap above.
        (0_u64..2046, 0_u64..3).prop_map(|(exponent, off)| f64::from_bits(((exponent + 1) << 52) + off - 1)),
        // Quarters near 2^50: two shortest decimals are equally near.
        (0_u64..1 << 52).prop_map(|quarters| (1_u64 << 50) as f64 + quarters as f64 / 4.0),
        any::<i32>().prop_map(|n| f64::from(n) / 1000.0),
        any::<u64>().prop_map(|n| n as f64),
    ]
    .prop_filter("finite", |float| float.is_finite())
}

/// Whole floats become integers: what `to_value` promises to give back.
fn normal(value: &Value) -> Value {
    match value {
        Value::Number(number) => Value::Number(normal_number(number)),
        Value::Array(items) => items.iter().map(normal).collect(),
        Value::Object(members) => members.iter().map(|(key, value)| (key.clone(), normal(value))).collect(),
        other => other.clone(),
    }
}

fn normal_number(number: &Number) -> Number {
    serde_json::from_str(&canonical(&number.to_string()).unwrap()).unwrap()
}

/// The value with members in reverse order, spare space, and every character of a string escaped.
fn disguised(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            format!("[\t{} ]", items.iter().map(disguised).collect::<Vec<_>>().join("\n,"))
        }
        Value::Object(members) => {
            let member =
                |(key, value): (&String, &Value)| format!(" {} :\r{}", escaped(key), disguised(value));
            format!("{{{}\n}}", members.iter().rev().map(member).collect::<Vec<_>>().join(" , "))
        }
        Value::String(text) => escaped(text),
        other => other.to_string(),
    }
}

fn escaped(text: &str) -> String {
    let units: String = text.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
    format!("\"{units}\"")
}

/// Text that is JSON or nearly so.
fn near_json() -> impl Strategy<Value = String> {
    let token = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"a\"",
        "\"b\"",
        "\"\\u00",
        "0",
        "-",
        "1.5",
        "e9",
        "E-400",
        ".",
        "true",
        "nul",
        "\"",
        "\\ud83d",
        "\\ude00",
        " ",
        "\u{feff}",
        "é",
        "\\",
        "99999999999999999999",
    ]);
    prop::collection::vec(token, 0..30).prop_map(|tokens| tokens.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn canonical_text_is_its_own_canonical_form(value in values()) {
        let json = Json::from_value(&value).unwrap();
        prop_assert_eq!(canonical(json.as_str()).unwrap(), json.as_str());
    }

    #[test]
    fn values_come_back_whole(value in values()) {
        prop_assert_eq!(Json::from_value(&value).unwrap().to_value(), normal(&value));
    }

    #[test]
    fn order_space_and_escapes_do_not_matter(value in values()) {
        prop_assert_eq!(canonical(&disguised(&value)).unwrap(), canonical(&value.to_string()).unwrap());
    }

    #[test]
    fn keys_are_sorted_by_their_bytes(keys in prop::collection::btree_set(texts(), 0..20), seed in any::<u64>()) {
        let mut shuffled: Vec<_> = keys.iter().collect();
        shuffled.sort_by_key(|key| xxhash_rust::xxh3::xxh3_64_with_seed(key.as_bytes(), seed));
        let object = |keys: Vec<&String>| {
            let members: Vec<_> = keys.iter().map(|key| format!("{}:1", json!(key))).collect();
            format!("{{{}}}", members.join(","))
        };
        // serde_json writes DEL and the like as we do, so that its strings are canonical.
        prop_assert_eq!(canonical(&object(shuffled)).unwrap(), object(keys.iter().collect()));
    }

    #[test]
    fn a_repeated_key_is_found_wherever_it_is(keys in prop::collection::vec("[a-e]", 1..8)) {
        let members: Vec<_> = keys.iter().map(|key| format!("\"{key}\":0")).collect();
        let distinct: std::collections::BTreeSet<_> = keys.iter().collect();
        prop_assert_eq!(canonical(&format!("{{{}}}", members.join(","))).is_ok(), distinct.len() == keys.len());
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        if let Err(error) = canonicalize(&bytes, &Limits::BODY) {
            prop_assert!(error.offset() <= bytes.len());
        }
    }

    #[test]
    fn what_is_accepted_is_what_serde_json_accepts_and_means_the_same(text in near_json()) {
        let theirs = serde_json::from_str::<Value>(&text);
        match canonical(&text) {
            Ok(ours) => {
                prop_assert_eq!(&canonical(&ours).unwrap(), &ours);
                prop_assert_eq!(serde_json::from_str::<Value>(&ours).unwrap(), normal(&theirs.unwrap()));
            }
            Err(error) => {
                prop_assert!(error.offset() <= text.len());
                let is_stricter = matches!(error.kind(), super::Kind::Number | super::Kind::DuplicateKey);
                prop_assert!(theirs.is_err() || is_stricter, "{} for {}", error, text);
            }
        }
    }

    #[test]
    fn a_cut_text_is_refused(value in values(), at in any::<prop::sample::Index>()) {
        let text = json!([value]).to_string();
        prop_assert!(canonicalize(&text.as_bytes()[..at.index(text.len())], &Limits::BODY).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn every_float_round_trips_from_every_printer(float in finite_floats()) {
        let ours = canonical(&json!(float).to_string()).unwrap();
        prop_assert_eq!(ours.parse::<f64>().unwrap(), float);
        prop_assert_eq!(&canonical(&ours).unwrap(), &ours);
        prop_assert_eq!(&canonical(&format!("{float:e}")).unwrap(), &ours, "shortest of the standard library");
        let in_17_digits = canonical(&format!("{float:.16e}")).unwrap();
        prop_assert_eq!(in_17_digits.parse::<f64>().unwrap(), float);
        let exact = canonical(&format!("{float:.780e}")).unwrap();
        prop_assert_eq!(exact.parse::<f64>().unwrap(), float);
    }

    #[test]
    fn every_integer_stays_as_it_is(signed in any::<i64>(), unsigned in any::<u64>()) {
        prop_assert_eq!(canonical(&signed.to_string()).unwrap(), signed.to_string());
        prop_assert_eq!(canonical(&unsigned.to_string()).unwrap(), unsigned.to_string());
    }

    #[test]
    fn a_float_is_the_only_decimal_of_its_length_that_is_held(float in finite_floats(), digits in 18_usize..40) {
        let text = format!("{:.*e}", digits - 1, float.abs());
        let (mantissa, exponent) = text.split_once('e').unwrap();
        let last = mantissa.chars().last().unwrap();
        let other = if last == '9' { '8' } else { char::from(last as u8 + 1) };
        let changed = format!("{}{other}e{exponent}", &mantissa[..mantissa.len() - 1]);
        let is_integer = |text: &str| canonical(text).is_ok_and(|text| !text.contains(['.', 'e']));
        prop_assert!(float == 0.0 || canonical(&text).is_ok());
        // A change of the last digit is refused, unless it took the digit away.
        prop_assert!(float == 0.0 || other == '0' || canonical(&changed).is_err() || is_integer(&changed));
    }
}
