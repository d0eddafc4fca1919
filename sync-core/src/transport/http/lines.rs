//! A snapshot as it arrives: lines of JSON, cut out of the pieces of a body.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::{Stream, stream};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::failure::{cut, too_slow};
use crate::error::{Error, ErrorKind, Result};
use crate::protocol::SnapshotItem;

/// The content type of a snapshot.
pub(super) const NDJSON: &str = "application/x-ndjson";

/// The longest line that is read: a conflict holds two records of 1 MiB and what changed between them.
const LINE_BYTES_MAX: usize = 8 << 20;

/// Cuts lines out of pieces.
#[derive(Debug, Default)]
struct Lines {
    /// The beginning of a line that is not complete.
    rest: Vec<u8>,
    ready: VecDeque<SnapshotItem>,
}

impl Lines {
    fn feed(&mut self, piece: &[u8]) -> Result<()> {
        let mut parts = piece.split(|byte| *byte == b'\n');
        // The last part has no end yet; all others have.
        let last = parts.next_back().unwrap_or_default();
        for part in parts {
            self.grow(part)?;
            let line = std::mem::take(&mut self.rest);
            self.ready.push_back(read(&line)?);
        }
        self.grow(last)
    }

    fn grow(&mut self, part: &[u8]) -> Result<()> {
        if self.rest.len() + part.len() > LINE_BYTES_MAX {
            let message = format!("a line of the snapshot has more than {LINE_BYTES_MAX} bytes");
            return Err(Error::new(ErrorKind::Distrusted, message));
        }
        self.rest.extend_from_slice(part);
        Ok(())
    }
}

fn read(line: &[u8]) -> Result<SnapshotItem> {
    let text = std::str::from_utf8(line).map_err(|error| {
        Error::new(ErrorKind::Distrusted, "a line of the snapshot is not UTF-8").with_source(error)
    })?;
    SnapshotItem::from_line(text)
}

/// The items of a snapshot. Ends where the body ends; what is after the last line end is dropped, it was cut. Fails
/// when the next piece takes longer than `timeout`.
pub(super) fn items(body: Incoming, timeout: Duration) -> impl Stream<Item = Result<SnapshotItem>> + Send {
    stream::try_unfold((body, Lines::default()), move |(mut body, mut lines)| async move {
        loop {
            if let Some(item) = lines.ready.pop_front() {
                return Ok(Some((item, (body, lines))));
            }
            let frame = tokio::time::timeout(timeout, body.frame()).await.map_err(|_| too_slow())?;
            let Some(frame) = frame.transpose().map_err(cut)? else { return Ok(None) };
            if let Ok(piece) = frame.into_data() {
                lines.feed(&piece)?;
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::SnapshotToken;

    #[test]
    fn lines_are_whole_however_the_pieces_fall() {
        let text = "{\"resume\":\"a\"}\n{\"resume\":\"ü\"}\n{\"resume\":\"c";
        for size in 1..text.len() {
            let mut lines = Lines::default();
            text.as_bytes().chunks(size).for_each(|piece| lines.feed(piece).unwrap());
            let expected = ["a", "ü"].map(|token| SnapshotItem::Resume(SnapshotToken::new(token)));
            assert_eq!(Vec::from(lines.ready), expected, "pieces of {size}");
        }
    }

    #[test]
    fn a_line_without_end_is_not_collected_for_ever() {
        let mut lines = Lines::default();
        let piece = vec![b' '; 1 << 20];
        let fed = (0..20).try_for_each(|_| lines.feed(&piece));
        assert_eq!(fed.unwrap_err().kind(), ErrorKind::Distrusted);
    }
}
