//! Writing lines, each with the sum that ties it to the one before.

use std::io;

use crate::copy::line::Line;
use crate::copy::{LINE_BYTES_MAX, Sink};
use crate::error::{Error, ErrorKind, Result};

/// Bytes that are handed to the sink at once: a few hundred records, so that a call to the system is nothing beside them.
const CHUNK_BYTES: usize = 256 << 10;

/// The digits of a sum: 64 bits, plenty against accidents.
pub(super) const SUM_DIGITS: usize = 16;
/// What stands before the sum of a line, and after it.
pub(super) const BEFORE_SUM: &[u8] = b",\"sum\":\"";
/// See [`BEFORE_SUM`].
pub(super) const AFTER_SUM: &[u8] = b"\"}";

/// The sums of the lines, one after the other.
#[derive(Debug, Default)]
pub(super) struct Sums(String);

impl Sums {
    /// The sum of the next line, of which `line` is all before the sum: over these bytes and the sum before.
    pub(super) fn next(&mut self, line: &[u8]) -> &str {
        let hash = blake3::Hasher::new().update(self.0.as_bytes()).update(line).finalize();
        self.0.clear();
        self.0.push_str(&hash.to_hex()[..SUM_DIGITS]);
        &self.0
    }
}

/// Writes lines to a sink.
pub(super) struct LineWriter<'a> {
    sink: &'a mut dyn Sink,
    chunk: Vec<u8>,
    sums: Sums,
}

impl<'a> LineWriter<'a> {
    pub(super) fn new(sink: &'a mut dyn Sink) -> Self {
        Self { sink, chunk: Vec::with_capacity(CHUNK_BYTES), sums: Sums::default() }
    }

    /// Writes a line, sooner or later.
    pub(super) async fn line(&mut self, line: &Line) -> Result<()> {
        let start = self.chunk.len();
        serde_json::to_writer(&mut self.chunk, line).map_err(|error| {
            Error::new(ErrorKind::Internal, "cannot write a line as JSON").with_source(error)
        })?;
        // The sum becomes the last member, so the brace is written after it.
        self.chunk.pop();
        let sum = self.sums.next(&self.chunk[start..]);
        for part in [BEFORE_SUM, sum.as_bytes(), AFTER_SUM] {
            self.chunk.extend_from_slice(part);
        }
        if self.chunk.len() - start > LINE_BYTES_MAX {
            let message = format!("something in the store takes a line of more than {LINE_BYTES_MAX} bytes");
            return Err(Error::new(ErrorKind::Invalid, message));
        }
        self.chunk.push(b'\n');
        if self.chunk.len() >= CHUNK_BYTES { self.flush().await } else { Ok(()) }
    }

    /// Hands everything to the sink.
    pub(super) async fn flush(&mut self) -> Result<()> {
        let written = self.sink.write(&self.chunk).await;
        self.chunk.clear();
        self.chunk.shrink_to(CHUNK_BYTES * 2);
        written.map_err(|error| failed("write the export", error))
    }
}

/// An error of a file or a pipe as one of ours.
pub(super) fn failed(what: &str, error: io::Error) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::StorageFull,
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, format!("cannot {what}")).with_source(error)
}
