//! New ids for ops of trees that were not sent: because a replica was copied, or someone else numbers ops like this one.

use std::sync::Arc;

use crate::error::Result;
use crate::mutation::Op;
use crate::replica::local::row::{Row, parse};
use crate::replica::local::rows::Base;
use crate::replica::local::txn::Local;
use crate::replica::sync::outcomes::{sent, server_record};
use crate::store::ScanQuery;
use crate::types::{Collection, OpId, PeerId, RecordKey};

/// Edits that are looked at together.
const ROWS_MAX: usize = 1000;
/// Bytes of edits that are looked at together.
const BYTES_MAX: usize = 4 << 20;

impl Local {
    /// Gives new ids to the ops that wait and were numbered as `before`.
    ///
    /// The clocks stay, so that their order among each other does.
    pub(crate) async fn renumber_ops(&mut self, before: &PeerId) -> Result<()> {
        let mut after = None;
        loop {
            let query = ScanQuery {
                collection: Some(Collection::system(Base::COLLECTION)),
                after: after.take(),
                descending: false,
                tombstones: false,
                rows_max: ROWS_MAX,
                bytes_max: BYTES_MAX,
            };
            let (rows, next) = self.listed(&query).await?;
            for row in rows {
                let base: Base = parse(&row)?;
                if op_of(&base.key).is_some_and(|id| id.peer == *before) {
                    let made_here = self.get(&base.key).await?.and_then(|record| record.data);
                    self.purge(Base::key_for(&base.key));
                    self.number_anew(&base, made_here).await?;
                }
            }
            match next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
        }
    }

    /// An op was refused because its id, or its peer, is someone else's: it gets a new one and is sent again, as all that
    /// wait and are numbered like that.
    pub(crate) async fn number_refused(&mut self, base: &Base, op: &Op) -> Result<()> {
        let mut state = self.state().await?;
        let peer = state.peer();
        if op_of(&base.key).is_some_and(|id| id.peer == peer) {
            state.take_new_peer(&*Arc::clone(&self.options.ids));
            self.save(&state)?;
            self.renumber_ops(&peer).await?;
        }
        self.number_anew(base, sent(base, op)).await
    }

    /// Gives what was made here a new id. What is left under the old one is what the server has there.
    async fn number_anew(&mut self, base: &Base, made_here: Option<crate::json::Json>) -> Result<()> {
        let Some(id) = op_of(&base.key) else { return Ok(()) };
        let visible = self.get(&base.key).await?;
        self.adopt(
            visible.clone(),
            server_record(&base.key, visible.as_ref(), base.newest(), &self.options.actor),
        );
        let new = OpId::new(id.clock, self.state().await?.peer()).record_id();
        self.edit(&RecordKey::new(base.key.collection.clone(), new), made_here).await.map(|_| ())
    }
}

fn op_of(key: &RecordKey) -> Option<OpId> {
    OpId::from_record_id(&key.id).ok().filter(|_| key.collection.is_tree())
}
