//! The order of JSON values: total, so that every list has one order.

use std::cmp::Ordering;

use serde_json::{Map, Value};

use crate::merge::compare_numbers;

/// Compares two values in a record, either of which may be missing.
///
/// Missing comes first, then `null`, `false`, `true`, numbers, text, arrays, objects. Numbers compare by what they are
/// worth, exactly; text by its bytes; arrays element by element, the shorter first; objects as the list of their
/// members by name, each name before its value. Values are equal here exactly when they are
/// [the same](crate::merge::same).
///
/// ```
/// use std::cmp::Ordering;
/// use serde_json::json;
/// use sync_core::replica::compare;
/// assert_eq!(compare(Some(&json!(9007199254740993_i64)), Some(&json!(9007199254740992.0))), Ordering::Greater);
/// assert_eq!(compare(None, Some(&json!(null))), Ordering::Less);
/// ```
pub fn compare(a: Option<&Value>, b: Option<&Value>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => compare_values(a, b),
        (a, b) => a.is_some().cmp(&b.is_some()),
    }
}

fn compare_values(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        // JSON text cannot spell a number that does not compare.
        (Value::Number(a), Value::Number(b)) => compare_numbers(a, b).unwrap_or(Ordering::Equal),
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (Value::Array(a), Value::Array(b)) => {
            compare_lists(a.iter().zip(b), compare_values_of, a.len(), b.len())
        }
        (Value::Object(a), Value::Object(b)) => {
            let (a, b) = (by_name(a), by_name(b));
            compare_lists(a.iter().zip(&b), compare_members, a.len(), b.len())
        }
        _ => rank(a).cmp(&rank(b)),
    }
}

fn compare_lists<T>(
    pairs: impl Iterator<Item = T>,
    compare: impl FnMut(T) -> Ordering,
    a_len: usize,
    b_len: usize,
) -> Ordering {
    let first = pairs.map(compare).find(|ordering| ordering.is_ne());
    first.unwrap_or_else(|| a_len.cmp(&b_len))
}

fn compare_values_of((a, b): (&Value, &Value)) -> Ordering {
    compare_values(a, b)
}

type Member<'a> = (&'a String, &'a Value);

fn compare_members((a, b): (&Member<'_>, &Member<'_>)) -> Ordering {
    a.0.cmp(b.0).then_with(|| compare_values(a.1, b.1))
}

fn by_name(members: &Map<String, Value>) -> Vec<Member<'_>> {
    let mut members: Vec<Member<'_>> = members.iter().collect();
    members.sort_unstable_by_key(|(name, _)| *name);
    members
}

/// The place of a type in the order.
pub(crate) fn rank(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        Value::String(_) => 3,
        Value::Array(_) => 4,
        Value::Object(_) => 5,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::merge::same;

    #[test]
    fn values_are_in_the_order_that_is_documented() {
        let ascending = [
            None,
            Some(json!(null)),
            Some(json!(false)),
            Some(json!(true)),
            Some(json!(-1.5e300)),
            Some(json!(i64::MIN)),
            Some(json!(-1)),
            Some(json!(-0.5)),
            Some(json!(0)),
            Some(json!(1e-300)),
            Some(json!(9007199254740992.0)),
            Some(json!(9007199254740993_i64)),
            Some(json!(i64::MAX)),
            Some(json!(u64::MAX - 1)),
            Some(json!(u64::MAX)),
            Some(json!(18446744073709551616.0)),
            Some(json!("")),
            Some(json!("A")),
            Some(json!("Z")),
            Some(json!("a")),
            Some(json!("é")),
            Some(json!("日")),
            Some(json!([])),
            Some(json!([1, 2])),
            Some(json!([1, 2, null])),
            Some(json!([2])),
            Some(json!({})),
            Some(json!({"a": 1})),
            Some(json!({"a": 1, "b": 0})),
            Some(json!({"a": 2})),
            Some(json!({"b": 0})),
        ];
        for (a_idx, a) in ascending.iter().enumerate() {
            for (b_idx, b) in ascending.iter().enumerate() {
                assert_eq!(compare(a.as_ref(), b.as_ref()), a_idx.cmp(&b_idx), "{a:?} {b:?}");
            }
        }
        for (a, b) in [
            (json!(1), json!(1.0)),
            (json!(0), json!(-0.0)),
            (json!(i64::MIN), json!(-9223372036854775808.0)),
        ] {
            assert_eq!(compare(Some(&a), Some(&b)), Ordering::Equal, "{a} {b}");
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let near = prop_oneof![Just(0i64), Just(1 << 53), Just(i64::MAX - 2), Just(i64::MIN)];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (near.clone(), 0..3i64).prop_map(|(n, d)| Value::from(n.saturating_add(d))),
            (near, -2..3i32).prop_map(|(n, d)| Value::from(n as f64 + f64::from(d) / 2.0)),
            (0..3u64).prop_map(|d| Value::from(u64::MAX - d)),
            "[ab]{0,2}".prop_map(Value::from),
        ];
        leaf.prop_recursive(2, 8, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::vec(("[ab]", inner), 0..3)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_order_is_total(a in value(), b in value(), c in value()) {
            let of = |a: &Value, b: &Value| compare(Some(a), Some(b));
            prop_assert_eq!(of(&a, &b), of(&b, &a).reverse());
            prop_assert_eq!(of(&a, &a), Ordering::Equal);
            if of(&a, &b).is_le() && of(&b, &c).is_le() {
                prop_assert!(of(&a, &c).is_le());
            }
            prop_assert_eq!(of(&a, &b) == Ordering::Equal, same(&a, &b));
        }
    }
}
