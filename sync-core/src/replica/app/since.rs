//! Saving what an application made of a record that it read a while ago, and that may have changed since.
//!
//! ```text
//! seen ──────────────────▶ now              the edit: only where these two differ
//!   └─ others ─▶ visible                    what is there by the time it is saved
//!
//! visible = seen                            the edit goes onto it
//! joins without overruling anyone           the edit goes onto it, both stay
//! clashes with what the server sent         what was seen becomes the base, what the server has its `latest`: the state
//!                                           of an edit that was made offline before the news came. The server judges it
//! clashes with an edit that was not sent    refused: nobody but this replica knows the other side
//! ```

use serde_json::Value;

use crate::error::{Error, Result};
use crate::json::Json;
use crate::merge::{
    self, Base as Seen, Change, CollectionPolicy, Merge, Mine, Patch, PathEdit, Stamp, Theirs,
};
use crate::protocol::code;
use crate::replica::app::access::content;
use crate::replica::app::edits::not_there;
use crate::replica::app::lens::Lens;
use crate::replica::local::rows::{Base, Known};
use crate::replica::local::txn::Local;
use crate::types::{Record, RecordKey, Version};

/// The difference between what an application saw of a record and what it made of it.
#[derive(Clone, Debug)]
pub(crate) struct Save {
    pub(crate) seen: Json,
    pub(crate) now: Json,
    pub(crate) lens: Lens,
}

/// How an edit goes together with what is there.
enum Joined {
    /// It asks for nothing that is not there.
    Same,
    /// This is the record with the edit.
    Clean(Json),
    /// Someone would be overruled: what was seen, and what the edit makes of it.
    Clash { was: Json, now: Json },
}

impl Local {
    /// Carries out a save. The inner result is a refusal, which changes nothing.
    pub(crate) async fn save_since(&mut self, key: &RecordKey, save: Save) -> Result<Result<bool>> {
        if save.seen == save.now {
            return Ok(Ok(false));
        }
        let Some(visible) = self.get(key).await? else { return Ok(Err(not_there(key, "save"))) };
        let joined = match save.onto(visible.data.as_ref(), self.policy(key)) {
            Ok(joined) => joined,
            Err(refused) => return Ok(Err(refused)),
        };
        self.put_joined(key, visible, joined, save.lens).await
    }

    /// Carries out a patch that was made a while ago. The inner result is a refusal, which changes nothing.
    pub(crate) async fn patch_since(&mut self, key: &RecordKey, patch: &Patch) -> Result<Result<bool>> {
        let Some(visible) = self.get(key).await?.filter(|record| !record.is_deleted()) else {
            return Ok(Err(not_there(key, "patch")));
        };
        let value = visible.data.as_ref().map_or(Value::Null, Json::to_value);
        match joined(patch, &value, self.policy(key)) {
            Ok(joined) => self.put_joined(key, visible, joined, Lens::any()).await,
            Err(refused) => Ok(Err(refused)),
        }
    }

    async fn put_joined(
        &mut self,
        key: &RecordKey,
        visible: Record,
        joined: Joined,
        lens: Lens,
    ) -> Result<Result<bool>> {
        let admitted = match joined {
            Joined::Same => return Ok(Ok(false)),
            Joined::Clean(data) => lens.admit(key, data).map(|data| (None, data)),
            Joined::Clash { was, now } => lens.admit(key, now).map(|now| (Some(was), now)),
        };
        match admitted {
            Ok((None, data)) => self.edit(key, Some(data)).await.map(Ok),
            Ok((Some(was), now)) => self.edit_what_was(key, visible, was, now).await,
            Err(refused) => Ok(Err(refused)),
        }
    }

