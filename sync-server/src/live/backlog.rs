//! What a client has sent and nobody has looked at yet.

use std::collections::VecDeque;

use super::MESSAGE_BYTES_MAX;

/// Messages that wait. 64: typed ahead of one push.
const BACKLOG_MAX: usize = 64;

/// Messages that wait, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    messages: VecDeque<String>,
    n_bytes: usize,
}

impl Backlog {
    /// Whether more can be read: while they wait, nothing else is.
    pub(super) fn has_room(&self) -> bool {
        self.messages.len() < BACKLOG_MAX && self.n_bytes < MESSAGE_BYTES_MAX
    }

    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    pub(super) fn push(&mut self, message: String) {
        self.n_bytes += message.len();
        self.messages.push_back(message);
    }

    pub(super) fn pop(&mut self) -> Option<String> {
        let message = self.messages.pop_front()?;
        self.n_bytes -= message.len();
        if self.messages.is_empty() {
            // A connection on which nothing is said holds nothing.
            self.messages = VecDeque::new();
        }
        Some(message)
    }
}
