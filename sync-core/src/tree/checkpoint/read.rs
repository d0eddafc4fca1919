//! From bytes to a state.

use xxhash_rust::xxh3::xxh3_64;

use crate::json::Json;
use crate::tree::checkpoint::bytes::Reader;
use crate::tree::checkpoint::{MAGIC, VERSION};
use crate::tree::error::CheckpointError;
use crate::tree::state::TreeState;
use crate::tree::state::clocks::Clocks;
use crate::tree::state::held::{Held, HeldAction};
use crate::tree::state::intern::Names;
use crate::tree::state::moves::Move;
use crate::tree::state::registers::{Loser, Registers, Write};
use crate::tree::state::shape::TOP;
use crate::types::{NameError, OpClock, PeerId, PropertyKey, VertexId};

type Read<T> = Result<T, CheckpointError>;

const DAMAGED: fn(&'static str) -> CheckpointError = CheckpointError::Damaged;

pub(super) fn restore(bytes: &[u8]) -> Read<TreeState> {
    let (content, checksum) = bytes.split_last_chunk().ok_or(CheckpointError::NotOne)?;
    let rest = content.strip_prefix(MAGIC).ok_or(CheckpointError::NotOne)?;
    let (version, body) = rest.split_first_chunk().ok_or(CheckpointError::NotOne)?;
    match u16::from_le_bytes(*version) {
        VERSION if xxh3_64(content) != u64::from_le_bytes(*checksum) => {
            Err(DAMAGED("its checksum is another"))
        }
        VERSION => Restoring { from: Reader(body), tree: TreeState::new() }.run(),
        other => Err(CheckpointError::Version(other)),
    }
}

/// A state that is being read. The checksum has been found to be right; that nothing refers to what is not there is looked
/// at nevertheless, since bytes must never bring a program down.
struct Restoring<'a> {
    from: Reader<'a>,
    tree: TreeState,
}

