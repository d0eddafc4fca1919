//! The pass: reads a text once, checks every rule, and notes where the output differs from the input.
//!
//! Recursion follows the nesting and is bounded by the depth limit.

use std::borrow::Cow;

use super::error::{JsonError, JsonErrorKind as Kind};
use super::number::Literal;
use super::output::Output;
use super::{DEPTH_CEILING, Limits};

/// Brings `bytes` to canonical form; borrows when they already are.
pub(super) fn canonical<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Cow<'a, str>, JsonError> {
    if bytes.len() > limits.bytes_max {
        return Err(JsonError::too_large(limits.bytes_max, bytes.len(), limits.bytes_max));
    }
    let text = decode(bytes, limits)?;
    let canonical = Scanner::new(text, limits).run()?;
    // `1e20` grows when written out, and what we wrote must be accepted when it comes back.
    if canonical.len() > limits.bytes_max {
        return Err(JsonError::too_large(bytes.len(), canonical.len(), limits.bytes_max));
    }
    Ok(canonical)
}

fn decode<'a>(bytes: &'a [u8], limits: &Limits) -> Result<&'a str, JsonError> {
    if let [0xef, 0xbb, 0xbf, ..] | [0xff, 0xfe, ..] | [0xfe, 0xff, ..] = bytes {
        return Err(JsonError::new(Kind::Malformed, 0, "send UTF-8 without a byte order mark"));
    }
    str::from_utf8(bytes).map_err(|error| {
        let advice = "send the text as UTF-8";
        let (before, _) = bytes.split_at(error.valid_up_to());
        // What is readable tells in which value the fault is: it ends there, or was complete before.
        let place = str::from_utf8(before).ok().and_then(|text| Scanner::new(text, limits).run().err());
        let place = place.unwrap_or_else(|| JsonError::new(Kind::Encoding, 0, advice));
        place.with(Kind::Encoding, before.len(), advice)
    })
}

/// A member of an object that is still open.
struct Member<'a> {
    key: Cow<'a, str>,
    /// Offset of the key in the input, for error messages.
    offset: usize,
    /// First and last offset of `"key":value` in the output.
    start: usize,
    end: usize,
}

pub(super) struct Scanner<'a> {
    text: &'a str,
    pub(super) pos: usize,
    pub(super) limits: Limits,
    pub(super) output: Output<'a>,
    /// Members of all open objects; one stack for all of them, so that an object does not allocate its own.
    members: Vec<Member<'a>>,
}

impl<'a> Scanner<'a> {
    fn new(text: &'a str, limits: &Limits) -> Self {
        let limits = Limits { depth_max: limits.depth_max.min(DEPTH_CEILING), ..*limits };
        Self { text, pos: 0, limits, output: Output::new(text), members: Vec::new() }
    }

