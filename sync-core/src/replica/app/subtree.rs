//! Watching a part of a tree.

use std::pin::pin;
use std::sync::Arc;

use futures_util::future::select;
use futures_util::{FutureExt, StreamExt};

use crate::error::Result;
use crate::replica::app::tree::ReplicaTree;
use crate::replica::local::subtrees::Touched;
use crate::replica::tell::watch::Watch;
use crate::types::VertexId;

/// Tells when something changes at a vertex or below it, see [`ReplicaTree::watch_subtree`].
#[derive(Debug)]
pub struct SubtreeWatch {
    tree: ReplicaTree,
    ops: Watch,
    touched: Arc<Touched>,
    /// Whether ops were heard of that may not have been taken in yet.
    is_behind: bool,
}

impl ReplicaTree {
    /// Watches a vertex and all below it, from now on: what moves there or away, and every property in there. What others do
    /// elsewhere in the tree is not told.
    ///
    /// The vertex need not be there yet.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use sync_core::replica::{Replica, ReplicaOptions};
    /// # use sync_core::store::MemoryStore;
    /// # use sync_core::{ActorId, SpaceId, TokioRuntime};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let options = ReplicaOptions::new(Arc::new(TokioRuntime), ActorId::new("ada")?);
    /// # let replica = Replica::open(Arc::new(MemoryStore::default()), SpaceId::new("family")?, options).await?;
    /// use sync_core::VertexId;
    ///
    /// let outline = replica.tree("outline")?;
    /// let (book, intro) = (VertexId::new("book")?, VertexId::new("intro")?);
    /// let mut watch = outline.watch_subtree(book.clone()).await?;
    /// outline.edit(|edit| {
    ///     edit.create(book.clone(), None, None)?;
    ///     edit.create(intro, Some(&book), None)
    /// }).await?;
    /// watch.changed().await?;
    /// assert_eq!(outline.read(|tree| tree.state().children(&book).len()).await?, 1);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// What the store reports.
    pub async fn watch_subtree(&self, vertex: VertexId) -> Result<SubtreeWatch> {
        // Before the look, or what comes between the two would be missed.
        let ops = self.watch();
        self.read(|_| ()).await?;
        Ok(SubtreeWatch {
            tree: self.clone(),
            ops,
            touched: self.slot.subtrees.watch(vertex),
            is_behind: false,
        })
    }
}

impl SubtreeWatch {
    /// Waits until something has changed since this returned last, or since it was asked for; then
    /// [read](ReplicaTree::read) what is shown. It may also return when nothing has: after a load of the space, or when what
    /// was edited here went under new ids.
    ///
    /// The future may be dropped and asked for again.
    ///
    /// # Errors
    ///
    /// What the store reports, and that of every call when the replica was closed.
    pub async fn changed(&mut self) -> Result<()> {
        while !self.touched.take() {
            if !self.is_behind {
                // A closed replica has no news any more, and says so where it is read.
                select(self.ops.next(), pin!(self.tree.replica.0.doors.closed())).await;
                // Until they were taken in: whoever waits may go away meanwhile, or the store may fail.
                self.is_behind = true;
            }
            while let Some(Some(_)) = self.ops.next().now_or_never() {}
            // Who takes the ops in tells whom they concern.
            self.tree.read(|_| ()).await?;
            self.is_behind = false;
        }
        Ok(())
    }
}
