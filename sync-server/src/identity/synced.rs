//! How far devices are, noted in passing: a pull says so with its cursor, and every few seconds what was heard is written
//! down in one transaction.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sync_core::{Change, CredentialId, Seq, SpaceId, Synced, Timestamp};

use super::signed_in::SignedIn;
use crate::identity::Identity;
use crate::problem::Problem;

/// How often notes are written down. 5 s: lists of devices need no more, and a thousand pulls become one transaction.
pub const NOTE_INTERVAL: Duration = Duration::from_secs(5);

/// How old a note that says nothing new must be to be written again. A minute.
const AGAIN_AFTER: Duration = Duration::from_secs(60);

/// Notes that wait, and notes that are remembered as written. 10,000 at about 150 bytes each.
const NOTES_MAX: usize = 10_000;

/// Notes that wait to be written down.
#[derive(Debug, Default)]
pub struct SyncNotes(Mutex<Notes>);

type Key = (CredentialId, SpaceId);

#[derive(Debug, Default)]
struct Notes {
    waiting: HashMap<Key, (Seq, Timestamp)>,
    written: HashMap<Key, (Seq, Timestamp)>,
}

impl Notes {
    fn add(&mut self, key: Key, position: Seq, now: Timestamp) {
        let is_news = self
            .written
            .get(&key)
            .is_none_or(|(written, at)| *written != position || *at > now || now.since(*at) >= AGAIN_AFTER);
        // With that many devices at once the next pull of one that was left out is soon enough.
        if is_news && (self.waiting.len() < NOTES_MAX || self.waiting.contains_key(&key)) {
            self.waiting.insert(key, (position, now));
        }
    }

    fn take(&mut self) -> Vec<Synced> {
        if self.written.len() >= NOTES_MAX {
            self.written.clear();
        }
        let taken = std::mem::take(&mut self.waiting);
        self.written.extend(taken.iter().map(|(key, note)| (key.clone(), *note)));
        let synced = |((credential, space), (position, at))| Synced { credential, space, position, at };
        taken.into_iter().map(synced).collect()
    }
}

impl Identity {
    /// Notes that a device has everything of a space up to a position.
    pub fn note_synced(&self, who: &SignedIn, space: &SpaceId, position: Seq) {
        let mut notes = self.0.synced.0.lock().unwrap_or_else(PoisonError::into_inner);
        notes.add((who.device.clone(), space.clone()), position, self.now());
    }

    /// Writes down what was noted.
    ///
    /// # Errors
    ///
    /// What the store reports. What was noted is lost then, and comes again with the next pulls.
    pub async fn write_notes(&self) -> Result<(), Problem> {
        let synced = self.0.synced.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if synced.is_empty() {
            return Ok(());
        }
        let changes: Vec<_> = synced.into_iter().map(Change::NoteSynced).collect();
        self.accounts().change(&changes).await.map(drop).map_err(Problem::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        (CredentialId::new("0123456789abcdef").unwrap(), SpaceId::new("family").unwrap())
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000).unwrap()
    }

    #[test]
    fn what_is_known_is_written_once_a_minute() {
        let mut notes = Notes::default();
        notes.add(key(), Seq::ZERO, at(100));
        assert_eq!(notes.take().len(), 1);
        for (seconds, n_written) in [(101, 0), (159, 0), (160, 1), (161, 0), (90, 1)] {
            notes.add(key(), Seq::ZERO, at(seconds));
            assert_eq!(notes.take().len(), n_written, "{seconds}");
        }
        notes.add(key(), Seq::new(1).unwrap(), at(91));
        assert_eq!(notes.take().len(), 1, "news are written at once");
    }
}
