//! Several edits as one: what an application does in a local transaction.
//!
//! The application's code runs in its own future and asks the task that holds the transaction for every step. When its
//! future is dropped, the task notices and abandons everything.

use futures_channel::{mpsc, oneshot};
use futures_util::{FutureExt, SinkExt, StreamExt};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, ErrorKind, Result};
use crate::json::Json;
use crate::replica::Replica;
use crate::replica::app::access::{collection_name, content, key, value_of};
use crate::replica::app::edits::Edit;
use crate::replica::app::lens::{Lens, typed};
use crate::replica::app::query::Query;
use crate::replica::local::groups::Edited;
use crate::replica::local::txn::{Local, Work};
use crate::types::{Record, RecordKey};

#[cfg(doc)]
use crate::replica::SyncReport;

/// A local transaction under way; see [`Replica::transaction`]. It reads what it wrote.
#[derive(Debug)]
pub struct Transaction {
    jobs: mpsc::Sender<Job>,
    /// What must reach the server together.
    edited: Edited,
    /// Whether something was asked of it after it had ended from below.
    is_gone: bool,
}

type Job = Box<dyn for<'a> FnOnce(&'a mut Local) -> Work<'a, ()> + Send>;

impl Replica {
    /// Carries out several edits together or not at all. Nobody sees a part of them, and no other edit or sync comes in
    /// between; keep it short.
    ///
    /// The server carries them out together or not at all, too: if one of them becomes a conflict or is refused, the
    /// others are [set aside](Replica::set_aside) with it, and all of them show the server's state again. Until they are
    /// sent, a record keeps only its latest state, so transactions that share a record become one for the server, and a
    /// later edit of such a record goes with them.
    ///
    /// The server takes 500 records and about 3 MiB together (what was there before counts, too). A transaction that is
    /// larger is refused. Transactions that are too large only together with others they share records with, because
    /// nothing could be sent for long, are never refused: they arrive in parts, and [`SyncReport::parted`] counts them.
    ///
    /// An error from `work` abandons everything, also what it did before; so does dropping the future. Inside, use what it
    /// is handed: an edit through the replica itself would wait for the transaction to end, which waits for the edit. It is
    /// refused with [`Invalid`](ErrorKind::Invalid), or waits for ever where it is made in another task that `work` waits
    /// for. For errors of the application's own see [`try_transaction`](Replica::try_transaction), for records of a
    /// type [`Transaction::of`].
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use sync_core::replica::{Replica, ReplicaOptions};
    /// # use sync_core::store::MemoryStore;
    /// # use sync_core::{ActorId, SpaceId, TokioRuntime};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let options = ReplicaOptions::new(Arc::new(TokioRuntime), ActorId::new("ada")?);
    /// # let replica = Replica::open(Arc::new(MemoryStore::default()), SpaceId::new("family")?, options).await?;
    /// replica.put("accounts", "mine", &10).await?;
    /// let left = replica.transaction(async |t| {
    ///     let n: i64 = t.get("accounts", "mine").await?.unwrap_or(0);
    ///     t.put("accounts", "mine", &(n - 3)).await?;
    ///     t.put("accounts", "yours", &3).await?;
    ///     Ok(n - 3)
    /// }).await?;
    /// assert_eq!((left, replica.get("accounts", "yours").await?), (7, Some(3)));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// What `work` returns; [`Invalid`](ErrorKind::Invalid) with code `body_too_large` when it changed more than the server
    /// carries out together ([`import`](Replica::import) is for large loads); and what the store reports.
    pub async fn transaction<T>(&self, work: impl AsyncFnOnce(&mut Transaction) -> Result<T>) -> Result<T> {
        self.try_transaction(work).await
    }

