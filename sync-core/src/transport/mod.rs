//! How a replica reaches a server.

#[cfg(feature = "http")]
mod http;
mod loopback;

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::stream::BoxStream;

use crate::error::Result;
use crate::protocol::{PullReply, PullRequest, PushReply, PushRequest, SnapshotItem, SnapshotRequest};
use crate::types::SpaceId;

#[cfg(feature = "http")]
pub use http::{HttpTransport, Paired};
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
        }
    };
}

forward_to_what_it_points_to!(Arc<T>);
forward_to_what_it_points_to!(&T);
