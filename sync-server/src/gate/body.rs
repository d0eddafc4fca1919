//! Reads a body to its end, counting what arrives rather than trusting what was announced.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Body;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::problem::{Code, Problem};

/// All bytes of `body`, and the share of `budget` they occupy.
///
/// Nothing is reserved in advance: a large announced length costs memory only as it arrives.
pub(super) async fn read<B>(
    mut body: B,
    bytes_max: usize,
    budget: &Arc<Semaphore>,
) -> Result<(Bytes, OwnedSemaphorePermit), Problem>
where
    B: Body<Data = Bytes> + Unpin,
{
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(too_large(bytes_max));
    }
    let mut share = take(budget, 0)?;
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| broken_off())?.into_data() else { continue };
        if data.len() > bytes_max - bytes.len() {
            return Err(too_large(bytes_max));
        }
        share.merge(take(budget, data.len())?);
        bytes.extend_from_slice(&data);
    }
    Ok((bytes.freeze(), share))
}

fn take(budget: &Arc<Semaphore>, n_bytes: usize) -> Result<OwnedSemaphorePermit, Problem> {
    let n_bytes = u32::try_from(n_bytes).map_err(|_| overloaded())?;
    Arc::clone(budget).try_acquire_many_owned(n_bytes).map_err(|_| overloaded())
}

fn too_large(bytes_max: usize) -> Problem {
    Problem::new(Code::BodyTooLarge)
        .detail(format!("a body may have {bytes_max} bytes"))
        .limit(bytes_max as u64)
        .close()
}

fn overloaded() -> Problem {
    Problem::new(Code::Overloaded).retry_after(1).close()
}

fn broken_off() -> Problem {
    Problem::new(Code::InvalidEncoding).detail("the body broke off or its chunks are malformed").close()
}
