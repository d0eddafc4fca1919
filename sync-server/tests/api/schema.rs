//! As much of JSON Schema as the OpenAPI document uses; a keyword beyond that is a mistake in the document.

use serde_json::{Map, Value};

/// Keywords that describe and do not constrain.
const NOTES: [&str; 4] = ["description", "title", "examples", "format"];

/// Says where `value` does not fit `schema`, whose references are looked up in `document`.
pub(crate) fn check(document: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    let schema = resolve(document, schema);
    let members = schema.as_object().ok_or_else(|| format!("{at}: the schema is no object"))?;
    for (keyword, rule) in members {
        if !holds(document, members, keyword, rule, value, at)? {
            return Err(format!("{at}: {value} breaks {keyword}: {rule}"));
        }
    }
    Ok(())
}

/// What a reference stands for.
pub(crate) fn resolve<'d>(document: &'d Value, part: &'d Value) -> &'d Value {
    match part["$ref"].as_str() {
        Some(path) => {
            let path = path.strip_prefix('#').unwrap();
            resolve(document, document.pointer(path).unwrap_or_else(|| panic!("{path} leads nowhere")))
        }
        None => part,
    }
}

fn holds(
    document: &Value,
    schema: &Map<String, Value>,
    keyword: &str,
    rule: &Value,
    value: &Value,
    at: &str,
) -> Result<bool, String> {
    let fits = |schema: &Value| check(document, schema, value, at).is_ok();
    Ok(match keyword {
        note if NOTES.contains(&note) => true,
        "type" => match rule {
            Value::Array(types) => types.iter().any(|name| is_type(name, value)),
            name => is_type(name, value),
        },
        "const" => value == rule,
        "enum" => rule.as_array().is_some_and(|values| values.contains(value)),
        "minimum" => value.as_f64() >= rule.as_f64(),
        "maximum" => value.as_f64() <= rule.as_f64(),
        "minLength" => value.as_str().map(|text| text.chars().count() as u64) >= rule.as_u64(),
        "maxLength" => value.as_str().map(|text| text.chars().count() as u64) <= rule.as_u64(),
        "maxItems" => value.as_array().map(|items| items.len() as u64) <= rule.as_u64(),
        "required" => {
            rule.as_array().into_iter().flatten().all(|name| value.get(name.as_str().unwrap()).is_some())
        }
        "oneOf" => rule.as_array().into_iter().flatten().filter(|schema| fits(schema)).count() == 1,
        "allOf" => {
            for part in rule.as_array().into_iter().flatten() {
                check(document, part, value, at)?;
            }
            true
        }
        "items" => {
            for (idx, item) in value.as_array().into_iter().flatten().enumerate() {
                check(document, rule, item, &format!("{at}/{idx}"))?;
            }
            true
        }
        "properties" => {
            for (name, schema) in rule.as_object().into_iter().flatten() {
                if let Some(member) = value.get(name) {
                    check(document, schema, member, &format!("{at}/{name}"))?;
                }
            }
            true
        }
        "additionalProperties" => {
            let known = schema.get("properties").and_then(Value::as_object);
            let is_known = |name: &String| known.is_some_and(|known| known.contains_key(name));
            rule != false || value.as_object().into_iter().flatten().all(|(name, _)| is_known(name))
        }
        other => return Err(format!("{at}: the checker does not know {other}")),
    })
}

fn is_type(name: &Value, value: &Value) -> bool {
    match name.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("no such type: {other}"),
    }
}
