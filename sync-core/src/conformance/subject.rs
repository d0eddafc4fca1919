//! What the suite needs to know of a store to test it.

use std::sync::Arc;

use async_trait::async_trait;

use crate::accounts::Accounts;
use crate::error::Result;
use crate::runtime::Runtime;
use crate::store::Store;
use crate::types::{RecordKey, SpaceId};

/// A store under test, in a world of its own: nothing else reads or writes its database.
///
/// It also keeps alive what the store lives in, such as a temporary folder.
#[async_trait]
pub trait Subject: Send + Sync {
    /// The store: empty when the subject is new.
    fn store(&self) -> Arc<dyn Store>;

    /// Starts the tasks of the tests. The races mean something only when it runs tasks in parallel.
    fn runtime(&self) -> Arc<dyn Runtime>;

    /// The accounts of the same backend; `None` skips their tests.
    fn accounts(&self) -> Option<Arc<dyn Accounts>> {
        None
    }

    /// Closes the store and opens it again on the same data, so that [`Subject::store`] and [`Subject::accounts`] yield
    /// the new one. Says `false` where nothing outlives a store that is closed.
    ///
    /// # Errors
    ///
    /// Those of closing and opening.
    async fn reopen(&mut self) -> Result<bool> {
        Ok(false)
    }

    /// Damages the stored content of a record behind the back of the store, as a failing disk does: one bit is enough.
    /// Says `false` where that cannot be done.
    ///
    /// # Errors
    ///
    /// Those of the database.
    async fn damage(&self, space: &SpaceId, key: &RecordKey) -> Result<bool> {
        let _ = (space, key);
        Ok(false)
    }
}

/// A subject that is a store and nothing else: it cannot be reopened or damaged.
#[derive(Clone, Debug)]
pub struct Plain {
    store: Arc<dyn Store>,
    runtime: Arc<dyn Runtime>,
    accounts: Option<Arc<dyn Accounts>>,
}

impl Plain {
    /// This store, tested with the tasks of this runtime.
    pub fn new(store: impl Store + 'static, runtime: impl Runtime + 'static) -> Self {
        Self { store: Arc::new(store), runtime: Arc::new(runtime), accounts: None }
    }

    /// The same with accounts to test too.
    #[must_use]
    pub fn with_accounts(mut self, accounts: impl Accounts + 'static) -> Self {
        self.accounts = Some(Arc::new(accounts));
        self
    }
}

impl Subject for Plain {
    fn store(&self) -> Arc<dyn Store> {
        self.store.clone()
    }

    fn runtime(&self) -> Arc<dyn Runtime> {
        self.runtime.clone()
    }

    fn accounts(&self) -> Option<Arc<dyn Accounts>> {
        self.accounts.clone()
    }
}
