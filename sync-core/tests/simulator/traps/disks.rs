//! T30: disks that lose the last that was written to them when all who use them die.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, Weak};

use async_trait::async_trait;
use sync_core::simulator::Disks;
use sync_core::store::{CommitWrite, MemoryStore, Store};
use sync_core::{Error, ErrorKind, Result, SpaceId};

use super::store::{StoreTrap, TrappedStore};

/// Disks of which those whose name begins in one way forget.
#[derive(Debug)]
pub(super) struct Forgetful {
    prefix: &'static str,
    disks: Mutex<BTreeMap<String, Disk>>,
}

#[derive(Debug, Default)]
struct Disk {
    cache: MemoryStore,
    /// What reaches the platter, some commits behind.
    platter: Arc<Mutex<Platter>>,
    users: Vec<Weak<dyn Store>>,
}

#[derive(Debug, Default)]
struct Platter {
    state: Option<MemoryStore>,
    n_behind: usize,
}

/// Commits that are acknowledged before they reach the platter.
const BEHIND_MAX: usize = 8;

impl Forgetful {
    pub(super) fn new(prefix: &'static str) -> Self {
        Self { prefix, disks: Mutex::default() }
    }
}

/// Writes what is in the cache to the platter now and then.
#[derive(Debug)]
struct WrittenLater {
    cache: MemoryStore,
    platter: Arc<Mutex<Platter>>,
}

impl StoreTrap for WrittenLater {
    fn committed(&self, _space: &SpaceId, _written: &[CommitWrite]) {
        let mut platter = self.platter.lock().unwrap();
        platter.n_behind += 1;
        if platter.n_behind > BEHIND_MAX || platter.state.is_none() {
            *platter = Platter { state: Some(self.cache.fork()), n_behind: 0 };
        }
    }
}

#[async_trait]
impl Disks for Forgetful {
    async fn open(&self, name: &str) -> Result<Arc<dyn Store>> {
        let mut disks = self.disks.lock().unwrap();
        let disk = disks.entry(name.to_owned()).or_default();
        disk.users.retain(|user| user.strong_count() > 0);
        if disk.users.is_empty() && name.starts_with(self.prefix) {
            disk.platter.lock().unwrap().state.iter().for_each(|state| disk.cache = state.fork());
        }
        let later = WrittenLater { cache: disk.cache.clone(), platter: Arc::clone(&disk.platter) };
        let store = TrappedStore::front(Arc::new(disk.cache.clone()), later);
        disk.users.push(Arc::downgrade(&store));
        Ok(store)
    }

    async fn copy(&self, from: &str, to: &str) -> Result<()> {
        let mut disks = self.disks.lock().unwrap();
        let missing = || Error::new(ErrorKind::NotFound, format!("there is no disk {from} to copy"));
        let cache = disks.get(from).ok_or_else(missing)?.cache.fork();
        let platter = Arc::new(Mutex::new(Platter { state: Some(cache.fork()), n_behind: 0 }));
        disks.insert(to.to_owned(), Disk { cache, platter, users: Vec::new() });
        Ok(())
    }
}
