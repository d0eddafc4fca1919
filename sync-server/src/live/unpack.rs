//! From bytes to messages: frames as clients send them (RFC 6455, section 5), put together.
//!
//! It takes bytes as they come, cut anywhere, and holds of a message what has come of it. So a connection on which nothing is
//! said holds nothing.

use std::io::Cursor;

use bytes::Bytes;
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Control, Data, OpCode};

use super::MESSAGE_BYTES_MAX;
use super::end::End;

/// Bytes of the longest head: the length in eight bytes, and a mask.
const HEAD_BYTES_MAX: usize = 14;

/// Bytes that the heads of one message may have. 5 KiB: hundreds of fragments.
const HEADS_BYTES_MAX: usize = 5 << 10;

/// Bytes of a ping, a pong or a close, as the standard says.
const CONTROL_BYTES_MAX: u64 = 125;

/// What a client has said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Message {
    Text(String),
    Ping(Bytes),
    Pong(Bytes),
    /// With the number that says why, if it does.
    Close(Option<u16>),
}

/// Puts messages together.
#[derive(Debug, Default)]
pub(super) struct Unpacker {
    /// What has come of a head.
    head: [u8; HEAD_BYTES_MAX],
    n_head_bytes: usize,
    frame: Option<Frame>,
    /// Whether a message has begun whose last fragment has not.
    is_fragmented: bool,
    text: Vec<u8>,
    control: Vec<u8>,
    /// Bytes of the heads of this message.
    n_heads_bytes: usize,
}

/// A frame whose head has come.
#[derive(Debug)]
struct Frame {
    kind: Kind,
    is_final: bool,
    /// Turned so that it begins with the byte for what comes next.
    mask: [u8; 4],
    n_left: usize,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Text,
    Ping,
    Pong,
    Close,
}

impl Unpacker {
    /// The next message in these bytes; none when they are used up before it is whole.
    ///
    /// # Errors
    ///
    /// How the connection ends. What comes after that cannot be understood.
    pub(super) fn unpack(&mut self, bytes: &mut &[u8]) -> Result<Option<Message>, End> {
        loop {
            if self.frame.is_none() && !self.take_head(bytes)? {
                return Ok(None);
            }
            if !self.take_content(bytes) {
                return Ok(None);
            }
            if let Some(message) = self.finish()? {
                return Ok(Some(message));
            }
        }
    }

    /// Whether a message has begun that is not whole.
    pub(super) fn is_within_message(&self) -> bool {
        self.n_head_bytes > 0 || self.frame.is_some() || self.is_fragmented
    }

    /// Whether the head of a frame is whole now.
    fn take_head(&mut self, bytes: &mut &[u8]) -> Result<bool, End> {
        let n_before = self.n_head_bytes;
        let n_taken = bytes.len().min(HEAD_BYTES_MAX - n_before);
        self.head[n_before..n_before + n_taken].copy_from_slice(&bytes[..n_taken]);
        let mut cursor = Cursor::new(&self.head[..n_before + n_taken]);
        let parsed = FrameHeader::parse(&mut cursor).map_err(|_| End::PROTOCOL)?;
        let n_bytes = cursor.position() as usize;
        let Some((header, n_content)) = parsed else {
            self.n_head_bytes += n_taken;
            *bytes = &bytes[n_taken..];
            return Ok(false);
        };
        *bytes = &bytes[n_bytes - n_before..];
        self.n_head_bytes = 0;
        self.frame = Some(self.begin(&header, n_content, n_bytes)?);
        Ok(true)
    }

    /// Checks that a frame may begin.
    fn begin(&mut self, header: &FrameHeader, n_content: u64, n_head: usize) -> Result<Frame, End> {
        let kind = self.kind(header)?;
        let mask = header.mask.ok_or(End::PROTOCOL)?;
        if n_head != header.len(n_content) || n_content > i64::MAX as u64 {
            // A length is written in as few bytes as it takes.
            return Err(End::PROTOCOL);
        }
        if matches!(kind, Kind::Text) {
            self.n_heads_bytes += n_head;
            let n_bytes = n_content.saturating_add(self.text.len() as u64);
            if n_bytes > MESSAGE_BYTES_MAX as u64 || self.n_heads_bytes > HEADS_BYTES_MAX {
                return Err(End::TOO_BIG);
            }
        } else if n_content > CONTROL_BYTES_MAX || !header.is_final {
            return Err(End::PROTOCOL);
        }
        Ok(Frame { kind, is_final: header.is_final, mask, n_left: n_content as usize })
    }

    fn kind(&self, header: &FrameHeader) -> Result<Kind, End> {
        if header.rsv1 || header.rsv2 || header.rsv3 {
            return Err(End::PROTOCOL);
        }
        match header.opcode {
            OpCode::Data(Data::Text) if !self.is_fragmented => Ok(Kind::Text),
            OpCode::Data(Data::Continue) if self.is_fragmented => Ok(Kind::Text),
            OpCode::Data(Data::Binary) if !self.is_fragmented => Err(End::BINARY),
            OpCode::Control(Control::Ping) => Ok(Kind::Ping),
            OpCode::Control(Control::Pong) => Ok(Kind::Pong),
            OpCode::Control(Control::Close) => Ok(Kind::Close),
            _ => Err(End::PROTOCOL),
        }
    }

    /// Whether the content of the frame is whole now.
    fn take_content(&mut self, bytes: &mut &[u8]) -> bool {
        let Some(frame) = &mut self.frame else { return false };
        let (part, rest) = bytes.split_at(frame.n_left.min(bytes.len()));
        *bytes = rest;
        let content = if matches!(frame.kind, Kind::Text) { &mut self.text } else { &mut self.control };
        content.extend(part.iter().zip(frame.mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        frame.mask.rotate_left(part.len() % 4);
        frame.n_left -= part.len();
        frame.n_left == 0
    }

    /// What the frame is that is whole now; nothing if more fragments come.
    fn finish(&mut self) -> Result<Option<Message>, End> {
        let Some(frame) = self.frame.take() else { return Ok(None) };
        if matches!(frame.kind, Kind::Text) {
            self.is_fragmented = !frame.is_final;
            return if frame.is_final { self.text().map(Some) } else { Ok(None) };
        }
        let content = std::mem::take(&mut self.control);
        Ok(Some(match frame.kind {
            Kind::Ping => Message::Ping(content.into()),
            Kind::Close => Message::Close(close(&content)?),
            Kind::Pong | Kind::Text => Message::Pong(content.into()),
        }))
    }

    fn text(&mut self) -> Result<Message, End> {
        self.n_heads_bytes = 0;
        let text = String::from_utf8(std::mem::take(&mut self.text));
        text.map(Message::Text).map_err(|_| End::NOT_UTF8)
    }
}

/// Why the client ends the connection, as it says.
fn close(content: &[u8]) -> Result<Option<u16>, End> {
    let Some((code, reason)) = content.split_first_chunk() else {
        return if content.is_empty() { Ok(None) } else { Err(End::PROTOCOL) };
    };
    let code = u16::from_be_bytes(*code);
    if !CloseCode::from(code).is_allowed() {
        return Err(End::PROTOCOL);
    }
    std::str::from_utf8(reason).map_err(|_| End::NOT_UTF8)?;
    Ok(Some(code))
}

#[cfg(test)]
mod tests;
