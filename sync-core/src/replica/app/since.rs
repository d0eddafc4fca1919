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
        if visible.is_deleted() && visible.meta.upstream == Version::ZERO {
            return Ok(Err(not_there(key, "save")));
        }
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
        match joined(patch, &value, self.policy(key), None) {
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
                "record {key} has changed since it was read, and has edits that the server does not know yet: \
                 read it again and save what you make of that"
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
            return content(&onto_stored(Some(&visible), Some(&seen), &now)).map(Joined::Clean);
        }
        let patch = as_stored(patch, view.map(|view| view.to_value()).as_ref(), &visible);
        joined(&patch, &visible, policy, Some(self))
    }
}

/// Puts the edits onto what is there, as far as that overrules nobody. `save` is where they come from, if that is known.
fn joined(patch: &Patch, visible: &Value, policy: &CollectionPolicy, save: Option<&Save>) -> Result<Joined> {
    // Who is later matters only where one side is overruled, and that is left to the server.
    let stamp = Stamp { at: 0, by: String::new() };
    let mine = Mine { change: Change::Patch(patch), base: Seen::Older, stamp: &stamp };
    match merge::merge(&mine, &Theirs { value: Some(visible), stamp: &stamp }, policy) {
        Merge::Unchanged => Ok(Joined::Same),
        Merge::Merged { value: Some(value), lost } if lost.is_empty() => content(&value).map(Joined::Clean),
        Merge::Merged { .. } | Merge::Conflict { .. } | Merge::NeedsContent => {
            clash(patch, visible, policy, save)
        }
    }
}

/// What to send so that the server finds the clash: what is there, with what was seen in the edited places, so that the
/// edits are the difference. Where something stands above such a place that has no members, there is no such record; then
/// it is all that was seen, and others' news shows again when the server has answered.
fn clash(patch: &Patch, visible: &Value, policy: &CollectionPolicy, save: Option<&Save>) -> Result<Joined> {
    if let (Ok(was), Ok(now)) =
        (reversed(patch).and_then(|back| applied(&back, visible)), applied(patch, visible))
        && policy.diff(Some(&was.to_value()), &now.to_value()) == *patch
    {
        return Ok(Joined::Clash { was, now });
    }
    let Some(Save { seen, now, .. }) = save else {
        let message =
            "what this edit changes is not there any more: look at the record as it is now, and edit that";
        return Err(Error::invalid(code::VERSION_CONFLICT, message));
    };
    Ok(Joined::Clash { was: seen.clone(), now: now.clone() })
}

/// The edits with what is stored in place of what the application reads there, where both are alike in its eyes: a
/// member that it fills in, or spells otherwise, has not changed.
fn as_stored(patch: Patch, view: Option<&Value>, visible: &Value) -> Patch {
    let Some(view) = view else { return patch };
    let edit = |edit: &PathEdit| {
        if edit.path.find(view) != edit.was.as_ref() {
            return edit.clone();
        }
        let stored = edit.path.find(visible);
        let now = edit.now.as_ref().map(|now| onto_stored(stored, edit.was.as_ref(), now));
        PathEdit { path: edit.path.clone(), was: stored.cloned(), now }
    };
    Patch::new(patch.edits().iter().map(edit).collect()).expect("the paths are those of a patch")
}

/// What is stored, with what an application changed in its view of it: `was` and `now` are views, which lack what its type
/// does not know and have what it fills in.
fn onto_stored(stored: Option<&Value>, was: Option<&Value>, now: &Value) -> Value {
    match (stored, was, now) {
        (Some(stored), Some(was), now) if was == now => stored.clone(),
        (Some(Value::Object(stored)), Some(Value::Object(was)), Value::Object(now)) => {
            let stays = |name: &str| now.contains_key(name) || !was.contains_key(name);
            let mut members = stored.clone();
            members.retain(|name, _| stays(name));
            for (name, value) in now {
                let is_filled_in = !stored.contains_key(name) && was.get(name) == Some(value);
                if !is_filled_in {
                    members.insert(name.clone(), onto_stored(stored.get(name), was.get(name), value));
                }
            }
            Value::Object(members)
        }
        (Some(Value::Array(stored)), Some(Value::Array(was)), Value::Array(now))
            if stored.len() == was.len() =>
        {
            let element = |(idx, value)| element(stored, was, now, idx, value);
            Value::Array(now.iter().enumerate().map(element).collect())
        }
        _ => now.clone(),
    }
}

/// An element of a list: one that was there, perhaps in another place; one that was changed in its place; or a new one.
fn element(stored: &[Value], was: &[Value], now: &[Value], idx: usize, value: &Value) -> Value {
    let is_here = was.get(idx) == Some(value);
    let before = if is_here { Some(idx) } else { was.iter().position(|old| old == value) };
    match (before, was.get(idx)) {
        (Some(before), _) => stored[before].clone(),
        (None, Some(old)) if was.len() == now.len() && !now.contains(old) => {
            onto_stored(stored.get(idx), Some(old), value)
        }
        _ => value.clone(),
    }
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
