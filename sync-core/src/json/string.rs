//! Strings: find the end of what needs no attention, and bring escapes to their one form.

use std::borrow::Cow;

use super::error::{JsonError, JsonErrorKind as Kind};
use super::scan::Scanner;

/// Every byte of a word set to 1.
const ONES: u64 = u64::from_ne_bytes([1; 8]);
/// The top bit of every byte of a word.
const HIGHS: u64 = ONES << 7;

/// First position from `pos` on where a string needs a decision: a quote, a backslash, a control character, the end.
#[inline]
fn plain_end(bytes: &[u8], mut pos: usize) -> usize {
    while let Some(chunk) = bytes.get(pos..).and_then(<[u8]>::first_chunk::<8>) {
        let hits = special(u64::from_le_bytes(*chunk));
        if hits != 0 {
            return pos + (hits.trailing_zeros() / 8) as usize;
        }
        pos += 8;
    }
    let rest = bytes.get(pos..).unwrap_or_default();
    pos + rest.iter().position(|&b| b == b'"' || b == b'\\' || b < 0x20).unwrap_or(rest.len())
}

/// Marks the bytes of a word that are `"`, `\` or below U+0020, with their top bit.
///
/// A subtraction that borrows can mark a byte above a true hit by mistake, never one below, and only the lowest counts.
#[inline]
fn special(word: u64) -> u64 {
    let zero = |x: u64| x.wrapping_sub(ONES) & !x;
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    let quote = zero(word ^ (ONES * u64::from(b'"')));
    let backslash = zero(word ^ (ONES * u64::from(b'\\')));
    (control | quote | backslash) & HIGHS
}

impl<'a> Scanner<'a> {
    /// Reads the string that starts at the current quote; says whether it contains an escape.
    #[inline]
    pub(super) fn string(&mut self) -> Result<bool, JsonError> {
        let mut has_escape = false;
        self.pos += 1;
        loop {
            self.pos = plain_end(self.bytes(), self.pos);
            match self.peek() {
                Some(b'"') => {
                    self.pos += 1;
                    return Ok(has_escape);
                }
                Some(b'\\') => self.escape()?,
                Some(_) => return Err(self.malformed("write control characters in strings as escapes")),
                None => return Err(self.malformed("the text ends inside a string")),
            }
            has_escape = true;
        }
    }

    /// Reads a key and returns it unescaped, for comparing.
    #[inline]
    pub(super) fn key(&mut self) -> Result<Cow<'a, str>, JsonError> {
        let start = self.pos;
        if self.peek() != Some(b'"') {
            return Err(self.malformed("expected a key in double quotes"));
        }
        let has_escape = self.string()?;
        let quoted = &self.text()[start..self.pos];
        let key = if has_escape {
            Cow::Owned(serde_json::from_str(quoted).expect("the string was just checked, escapes included"))
        } else {
            Cow::Borrowed(&quoted[1..quoted.len() - 1])
        };
        if key.len() > self.limits.key_bytes_max {
            return Err(JsonError::new(Kind::KeyTooLong, start, "shorten the key"));
        }
        Ok(key)
    }

    fn escape(&mut self) -> Result<(), JsonError> {
        let start = self.pos;
        match self.bytes().get(start + 1) {
            Some(b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't') => self.pos += 2,
            Some(b'/') => {
                self.pos += 2;
                self.output.replace(start..self.pos, "/");
            }
            Some(b'u') => {
                let char = self.unicode_escape()?;
                self.write_char(start, char);
            }
            Some(_) => return Err(self.malformed("there is no such escape")),
            None => return Err(self.malformed("the text ends inside an escape")),
        }
        Ok(())
    }

    /// Reads `\uXXXX`, or two of them that form one character.
    fn unicode_escape(&mut self) -> Result<char, JsonError> {
        let start = self.pos;
        let first = self.code_unit()?;
        let lone = || JsonError::new(Kind::LoneSurrogate, start, "a surrogate escape needs its other half");
        let code = match first {
            0 => return Err(JsonError::new(Kind::NulCharacter, start, "remove U+0000, it cannot be stored")),
            0xd800..0xdc00 => {
                if self.bytes().get(self.pos..self.pos + 2) != Some(br"\u") {
                    return Err(lone());
                }
                let second = self.code_unit()?;
                let low = second.checked_sub(0xdc00).filter(|low| *low < 0x400).ok_or_else(lone)?;
                0x1_0000 + ((first - 0xd800) << 10) + low
            }
            other => other,
        };
        char::from_u32(code).ok_or_else(lone)
    }

    /// Reads one `\uXXXX`.
    fn code_unit(&mut self) -> Result<u32, JsonError> {
        let digits = self.bytes().get(self.pos + 2..self.pos + 6).unwrap_or_default();
        let unit = digits.iter().try_fold(0, |unit, &b| Some(unit * 16 + char::from(b).to_digit(16)?));
        let unit = unit.filter(|_| digits.len() == 4);
        let unit = unit.ok_or_else(|| self.malformed("expected four hexadecimal digits after \\u"))?;
        self.pos += 6;
        Ok(unit)
    }

    /// Writes `char` in its one form, in place of the escape that began at `start`.
    fn write_char(&mut self, start: usize, char: char) {
        let range = start..self.pos;
        match char {
            '"' => self.output.replace(range, "\\\""),
            '\\' => self.output.replace(range, "\\\\"),
            '\u{8}' => self.output.replace(range, "\\b"),
            '\t' => self.output.replace(range, "\\t"),
            '\n' => self.output.replace(range, "\\n"),
            '\u{c}' => self.output.replace(range, "\\f"),
            '\r' => self.output.replace(range, "\\r"),
            '\0'..' ' => self.output.replace(range, &format!("\\u{:04x}", u32::from(char))),
            _ => self.output.replace_char(range, char),
        }
    }
}
