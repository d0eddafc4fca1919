//! Properties: for each vertex and key the greatest write wins.

use std::cmp::Ordering;
use std::collections::HashMap;

use crate::json::Json;
use crate::tree::state::intern::Peers;
use crate::tree::state::known::fingerprint_of_write;

/// Stands for the end of a list of registers.
const NONE: u32 = u32::MAX;

/// As many properties of a vertex are looked through; those of vertices with more are looked up. Most have three.
const LISTED_MAX: usize = 8;

/// One property of one vertex. A removed property keeps the id of its removal.
#[derive(Clone, Debug)]
pub(in crate::tree) struct Register {
    pub(in crate::tree) vertex: u32,
    pub(in crate::tree) key: u32,
    pub(in crate::tree) clock: u64,
    pub(in crate::tree) peer: u32,
    /// The next register of the vertex.
    next: u32,
    pub(in crate::tree) value: Option<Json>,
}

/// A write that lost. It is counted, and known when it comes again; its value is not kept.
#[derive(Clone, Copy, Debug)]
pub(in crate::tree) struct Loser {
    pub(in crate::tree) clock: u64,
    pub(in crate::tree) fingerprint: u64,
    pub(in crate::tree) peer: u32,
}

/// All properties.
#[derive(Clone, Debug, Default)]
pub(in crate::tree) struct Registers {
    pub(in crate::tree) all: Vec<Register>,
    pub(in crate::tree) losers: Vec<Loser>,
    /// The places of all registers of vertices that have more than a few.
    by_key: HashMap<(u32, u32), u32>,
    /// The first register of each vertex.
    first: Vec<u32>,
}

impl Registers {
    /// Makes room for vertices up to a number.
    pub(in crate::tree) fn grow(&mut self, n_vertices: usize) {
        self.first.resize(n_vertices, NONE);
    }

    pub(in crate::tree) fn with_capacity(n_registers: usize) -> Self {
        Self {
            by_key: HashMap::with_capacity(n_registers),
            all: Vec::with_capacity(n_registers),
            ..Self::default()
        }
    }

    /// Takes in a write. `true` when it won.
    pub(super) fn write(&mut self, write: Write, peers: &Peers) -> bool {
        let Some(place) = self.place(write.vertex, write.key) else {
            self.push(write);
            return true;
        };
        let register = &mut self.all[place as usize];
        if peers.order((write.clock, write.peer), (register.clock, register.peer)) == Ordering::Greater {
            self.losers.push(register.loser());
            (register.clock, register.peer, register.value) = (write.clock, write.peer, write.value);
            return true;
        }
        let Write { vertex, key, clock, peer, value } = write;
        self.losers.push(Loser {
            clock,
            peer,
            fingerprint: fingerprint_of_write(vertex, key, value.as_ref()),
        });
        false
    }

    /// Adds the first write of a property; `false` when there is one.
    pub(in crate::tree) fn add(&mut self, write: Write) -> bool {
        let is_new = self.place(write.vertex, write.key).is_none();
        if is_new {
            self.push(write);
        }
        is_new
    }

    fn place(&self, vertex: u32, key: u32) -> Option<u32> {
        let mut place = self.first[vertex as usize];
        for _ in 0..LISTED_MAX {
            let register = self.all.get(place as usize)?;
            if register.key == key {
                return Some(place);
            }
            place = register.next;
        }
        if place == NONE { None } else { self.by_key.get(&(vertex, key)).copied() }
    }

    fn push(&mut self, write: Write) {
        let Write { vertex, key, clock, peer, value } = write;
        let place = self.all.len() as u32;
        let next = std::mem::replace(&mut self.first[vertex as usize], place);
        self.all.push(Register { vertex, key, clock, peer, next, value });
        let n_listed = self.of(vertex).take(LISTED_MAX + 2).count();
        if n_listed == LISTED_MAX + 1 {
            let listed: Vec<u32> = self.places_of(vertex).collect();
            self.by_key
                .extend(listed.into_iter().map(|place| ((vertex, self.all[place as usize].key), place)));
        } else if n_listed > LISTED_MAX {
            self.by_key.insert((vertex, key), place);
        }
    }

    /// One property.
    pub(in crate::tree) fn get(&self, vertex: u32, key: u32) -> Option<&Register> {
        self.place(vertex, key).map(|place| &self.all[place as usize])
    }

    /// The properties of a vertex, removed ones among them.
    pub(in crate::tree) fn of(&self, vertex: u32) -> impl Iterator<Item = &Register> {
        self.places_of(vertex).map(|place| &self.all[place as usize])
    }

    fn places_of(&self, vertex: u32) -> impl Iterator<Item = u32> {
        let some = |place: u32| (place != NONE).then_some(place);
        std::iter::successors(some(self.first[vertex as usize]), move |place| {
            some(self.all[*place as usize].next)
        })
    }
}

impl Register {
    fn loser(&self) -> Loser {
        Loser { clock: self.clock, peer: self.peer, fingerprint: self.fingerprint() }
    }

    pub(super) fn fingerprint(&self) -> u64 {
        fingerprint_of_write(self.vertex, self.key, self.value.as_ref())
    }
}

/// A write to a property.
#[derive(Debug)]
pub(in crate::tree) struct Write {
    pub(in crate::tree) vertex: u32,
    pub(in crate::tree) key: u32,
    pub(in crate::tree) clock: u64,
    pub(in crate::tree) peer: u32,
    pub(in crate::tree) value: Option<Json>,
}
