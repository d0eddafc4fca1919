//! Many clients at once: writers and readers of a few spaces, each in a thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;

use serde_json::json;

use super::check::check;
use super::reader::Reader;
use super::rng::Rng;
use super::server::{Account, World};
use super::writer::{BOARD, Counts, Writer};

/// Clients of one space that are at work.
pub(crate) struct Crowd {
    account: Account,
    stop_writing: Arc<AtomicBool>,
    stop_reading: Arc<AtomicBool>,
    writers: Vec<JoinHandle<Writer>>,
    readers: Vec<JoinHandle<Reader>>,
}

/// Someone with a space in which there is the record that all writers patch.
pub(crate) fn account(world: &World, name: &str) -> Account {
    let account = world.register(name);
    let (collection, id) = BOARD;
    let put = json!({"op": "put", "collection": collection, "id": id, "data": {}});
    let body = json!({"mutations": [put]}).to_string();
    world.http(&account).post(&account.path("changes"), &body).unwrap().ok();
    account
}

impl Crowd {
    /// Sends clients to a space: every other writer pulls with its pushes, every other reader polls long.
    pub(crate) fn new(world: &World, account: &Account, n: (usize, usize), rng: &mut Rng) -> Self {
        let (stop_writing, stop_reading) = <(Arc<AtomicBool>, Arc<AtomicBool>)>::default();
        let writers = (0..n.0).map(|idx| {
            let writer = Writer::new(world, account, &format!("writer-{idx}"), rng.fork());
            let writer = if idx % 2 == 0 { writer } else { writer.following() };
            let stop = Arc::clone(&stop_writing);
            std::thread::spawn(move || write(writer, &stop))
        });
        let writers = writers.collect();
        let readers = (0..n.1).map(|idx| {
            let reader = Reader::new(world, account, 3 + rng.below(5), idx % 2);
            let stop = Arc::clone(&stop_reading);
            std::thread::spawn(move || read(reader, &stop))
        });
        let readers = readers.collect();
        Self { account: account.clone(), stop_writing, stop_reading, writers, readers }
    }

    /// Tells the writers to begin nothing new.
    pub(crate) fn stop_writing(&self) {
        self.stop_writing.store(true, Relaxed);
    }

    /// Waits until everything is answered and read, and checks it all.
    pub(crate) fn finish(self, world: &World) -> (Counts, usize) {
        self.stop_writing();
        let mut writers: Vec<Writer> =
            self.writers.into_iter().map(|writer| writer.join().unwrap()).collect();
        self.stop_reading.store(true, Relaxed);
        let mut readers: Vec<Reader> =
            self.readers.into_iter().map(|reader| reader.join().unwrap()).collect();
        check(world, &self.account, &mut writers, &mut readers);
        let counts = writers.iter().fold(Counts::default(), |sum, writer| sum.plus(writer.counts));
        (counts, readers.iter().map(|reader| reader.n_pages).sum())
    }
}

fn write(mut writer: Writer, stop: &AtomicBool) -> Writer {
    while !stop.load(Relaxed) {
        writer.step();
    }
    writer.finish();
    writer
}

fn read(mut reader: Reader, stop: &AtomicBool) -> Reader {
    while !stop.load(Relaxed) {
        reader.step();
    }
    reader
}
