//! Disks in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::error::{Error, ErrorKind, Result};
use crate::simulator::Disks;
use crate::store::{MemoryStore, Store};

/// Disks that are memory stores: fast, and whole whenever a process dies.
#[derive(Debug, Default)]
pub struct MemoryDisks(Mutex<BTreeMap<String, MemoryStore>>);

impl MemoryDisks {
    fn stores(&self) -> MutexGuard<'_, BTreeMap<String, MemoryStore>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Disks for MemoryDisks {
    async fn open(&self, name: &str) -> Result<Arc<dyn Store>> {
        Ok(Arc::new(self.stores().entry(name.to_owned()).or_default().clone()))
    }

    async fn copy(&self, from: &str, to: &str) -> Result<()> {
        let mut stores = self.stores();
        let missing = || Error::new(ErrorKind::NotFound, format!("there is no disk {from} to copy"));
        let copy = stores.get(from).ok_or_else(missing)?.fork();
        stores.insert(to.to_owned(), copy);
        Ok(())
    }
}
