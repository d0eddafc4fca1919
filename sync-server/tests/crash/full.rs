//! A full disk: refused in words, read from as before, and forgotten once there is room.

use std::path::Path;

use crate::support::check::check;
use crate::support::crowd::account;
use crate::support::dump::Dump;
use crate::support::reader::Reader;
use crate::support::rig::{Mount, skipped};
use crate::support::rng::Rng;
use crate::support::server::{Layout, World};
use crate::support::writer::Writer;

/// Size of the disk: room for the files of an empty server and a few hundred records.
const DISK_KIB: u64 = 16 << 10;
/// What is freed later: room for the pushes that follow, for a log of writes that was not copied back yet, and for that.
const BALLAST_BYTES: usize = 11 << 20;
/// Pushes until the disk must be full, many times over.
const PUSHES_MAX: usize = 2_000;
/// Pushes on the full disk: each must be refused or be there.
const PUSHES_WHEN_FULL: usize = 40;
/// Pushes that must succeed afterwards.
const PUSHES_AFTER: usize = 20;

#[test]
fn a_full_disk_refuses_writes_serves_reads_and_recovers_with_one_file() {
    survive_full_disk("full disk, one file", Layout::OneFile);
}

#[test]
fn a_full_disk_refuses_writes_serves_reads_and_recovers_with_a_file_per_space() {
    survive_full_disk("full disk, file per space", Layout::FilePerSpace);
}

fn survive_full_disk(test: &str, layout: Layout) {
    let disk = match Mount::in_memory(DISK_KIB) {
        Ok(disk) => disk,
        Err(why) => return skipped(test, &why),
    };
    let mut rng = Rng::seeded(test);
    let ballast = disk.path().join("ballast");
    std::fs::write(&ballast, vec![1; BALLAST_BYTES]).unwrap();
    let world = World::at(&disk.path().join("data"), layout);
    let server = world.start();
    let ada = account(&world, "ada");
    let mut writers = [
        Writer::new(&world, &ada, "writer-0", rng.fork()).padded(4000),
        Writer::new(&world, &ada, "writer-1", rng.fork()).padded(4000).following(),
    ];
    let mut reader = Reader::new(&world, &ada, 5, 0);
    fill(&mut writers, &world, disk.path());
    for writer in &mut writers {
        for _ in 0..PUSHES_WHEN_FULL {
            writer.step();
        }
    }
    // Everything acknowledged can still be read.
    reader.finish();
    let n_seen = reader.view.0.len();
    assert_eq!(Dump::of(&world, &ada).view.0.len(), n_seen);
    assert!(n_seen > 50, "{n_seen} records fitted on the disk");
    let answer = world.http(&ada).get("/ready").unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");

    std::fs::remove_file(&ballast).unwrap();
    // The file system gives the room back with the next commit of its journal, and to others before.
    assert!(std::process::Command::new("sync").status().unwrap().success());
    std::thread::sleep(std::time::Duration::from_secs(2));
    for writer in &mut writers {
        writer.finish();
        let n_before = writer.counts.refused();
        for _ in 0..PUSHES_AFTER {
            writer.step();
        }
        assert_eq!(writer.counts.refused(), n_before, "refused although there is room: {}", world.log());
        println!("{test}: {:?}", writer.counts);
    }
    let bob = account(&world, "bob");
    check(&world, &ada, &mut writers, &mut [reader]);
    server.stop();
    world.check_files(&[ada, bob]);
}

/// Pushes until the disk is full.
fn fill(writers: &mut [Writer; 2], world: &World, disk: &Path) {
    for n in 0..PUSHES_MAX {
        let writer = &mut writers[n % 2];
        writer.step();
        if writer.counts.full > 0 {
            return;
        }
    }
    panic!("{} does not get full: {}", disk.display(), world.log());
}