impl Restoring<'_> {
    fn run(mut self) -> Read<TreeState> {
        let clock = self.from.number()?;
        self.tree.clock =
            (clock > 0).then(|| OpClock::new(clock)).transpose().map_err(|_| DAMAGED("no clock"))?;
        for peer in self.names(|text| PeerId::new(text))?.iter() {
            self.tree.peers.intern(peer);
        }
        self.tree.vertices = self.names(|text| VertexId::new(text))?;
        self.tree.keys = self.names(|text| PropertyKey::new(text))?;
        self.clocks()?;
        self.tree.grow(self.tree.vertices.len());
        self.existing()?;
        self.moves()?;
        self.registers()?;
        self.losers()?;
        self.waiting()?;
        if self.from.0.is_empty() { Ok(self.tree) } else { Err(DAMAGED("something is behind its end")) }
    }

    fn names<N: Clone + Eq + std::hash::Hash>(
        &mut self,
        name: fn(&str) -> Result<N, NameError>,
    ) -> Read<Names<N>> {
        let n_names = self.from.count()?;
        let mut names = Names::with_capacity(n_names);
        for _ in 0..n_names {
            let name = name(self.from.text()?).map_err(|_| DAMAGED("a name is none"))?;
            if !names.push(name) {
                return Err(DAMAGED("a name is there twice"));
            }
        }
        Ok(names)
    }

    fn clocks(&mut self) -> Read<()> {
        let mut n_left = self.from.0.len() as u64;
        for _ in 0..self.tree.peers.len() {
            let mut clocks = Clocks::default();
            let mut end = 0_u64;
            for _ in 0..self.from.count()? {
                let first = end.saturating_add(self.from.number()?);
                let n_more = self.from.number()?;
                // Every op takes a byte at least, so that there cannot be more of them.
                n_left = n_left.checked_sub(n_more).ok_or(DAMAGED("it has fewer ops than it says"))?;
                end = first.saturating_add(n_more);
                let valid = OpClock::new(first).and(OpClock::new(end)).is_ok();
                if !valid || !(first..=end).all(|clock| clocks.insert(clock)) {
                    return Err(DAMAGED("clocks are out of order"));
                }
            }
            self.tree.seen.push(clocks);
        }
        Ok(())
    }

    fn existing(&mut self) -> Read<()> {
        let n_vertices = self.tree.exists.len();
        let bytes = self.from.take(n_vertices.div_ceil(8))?;
        for (vertex, exists) in self.tree.exists.iter_mut().enumerate() {
            *exists = bytes[vertex / 8] >> (vertex % 8) & 1 == 1;
        }
        self.tree.n_existing = self.tree.exists.iter().filter(|exists| **exists).count();
        Ok(())
    }

    fn moves(&mut self) -> Read<()> {
        let n_moves = self.from.count()?;
        self.tree.log.moves.reserve_exact(n_moves);
        let mut last = (0, 0);
        for n_before in 0..n_moves {
            let time = (self.clock_after(last.0)?, self.peer()?);
            let target = self.existing_vertex()?;
            let parent = self.from.number()?;
            let is_effective = parent & 1 == 1;
            let parent = match parent >> 1 {
                0 => TOP,
                parent => self.check_existing(parent - 1)?,
            };
            if n_before > 0 && self.tree.peers.order(last, time).is_ge() {
                return Err(DAMAGED("moves are out of order"));
            }
            self.tree.put_back(Move::new(time.0, time.1, target, parent), is_effective);
            last = time;
        }
        if self.tree.finish_moves() { Ok(()) } else { Err(DAMAGED("vertices are below themselves")) }
    }

    fn registers(&mut self) -> Read<()> {
        let n_registers = self.from.count()?;
        self.tree.registers = Registers::with_capacity(n_registers);
        self.tree.registers.grow(self.tree.exists.len());
        for _ in 0..n_registers {
            let (vertex, key) = (self.existing_vertex()?, self.key()?);
            let (clock, peer) = (self.clock()?, self.peer()?);
            let value = self.value()?;
            if !self.tree.registers.add(Write { vertex, key, clock, peer, value }) {
                return Err(DAMAGED("a property is there twice"));
            }
        }
        Ok(())
    }

    fn losers(&mut self) -> Read<()> {
        let n_losers = self.from.count()?;
        self.tree.registers.losers.reserve_exact(n_losers);
        for _ in 0..n_losers {
            let (clock, peer) = (self.clock()?, self.peer()?);
            let bytes = self.from.take(8)?.first_chunk().copied().unwrap_or_default();
            let fingerprint = u64::from_le_bytes(bytes);
            self.tree.registers.losers.push(Loser { clock, fingerprint, peer });
        }
        Ok(())
    }

    fn waiting(&mut self) -> Read<()> {
        for _ in 0..self.from.count()? {
            let (clock, peer, target) = (self.clock()?, self.peer()?, self.vertex()?);
            let action = match self.from.number()? {
                0 => HeldAction::Move { parent: self.vertex()? },
                1 => HeldAction::Set { key: self.key()?, value: self.value()? },
                _ => return Err(DAMAGED("an op is neither move nor write")),
            };
            let held = Held::new(clock, peer, target, action);
            if self.tree.exists[held.waits_for() as usize] {
                return Err(DAMAGED("an op waits for what is there"));
            }
            self.tree.waiting.hold(held);
        }
        Ok(())
    }

    fn value(&mut self) -> Read<Option<Json>> {
        let text = self.from.text()?;
        Ok((!text.is_empty()).then(|| Json::from_canonical(text)))
    }

    fn clock(&mut self) -> Read<u64> {
        OpClock::new(self.from.number()?).map(OpClock::get).map_err(|_| DAMAGED("no clock"))
    }

    /// A clock by its distance from another.
    fn clock_after(&mut self, last: u64) -> Read<u64> {
        let clock = last.saturating_add(self.from.number()?);
        OpClock::new(clock).map(OpClock::get).map_err(|_| DAMAGED("no clock"))
    }

    fn peer(&mut self) -> Read<u32> {
        self.from.below(self.tree.peers.len() as u64)
    }

    fn key(&mut self) -> Read<u32> {
        self.from.below(self.tree.keys.len() as u64)
    }

    fn vertex(&mut self) -> Read<u32> {
        self.from.below(self.tree.vertices.len() as u64)
    }

    fn existing_vertex(&mut self) -> Read<u32> {
        let vertex = self.from.number()?;
        self.check_existing(vertex)
    }

    fn check_existing(&self, vertex: u64) -> Read<u32> {
        let vertex = u32::try_from(vertex).map_err(|_| DAMAGED("no vertex"))?;
        let exists = self.tree.exists.get(vertex as usize).copied().unwrap_or_default();
        if exists { Ok(vertex) } else { Err(DAMAGED("a vertex is not there")) }
    }
}