    /// Makes `now` the record as an edit of what it `was` before the server sent what is visible.
    async fn edit_what_was(
        &mut self,
        key: &RecordKey,
        visible: Record,
        was: Json,
        now: Json,
    ) -> Result<Result<bool>> {
        let latest = Known::of(Some(&visible));
        if latest.version == Version::ZERO || self.waits(key).await? {
            let message = format!(
                "record {key} was edited here since it was read, in the same place, and the server does not know \
                 that yet: read it again and save what you make of that"
            );
            return Ok(Err(Error::invalid(code::VERSION_CONFLICT, message)));
        }
        // Which version was seen is not known, only that it was one before this.
        let seen = Known::new(latest.version.before(), latest.revision, Some(was));
        let base = Base { latest: Some(latest), ..Base::new(key.clone(), seen, self.space_head().head) };
        self.save(&base)?;
        self.show(key, Some(now), Some(&visible), base.newest());
        Ok(Ok(true))
    }

    /// Whether the record has edits that the server has not answered.
    async fn waits(&mut self, key: &RecordKey) -> Result<bool> {
        let is_sealed = |batch: crate::replica::local::rows::Batch| {
            batch.entries.iter().any(|entry| &entry.base.key == key)
        };
        Ok(self.base_of(key).await?.is_some() || self.batch().await?.is_some_and(is_sealed))
    }
}

impl Save {
    fn onto(&self, visible: Option<&Json>, policy: &CollectionPolicy) -> Result<Joined> {
        let (seen, now) = (self.seen.to_value(), self.now.to_value());
        let Some(visible) = visible else {
            return Ok(Joined::Clash { was: self.seen.clone(), now: self.now.clone() });
        };
        let (view, visible) = (self.lens.view(visible), visible.to_value());
        let patch = policy.diff(Some(&seen), &now);
        if view.as_ref() == Some(&self.seen) {
            // Nothing has happened since. What the application cannot read of the record stays.
            return applied(&patch, &visible).map(Joined::Clean);
        }
        joined(&as_stored(patch, view.map(|view| view.to_value()).as_ref(), &visible), &visible, policy)
    }
}

/// Puts the edits onto what is there, as far as that overrules nobody.
fn joined(patch: &Patch, visible: &Value, policy: &CollectionPolicy) -> Result<Joined> {
    // Who is later matters only where one side is overruled, and that is left to the server.
    let stamp = Stamp { at: 0, by: String::new() };
    let mine = Mine { change: Change::Patch(patch), base: Seen::Older, stamp: &stamp };
    match merge::merge(&mine, &Theirs { value: Some(visible), stamp: &stamp }, policy) {
        Merge::Unchanged => Ok(Joined::Same),
        Merge::Merged { value: Some(value), lost } if lost.is_empty() => content(&value).map(Joined::Clean),
        Merge::Merged { .. } | Merge::Conflict { .. } | Merge::NeedsContent => {
            let was = applied(&reversed(patch)?, visible)?;
            Ok(Joined::Clash { was, now: applied(patch, visible)? })
        }
    }
}

/// The edits with what is stored in place of what the application reads there, where both are alike in its eyes: a
/// member that it fills in, or spells otherwise, has not changed.
fn as_stored(patch: Patch, view: Option<&Value>, visible: &Value) -> Patch {
    let Some(view) = view else { return patch };
    let edit = |edit: &PathEdit| {
        let is_alike = edit.path.find(view) == edit.was.as_ref();
        let was = if is_alike { edit.path.find(visible).cloned() } else { edit.was.clone() };
        PathEdit { was, ..edit.clone() }
    };
    Patch::new(patch.edits().iter().map(edit).collect()).expect("the paths are those of a patch")
}

/// The edits that lead back.
fn reversed(patch: &Patch) -> Result<Patch> {
    let edits = patch.edits().iter().cloned();
    let back = edits.map(|PathEdit { path, was, now }| PathEdit { path, was: now, now: was });
    Patch::new(back.collect()).map_err(|error| {
        Error::invalid(code::VALIDATION_FAILED, "the record as it was seen has no content").with_source(error)
    })
}

fn applied(patch: &Patch, to: &Value) -> Result<Json> {
    // Only an edit of the whole record leads to none, and that is no edit but a deletion.
    content(&patch.apply(Some(to)).unwrap_or(Value::Null))
}
