//! Which keys a scan of the memory store looks at: no more than it lists, whichever end it begins at.

use std::ops::Bound;
use std::sync::LazyLock;

use crate::store::ScanQuery;
use crate::types::{Collection, RecordId, RecordKey};

/// From where to where, ascending in both directions; `None` when nothing can lie there.
pub(super) fn of_scan(query: &ScanQuery) -> Option<(Bound<RecordKey>, Bound<RecordKey>)> {
    let ends = query.collection.as_ref().map(|name| (first_of(name), last_of(name)));
    let Some(after) = query.after.clone() else {
        return Some(ends.map_or((Bound::Unbounded, Bound::Unbounded), |(first, last)| {
            (Bound::Included(first), Bound::Included(last))
        }));
    };
    let Some((first, last)) = ends else {
        return Some(match query.descending {
            true => (Bound::Unbounded, Bound::Excluded(after)),
            false => (Bound::Excluded(after), Bound::Unbounded),
        });
    };
    // A key of another collection lies before all of this one, or behind it.
    match query.descending {
        true if after <= first => None,
        true if after > last => Some((Bound::Included(first), Bound::Included(last))),
        true => Some((Bound::Included(first), Bound::Excluded(after))),
        false if after >= last => None,
        false if after < first => Some((Bound::Included(first), Bound::Included(last))),
        false => Some((Bound::Excluded(after), Bound::Included(last))),
    }
}

fn first_of(collection: &Collection) -> RecordKey {
    static FIRST: LazyLock<RecordId> = LazyLock::new(|| RecordId::new(" ").expect("a blank is an id"));
    RecordKey::new(collection.clone(), FIRST.clone())
}

fn last_of(collection: &Collection) -> RecordKey {
    static LAST: LazyLock<RecordId> = LazyLock::new(|| {
        RecordId::new("\u{10ffff}".repeat(255)).expect("as many of the last character as an id may have")
    });
    RecordKey::new(collection.clone(), LAST.clone())
}
