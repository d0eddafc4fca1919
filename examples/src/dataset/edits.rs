//! What both sides do while they are offline: some of it alone, some to the same records, some to the same fields.

use serde_json::{Value, json};
use sync_core::Collection;

use crate::Error;
use crate::peer::Peer;

/// One record in this many is touched by each kind of edit, so that a large set gets many and a small one some.
const EVERY: usize = 50;

/// Edits on the left: marks, a shared field, deletions, creations.
pub(crate) async fn edit_left(peer: &Peer, collection: &Collection) -> Result<usize, Error> {
    edit(peer, collection, |idx, id| match idx % EVERY {
        0 => Some(Edit::Merge(json!({"seen_on_the_left": true}))),
        1 => Some(Edit::Merge(json!({"reviewed_by": "left"}))),
        2 => Some(Edit::Delete),
        3 => Some(Edit::Create(format!("left-{id}"))),
        _ => None,
    })
    .await
}

/// Edits on the right: marks on the same records, the same field with another value, an update of what the left deletes.
pub(crate) async fn edit_right(peer: &Peer, collection: &Collection) -> Result<usize, Error> {
    edit(peer, collection, |idx, id| match idx % EVERY {
        0 => Some(Edit::Merge(json!({"seen_on_the_right": true}))),
        1 => Some(Edit::Merge(json!({"reviewed_by": "right"}))),
        2 => Some(Edit::Merge(json!({"kept": "an update wins over a delete"}))),
        4 => Some(Edit::Delete),
        5 => Some(Edit::Create(format!("right-{id}"))),
        _ => None,
    })
    .await
}

enum Edit {
    Merge(Value),
    Delete,
    Create(String),
}

async fn edit(
    peer: &Peer,
    collection: &Collection,
    kind: impl Fn(usize, &str) -> Option<Edit>,
) -> Result<usize, Error> {
    let mut n_edits = 0;
    for (idx, id) in peer.ids(collection).await?.iter().enumerate() {
        let Some(edit) = kind(idx, id) else { continue };
        n_edits += 1;
        match edit {
            Edit::Merge(change) => peer.merge(collection, id, &change).await?,
            Edit::Delete => peer.delete(collection, id).await?,
            Edit::Create(new) => peer.create(collection, &new).await?,
        }
    }
    Ok(n_edits)
}
