//! Numbers and texts as bytes.

use crate::tree::error::CheckpointError;

/// Bytes that are being written.
#[derive(Debug, Default)]
pub(super) struct Writer(pub(super) Vec<u8>);

impl Writer {
    pub(super) fn number(&mut self, number: u64) {
        let mut left = number;
        while left >= 0x80 {
            self.0.push(left as u8 | 0x80);
            left >>= 7;
        }
        self.0.push(left as u8);
    }

    pub(super) fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.extend_from_slice(text.as_bytes());
    }
}

/// Bytes that are being read.
#[derive(Debug)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn number(&mut self) -> Result<u64, CheckpointError> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first().ok_or(ENDS)?;
            self.0 = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(CheckpointError::Damaged("a number is too long"))
    }

    /// A number below a limit.
    pub(super) fn below(&mut self, limit: u64) -> Result<u32, CheckpointError> {
        let number = u32::try_from(self.number()?).ok().filter(|number| u64::from(*number) < limit);
        number.ok_or(CheckpointError::Damaged("a number is too large"))
    }

    /// How many things follow. Each takes at least a byte, so that nobody makes room for more than there can be.
    pub(super) fn count(&mut self) -> Result<usize, CheckpointError> {
        let count = usize::try_from(self.number()?).ok().filter(|count| *count <= self.0.len());
        count.ok_or(CheckpointError::Damaged("it has fewer parts than it says"))
    }

    pub(super) fn take(&mut self, n_bytes: usize) -> Result<&'a [u8], CheckpointError> {
        let (taken, rest) = self.0.split_at_checked(n_bytes).ok_or(ENDS)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn text(&mut self) -> Result<&'a str, CheckpointError> {
        let n_bytes = self.count()?;
        std::str::from_utf8(self.take(n_bytes)?).map_err(|_| CheckpointError::Damaged("a text is not UTF-8"))
    }
}

const ENDS: CheckpointError = CheckpointError::Damaged("it ends too early");
