//! A frame: the next changes of a space, from one cursor to the next.

use std::sync::OnceLock;

use bytes::Bytes;

use crate::protocol::PullPage;
use crate::protocol::change::push_string;
use crate::types::{CursorToken, SpaceId};

/// The next piece of a feed. It leads from one cursor to another and is worth nothing to whoever does not stand at the first.
#[derive(Debug)]
pub struct LiveFrame {
    /// The space.
    pub space: SpaceId,
    /// Where its reader stands before it; `None` is before the first change of the space.
    pub from: Option<CursorToken>,
    /// The changes, and where its reader stands after them.
    pub page: PullPage,
    /// Its JSON, which everyone shares who is sent it.
    text: OnceLock<Bytes>,
}

impl LiveFrame {
    /// A page that begins at `from`.
    pub fn new(space: SpaceId, from: Option<CursorToken>, page: PullPage) -> Self {
        Self { space, from, page, text: OnceLock::new() }
    }

    /// The frame as a message: `type`, `space`, `from`, `to`, `changes`, `has_more`, `head`. It is written by whoever asks
    /// first; for all others it costs nothing.
    ///
    /// ```
    /// use sync_core::protocol::{LiveFrame, PullPage};
    /// use sync_core::{CursorToken, Seq, SpaceId};
    /// let to = CursorToken::new("AbC");
    /// let page = PullPage { changes: vec![], cursor: to, has_more: false, head: Seq::new(7)? };
    /// let frame = LiveFrame::new(SpaceId::new("family")?, None, page);
    /// let text = r#"{"type":"frame","space":"family","from":null,"to":"AbC","changes":[],"has_more":false,"head":7}"#;
    /// assert_eq!(frame.text(), text.as_bytes());
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn text(&self) -> Bytes {
        self.text.get_or_init(|| self.to_json().into()).clone()
    }

    fn to_json(&self) -> String {
        let mut out = String::with_capacity(self.page.n_bytes() + HEAD_BYTES);
        out.push_str("{\"type\":\"frame\",\"space\":");
        push_string(self.space.as_str(), &mut out);
        out.push_str(",\"from\":");
        match &self.from {
            Some(from) => push_string(from.as_str(), &mut out),
            None => out.push_str("null"),
        }
        out.push_str(",\"to\":");
        push_string(self.page.cursor.as_str(), &mut out);
        out.push(',');
        self.page.write_changes(&mut out);
        out.push(',');
        self.page.write_end(&mut out);
        out.push('}');
        out
    }
}

/// About what a frame has besides its changes: two cursors, a name, and words.
const HEAD_BYTES: usize = 384;
