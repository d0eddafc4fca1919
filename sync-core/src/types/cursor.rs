//! The cursor: an opaque token that says "I have everything up to here".
//!
//! ```text
//! byte  0        1 .. 17   17 .. 25   25 .. 33   33 .. 49   49 .. 57
//!       format   epoch     seq        seen       tag        check over all before it and the name of the space
//! ```
//! A page tells the newest states, and of a record that changed again only the place of that change. So a page that ends
//! before the head is true only of a history that has all the page was read from: a reader that goes on from it in a
//! history that was restored to a moment in between would never be told what that record was before. Therefore a
//! cursor is bound to the head that was seen, and not only to where it stands.
//!
//! Written as base64url. The check makes an edited token, or one of another space, a malformed one.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::types::{Epoch, Seq, SpaceId, Tag};

const FORMAT: u8 = 2;
const CHECKED_LEN: usize = 49;
const LEN: usize = 57;

/// A position in the feed of one space, and the history it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The life of the space in which it was issued.
    pub epoch: Epoch,
    /// Everything up to here was delivered.
    pub seq: Seq,
    /// The head of what it was delivered from: `seq` or after it.
    pub seen: Seq,
    /// Tag of the commit that contains `seen`; [`Tag::ZERO`] at position zero.
    pub tag: Tag,
}

/// The text is not a cursor of this space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor of this space; use one that a reply carried, unchanged")]
pub struct CursorError;

impl Cursor {
    /// Before the first change of a space.
    pub fn start(epoch: Epoch) -> Self {
        Self { epoch, seq: Seq::ZERO, seen: Seq::ZERO, tag: Tag::ZERO }
    }

    /// Writes the cursor for clients of `space`: 76 characters that mean nothing to them.
    pub fn encode(&self, space: &SpaceId) -> CursorToken {
        let mut bytes = [0; LEN];
        bytes[0] = FORMAT;
        bytes[1..17].copy_from_slice(self.epoch.as_bytes());
        bytes[17..25].copy_from_slice(&self.seq.get().to_le_bytes());
        bytes[25..33].copy_from_slice(&self.seen.get().to_le_bytes());
        bytes[33..CHECKED_LEN].copy_from_slice(self.tag.as_bytes());
        let check = check(space, &bytes[..CHECKED_LEN]);
        bytes[CHECKED_LEN..].copy_from_slice(&check);
        CursorToken(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Reads a cursor that was issued for `space`.
    ///
    /// # Errors
    ///
    /// [`CursorError`] for anything that [`Cursor::encode`] did not write for this very space.
    pub fn decode(token: &CursorToken, space: &SpaceId) -> Result<Self, CursorError> {
        let bytes = URL_SAFE_NO_PAD.decode(&token.0).map_err(|_| CursorError)?;
        let bytes: [u8; LEN] = bytes.try_into().map_err(|_| CursorError)?;
        if bytes[0] != FORMAT || bytes[CHECKED_LEN..] != check(space, &bytes[..CHECKED_LEN]) {
            return Err(CursorError);
        }
        let seq = |bytes| Seq::new(i64::from_le_bytes(array(bytes))).map_err(|_| CursorError);
        Ok(Self {
            epoch: Epoch::from_bytes(array(&bytes[1..17])),
            seq: seq(&bytes[17..25])?,
            seen: seq(&bytes[25..33])?,
            tag: Tag::from_bytes(array(&bytes[33..CHECKED_LEN])),
        })
    }
}

fn check(space: &SpaceId, bytes: &[u8]) -> [u8; LEN - CHECKED_LEN] {
    let hash = blake3::Hasher::new().update(bytes).update(space.as_str().as_bytes()).finalize();
    array(&hash.as_bytes()[..LEN - CHECKED_LEN])
}

fn array<const N: usize>(slice: &[u8]) -> [u8; N] {
    slice.try_into().expect("the ranges above have the lengths of the fields")
}

/// A cursor as it travels: text that only the server that issued it can read.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CursorToken(String);

impl CursorToken {
    /// Takes the text of a token as it was received.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for CursorToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> (Cursor, SpaceId) {
        let cursor = Cursor {
            epoch: Epoch::from_bytes([7; 16]),
            seq: Seq::new(1 << 52).unwrap(),
            seen: Seq::new((1 << 52) + 7).unwrap(),
            tag: Tag::from_bytes([9; 16]),
        };
        (cursor, SpaceId::new("family").unwrap())
    }

    #[test]
    fn a_cursor_reads_back_as_it_was_written() {
        let (cursor, space) = sample();
        let token = cursor.encode(&space);
        assert_eq!(token.as_str().len(), 76);
        assert_eq!(Cursor::decode(&token, &space), Ok(cursor));
    }

    #[test]
    fn an_edited_cursor_is_refused_wherever_it_was_edited() {
        let (cursor, space) = sample();
        let token = cursor.encode(&space).0;
        for idx in 0..token.len() {
            let mut edited = token.clone().into_bytes();
            edited[idx] = if edited[idx] == b'A' { b'B' } else { b'A' };
            let edited = CursorToken::new(String::from_utf8(edited).unwrap());
            assert_eq!(Cursor::decode(&edited, &space), Err(CursorError), "position {idx}");
        }
        for text in ["", "null", "AAAA", &token[1..], &format!("{token}A"), &"x".repeat(10_000)] {
            assert_eq!(Cursor::decode(&CursorToken::new(text), &space), Err(CursorError));
        }
    }

    #[test]
    fn a_cursor_of_another_space_is_refused() {
        let (cursor, space) = sample();
        let other = SpaceId::new("family2").unwrap();
        assert_eq!(Cursor::decode(&cursor.encode(&space), &other), Err(CursorError));
    }
}
