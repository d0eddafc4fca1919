//! Why a text was refused: what kind of fault, at which byte, inside which value.

use std::fmt;

/// What is wrong with a text, by what its author has to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum JsonErrorKind {
    /// Not JSON: bad syntax, a truncated or trailing text, a byte order mark, a comment, `NaN`.
    Malformed,
    /// Not UTF-8.
    Encoding,
    /// An object has the same key twice, compared after unescaping.
    DuplicateKey,
    /// A `\ud800`-style escape without its other half: no Unicode text contains it.
    LoneSurrogate,
    /// A string contains U+0000, which Postgres cannot store.
    NulCharacter,
    /// A number that neither `i64`, `u64` nor `f64` holds exactly.
    Number,
    /// Arrays and objects are nested deeper than [`Limits::depth_max`](super::Limits::depth_max).
    TooDeep,
    /// The text is longer than [`Limits::bytes_max`](super::Limits::bytes_max).
    TooLarge,
    /// A key is longer than [`Limits::key_bytes_max`](super::Limits::key_bytes_max).
    KeyTooLong,
}

/// A refused text: the kind of fault, where it is, and what to change.
///
/// It is one pointer wide, because every step of the scan returns it.
#[derive(Clone, PartialEq, Eq)]
pub struct JsonError(Box<Fault>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Fault {
    kind: JsonErrorKind,
    offset: usize,
    pointer: String,
    advice: &'static str,
    /// How many bytes there are, and how many there may be.
    size: Option<(usize, usize)>,
}

impl JsonError {
    #[cold]
    pub(super) fn new(kind: JsonErrorKind, offset: usize, advice: &'static str) -> Self {
        Self(Box::new(Fault { kind, offset, pointer: String::new(), advice, size: None }))
    }

    #[cold]
    pub(super) fn too_large(offset: usize, n_bytes: usize, bytes_max: usize) -> Self {
        let mut error = Self::new(JsonErrorKind::TooLarge, offset, "split the content or make it smaller");
        error.0.size = Some((n_bytes, bytes_max));
        error
    }

    /// The same fault seen from one level further out, where `segment` is the key or the index.
    ///
    /// The pointer grows while the scan unwinds, so that a text without faults pays nothing for it.
    #[cold]
    pub(super) fn inside(mut self, segment: &str) -> Self {
        let escaped = segment.replace('~', "~0").replace('/', "~1");
        self.0.pointer.insert_str(0, &escaped);
        self.0.pointer.insert(0, '/');
        self
    }

    /// The same place, another fault.
    pub(super) fn with(mut self, kind: JsonErrorKind, offset: usize, advice: &'static str) -> Self {
        (self.0.kind, self.0.offset, self.0.advice) = (kind, offset, advice);
        self
    }

    /// What is wrong.
    pub fn kind(&self) -> JsonErrorKind {
        self.0.kind
    }

    /// Byte offset in the text where the fault was noticed; at most the length of the text.
    pub fn offset(&self) -> usize {
        self.0.offset
    }

    /// How many bytes the text may have, if it has more.
    pub fn bytes_max(&self) -> Option<usize> {
        self.0.size.map(|(_, bytes_max)| bytes_max)
    }

    /// JSON Pointer (RFC 6901) of the value that has the fault; empty for the whole text.
    pub fn pointer(&self) -> &str {
        &self.0.pointer
    }
}

impl fmt::Display for JsonError {
    /// Quotes the pointer with escapes: it consists of keys that somebody else chose.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fault { offset, pointer, advice, .. } = &*self.0;
        if let Some((n_bytes, bytes_max)) = self.0.size {
            return write!(f, "it has {n_bytes} bytes, and may have {bytes_max}: {advice}");
        }
        write!(f, "cannot read json at byte {offset}, in the value {pointer:?}: {advice}")
    }
}

impl fmt::Debug for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for JsonError {}
