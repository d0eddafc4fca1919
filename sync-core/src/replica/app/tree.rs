//! A replicated tree on a replica: edited offline, sent with everything else, the same on every copy in the end.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::lock::MutexGuard;

use crate::error::{Error, Result};
use crate::json::Json;
use crate::protocol::code;
use crate::replica::Replica;
use crate::replica::local::subtrees::Touched;
use crate::replica::local::trees::{Kept, Mark, Slot};
use crate::replica::tell::watch::Watch;
use crate::tree::{Edit, Tree, TreeError, TreeState, Undo};
use crate::types::{Collection, PropertyKey, TreeId, TreeOp, VertexId};

/// A tree of a replica, see [`Replica::tree`]. Cheap to clone; all clones, and all that were asked for by the same name, share
/// one state in memory. It goes when the last of them does.
#[derive(Clone, Debug)]
pub struct ReplicaTree {
    pub(super) replica: Replica,
    collection: Collection,
    pub(super) slot: Slot,
}

/// Edits of a tree that are stored together, see [`ReplicaTree::edit`]. Every method takes effect at once for those after it,
/// and yields how it is taken back.
#[derive(Debug)]
pub struct TreeEdit<'t> {
    tree: &'t mut Tree,
    slot: &'t Slot,
    ops: Vec<TreeOp>,
    concerned: Vec<Arc<Touched>>,
}

impl Replica {
    /// The tree of this name; one that nobody has edited yet is empty.
    ///
    /// Its state is made from the stored ops when it is first read or edited, and is kept in memory as long as
    /// there is a handle to it.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use sync_core::replica::{Replica, ReplicaOptions};
    /// # use sync_core::store::MemoryStore;
    /// # use sync_core::{ActorId, SpaceId, TokioRuntime};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let options = ReplicaOptions::new(Arc::new(TokioRuntime), ActorId::new("ada")?);
    /// # let replica = Replica::open(Arc::new(MemoryStore::default()), SpaceId::new("family")?, options).await?;
    /// use sync_core::{PropertyKey, VertexId};
    /// use sync_core::json::Json;
    ///
    /// let outline = replica.tree("outline")?;
    /// let (book, intro) = (VertexId::new("book")?, VertexId::new("intro")?);
    /// outline.edit(|edit| {
    ///     edit.create(book.clone(), None, None)?;
    ///     edit.create(intro.clone(), Some(&book), None)
    /// }).await?;
    /// assert_eq!(outline.read(|tree| tree.state().children(&book)).await?, [intro]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::ErrorKind::Invalid) for a name that no tree can have.
    pub fn tree(&self, name: &str) -> Result<ReplicaTree> {
        let name = TreeId::new(name).map_err(|error| Error::invalid(code::INVALID_ID, error.to_string()))?;
        let collection = Collection::of_tree(&name);
        let slot = self.0.trees.slot(&collection);
        Ok(ReplicaTree { replica: self.clone(), collection, slot })
    }
}

impl ReplicaTree {
    /// Reads the tree as it is stored, own edits included.
    ///
    /// # Errors
    ///
    /// What the store reports.
    pub async fn read<T>(&self, look: impl FnOnce(&Tree) -> T) -> Result<T> {
        let (slot, kept) = self.now().await?;
        let seen = look(&kept.tree);
        put_back(slot, kept);
        Ok(seen)
    }

