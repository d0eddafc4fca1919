//! What a tree is now, and what of it someone lacks.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::error::Result;
use crate::json::Json;
use crate::service::trees::OpsPage;
use crate::service::{Actor, Service, tree_cache};
use crate::store::{StoreTxn, stored_op};
use crate::tree::{Place, StateVector, TreeHash, TreeState};
use crate::types::{Collection, OpId, PropertyKey, RecordKey, Seq, SpaceId, TreeId, TreeOp, VertexId};

/// Some vertices of a tree, and how the tree is doing.
#[derive(Clone, Debug, PartialEq)]
pub struct TreePage {
    /// Where the space stands.
    pub head: Seq,
    /// How many ops the tree has.
    pub n_ops: u64,
    /// How many of them wait for a vertex that nobody has created.
    pub n_waiting: usize,
    /// Which ops it has.
    pub vector: StateVector,
    /// Equal for equal trees.
    pub hash: TreeHash,
    /// Vertices, deleted ones among them, ascending by id.
    pub vertices: Vec<Vertex>,
    /// The vertex to go on after, or `None` at the end.
    pub next: Option<VertexId>,
}

/// A vertex of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vertex {
    /// Its id.
    pub id: VertexId,
    /// Under which vertex it is; `None` at the top. What is below `0` is deleted.
    pub parent: Option<VertexId>,
    /// Its properties, ascending by key.
    pub properties: Vec<(PropertyKey, Json)>,
}

impl Service {
    /// How a tree is now: vertices after `after`, or from the first, at most `limit` and a page. A tree that has no ops has no
    /// vertices.
    ///
    /// The first call makes the state from all ops of the tree; the service keeps it for the next calls, as far as
    /// [`Limits::tree_cache_bytes_max`](crate::service::Limits::tree_cache_bytes_max) allows. Pages of several calls may be of
    /// different moments: [`TreePage::hash`] tells.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) for a space that is not there, and what the store reports.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use sync_core::service::{Actor, Service};
    /// # use sync_core::store::MemoryStore;
    /// # use sync_core::{ActorId, Role, SpaceId, TokioRuntime};
    /// use sync_core::{TreeId, TreeOp, VertexId};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let service = Service::new(Arc::new(MemoryStore::default()), Arc::new(TokioRuntime));
    /// # let (space, me) = (SpaceId::new("family")?, Actor::new(ActorId::new("ada")?, Role::Owner));
    /// # service.create_space(&space).await?;
    /// let (tree, book) = (TreeId::new("outline")?, VertexId::new("book")?);
    /// service.add_ops(&me, &space, &tree, vec![TreeOp::moving("1@a1".parse()?, book.clone(), None)]).await?;
    /// let page = service.tree(&me, &space, &tree, None, None).await?;
    /// assert_eq!((page.vertices[0].id.clone(), page.n_ops), (book, 1));
    /// # Ok(()) }
    /// ```
    pub async fn tree(
        &self,
        actor: &Actor,
        space: &SpaceId,
        tree: &TreeId,
        after: Option<VertexId>,
        limit: Option<usize>,
    ) -> Result<TreePage> {
        let (actor, space, tree) = (actor.clone(), space.clone(), tree.clone());
        self.run(move |inner| async move {
            let read = tree_cache::read(&inner, &actor, &space, &tree).await?;
            let rows_max = limit.unwrap_or(usize::MAX).clamp(1, inner.limits.page_rows_max);
            Ok(page(read.state(), read.head(), after.as_ref(), rows_max, inner.limits.page_bytes_max))
        })
        .await
    }

