//! Reading lines, one at a time, and trusting none.

use crate::copy::line::{HeaderLine, Line};
use crate::copy::write::{AFTER_SUM, BEFORE_SUM, SUM_DIGITS, Sums, failed};
use crate::copy::{FORMAT, LINE_BYTES_MAX, Source};
use crate::error::{Error, ErrorKind, Result};

/// Bytes that are asked of the source at once: as many as are written at once.
const CHUNK_BYTES: usize = 256 << 10;

/// How every export begins, whatever its format.
const BEGINNING: &str = "{\"sync_export\":{\"format\":";

/// Reads lines from a source.
pub(super) struct LineReader<'a> {
    source: &'a mut dyn Source,
    chunk: Vec<u8>,
    /// What of the chunk was not read yet.
    rest: std::ops::Range<usize>,
    line: Vec<u8>,
    n_lines: u64,
    sums: Sums,
}

impl<'a> LineReader<'a> {
    pub(super) fn new(source: &'a mut dyn Source) -> Self {
        let chunk = vec![0; CHUNK_BYTES];
        Self { source, chunk, rest: 0..0, line: Vec::new(), n_lines: 0, sums: Sums::default() }
    }

    /// The first line, of a format that this program reads.
    pub(super) async fn header(&mut self) -> Result<HeaderLine> {
        let is_there = self.fetch().await?;
        let text = std::str::from_utf8(&self.line).ok().and_then(|line| line.strip_prefix(BEGINNING));
        let format = text.and_then(|text| text.split([',', '}']).next()).and_then(|n| n.parse::<u32>().ok());
        match format.filter(|_| is_there) {
            Some(1..=FORMAT) => {}
            Some(other) => {
                let message = format!(
                    "this is an export of format {other}, and this program reads formats up to {FORMAT}: import it with \
                     the version that wrote it or a newer one"
                );
                return Err(Error::new(ErrorKind::Incompatible, message));
            }
            None => return Err(Error::new(ErrorKind::Invalid, "this is not the export of a sync server")),
        }
        match self.parse()? {
            Line::SyncExport(header) => Ok(header),
            _ => Err(self.refused("there is more in it than a beginning")),
        }
    }

    /// The next line; a text that ends before its last line is damaged.
    pub(super) async fn next(&mut self) -> Result<Line> {
        if self.fetch().await? {
            return self.parse();
        }
        let message = format!("the export ends after line {}, before its end: it was cut off", self.n_lines);
        Err(Error::new(ErrorKind::Corrupt, message))
    }

    /// Makes sure that nothing comes after the last line.
    pub(super) async fn finish(&mut self) -> Result<()> {
        if self.fetch().await? || !self.line.is_empty() {
            return Err(Error::new(ErrorKind::Corrupt, "something comes after the end of the export"));
        }
        Ok(())
    }

    /// The error for the line that was read last.
    pub(super) fn refused(&self, why: impl std::fmt::Display) -> Error {
        Error::new(ErrorKind::Corrupt, format!("line {} of the export is refused: {why}", self.n_lines))
    }

    /// Reads the next line as bytes, without its end; `false` when there is none.
    async fn fetch(&mut self) -> Result<bool> {
        self.line.clear();
        self.line.shrink_to(CHUNK_BYTES);
        self.n_lines += 1;
        loop {
            let part = &self.chunk[self.rest.clone()];
            let end = part.iter().position(|byte| *byte == b'\n');
            let part = &part[..end.unwrap_or(part.len())];
            if self.line.len() + part.len() > LINE_BYTES_MAX {
                return Err(self.refused(format_args!("it has more than {LINE_BYTES_MAX} bytes")));
            }
            self.line.extend_from_slice(part);
            self.rest.start += part.len();
            if end.is_some() {
                self.rest.start += 1;
                return Ok(true);
            }
            let n =
                self.source.read(&mut self.chunk).await.map_err(|error| failed("read the export", error))?;
            self.rest = 0..n.min(self.chunk.len());
            if n == 0 {
                // A line without an end was cut, even where what is there makes sense.
                self.n_lines -= 1;
                return Ok(false);
            }
        }
    }

    /// Checks the sum of the line, and reads what is before it.
    fn parse(&mut self) -> Result<Line> {
        let n_sum = BEFORE_SUM.len() + SUM_DIGITS + AFTER_SUM.len();
        let Some(n_text) = self.line.len().checked_sub(n_sum) else {
            return Err(self.refused("it is too short"));
        };
        let (text, sum) = self.line.split_at(n_text);
        let given = sum.strip_prefix(BEFORE_SUM).and_then(|sum| sum.strip_suffix(AFTER_SUM));
        if given != Some(self.sums.next(text).as_bytes()) {
            let why =
                "its sum is wrong, so it or the lines before it are damaged, missing or in another order";
            return Err(self.refused(why));
        }
        self.line.truncate(n_text);
        self.line.push(b'}');
        serde_json::from_slice(&self.line).map_err(|error| {
            let why = error.to_string();
            // Where in the line is of no use, and reads like another number of a line.
            self.refused(why.rsplit_once(" at line ").map_or(&*why, |(why, _)| why))
        })
    }
}
