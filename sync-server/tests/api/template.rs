//! Values in the texts of the table: `{name}`, `{x*5}`, `{now-9}`, `{deletes:3}`.

use std::collections::BTreeMap;

/// The values of a world, by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Values(BTreeMap<String, String>);

impl Values {
    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.0.insert(name.to_owned(), value.into());
    }

    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.get(name).unwrap_or_else(|| panic!("there is no value {name}"))
    }

    /// All of them, with their names.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// `text` with its values in place. Braces around anything else stay.
    pub(crate) fn fill(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find('{') {
            out.push_str(&rest[..start]);
            rest = &rest[start..];
            let end = rest[1..].find('}').map(|end| end + 1);
            // `{}*9}` repeats a closing brace.
            let end = end.filter(|end| *end > 1).or_else(|| rest.get(2..)?.find('}').map(|end| end + 2));
            match end.and_then(|end| Some((self.value(&rest[1..end])?, end))) {
                Some((value, end)) => {
                    out.push_str(&value);
                    rest = &rest[end + 1..];
                }
                None => {
                    out.push('{');
                    rest = &rest[1..];
                }
            }
        }
        out.push_str(rest);
        out
    }

    fn value(&self, name: &str) -> Option<String> {
        if let Some(value) = self.0.get(name) {
            return Some(value.clone());
        }
        if let Some((unit, n)) = name.split_once('*') {
            return (unit.chars().count() == 1).then(|| n.parse().ok().map(|n| unit.repeat(n)))?;
        }
        if let Some(seconds) = name.strip_prefix("now") {
            let now: i64 = self.get("now").parse().unwrap();
            return Some((now + seconds.parse::<i64>().ok()?).to_string());
        }
        let (kind, n) = name.split_once(':')?;
        let one: fn(usize) -> String = match kind {
            "deletes" => |idx| format!(r#"{{"op":"delete","collection":"none","id":"{idx}"}}"#),
            "members" => |idx| format!(r#""member-{idx}":0"#),
            "edits" => |idx| format!(r#"{{"path":"/{idx}","now":0}}"#),
            "collections" => |idx| format!("c{idx}"),
            _ => return None,
        };
        let all: Vec<String> = (0..n.parse().ok()?).map(one).collect();
        Some(all.join(","))
    }
}

#[test]
fn templates_are_filled_and_other_braces_stay() {
    let mut values = Values::default();
    values.set("a", "1");
    values.set("now", "100");
    for (text, expected) in [
        (r#"{"x":{a}}"#, r#"{"x":1}"#),
        ("{[*3}{]*2}", "[[[]]"),
        ("{now-9} {now+9}", "91 109"),
        ("{collections:2}", "c0,c1"),
        ("{b} {}", "{b} {}"),
        ("{{members:1}}", r#"{"member-0":0}"#),
    ] {
        assert_eq!(values.fill(text), expected);
    }
}