    /// What of a tree someone with the state vector `theirs` lacks: stored ops, also those without an effect, in their order,
    /// at most `limit` and a page. Whoever takes them and asks again with what they have then comes to an end.
    ///
    /// # Errors
    ///
    /// As [`Service::tree`].
    pub async fn missing_ops(
        &self,
        actor: &Actor,
        space: &SpaceId,
        tree: &TreeId,
        theirs: StateVector,
        limit: Option<usize>,
    ) -> Result<OpsPage> {
        let (actor, space, tree) = (actor.clone(), space.clone(), tree.clone());
        self.run(move |inner| async move {
            let read = tree_cache::read(&inner, &actor, &space, &tree).await?;
            let missing = read.state().state_vector().missing(&theirs);
            let rows_max = limit.unwrap_or(usize::MAX).clamp(1, inner.limits.page_rows_max);
            let ids = first_ids(&missing, rows_max);
            let ops = load(read.into_txn().as_mut(), &tree, &ids, inner.limits.page_bytes_max).await?;
            let is_all = u64::try_from(ops.len()).is_ok_and(|n| n >= missing.len());
            let next = ops.last().filter(|_| !is_all).map(|op| op.id.clone());
            Ok(OpsPage { ops, next })
        })
        .await
    }
}

/// How many ops are read at once. Their contents are in memory together with the page.
const LOAD_ROWS: usize = 64;

/// The stored ops of these ids, in their order, until they are as many bytes; at least one.
async fn load(txn: &mut dyn StoreTxn, tree: &TreeId, ids: &[OpId], bytes_max: usize) -> Result<Vec<TreeOp>> {
    let collection = Collection::of_tree(tree);
    let (mut ops, mut n_bytes) = (Vec::new(), 0usize);
    for ids in ids.chunks(LOAD_ROWS) {
        let keys: Vec<_> = ids.iter().map(|id| RecordKey::new(collection.clone(), id.record_id())).collect();
        for record in txn.records(&keys).await?.iter().flatten() {
            n_bytes = n_bytes.saturating_add(record.data_len());
            if n_bytes > bytes_max && !ops.is_empty() {
                return Ok(ops);
            }
            ops.push(stored_op(record)?);
        }
    }
    Ok(ops)
}

fn page(
    state: &TreeState,
    head: Seq,
    after: Option<&VertexId>,
    rows_max: usize,
    bytes_max: usize,
) -> TreePage {
    let mut found: Vec<(&VertexId, Place)> =
        state.vertices().filter(|(id, _)| after.is_none_or(|after| *id > after)).collect();
    let (n_found, by_id) = (found.len(), |a: &(&VertexId, Place), b: &(&VertexId, Place)| a.0.cmp(b.0));
    if n_found > rows_max {
        found.select_nth_unstable_by(rows_max - 1, by_id);
        found.truncate(rows_max);
    }
    found.sort_unstable_by(by_id);
    let mut n_bytes = 0usize;
    let mut vertices = Vec::new();
    for (id, place) in found {
        let properties = state.properties(id).into_iter().map(|(key, value)| (key.clone(), value.clone()));
        let mut properties: Vec<_> = properties.collect();
        properties.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        n_bytes +=
            properties.iter().map(|(key, value)| key.as_str().len() + value.as_str().len()).sum::<usize>();
        if n_bytes > bytes_max && !vertices.is_empty() {
            break;
        }
        let parent = match place {
            Place::Top => None,
            Place::Under(parent) => Some(parent),
        };
        vertices.push(Vertex { id: id.clone(), parent, properties });
    }
    let next = vertices.last().filter(|_| vertices.len() < n_found).map(|vertex| vertex.id.clone());
    let (n_ops, n_waiting, vector, hash) =
        (state.n_ops(), state.n_waiting(), state.state_vector(), state.hash());
    TreePage { head, n_ops, n_waiting, vector, hash, vertices, next }
}

/// The first ids of a vector in the order of ops, at most `n_max`. Costs what it yields, however long the ranges are.
fn first_ids(vector: &StateVector, n_max: usize) -> Vec<OpId> {
    let ranges = vector.ranges().map(|(peer, first, last)| Reverse((OpId::new(first, peer.clone()), last)));
    let mut ranges: BinaryHeap<_> = ranges.collect();
    let mut ids = Vec::new();
    while ids.len() < n_max
        && let Some(Reverse((id, last))) = ranges.pop()
    {
        if let Some(next) = id.clock.next().filter(|next| *next <= last) {
            ranges.push(Reverse((OpId::new(next, id.peer.clone()), last)));
        }
        ids.push(id);
    }
    ids
}
