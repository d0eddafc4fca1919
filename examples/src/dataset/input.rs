//! Reading NDJSON and CSV into records.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde_json::{Map, Value};
use sync_core::json::{Json, Limits};
use sync_core::{Collection, RecordId, RecordKey};

use crate::Error;

/// All records of a file.
pub(crate) fn read(path: &Path, collection: &Collection, id: &str) -> Result<Vec<(RecordKey, Json)>, Error> {
    let file = File::open(path).map_err(|error| format!("cannot open {}: {error}", path.display()))?;
    if path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("csv")) {
        read_csv(file, collection, id)
    } else {
        read_ndjson(file, collection, id)
    }
}

fn read_ndjson(file: File, collection: &Collection, id: &str) -> Result<Vec<(RecordKey, Json)>, Error> {
    let mut records = Vec::new();
    for (idx, line) in BufReader::new(file).lines().enumerate() {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        let data = Json::parse(line.as_bytes(), &Limits::RECORD).map_err(|error| at(idx, &error))?;
        let name = name_of(&data.to_value(), id, idx);
        records.push((key(collection, &name).map_err(|error| at(idx, &*error))?, data));
    }
    Ok(records)
}

fn read_csv(file: File, collection: &Collection, id: &str) -> Result<Vec<(RecordKey, Json)>, Error> {
    let mut reader = csv::Reader::from_reader(BufReader::new(file));
    let columns = reader.headers()?.clone();
    let mut records = Vec::new();
    for (idx, row) in reader.records().enumerate() {
        let row = row?;
        let fields: Map<String, Value> = columns
            .iter()
            .zip(row.iter())
            .map(|(name, value)| (name.to_owned(), Value::from(value)))
            .collect();
        let value = Value::Object(fields);
        let data = Json::from_value(&value).map_err(|error| at(idx, &error))?;
        records.push((key(collection, &name_of(&value, id, idx)).map_err(|error| at(idx, &*error))?, data));
    }
    Ok(records)
}

/// The id of a record: its member of that name, or the number of its line.
fn name_of(value: &Value, id: &str, idx: usize) -> String {
    match value.get(id) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => format!("line-{}", idx + 1),
    }
}

fn key(collection: &Collection, id: &str) -> Result<RecordKey, Error> {
    Ok(RecordKey::new(collection.clone(), RecordId::new(id)?))
}

fn at(idx: usize, error: &(dyn std::error::Error + Send + Sync)) -> Error {
    format!("line {}: {error}", idx + 1).into()
}
