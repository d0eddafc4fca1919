//! The text being written: the input as it is, except where it has to differ.
//!
//! ```text
//! input   {"a": 1.0,"b":2}          copied up to  ^ "kept" so far, not yet copied
//!              ^cut ^replace
//! ```
//!
//! Canonical input is never cut, so it is never copied either: it is handed back as it came.

use std::borrow::Cow;
use std::ops::Range;

pub(super) struct Output<'a> {
    input: &'a str,
    /// The input before this offset is in `text`, or was left out on purpose.
    copied: usize,
    text: String,
    /// Room to put the members of an object in order; kept to be used again.
    spare: String,
}

impl<'a> Output<'a> {
    pub(super) fn new(input: &'a str) -> Self {
        Self { input, copied: 0, text: String::new(), spare: String::new() }
    }

    /// Where the input at `pos` will stand in the output.
    #[inline]
    pub(super) fn position(&self, pos: usize) -> usize {
        self.text.len() + (pos - self.copied)
    }

    /// Leaves `range` of the input out.
    #[inline]
    pub(super) fn cut(&mut self, range: Range<usize>) {
        self.copy_up_to(range.start);
        self.copied = range.end;
    }

    /// Writes `with` in place of `range` of the input.
    pub(super) fn replace(&mut self, range: Range<usize>, with: &str) {
        if &self.input[range.clone()] != with {
            self.cut(range);
            self.text.push_str(with);
        }
    }

    /// Writes one character in place of `range` of the input.
    pub(super) fn replace_char(&mut self, range: Range<usize>, with: char) {
        self.cut(range);
        self.text.push(with);
    }

    /// Rewrites the members of an object, which end at `pos` of the input, in the order of `ranges` of the output.
    pub(super) fn reorder(&mut self, pos: usize, start: usize, ranges: impl Iterator<Item = Range<usize>>) {
        self.copy_up_to(pos);
        self.spare.clear();
        for range in ranges {
            if !self.spare.is_empty() {
                self.spare.push(',');
            }
            self.spare.push_str(&self.text[range]);
        }
        self.text.truncate(start);
        self.text.push_str(&self.spare);
    }

    /// The whole output; borrowed from the input when nothing had to change.
    pub(super) fn finish(mut self) -> Cow<'a, str> {
        if self.copied == 0 && self.text.is_empty() {
            return Cow::Borrowed(self.input);
        }
        self.copy_up_to(self.input.len());
        Cow::Owned(self.text)
    }

    fn copy_up_to(&mut self, pos: usize) {
        if self.text.capacity() == 0 {
            // Canonical text is rarely longer than what came in, so this is the only allocation.
            self.text.reserve(self.input.len());
        }
        self.text.push_str(&self.input[self.copied..pos]);
        self.copied = pos;
    }
}
