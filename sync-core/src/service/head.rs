//! Where a space stands.

use crate::error::Result;
use crate::service::Service;
use crate::store::Mode;
use crate::types::{Seq, SpaceId};

impl Service {
    /// The position of the newest change in a space.
    ///
    /// # Errors
    ///
    /// `space_not_found`, and what the store reports.
    pub async fn head(&self, space: &SpaceId) -> Result<Seq> {
        let space = space.clone();
        self.run(move |inner| async move { Ok(inner.store.begin(&space, Mode::Read).await?.head().head) })
            .await
    }
}