    /// Edits the tree: what `work` does is stored in one local transaction, and sent with the next sync. If it fails, nothing is
    /// stored. If the future is dropped, it is stored as a whole or not at all.
    ///
    /// Edits at the same moment wait for each other; `work` sees what those before it did. What others do to the tree
    /// meanwhile is never in the way: ops have an order of their own.
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::ErrorKind::Invalid) with a [`TreeError`] as its source when `work` fails,
    /// [`Contended`](crate::ErrorKind::Contended) when the replica took another name at that moment (edit again), and what the
    /// store reports.
    pub async fn edit<T>(&self, work: impl FnOnce(&mut TreeEdit<'_>) -> Result<T, TreeError>) -> Result<T> {
        let (slot, mut kept) = self.now().await?;
        let mut edit =
            TreeEdit { tree: &mut kept.tree, slot: &self.slot, ops: Vec::new(), concerned: Vec::new() };
        let done = work(&mut edit);
        let TreeEdit { ops, concerned, .. } = edit;
        let done = match done {
            Ok(done) => done,
            Err(error) => {
                // What was made before the failure is in the state and stored nowhere; such a state is not put back.
                if ops.is_empty() {
                    put_back(slot, kept);
                }
                return Err(Error::invalid(code::VALIDATION_FAILED, error.to_string()).with_source(error));
            }
        };
        if !ops.is_empty() {
            let (mark, collection) = (kept.mark.clone(), self.collection.clone());
            let store = self
                .replica
                .write(move |local| async move { local.add_ops(&mark, &collection, &ops).await }.boxed());
            store.await?;
            concerned.iter().for_each(|watcher| watcher.touch());
        }
        put_back(slot, kept);
        Ok(done)
    }

    /// Tells when ops come in, from here or from elsewhere, as [`Replica::watch`] tells of records; then
    /// [read](Self::read) what is shown.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use sync_core::VertexId;
    /// # use sync_core::replica::{Replica, ReplicaOptions};
    /// # use sync_core::store::MemoryStore;
    /// # use sync_core::{ActorId, SpaceId, TokioRuntime};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let options = ReplicaOptions::new(Arc::new(TokioRuntime), ActorId::new("ada")?);
    /// # let replica = Replica::open(Arc::new(MemoryStore::default()), SpaceId::new("family")?, options).await?;
    /// use futures_util::StreamExt;
    ///
    /// let outline = replica.tree("outline")?;
    /// let (mut watch, book) = (outline.watch(), VertexId::new("book")?);
    /// outline.edit(|edit| edit.create(book, None, None).map(drop)).await?;
    /// watch.next().await.expect("the replica is there");
    /// assert_eq!(outline.read(|tree| tree.state().n_vertices()).await?, 1);
    /// # Ok(()) }
    /// ```
    pub fn watch(&self) -> Watch {
        self.replica.watch_one(self.collection.clone())
    }

    /// The state, up to date, taken out of its place: whoever does not put it back leaves it to be made anew.
    async fn now(&self) -> Result<(MutexGuard<'_, Option<Kept>>, Kept)> {
        let mut slot = self.slot.state.lock().await;
        let kept = slot.take();
        let (known, collection) = (kept.as_ref().map(|kept| kept.mark.clone()), self.collection.clone());
        let stored = if known.is_none() { self.stored().await } else { None };
        let read = self
            .replica
            .read(move |local| async move { local.tree_news(collection, known, stored).await }.boxed());
        let news = read.await?;
        if let Some((mark, n_ops)) = news.begun() {
            self.replica.0.trees.note_kept(&self.collection, mark, n_ops);
        }
        let (kept, report) = Kept::take(kept, news);
        let concerned = match report {
            Some(report) => self.slot.subtrees.concerned(kept.tree.state(), &report),
            None => self.slot.subtrees.all(),
        };
        concerned.iter().for_each(|watcher| watcher.touch());
        let ops_min = self.replica.0.options.checkpoint_ops_min;
        if let Some(body) = self.replica.0.trees.due_checkpoint(&self.collection, &kept, ops_min) {
            self.keep(kept.mark.clone(), body);
        }
        Ok((slot, kept))
    }

    /// What the checkpoint says, if there is one that can be read.
    async fn stored(&self) -> Option<(Mark, TreeState)> {
        let collection = self.collection.clone();
        let read =
            self.replica.read(move |local| async move { local.stored_state(&collection).await }.boxed());
        read.await.unwrap_or_else(|error| {
            tracing::warn!(%error, "the checkpoint of a tree could not be read, and is done without");
            None
        })
    }

    /// Has a checkpoint stored, by and by. Nothing depends on it.
    fn keep(&self, mark: Mark, body: String) {
        let (replica, collection) = (self.replica.clone(), self.collection.clone());
        let runtime = Arc::clone(&replica.0.options.runtime);
        runtime.spawn(Box::pin(async move {
            let kept = replica.write(move |local| {
                async move { local.keep_checkpoint(&mark, &collection, body).await }.boxed()
            });
            if let Err(error) = kept.await {
                tracing::warn!(%error, "a checkpoint of a tree could not be stored");
            }
        }));
    }
}

fn put_back(mut slot: MutexGuard<'_, Option<Kept>>, kept: Kept) {
    *slot = Some(kept);
}

impl TreeEdit<'_> {
    /// The tree with the edits so far.
    pub fn tree(&self) -> &Tree {
        self.tree
    }

    /// As [`Tree::create`].
    ///
    /// # Errors
    ///
    /// As [`Tree::create`].
    pub fn create(
        &mut self,
        vertex: VertexId,
        parent: Option<&VertexId>,
        created: Option<Json>,
    ) -> Result<Undo, TreeError> {
        let edit = self.tree.create(vertex, parent, created)?;
        Ok(self.keep(edit))
    }

    /// As [`Tree::move_to`].
    ///
    /// # Errors
    ///
    /// As [`Tree::move_to`].
    pub fn move_to(&mut self, vertex: &VertexId, parent: &VertexId) -> Result<Undo, TreeError> {
        let edit = self.tree.move_to(vertex, parent)?;
        Ok(self.keep(edit))
    }

    /// As [`Tree::delete`].
    ///
    /// # Errors
    ///
    /// As [`Tree::delete`].
    pub fn delete(&mut self, vertex: &VertexId) -> Result<Undo, TreeError> {
        let edit = self.tree.delete(vertex)?;
        Ok(self.keep(edit))
    }

    /// As [`Tree::set`].
    ///
    /// # Errors
    ///
    /// As [`Tree::set`].
    pub fn set(&mut self, vertex: &VertexId, key: PropertyKey, value: Json) -> Result<Undo, TreeError> {
        let edit = self.tree.set(vertex, key, value)?;
        Ok(self.keep(edit))
    }

    /// As [`Tree::remove`].
    ///
    /// # Errors
    ///
    /// As [`Tree::remove`].
    pub fn remove(&mut self, vertex: &VertexId, key: PropertyKey) -> Result<Undo, TreeError> {
        let edit = self.tree.remove(vertex, key)?;
        Ok(self.keep(edit))
    }

    /// As [`Tree::undo`].
    ///
    /// # Errors
    ///
    /// As [`Tree::undo`].
    pub fn undo(&mut self, undo: &Undo) -> Result<Undo, TreeError> {
        let edit = self.tree.undo(undo)?;
        Ok(self.keep(edit))
    }

    /// As [`Tree::show`]: a value that is shown here alone, and never sent.
    ///
    /// # Errors
    ///
    /// As [`Tree::show`].
    pub fn show(&mut self, vertex: &VertexId, key: PropertyKey, value: Json) -> Result<(), TreeError> {
        self.tree.show(vertex, key, value)
    }

    fn keep(&mut self, edit: Edit) -> Undo {
        self.concerned.extend(self.slot.subtrees.concerned(self.tree.state(), &edit.report));
        self.ops.extend(edit.ops);
        edit.undo
    }
}
