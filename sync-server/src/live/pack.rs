//! From messages to bytes: frames as servers send them, unmasked and each a whole message.
//!
//! Nothing is copied: a frame is its head and the text, which others may be sent, too, and the system takes both from where
//! they lie.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes};
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};

/// Bytes of the longest head without a mask.
const HEAD_BYTES_MAX: usize = 10;

/// A frame, or what is left of it to be written.
#[derive(Debug)]
struct Frame {
    opcode: OpCode,
    head: [u8; HEAD_BYTES_MAX],
    n_head: u8,
    /// How much of the head was written.
    n_written: u8,
    content: Bytes,
}

/// Frames that wait to be written, the first of them in part.
#[derive(Debug, Default)]
pub(super) struct Packer {
    frames: VecDeque<Frame>,
    n_bytes: usize,
}

impl Packer {
    pub(super) fn text(&mut self, text: Bytes) {
        self.push(OpCode::Data(Data::Text), text);
    }

    pub(super) fn ping(&mut self, content: Bytes) {
        self.push(OpCode::Control(Control::Ping), content);
    }

    /// Answers a ping. Of several answers that wait the newest is enough (section 5.5.3), so those who ask all the time do not
    /// fill the memory.
    pub(super) fn pong(&mut self, content: Bytes) {
        let (opcode, n_before) = (OpCode::Control(Control::Pong), self.frames.len());
        self.frames.retain(|frame| frame.opcode != opcode || frame.n_written > 0);
        if self.frames.len() < n_before {
            self.n_bytes = self.frames.iter().map(Frame::n_bytes).sum();
        }
        self.push(opcode, content);
    }

    pub(super) fn close(&mut self, content: Bytes) {
        self.push(OpCode::Control(Control::Close), content);
    }

    fn push(&mut self, opcode: OpCode, content: Bytes) {
        let header = FrameHeader { opcode, ..FrameHeader::default() };
        let (mut head, n_content) = ([0; HEAD_BYTES_MAX], content.len() as u64);
        header.format(n_content, &mut &mut head[..]).expect("a head without a mask has at most ten bytes");
        self.n_bytes += header.len(n_content) + content.len();
        let n_head = header.len(n_content) as u8;
        self.frames.push_back(Frame { opcode, head, n_head, n_written: 0, content });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// How much waits.
    pub(super) fn n_bytes(&self) -> usize {
        self.n_bytes
    }

    /// Lets go of what waits, but not of what has been written in part.
    pub(super) fn clear(&mut self) {
        let has_begun = self.frames.front().is_some_and(|frame| frame.n_written > 0);
        self.frames.truncate(usize::from(has_begun));
        self.n_bytes = self.frames.front().map_or(0, Frame::n_bytes);
    }

    /// Where the bytes lie that come next; how many of `slices` that took.
    pub(super) fn fill<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let parts = self.frames.iter().flat_map(|frame| [frame.head_left(), &frame.content]);
        let parts = parts.filter(|part| !part.is_empty());
        slices.iter_mut().zip(parts).map(|(slice, part)| *slice = IoSlice::new(part)).count()
    }

    /// So many bytes were written.
    pub(super) fn advance(&mut self, mut n_bytes: usize) {
        self.n_bytes = self.n_bytes.saturating_sub(n_bytes);
        while let Some(frame) = self.frames.front_mut() {
            n_bytes -= frame.advance(n_bytes);
            if frame.n_bytes() > 0 {
                return;
            }
            self.frames.pop_front();
        }
        // A connection on which nothing is said holds nothing.
        self.frames = VecDeque::new();
    }
}

impl Frame {
    fn head_left(&self) -> &[u8] {
        &self.head[usize::from(self.n_written)..usize::from(self.n_head)]
    }

    fn n_bytes(&self) -> usize {
        self.head_left().len() + self.content.len()
    }

    /// Goes on by as much as there is of `n_bytes`; how much that is.
    fn advance(&mut self, n_bytes: usize) -> usize {
        let n_of_head = n_bytes.min(self.head_left().len());
        self.n_written += n_of_head as u8;
        let n_of_content = (n_bytes - n_of_head).min(self.content.len());
        self.content.advance(n_of_content);
        n_of_head + n_of_content
    }
}

#[cfg(test)]
mod tests;