    /// [`transaction`](Replica::transaction), where `work` may fail with an error of the application.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use sync_core::replica::{Replica, ReplicaOptions};
    /// # use sync_core::store::MemoryStore;
    /// # use sync_core::{ActorId, SpaceId, TokioRuntime};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let options = ReplicaOptions::new(Arc::new(TokioRuntime), ActorId::new("ada")?);
    /// # let replica = Replica::open(Arc::new(MemoryStore::default()), SpaceId::new("family")?, options).await?;
    /// #[derive(Debug)]
    /// enum Refusal {
    ///     TooPoor { left: i64 },
    ///     Sync(sync_core::Error),
    /// }
    ///
    /// impl From<sync_core::Error> for Refusal {
    ///     fn from(error: sync_core::Error) -> Self {
    ///         Self::Sync(error)
    ///     }
    /// }
    ///
    /// replica.put("accounts", "mine", &2).await?;
    /// let paid: Result<(), Refusal> = replica.try_transaction(async |t| {
    ///     t.update("accounts", "mine", |n: &mut i64| *n -= 3).await?;
    ///     match t.get("accounts", "mine").await?.unwrap_or(0) {
    ///         left if left < 0 => Err(Refusal::TooPoor { left }),
    ///         _ => Ok(()),
    ///     }
    /// }).await;
    /// assert!(matches!(paid, Err(Refusal::TooPoor { left: -1 })));
    /// assert_eq!(replica.get("accounts", "mine").await?, Some(2), "nothing was written");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`transaction`](Replica::transaction).
    pub async fn try_transaction<T, E: From<Error>>(
        &self,
        work: impl AsyncFnOnce(&mut Transaction) -> Result<T, E>,
    ) -> Result<T, E> {
        let (jobs, mut inbox) = mpsc::channel::<Job>(0);
        let (decide, decision) = oneshot::channel::<()>();
        let serve = self.write(move |local| {
            async move {
                while let Some(job) = inbox.next().await {
                    job(local).await?;
                }
                decision.await.map_err(|_| abandoned())
            }
            .boxed()
        });
        let ask = async {
            let mut transaction = Transaction { jobs, edited: Edited::default(), is_gone: false };
            let mut result = self.within(work(&mut transaction)).await;
            if result.is_ok()
                && let Err(error) = transaction.join().await
            {
                result = Err(error.into());
            }
            if result.is_ok() {
                // If the task is gone, its own result says why.
                let _ = decide.send(());
            } else {
                drop(decide);
            }
            let is_gone = transaction.is_gone;
            drop(transaction);
            (result, is_gone)
        };
        match futures_util::join!(serve, ask) {
            // All that was told inside is that the transaction is gone.
            (Err(error), (Err(_), true)) => Err(error.into()),
            (_, (Err(error), _)) => Err(error),
            (Err(error), (Ok(_), _)) => Err(error.into()),
            (Ok(()), (Ok(result), _)) => Ok(result),
        }
    }
}

impl Transaction {
    /// As [`Replica::put`].
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use sync_core::replica::{Query, Replica, ReplicaOptions};
    /// # use sync_core::store::MemoryStore;
    /// # use sync_core::{ActorId, SpaceId, TokioRuntime};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let options = ReplicaOptions::new(Arc::new(TokioRuntime), ActorId::new("ada")?);
    /// # let replica = Replica::open(Arc::new(MemoryStore::default()), SpaceId::new("family")?, options).await?;
    /// replica.transaction(async |t| t.put("notes", "1", "milk").await).await?;
    /// assert_eq!(replica.get("notes", "1").await?, Some("milk".to_owned()));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Replica::put`].
    pub async fn put(
        &mut self,
        collection: &str,
        id: &str,
        value: &(impl Serialize + ?Sized),
    ) -> Result<bool> {
        self.edit(key(collection, id)?, Edit::Put(Some(content(value)?))).await
    }

    /// As [`Replica::patch`].
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use sync_core::replica::{Query, Replica, ReplicaOptions};
    /// # use sync_core::store::MemoryStore;
    /// # use sync_core::{ActorId, SpaceId, TokioRuntime};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let options = ReplicaOptions::new(Arc::new(TokioRuntime), ActorId::new("ada")?);
    /// # let replica = Replica::open(Arc::new(MemoryStore::default()), SpaceId::new("family")?, options).await?;
    /// use serde_json::json;
    /// replica.put("notes", "1", &json!({"text": "milk", "done": false})).await?;
    /// replica.transaction(async |t| t.patch("notes", "1", &json!({"done": true})).await).await?;
    /// assert_eq!(replica.get("notes", "1").await?, Some(json!({"text": "milk", "done": true})));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Replica::patch`]; the transaction can go on after it.
    pub async fn patch(
        &mut self,
        collection: &str,
        id: &str,
        changes: &(impl Serialize + ?Sized),
    ) -> Result<bool> {
        let (key, changes) = (key(collection, id)?, value_of(changes)?);
        self.edit(key, Edit::Members(changes, Lens::any())).await
    }

    /// As [`Replica::delete`].
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use sync_core::replica::{Query, Replica, ReplicaOptions};
    /// # use sync_core::store::MemoryStore;
    /// # use sync_core::{ActorId, SpaceId, TokioRuntime};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let options = ReplicaOptions::new(Arc::new(TokioRuntime), ActorId::new("ada")?);
    /// # let replica = Replica::open(Arc::new(MemoryStore::default()), SpaceId::new("family")?, options).await?;
    /// replica.put("notes", "1", "milk").await?;
    /// assert!(replica.transaction(async |t| t.delete("notes", "1").await).await?);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Replica::delete`].
    pub async fn delete(&mut self, collection: &str, id: &str) -> Result<bool> {
        self.edit(key(collection, id)?, Edit::Put(None)).await
    }

