//! A conflict as it is shown to someone who is to decide.

use serde_json::Value;

use crate::conflict::ConflictBody;
use crate::merge::{Pointer, diff};
use crate::types::{RecordId, Version};

#[cfg(doc)]
use crate::replica::Replica;

/// A conflict, with the record as it was when it was listed; see [`Replica::conflicts`].
///
/// A conflict has up to three sides, and a decision overwrites what it was not shown:
///
/// | | |
/// |---|---|
/// | [`body.mine`](ConflictBody::mine) | the edit that lost, **whoever made it**: only where [`is_own`](Self::is_own) is set it was made here |
/// | [`body.theirs`](ConflictBody::theirs) | what was stored when it lost |
/// | [`now`](Self::now) | the record by now: often the same, but others, and this replica, may have gone on |
///
/// Keep the whole of it while someone looks at it, and hand it to [`Replica::resolve`].
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct ShownConflict {
    /// Its name.
    pub id: RecordId,
    /// The version of the conflict itself.
    pub version: Version,
    /// What happened and between what.
    pub body: ConflictBody,
    /// The record as this replica showed it when the conflict was listed, edits included; `None` when there was none.
    pub now: Option<Value>,
    /// Whether the edit that lost was made on this replica, under the name that it has now. A replica takes a new name
    /// when its file was copied or its server was restored; what it did before counts as another's then.
    pub is_own: bool,
}

/// One place of a record about which a conflict is; see [`ShownConflict::differences`].
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// Where.
    pub path: Pointer,
    /// What was there when the edit that lost was made. `None` when nothing was there, and when it is not known, because
    /// the edit came as a whole record.
    pub was: Option<Value>,
    /// What the edit that lost wants there.
    pub mine: Option<Value>,
    /// What was stored there when it lost.
    pub theirs: Option<Value>,
    /// What is there by now.
    pub now: Option<Value>,
}

impl ShownConflict {
    /// Both sides, place by place: where the edit that lost changed something, or, if it came as a whole record, where it
    /// differs from what was stored. Ordered by path.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use serde_json::json;
    /// # use sync_core::replica::{Replica, ReplicaOptions};
    /// # use sync_core::service::{Actor, Service};
    /// # use sync_core::store::MemoryStore;
    /// # use sync_core::transport::Loopback;
    /// # use sync_core::{ActorId, Role, SpaceId, TokioRuntime};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (space, ada) = (SpaceId::new("family")?, ActorId::new("ada")?);
    /// # let service = Service::new(Arc::new(MemoryStore::default()), Arc::new(TokioRuntime));
    /// # service.create_space(&space).await?;
    /// # let server = Loopback::new(service, Actor::new(ada.clone(), Role::Owner));
    /// # let options = ReplicaOptions::new(Arc::new(TokioRuntime), ada);
    /// # let open = || Replica::open(Arc::new(MemoryStore::default()), space.clone(), options.clone());
    /// # let (phone, laptop) = (open().await?, open().await?);
    /// # phone.put("notes", "1", &json!({"text": "milk"})).await?;
    /// # phone.sync(&server).await?;
    /// # laptop.sync(&server).await?;
    /// phone.patch("notes", "1", &json!({"text": "oat milk"})).await?;
    /// laptop.patch("notes", "1", &json!({"text": "two milk"})).await?;
    /// phone.sync(&server).await?;
    /// laptop.sync(&server).await?;
    /// let conflict = laptop.conflicts(100).await?.remove(0);
    /// assert!(conflict.is_own);
    /// let place = &conflict.differences()[0];
    /// assert_eq!(place.path.as_str(), "/text");
    /// assert_eq!((place.was.clone(), place.mine.clone()), (Some(json!("milk")), Some(json!("two milk"))));
    /// assert_eq!((place.theirs.clone(), place.now.clone()), (Some(json!("oat milk")), Some(json!("oat milk"))));
    /// # Ok(()) }
    /// ```
    pub fn differences(&self) -> Vec<Difference> {
        let at = |path: &Pointer, value: &Option<Value>| {
            value.as_ref().and_then(|value| path.find(value)).cloned()
        };
        let place = |path: Pointer, was: Option<Value>, mine: Option<Value>| {
            let (theirs, now) = (at(&path, &self.body.theirs), at(&path, &self.now));
            Difference { path, was, mine, theirs, now }
        };
        match (&self.body.patch, &self.body.mine) {
            (Some(patch), _) => {
                let edits = patch.edits().iter().cloned();
                edits.map(|edit| place(edit.path, edit.was, edit.now)).collect()
            }
            (None, None) => vec![place(Pointer::root(), None, None)],
            (None, Some(mine)) => {
                let patch = diff(self.body.theirs.as_ref(), mine);
                patch.edits().iter().map(|edit| place(edit.path.clone(), None, edit.now.clone())).collect()
            }
        }
    }
}
