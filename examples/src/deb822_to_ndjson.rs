//! Turns Debian's package lists into one JSON object per line, as input for the `dataset` example.
//!
//! ```sh
//! apt-cache dumpavail | cargo run --release -p sync-examples --bin deb822-to-ndjson > packages.ndjson
//! ```
//! A paragraph becomes an object with a member per field; its `id` is made of name, version and architecture, because
//! lists of several archives name some packages more than once. Paragraphs that repeat an id are left out.

use std::collections::HashSet;
use std::io::{BufRead, BufWriter, Write};

use serde_json::{Map, Value};

fn main() -> std::io::Result<()> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut fields = Map::new();
    let mut last = String::new();
    let mut seen = HashSet::new();
    for line in std::io::stdin().lock().split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        if line.trim().is_empty() {
            write_paragraph(&mut out, &mut fields, &mut seen)?;
        } else if line.starts_with([' ', '\t']) {
            if let Some(Value::String(text)) = fields.get_mut(&last) {
                text.push('\n');
                text.push_str(line.trim());
            }
        } else if let Some((name, value)) = line.split_once(':') {
            last = name.to_lowercase();
            fields.insert(last.clone(), Value::from(value.trim()));
        }
    }
    write_paragraph(&mut out, &mut fields, &mut seen)?;
    out.flush()
}

fn write_paragraph(
    out: &mut impl Write,
    fields: &mut Map<String, Value>,
    seen: &mut HashSet<String>,
) -> std::io::Result<()> {
    let mut fields = std::mem::take(fields);
    let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let id = format!("{}_{}_{}", text("package"), text("version"), text("architecture"));
    if fields.is_empty() || !seen.insert(id.clone()) {
        return Ok(());
    }
    fields.insert("id".to_owned(), Value::from(id));
    writeln!(out, "{}", Value::Object(fields))
}
