//! Comparing and combining JSON values: equality by value, and the arithmetic of the value rules.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Number, Value};

/// Whether two JSON values are equal, comparing numbers by what they are worth: `1` and `1.0` are the same.
///
/// ```
/// use serde_json::json;
/// use sync_core::merge::same;
///
/// assert!(same(&json!({"n": [1, -0.0]}), &json!({"n": [1.0, 0]})));
/// assert!(!same(&json!(9007199254740993_i64), &json!(9007199254740992.0)));
/// ```
pub fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => compare_numbers(a, b) == Some(Ordering::Equal),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}

/// [`same`], where `None` is "nothing there", which differs from every value and from JSON null.
pub(super) fn same_option(a: Option<&Value>, b: Option<&Value>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => same(a, b),
        (a, b) => a.is_none() && b.is_none(),
    }
}

/// The larger (`Greater`) or smaller (`Less`) of two numbers, `a` when they are equal; `None` unless both are numbers.
pub(super) fn choose(wanted: Ordering, a: Option<&Value>, b: Option<&Value>) -> Option<Value> {
    let (Some(Value::Number(x)), Some(Value::Number(y))) = (a, b) else { return None };
    if compare_numbers(y, x)? == wanted { b.cloned() } else { a.cloned() }
}

/// `cur + (now - was)`, where nothing counts as zero.
///
/// Whole numbers are exact. `None` where a number is missing from `now`, something is not a number, or the sum
/// does not fit: a counter never rounds a whole number, wraps, or saturates.
pub(super) fn add_difference(was: Option<&Value>, now: Option<&Value>, cur: Option<&Value>) -> Option<Value> {
    let zero = Number::from(0);
    let number = |value: Option<&Value>| match value {
        None => Some(zero.clone()),
        Some(Value::Number(number)) => Some(number.clone()),
        Some(_) => None,
    };
    let (was, now, cur) = (number(was)?, number(Some(now?))?, number(cur)?);
    if let (Some(was), Some(now), Some(cur)) = (whole(&was), whole(&now), whole(&cur)) {
        return from_whole(cur + (now - was)).map(Value::Number);
    }
    let sum = exact_f64(&cur)? + (exact_f64(&now)? - exact_f64(&was)?);
    Number::from_f64(sum).map(Value::Number)
}

/// `(cur - (was - now)) + (now - was)` of arrays taken as sets, where nothing counts as empty.
///
/// Every element counts once. The result is sorted by the text of its elements and spells equal numbers
/// alike, so it depends on what is in it and not on the order in which it came together. `None` where something
/// is not an array.
pub(super) fn merge_sets(was: Option<&Value>, now: Option<&Value>, cur: Option<&Value>) -> Option<Value> {
    let (was, now, cur) = (elements(was)?, elements(now)?, elements(cur)?);
    let mut result = cur;
    result.retain(|key, _| now.contains_key(key) || !was.contains_key(key));
    result.extend(now.into_iter().filter(|(key, _)| !was.contains_key(key)));
    Some(Value::Array(result.into_values().collect()))
}

/// The distinct elements of an array under their text, numbers spelt alike.
fn elements(value: Option<&Value>) -> Option<BTreeMap<String, Value>> {
    let array = match value {
        None => return Some(BTreeMap::new()),
        Some(Value::Array(array)) => array,
        Some(_) => return None,
    };
    Some(array.iter().map(spelt_alike).map(|value| (value.to_string(), value)).collect())
}

/// The same value with one spelling per number and sorted names, so that equal values have equal text.
fn spelt_alike(value: &Value) -> Value {
    match value {
        Value::Number(number) => {
            Value::Number(whole(number).and_then(from_whole).unwrap_or_else(|| number.clone()))
        }
        Value::Array(array) => array.iter().map(spelt_alike).collect(),
        Value::Object(map) => {
            let names: BTreeSet<&String> = map.keys().collect();
            names
                .into_iter()
                .map(|name| (name.clone(), spelt_alike(&map[name])))
                .collect::<Map<_, _>>()
                .into()
        }
        other => other.clone(),
    }
}

/// Compares exactly, also a whole number with a float that cannot hold it. `None` only for a number that is
/// neither, which JSON text cannot spell.
pub(crate) fn compare_numbers(a: &Number, b: &Number) -> Option<Ordering> {
    match (integer(a), integer(b)) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        (Some(a), None) => compare_mixed(a, b.as_f64()?),
        (None, Some(b)) => compare_mixed(b, a.as_f64()?).map(Ordering::reverse),
        (None, None) => a.as_f64()?.partial_cmp(&b.as_f64()?),
    }
}

fn compare_mixed(integer: i128, float: f64) -> Option<Ordering> {
    // The cast saturates, and every integer here is far inside the range of i128, so no float beyond it can tie.
    let by_whole_part = integer.cmp(&(float.trunc() as i128));
    if by_whole_part == Ordering::Equal { 0.0.partial_cmp(&float.fract()) } else { Some(by_whole_part) }
}

/// The number, if it is written as a whole number.
fn integer(number: &Number) -> Option<i128> {
    number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from))
}

/// The number, if it is worth a whole number that a JSON integer can hold.
fn whole(number: &Number) -> Option<i128> {
    let float =
        |number: &Number| number.as_f64().filter(|float| float.fract() == 0.0).map(|float| float as i128);
    integer(number).or_else(|| float(number).filter(|&whole| from_whole(whole).is_some()))
}

fn from_whole(whole: i128) -> Option<Number> {
    i64::try_from(whole).map(Number::from).or_else(|_| u64::try_from(whole).map(Number::from)).ok()
}

/// The number as a float, unless that would round it.
fn exact_f64(number: &Number) -> Option<f64> {
    let float = number.as_f64()?;
    integer(number).is_none_or(|integer| float as i128 == integer).then_some(float)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_the_same_by_value_and_exactly() {
        let big = 9007199254740993_i64;
        for (a, b, equal) in [
            (json!(1), json!(1.0), true),
            (json!(0), json!(-0.0), true),
            (json!(big), json!(9007199254740992.0), false),
            (json!(u64::MAX), json!(18446744073709551616.0), false),
            (json!(i64::MIN), json!(-9223372036854775808.0), true),
            (json!(1), json!(1.5), false),
            (json!(-1), json!(-1.5), false),
            (json!(1), json!("1"), false),
            (json!([1, {"a": 2.0}]), json!([1.0, {"a": 2}]), true),
            (json!({"a": 1}), json!({"b": 1}), false),
            (json!(null), json!(false), false),
        ] {
            assert_eq!((same(&a, &b), same(&b, &a)), (equal, equal), "{a} {b}");
        }
    }
}
