//! Which ops someone has, as ranges of clocks for each peer, and what one has that another has not.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::json::Json;
use crate::tree::ranges::RangeSet;
use crate::types::{OpClock, OpId, PeerId};

/// Peers in a vector that is read: a tree gets one for each replica that ever edited it.
const PEERS_MAX: usize = 100_000;
/// Ranges of all peers in a vector that is read. A replica that is in touch has one or two for each peer.
const RANGES_MAX: usize = 1_000_000;

/// The set of ops that a replica has received, whether they had an effect or not.
///
/// ```
/// use sync_core::tree::StateVector;
/// let ours = StateVector::parse(r#"{"a1":[[1,9]],"b2":[[2,2],[4,7]]}"#)?;
/// let theirs = StateVector::parse(r#"{"a1":[[1,3]],"b2":[[2,7]]}"#)?;
/// assert_eq!(ours.missing(&theirs).to_json().as_str(), r#"{"a1":[[4,9]]}"#);
/// assert!(ours.contains(&"7@b2".parse().unwrap()) && !ours.contains(&"3@b2".parse().unwrap()));
/// # Ok::<_, sync_core::tree::VectorError>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct StateVector {
    /// None of the sets is empty.
    peers: BTreeMap<PeerId, RangeSet>,
}

/// A text is not a state vector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a state vector has ascending ranges of clocks for each peer: {0}")]
pub struct VectorError(String);

impl StateVector {
    /// Of nothing.
    pub fn new() -> Self {
        Self::default()
    }

    pub(super) fn from_sets<'a>(sets: impl Iterator<Item = (&'a PeerId, RangeSet)>) -> Self {
        let sets = sets.filter(|(_, ranges)| ranges.n_ranges() > 0);
        Self { peers: sets.map(|(peer, ranges)| (peer.clone(), ranges)).collect() }
    }

    /// Adds an id; `false` when it was there.
    pub fn insert(&mut self, id: &OpId) -> bool {
        match self.peers.get_mut(&id.peer) {
            Some(ranges) => ranges.insert(id.clock.get()),
            None => self.peers.entry(id.peer.clone()).or_default().insert(id.clock.get()),
        }
    }

    /// Whether an id is in it.
    pub fn contains(&self, id: &OpId) -> bool {
        self.peers.get(&id.peer).is_some_and(|ranges| ranges.contains(id.clock.get()))
    }

    /// What is here and not there: what those who have `theirs` are to be sent.
    pub fn missing(&self, theirs: &Self) -> Self {
        let left = self.peers.iter().map(|(peer, ours)| match theirs.peers.get(peer) {
            Some(theirs) => (peer.clone(), ours.without(theirs)),
            None => (peer.clone(), ours.clone()),
        });
        Self { peers: left.filter(|(_, ranges)| ranges.n_ranges() > 0).collect() }
    }

    /// Every range of clocks with its first and last, by peer and ascending.
    ///
    /// ```
    /// use sync_core::tree::StateVector;
    /// let vector = StateVector::parse(r#"{"b2":[[2,2],[4,7]]}"#)?;
    /// let ranges: Vec<_> = vector.ranges().map(|(_, first, last)| (first.get(), last.get())).collect();
    /// assert_eq!(ranges, [(2, 2), (4, 7)]);
    /// # Ok::<_, sync_core::tree::VectorError>(())
    /// ```
    pub fn ranges(&self) -> impl Iterator<Item = (&PeerId, OpClock, OpClock)> {
        let clock = |number| OpClock::new(number).expect("every number in a vector was one of an op");
        let all = self.peers.iter().flat_map(|(peer, ranges)| ranges.iter().map(move |range| (peer, range)));
        all.map(move |(peer, (first, last))| (peer, clock(first), clock(last)))
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }

    /// How many ids are in it.
    pub fn len(&self) -> u64 {
        self.peers.values().map(RangeSet::n_numbers).sum()
    }

    /// As canonical JSON: `{"peer":[[first,last],…],…}`.
    pub fn to_json(&self) -> Json {
        let text = serde_json::to_string(self).expect("a vector consists of texts and numbers");
        // The characters of peer ids need no escapes, their bytes are in order, and clocks are exact in JavaScript.
        Json::from_canonical(text)
    }

    /// Reads the JSON form. Ranges that touch are joined.
    ///
    /// # Errors
    ///
    /// [`VectorError`] when it is another, or longer than a tree can make it: more than 100,000 peers or a million ranges.
    pub fn parse(text: &str) -> Result<Self, VectorError> {
        serde_json::from_str(text).map_err(|error| VectorError(error.to_string()))
    }
}

impl fmt::Debug for StateVector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.to_json().as_str())
    }
}

impl Serialize for StateVector {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.peers.len()))?;
        for (peer, ranges) in &self.peers {
            map.serialize_entry(peer.as_str(), &ranges.iter().collect::<Vec<_>>())?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for StateVector {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Peers)
    }
}

/// Reads the peers one by one, so that a name that is there twice is noticed and nothing is held beyond the limits.
struct Peers;

impl<'de> Visitor<'de> for Peers {
    type Value = StateVector;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("peers with their ranges")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<StateVector, M::Error> {
        let mut vector = StateVector::new();
        let mut n_ranges = 0;
        while let Some(peer) = map.next_key::<PeerId>()? {
            let ranges = read_ranges(&map.next_value::<Vec<(OpClock, OpClock)>>()?)?;
            n_ranges += ranges.n_ranges();
            if n_ranges > RANGES_MAX || vector.peers.len() >= PEERS_MAX {
                return Err(de::Error::custom("it is too long"));
            }
            if ranges.n_ranges() > 0 && vector.peers.insert(peer, ranges).is_some() {
                return Err(de::Error::custom("a peer is there twice"));
            }
        }
        Ok(vector)
    }
}

fn read_ranges<E: de::Error>(pairs: &[(OpClock, OpClock)]) -> Result<RangeSet, E> {
    let mut ranges = RangeSet::default();
    let in_order = pairs.iter().all(|(first, last)| ranges.push(first.get(), last.get()));
    if in_order { Ok(ranges) } else { Err(E::custom("ranges overlap or are out of order")) }
}
