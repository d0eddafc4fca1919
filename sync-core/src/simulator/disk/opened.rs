//! Disks of a store that is not this library's: all it takes is to say how one is opened.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use async_trait::async_trait;

use crate::accounts::Accounts;
use crate::copy::{export, import};
use crate::error::Result;
use crate::simulator::Disks;
use crate::store::Store;

/// Disks of stores that `open` opens, by name. Copies go through [`export`] and [`import`].
///
/// A store that is in use is not opened twice: all processes on a disk share it, as the requests of one server do.
///
/// ```
/// use std::collections::HashMap;
/// use std::sync::{Arc, Mutex};
/// use sync_core::simulator::{OpenedDisks, Scenario, run};
/// use sync_core::store::MemoryStore;
/// // In place of a folder with databases.
/// let folder: Arc<Mutex<HashMap<String, Arc<MemoryStore>>>> = Arc::default();
/// let disks = OpenedDisks::new(move |name: String| {
///     let opened = folder.lock().unwrap().entry(name).or_default().clone();
///     async { Ok(opened) }
/// });
/// println!("{}", run(7, &Scenario::small(), &disks)?);
/// # Ok::<_, sync_core::simulator::Violation>(())
/// ```
pub struct OpenedDisks<S, F> {
    open: F,
    in_use: Mutex<BTreeMap<String, Weak<S>>>,
}

impl<S, F, W> OpenedDisks<S, F>
where
    F: Fn(String) -> W + Send + Sync,
    W: Future<Output = Result<Arc<S>>> + Send,
{
    /// Disks that `open` opens, and creates where there is nothing.
    pub fn new(open: F) -> Self {
        Self { open, in_use: Mutex::default() }
    }

    fn in_use(&self) -> MutexGuard<'_, BTreeMap<String, Weak<S>>> {
        self.in_use.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn store(&self, name: &str) -> Result<Arc<S>> {
        let in_use = self.in_use().get(name).and_then(Weak::upgrade);
        if let Some(store) = in_use {
            return Ok(store);
        }
        let store = (self.open)(name.to_owned()).await?;
        self.in_use().insert(name.to_owned(), Arc::downgrade(&store));
        Ok(store)
    }
}

#[async_trait]
impl<S, F, W> Disks for OpenedDisks<S, F>
where
    S: Store + Accounts + 'static,
    F: Fn(String) -> W + Send + Sync,
    W: Future<Output = Result<Arc<S>>> + Send,
{
    async fn open(&self, name: &str) -> Result<Arc<dyn Store>> {
        Ok(self.store(name).await?)
    }

    async fn copy(&self, from: &str, to: &str) -> Result<()> {
        let (from, to) = (self.store(from).await?, self.store(to).await?);
        copy_whole(&*from, &*to).await
    }
}

impl<S, F> std::fmt::Debug for OpenedDisks<S, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenedDisks").finish_non_exhaustive()
    }
}

/// Copies everything in a store into an empty one: what [`Disks::copy`] can do for any store that has accounts.
///
/// # Errors
///
/// Those of [`export`] and [`import`].
pub async fn copy_whole<S: Store + Accounts>(from: &S, to: &S) -> Result<()> {
    let mut text: Vec<u8> = Vec::new();
    export(from, from, &mut text, &mut |_| {}).await?;
    import(to, to, &mut text.as_slice(), &mut |_| {}).await?;
    Ok(())
}