    /// As [`Replica::get`].
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use sync_core::replica::{Query, Replica, ReplicaOptions};
    /// # use sync_core::store::MemoryStore;
    /// # use sync_core::{ActorId, SpaceId, TokioRuntime};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let options = ReplicaOptions::new(Arc::new(TokioRuntime), ActorId::new("ada")?);
    /// # let replica = Replica::open(Arc::new(MemoryStore::default()), SpaceId::new("family")?, options).await?;
    /// replica.put("notes", "n", &1).await?;
    /// let n: Option<i64> = replica.transaction(async |t| t.get("notes", "n").await).await?;
    /// assert_eq!(n, Some(1));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Replica::get`].
    pub async fn get<T: DeserializeOwned>(&mut self, collection: &str, id: &str) -> Result<Option<T>> {
        let key = key(collection, id)?;
        self.read(&key).await?.as_ref().map(|data| typed(&key, data)).transpose()
    }

    /// As [`Replica::list`]. What this transaction wrote is among it; versions and dates of that are not final.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use sync_core::replica::{Query, Replica, ReplicaOptions};
    /// # use sync_core::store::MemoryStore;
    /// # use sync_core::{ActorId, SpaceId, TokioRuntime};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let options = ReplicaOptions::new(Arc::new(TokioRuntime), ActorId::new("ada")?);
    /// # let replica = Replica::open(Arc::new(MemoryStore::default()), SpaceId::new("family")?, options).await?;
    /// let n = replica.transaction(async |t| {
    ///     t.put("notes", "1", "milk").await?;
    ///     Ok(t.list("notes", &Query::all()).await?.len())
    /// }).await?;
    /// assert_eq!(n, 1, "it sees what it wrote");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Replica::list`]; the transaction can go on after an [`Invalid`](ErrorKind::Invalid).
    pub async fn list(&mut self, collection: &str, query: &Query) -> Result<Vec<Record>> {
        let (collection, query) = (collection_name(collection)?, query.clone());
        let list = self.ask(move |local| {
            async move {
                match local.list(collection, query).await {
                    Err(error) if error.kind() == ErrorKind::Invalid => Ok(Err(error)),
                    result => result.map(Ok),
                }
            }
            .boxed()
        });
        list.await?
    }

    pub(crate) async fn read(&mut self, key: &RecordKey) -> Result<Option<Json>> {
        let key = key.clone();
        let record = self.ask(move |local| async move { local.get(&key).await }.boxed()).await?;
        Ok(record.and_then(|record| record.data))
    }

    /// Carries out an edit. The transaction can go on after a refusal.
    pub(crate) async fn edit(&mut self, key: RecordKey, edit: Edit) -> Result<bool> {
        let done = self.ask(move |local| {
            async move {
                let group = local.base_of(&key).await?.and_then(|base| base.group);
                let done = local.carry_out(&key, edit).await?;
                Ok(done.map(|is_changed| (is_changed, key, group)))
            }
            .boxed()
        });
        let (is_changed, key, group) = done.await??;
        if is_changed {
            self.edited.add(key, group);
        }
        Ok(is_changed)
    }

    /// Joins all that was edited, so that the server carries it out together.
    async fn join(&mut self) -> Result<()> {
        let edited = std::mem::take(&mut self.edited);
        self.ask(move |local| async move { local.join(edited).await }.boxed()).await
    }

    async fn ask<T, W>(&mut self, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: for<'a> FnOnce(&'a mut Local) -> Work<'a, T> + Send + 'static,
    {
        let (tell, told) = oneshot::channel();
        let job: Job = Box::new(move |local| {
            async move {
                // A failed step ends the transaction: the store would not commit it any more.
                match work(local).await {
                    Ok(result) => {
                        let _ = tell.send(Ok(result));
                        Ok(())
                    }
                    Err(error) => {
                        let again = Error::new(error.kind(), "a step of the transaction failed");
                        let _ = tell.send(Err(error));
                        Err(again)
                    }
                }
            }
            .boxed()
        });
        let is_sent = self.jobs.send(job).await.is_ok();
        match told.await {
            Ok(result) if is_sent => result,
            _ => {
                self.is_gone = true;
                Err(abandoned())
            }
        }
    }
}

fn abandoned() -> Error {
    Error::new(ErrorKind::Internal, "the transaction was abandoned")
}
