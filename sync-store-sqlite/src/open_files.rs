//! The open files of a folder: a bounded number, least recently used first to go.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sync_core::{Error, ErrorKind, Result, SpaceId};
use tokio::sync::Notify;

use crate::database::{Database, Pin};

/// Open files by space.
#[derive(Debug)]
pub(crate) struct OpenFiles {
    n_max: usize,
    wait_max: Duration,
    recent: Mutex<Recent>,
    /// Told whenever a file is no longer used by someone.
    pub(crate) released: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Recent {
    files: HashMap<SpaceId, (u64, Arc<Database>)>,
    n_uses: u64,
}

impl OpenFiles {
    pub(crate) fn new(n_max: usize, wait_max: Duration) -> Self {
        Self { n_max, wait_max, recent: Mutex::default(), released: Arc::default() }
    }

    /// The file of a space, if it is open, kept open by the pin.
    pub(crate) fn get(&self, space: &SpaceId) -> Option<Pin> {
        let mut recent = self.recent();
        recent.n_uses += 1;
        let now = recent.n_uses;
        let (used, file) = recent.files.get_mut(space)?;
        *used = now;
        Some(file.pin())
    }

    /// Adds a file. Only after [`make_room`](OpenFiles::make_room), by one task at a time.
    pub(crate) fn add(&self, space: &SpaceId, file: Arc<Database>) -> Pin {
        let mut recent = self.recent();
        recent.n_uses += 1;
        let (now, pin) = (recent.n_uses, file.pin());
        recent.files.insert(space.clone(), (now, file));
        pin
    }

    /// Takes a file out without closing it.
    pub(crate) fn remove(&self, space: &SpaceId) {
        self.recent().files.remove(space);
    }

    /// Closes files until one more may be opened; waits for one to become unused.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Overloaded`] when all stayed in use for too long.
    pub(crate) async fn make_room(&self) -> Result<()> {
        tokio::time::timeout(self.wait_max, self.close_unused()).await.map_err(|_| self.all_used())
    }

    async fn close_unused(&self) {
        while let Some(oldest) = self.over_limit() {
            match oldest {
                Some(file) => file.close().await,
                None => self.released.notified().await,
            }
        }
    }

    /// With room for one more: nothing. Else the oldest unused file, taken out, if there is one.
    fn over_limit(&self) -> Option<Option<Arc<Database>>> {
        let mut recent = self.recent();
        if recent.files.len() < self.n_max {
            return None;
        }
        let unused = recent.files.iter().filter(|(_, (_, file))| !file.is_pinned());
        let oldest = unused.min_by_key(|(_, (used, _))| *used).map(|(space, _)| space.clone());
        Some(oldest.and_then(|space| recent.files.remove(&space)).map(|(_, file)| file))
    }

    /// Closes all of them, after their transactions have ended.
    pub(crate) async fn close(&self) {
        let files = std::mem::take(&mut self.recent().files);
        for (_, file) in files.into_values() {
            file.close().await;
        }
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn all_used(&self) -> Error {
        Error::new(ErrorKind::Overloaded, format!("all {} files that may be open are in use", self.n_max))
    }
}
