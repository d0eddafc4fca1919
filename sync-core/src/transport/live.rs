//! What is heard while a space is followed, whatever carries it.

use std::sync::Arc;

use futures_util::stream::BoxStream;

use crate::error::Result;
use crate::protocol::{LiveFrame, Resync};
use crate::types::Seq;

/// Something heard about a space that is followed.
#[derive(Clone, Debug)]
pub enum LiveNews {
    /// The next changes. They are of use only to whoever stands where the frame begins.
    Frame(Arc<LiveFrame>),
    /// The feed cannot be continued from where it was asked for. Nothing follows.
    Resync(Resync),
    /// What came was not taken in time, and the rest was let go. Nothing follows; whoever wants more asks anew.
    Behind,
    /// The connection is alive, and the space stands here, if that is known. The frame that leads there may still be on its way.
    Alive(Option<Seq>),
}

/// What is heard, one after the other.
pub type LiveStream = BoxStream<'static, Result<LiveNews>>;