    fn run(mut self) -> Result<Cow<'a, str>, JsonError> {
        self.skip_space();
        self.value(0)?;
        self.skip_space();
        if self.pos < self.text.len() {
            return Err(self.malformed("expected the end of the text after the value"));
        }
        Ok(self.output.finish())
    }

    #[inline]
    pub(super) fn text(&self) -> &'a str {
        self.text
    }

    #[inline]
    pub(super) fn bytes(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    #[inline]
    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes().get(self.pos).copied()
    }

    #[cold]
    pub(super) fn malformed(&self, advice: &'static str) -> JsonError {
        JsonError::new(Kind::Malformed, self.pos.min(self.text.len()), advice)
    }

    #[inline]
    fn skip_space(&mut self) {
        if self.peek().is_some_and(|b| b <= b' ') {
            let start = self.pos;
            while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
                self.pos += 1;
            }
            self.output.cut(start..self.pos);
        }
    }

    /// Steps over `byte` when it is next.
    #[inline]
    fn eat(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.pos += usize::from(is_next);
        is_next
    }

    fn value(&mut self, depth: usize) -> Result<(), JsonError> {
        match self.peek() {
            Some(b'"') => self.string().map(|_| ()),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b't') => self.word("true"),
            Some(b'f') => self.word("false"),
            Some(b'n') => self.word("null"),
            Some(_) => Err(self.malformed("expected a value")),
            None => Err(self.malformed("the text ends where a value should be")),
        }
    }

    fn word(&mut self, word: &str) -> Result<(), JsonError> {
        if !self.bytes()[self.pos..].starts_with(word.as_bytes()) {
            return Err(self.malformed("expected true, false or null"));
        }
        self.pos += word.len();
        Ok(())
    }

    fn number(&mut self) -> Result<(), JsonError> {
        let start = self.pos;
        let literal = Literal::read(self.text, start)
            .map_err(|offset| JsonError::new(Kind::Malformed, offset, "expected a digit of a number"))?;
        self.pos = literal.end();
        if !literal.is_plainly_canonical() {
            let canonical = literal.canonical().ok_or_else(|| {
                JsonError::new(
                    Kind::Number,
                    start,
                    "send a number that i64, u64 or f64 holds, or send it as a string",
                )
            })?;
            self.output.replace(start..self.pos, &canonical);
        }
        Ok(())
    }

    /// Steps into an array or object: past its bracket, if the depth allows.
    #[inline]
    fn open(&mut self, depth: usize) -> Result<(), JsonError> {
        if depth >= self.limits.depth_max {
            return Err(JsonError::new(Kind::TooDeep, self.pos, "nest arrays and objects less deeply"));
        }
        self.pos += 1;
        self.skip_space();
        Ok(())
    }

    /// After an element: true at a comma, false at the closing bracket.
    #[inline]
    fn more(&mut self, close: u8, advice: &'static str) -> Result<bool, JsonError> {
        self.skip_space();
        if self.eat(b',') {
            self.skip_space();
            return Ok(true);
        }
        // The bracket itself is left for the caller: members are put in order before it.
        if self.peek() == Some(close) { Ok(false) } else { Err(self.malformed(advice)) }
    }

    fn array(&mut self, depth: usize) -> Result<(), JsonError> {
        self.open(depth)?;
        if self.eat(b']') {
            return Ok(());
        }
        let mut idx = 0_usize;
        loop {
            self.value(depth + 1).map_err(|error| error.inside(&idx.to_string()))?;
            if !self.more(b']', "expected , or ] after an element")? {
                self.pos += 1;
                return Ok(());
            }
            idx += 1;
        }
    }

    fn object(&mut self, depth: usize) -> Result<(), JsonError> {
        self.open(depth)?;
        if self.eat(b'}') {
            return Ok(());
        }
        let first = self.members.len();
        let mut is_sorted = true;
        loop {
            is_sorted &= self.member(first, depth)?;
            if !self.more(b'}', "expected , or } after a member")? {
                break;
            }
        }
        if !is_sorted {
            self.sort_members(first)?;
        }
        self.members.truncate(first);
        self.pos += 1;
        Ok(())
    }

    /// Reads `"key":value`; says whether its key comes after that of the member before, if any.
    #[inline]
    fn member(&mut self, first: usize, depth: usize) -> Result<bool, JsonError> {
        let offset = self.pos;
        let start = self.output.position(offset);
        let key = self.key()?;
        let is_sorted = self.members[first..].last().is_none_or(|before| *before.key < *key);
        let idx = self.members.len();
        self.members.push(Member { key, offset, start, end: start });
        self.skip_space();
        if !self.eat(b':') {
            return Err(self.malformed("expected : after a key"));
        }
        self.skip_space();
        self.value(depth + 1).map_err(|error| error.inside(&self.members[idx].key))?;
        self.members[idx].end = self.output.position(self.pos);
        Ok(is_sorted)
    }

    /// Puts the members of the object that closes here in order; members before `first` belong to outer objects.
    ///
    /// Sorting once at the end costs n log n however the keys came, and copies a value once per level of nesting.
    fn sort_members(&mut self, first: usize) -> Result<(), JsonError> {
        let members = &mut self.members[first..];
        let start = members[0].start;
        members.sort_unstable_by(|a, b| (&*a.key, a.offset).cmp(&(&*b.key, b.offset)));
        if let Some([_, again]) = members.array_windows().find(|[a, b]| a.key == b.key) {
            let error =
                JsonError::new(Kind::DuplicateKey, again.offset, "keep one of the members with this key");
            return Err(error.inside(&again.key));
        }
        self.output.reorder(self.pos, start, members.iter().map(|member| member.start..member.end));
        Ok(())
    }
}
