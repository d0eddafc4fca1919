//! What someone who follows the feed believes the space to be.

use std::collections::BTreeMap;

use serde_json::Value;

/// Collection and id.
pub(crate) type Key = (String, String);

/// One record.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Seen {
    pub(crate) version: i64,
    /// `None` when it is deleted.
    pub(crate) data: Option<Value>,
}

/// Records as they were last seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct View(pub(crate) BTreeMap<Key, Seen>);

impl View {
    /// Takes a record, unless a later state of it is known.
    pub(crate) fn take(&mut self, key: Key, seen: Seen) {
        if self.0.get(&key).is_none_or(|known| known.version <= seen.version) {
            self.0.insert(key, seen);
        }
    }

    /// Takes a page of changes, whose versions must ascend from beyond `after`. Returns the last of them.
    pub(crate) fn take_page(&mut self, page: &Value, mut after: i64) -> i64 {
        for change in page["changes"].as_array().unwrap() {
            let version = change["version"].as_i64().unwrap();
            assert!(version > after, "I5: version {version} after {after}");
            assert!(version <= page["head"].as_i64().unwrap(), "I5: {change} beyond the head");
            after = version;
            let text = |name: &str| change[name].as_str().unwrap().to_owned();
            let is_deleted = change["deleted"].as_bool().unwrap();
            let data = (!is_deleted).then(|| change["data"].clone());
            self.take((text("collection"), text("id")), Seen { version, data });
        }
        after
    }

    /// Panics with the first difference.
    pub(crate) fn assert_is(&self, other: &Self, what: &str) {
        for key in self.0.keys().chain(other.0.keys()) {
            assert_eq!(self.0.get(key), other.0.get(key), "{what}: record {key:?}");
        }
    }
}
