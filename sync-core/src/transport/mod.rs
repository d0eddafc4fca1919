//! How a replica reaches a server.

#[cfg(feature = "http")]
mod http;
mod loopback;

use async_trait::async_trait;
use futures_util::stream::BoxStream;

use crate::error::Result;
use crate::protocol::{PullReply, PullRequest, PushReply, PushRequest, SnapshotItem, SnapshotRequest};
use crate::types::SpaceId;

#[cfg(feature = "http")]
pub use http::HttpTransport;
pub use loopback::Loopback;

/// The way to a server, as a replica sees it.
///
/// A transport carries, and judges only whether what came back is an answer of a sync server at all. What the server
/// decided, also against the replica, is a value; `Err` means that it is not known what the server decided.
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
