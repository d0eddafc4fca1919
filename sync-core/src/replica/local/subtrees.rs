//! Those who watch a part of a tree. Whoever takes ops into the state of the tree tells them, because only that state says
//! where an op has an effect.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::tree::{Report, TreeState};
use crate::types::VertexId;

/// Who watches a part of one tree.
#[derive(Debug, Default)]
pub(crate) struct Subtrees(Mutex<Vec<Weak<Touched>>>);

/// Whether something happened in a part of a tree since its watcher looked.
#[derive(Debug)]
pub(crate) struct Touched {
    subtree: VertexId,
    is_touched: AtomicBool,
}

impl Subtrees {
    /// Watches a vertex and all below it, until what is returned is dropped.
    pub(crate) fn watch(&self, subtree: VertexId) -> Arc<Touched> {
        let watcher = Arc::new(Touched { subtree, is_touched: AtomicBool::new(false) });
        let mut watchers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        watchers.retain(|watcher| watcher.strong_count() > 0);
        watchers.push(Arc::downgrade(&watcher));
        watcher
    }

    /// Those whose part a batch of ops has changed. `tree` is the state that made the report, with nothing applied since.
    pub(crate) fn concerned(&self, tree: &TreeState, report: &Report) -> Vec<Arc<Touched>> {
        if report.is_empty() {
            return Vec::new();
        }
        self.all().into_iter().filter(|watcher| report.touches(tree, &watcher.subtree)).collect()
    }

    /// Everyone.
    pub(crate) fn all(&self) -> Vec<Arc<Touched>> {
        let watchers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        watchers.iter().filter_map(Weak::upgrade).collect()
    }
}

impl Touched {
    /// Something happened.
    pub(crate) fn touch(&self) {
        self.is_touched.store(true, Ordering::Release);
    }

    /// Whether something happened since this was asked last.
    pub(crate) fn take(&self) -> bool {
        self.is_touched.swap(false, Ordering::AcqRel)
    }
}
