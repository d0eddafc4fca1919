//! Editing a record: what the application sees, and what the edit is based on, in one step.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::error::Result;
use crate::json::Json;
use crate::replica::local::rows::{Base, Known};
use crate::replica::local::txn::Local;
use crate::replica::tell::watch::Origin;
use crate::types::{Record, RecordKey, RecordMeta, Version};

impl Local {
    /// Makes `data` what the application sees under `key`; `None` deletes. Says whether that changed anything.
    ///
    /// The first edit of a record notes what it is based on, further ones leave that note alone. An edit back to what
    /// the server has takes the note away: there is nothing to send any more.
    pub(crate) async fn edit(&mut self, key: &RecordKey, data: Option<Json>) -> Result<bool> {
        let visible = self.get(key).await?;
        if visible.as_ref().and_then(|record| record.data.as_ref()) == data.as_ref() {
            return Ok(false);
        }
        let base = match self.base_of(key).await? {
            Some(base) => base,
            None => {
                let base = Base::new(key.clone(), Known::of(visible.as_ref()), self.space_head().head);
                self.save(&base)?;
                base
            }
        };
        if !base.is_settled_by(data.as_ref()) {
            self.show(key, data, visible.as_ref(), base.newest());
            return Ok(true);
        }
        self.purge(Base::key_for(key));
        match base.base.made {
            Some(_) => self.show_again(key, base.base),
            None => self.show(key, data, visible.as_ref(), base.newest()),
        }
        Ok(true)
    }

    /// What the record is based on, if it has edits that were not sealed.
    pub(crate) async fn base_of(&mut self, key: &RecordKey) -> Result<Option<Base>> {
        self.row(&Base::key_for(key)).await
    }

    /// Writes what the server has, as it was before the edits that are undone now.
    fn show_again(&mut self, key: &RecordKey, server: Known) {
        let mut meta = RecordMeta::first(Version::ZERO, self.options.actor.clone());
        server.tell(&mut meta);
        self.set_by(Record { key: key.clone(), data: server.data, meta }, Origin::Local);
    }

    /// Writes what the application made of a record, dated now, but always after what was there.
    pub(crate) fn show(
        &mut self,
        key: &RecordKey,
        data: Option<Json>,
        before: Option<&Record>,
        server: &Known,
    ) {
        let after = before.map_or(Timestamp::ZERO, |record| record.meta.edited_at);
        let earliest = after.saturating_add(Duration::from_micros(u64::from(before.is_some())));
        let meta = RecordMeta {
            revision: server.revision.saturating_add(1),
            edited_at: self.options.clock.now().max(earliest),
            upstream: server.version,
            ..RecordMeta::first(Version::ZERO, self.options.actor.clone())
        };
        self.set_by(Record { key: key.clone(), data, meta }, Origin::Local);
    }
}
