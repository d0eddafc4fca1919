//! How a replica reaches a server.

#[cfg(feature = "http")]
mod http;
mod live;
mod loopback;

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::stream::BoxStream;

use crate::error::Result;
use crate::protocol::{
    PullReply, PullRequest, PushReply, PushRequest, SnapshotItem, SnapshotRequest, Subscribe,
};
use crate::types::SpaceId;

#[cfg(feature = "http")]
pub use http::{HttpTransport, Paired};
pub use live::{LiveNews, LiveStream};
pub use loopback::Loopback;

/// The way to a server, as a replica sees it.
///
/// A transport carries, and judges only whether what came back is an answer of a sync server at all. What the server
/// decided, also against the replica, is a value; `Err` means that it is not known what the server decided.
///
/// An `Arc` of a transport is a transport, and so is a reference to one: replicas of several spaces can share one server.
///
/// ```
/// # use std::sync::Arc;
/// # use sync_core::replica::Replica;
/// # use sync_core::transport::Transport;
/// fn keep_in_sync(replicas: Vec<Replica>, server: Arc<dyn Transport>) {
///     for replica in replicas {
///         let server = server.clone();
///         tokio::spawn(async move { replica.run(&server).await });
///     }
/// }
/// ```
///
/// # Errors
///
/// All methods fail with [`Unavailable`](crate::ErrorKind::Unavailable) or [`Overloaded`](crate::ErrorKind::Overloaded)
/// (try later, [`retry_after`](crate::Error::retry_after) may say when), [`Unauthorized`](crate::ErrorKind::Unauthorized)
/// (sign in again), [`NotFound`](crate::ErrorKind::NotFound) or [`Forbidden`](crate::ErrorKind::Forbidden) (the space is
/// gone or no longer the caller's), [`Invalid`](crate::ErrorKind::Invalid) (this very request will never be accepted:
/// split it or give it up), or [`Distrusted`](crate::ErrorKind::Distrusted) (what came back is not an answer).
#[async_trait]
pub trait Transport: Send + Sync + std::fmt::Debug {
    /// Sends a batch. May be repeated with the same batch: the server answers as it did the first time.
    async fn push(&self, space: &SpaceId, push: &PushRequest) -> Result<PushReply>;

    /// Asks for changes.
    async fn pull(&self, space: &SpaceId, pull: &PullRequest) -> Result<PullReply>;

    /// Streams a snapshot from its beginning or from where an earlier stream broke, of the same collections. A stream
    /// that ends without [`SnapshotItem::End`] was cut.
    fn snapshot(
        &self,
        space: &SpaceId,
        request: &SnapshotRequest,
    ) -> BoxStream<'static, Result<SnapshotItem>>;

    /// Follows a space from a cursor: what comes after it, and then what happens, as it happens. `None` where there is no
    /// such way; then changes are asked for with [`pull`](Transport::pull), which the server may hold.
    ///
    /// The first frame comes at once and begins where it was asked to, also when there is nothing new. Each of the next
    /// begins where the one before ended. Something is heard every twenty seconds, or the connection is not alive. Whoever
    /// asks for the next item says with it that the one before was taken in.
    ///
    /// After an error nothing follows; neither does it after [`Resync`](LiveNews::Resync) and [`Behind`](LiveNews::Behind). A
    /// stream that ends without any of these says that there is no such way after all, and the transport remembers that for
    /// a while. Dropping it ends the subscription.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use sync_core::protocol::Subscribe;
    /// # use sync_core::service::{Actor, Service};
    /// # use sync_core::store::MemoryStore;
    /// # use sync_core::{ActorId, Role, SpaceId, TokioRuntime};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (space, ada) = (SpaceId::new("family")?, ActorId::new("ada")?);
    /// # let service = Service::new(Arc::new(MemoryStore::default()), Arc::new(TokioRuntime));
    /// # service.create_space(&space).await?;
    /// # let server = sync_core::transport::Loopback::new(service, Actor::new(ada, Role::Owner));
    /// use futures_util::StreamExt;
    /// use sync_core::transport::{LiveNews, Transport};
    /// let mut live = server.live(&space, &Subscribe::default()).ok_or("no such way")?;
    /// let Some(Ok(LiveNews::Frame(first))) = live.next().await else { return Err("no frame".into()) };
    /// assert_eq!((first.from.as_ref(), first.page.changes.len()), (None, 0));
    /// # Ok(()) }
    /// ```
    fn live(&self, space: &SpaceId, subscribe: &Subscribe) -> Option<LiveStream> {
        let _ = (space, subscribe);
        None
    }
}

/// A pointer to a transport is one, so that several replicas can share it: `replica.run(&shared)`.
macro_rules! forward_to_what_it_points_to {
    ($pointer:ty) => {
        #[async_trait]
        impl<T: Transport + ?Sized> Transport for $pointer {
            async fn push(&self, space: &SpaceId, push: &PushRequest) -> Result<PushReply> {
                (**self).push(space, push).await
            }

            async fn pull(&self, space: &SpaceId, pull: &PullRequest) -> Result<PullReply> {
                (**self).pull(space, pull).await
            }

            fn snapshot(
                &self,
                space: &SpaceId,
                request: &SnapshotRequest,
            ) -> BoxStream<'static, Result<SnapshotItem>> {
                (**self).snapshot(space, request)
            }

            fn live(&self, space: &SpaceId, subscribe: &Subscribe) -> Option<LiveStream> {
                (**self).live(space, subscribe)
            }
        }
    };
}

forward_to_what_it_points_to!(Arc<T>);
forward_to_what_it_points_to!(&T);
