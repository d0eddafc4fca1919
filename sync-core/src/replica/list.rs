//! Listing inside a local transaction: what is stored, overlaid with what the transaction wrote.

use std::collections::BTreeMap;

use crate::error::Result;
use crate::replica::local::Local;
use crate::store::ScanQuery;
use crate::types::{Record, RecordId, RecordKey};

impl Local {
    /// Live records of a collection, as this transaction sees them; the query names the collection.
    pub(super) async fn list(&mut self, mut query: ScanQuery) -> Result<Vec<Record>> {
        let limit = query.rows_max;
        loop {
            let page = self.stored(&query).await?;
            // A page that is cut says nothing of what comes after its last record.
            let upto = page.records.last().filter(|_| page.more).map(|record| record.key.id.clone());
            let mut seen: BTreeMap<RecordId, Record> =
                page.records.into_iter().map(|record| (record.key.id.clone(), record)).collect();
            for (key, record) in self.written() {
                if !is_inside(key, &query, upto.as_ref()) {
                    continue;
                }
                match record.filter(|record| !record.is_deleted()) {
                    Some(record) => seen.insert(key.id.clone(), record.clone()),
                    None => seen.remove(&key.id),
                };
            }
            match upto {
                // All of it was deleted here: what comes next begins after it.
                Some(upto) if seen.is_empty() && limit > 0 => {
                    let collection = query.collection.clone();
                    query.after = collection.map(|collection| RecordKey::new(collection, upto));
                }
                _ => return Ok(seen.into_values().take(limit).collect()),
            }
        }
    }
}

fn is_inside(key: &RecordKey, query: &ScanQuery, upto: Option<&RecordId>) -> bool {
    query.collection.as_ref() == Some(&key.collection)
        && query.after.as_ref().is_none_or(|after| key.id > after.id)
        && upto.is_none_or(|upto| key.id <= *upto)
}
