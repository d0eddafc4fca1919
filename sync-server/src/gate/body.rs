//! Reads a body to its end, counting what arrives rather than trusting what was announced.

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Body;

use crate::client::Holding;
use crate::problem::{Code, Problem};

/// Bytes of a buffer at first, unless less was announced. 4 KiB: most bodies.
const FIRST_BYTES: usize = 4 << 10;

/// All bytes of `body`; `share` has grown to the memory that they occupy.
///
/// Nothing is reserved in advance: a large announced length costs memory only as it arrives.
pub(super) async fn read<B>(mut body: B, bytes_max: usize, share: &mut Holding) -> Result<Bytes, Problem>
where
    B: Body<Data = Bytes> + Unpin,
{
    let hint = body.size_hint();
    if hint.lower() > bytes_max as u64 {
        return Err(too_large(bytes_max));
    }
    let announced = hint.exact().and_then(|n| usize::try_from(n).ok()).unwrap_or(bytes_max);
    let mut buffer = Buffer { bytes: Vec::new(), announced, share };
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| broken_off())?.into_data() else { continue };
        if data.len() > bytes_max - buffer.bytes.len() {
            return Err(too_large(bytes_max));
        }
        buffer.add(&data)?;
    }
    Ok(buffer.bytes.into())
}

/// What has arrived. All of its memory is taken from the share before it is used, the room that is still empty as well.
struct Buffer<'s> {
    bytes: Vec<u8>,
    announced: usize,
    share: &'s mut Holding,
}

impl Buffer<'_> {
    fn add(&mut self, data: &[u8]) -> Result<(), Problem> {
        let (old, needed) = (self.bytes.capacity(), self.bytes.len() + data.len());
        if needed > old {
            let new = (2 * old).max(FIRST_BYTES).min(self.announced).max(needed);
            // While the bytes move, there is the old place and the new one.
            if !self.share.take(new) {
                return Err(overloaded());
            }
            self.bytes.reserve_exact(new - self.bytes.len());
            self.share.give_back(old);
        }
        self.bytes.extend_from_slice(data);
        Ok(())
    }
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
