//! Power cuts: only what was synced is there afterwards.
//!
//! The data is on an ext4 of its own, which is shut down without writing its journal. A control that acknowledges
//! without syncing must lose rows on the same disk, or the disk shows nothing and the test says so.

use std::path::Path;
use std::thread::sleep;

use crate::support::crowd::{Crowd, account};
use crate::support::rig::{Mount, skipped};
use crate::support::rng::{Rng, from_env};
use crate::support::server::{Layout, Process, World};

/// Room for the image of a disk.
const MEMORY_KIB: u64 = 80 << 10;
/// Rows that the control writes.
const CONTROL_ROWS: i64 = 200;

#[test]
fn nothing_acknowledged_is_lost_when_the_power_fails_under_one_file() {
    survive_cuts("power cut, one file", Layout::OneFile);
}

#[test]
fn nothing_acknowledged_is_lost_when_the_power_fails_under_a_file_per_space() {
    survive_cuts("power cut, file per space", Layout::FilePerSpace);
}

fn survive_cuts(test: &str, layout: Layout) {
    // The image is in memory: what a cut takes is what the file system had not written to it, and no other load on the
    // machine's disk can hold up its syncs.
    let memory = Mount::in_memory(MEMORY_KIB);
    let disk = memory
        .as_ref()
        .map_err(Clone::clone)
        .and_then(|memory| disk_that_forgets(&memory.path().join("image")));
    let disk = match disk {
        Ok(disk) => disk,
        Err(why) => return skipped(test, &why),
    };
    let mut rng = Rng::seeded(test);
    let world = World::at(&disk.path().join("data"), layout);
    let mut server = world.start();
    let mut accounts = vec![account(&world, "ada")];
    let crowd = Crowd::new(&world, &accounts[0], (4, 2), &mut rng);
    for cycle in 0..from_env("SYNC_CRASH_CUTS", 3) {
        sleep(rng.millis(100..600));
        // F-13: a space whose creation was acknowledged just before is there with its file.
        accounts.push(account(&world, &format!("user-{cycle}")));
        server = cut(&disk, &world, server);
        let newest = accounts.last().unwrap();
        world.http(newest).get(&newest.path("records/shared/board")).unwrap().ok();
    }
    sleep(rng.millis(100..300));
    let (counts, n_pages) = crowd.finish(&world);
    println!("{test}: {counts:?}, {n_pages} pages");
    assert!(counts.unanswered + counts.refused() > 0, "the cuts should hit something: {counts:?}");
    server.stop();
    world.check_files(&accounts);
}

/// Cuts the power under a running server, and starts another when it is back.
///
/// The server is held still first. Like the machine it would be dead, and must not send an answer that it owes to a
/// sync that began before the cut: Linux may return from that with success although the journal is gone.
fn cut(disk: &Mount, world: &World, server: Process) -> Process {
    server.freeze();
    disk.cut_power().unwrap();
    server.kill();
    disk.restore_power().unwrap();
    world.start()
}

/// A disk on which it shows whether someone syncs.
fn disk_that_forgets(image: &Path) -> Result<Mount, String> {
    let disk = Mount::ext4(image)?;
    let file = disk.path().join("control.db");
    let control = rusqlite::Connection::open(&file).unwrap();
    control
        .execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; CREATE TABLE rows (n)")
        .unwrap();
    // What is there before the rows is on the disk for certain.
    control.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    for n in 0..CONTROL_ROWS {
        control.execute("INSERT INTO rows VALUES (?1)", [n]).unwrap();
    }
    disk.cut_power()?;
    drop(control);
    disk.restore_power()?;
    let control = rusqlite::Connection::open(&file).unwrap();
    let n_kept: i64 = control.query_row("SELECT count(*) FROM rows", [], |row| row.get(0)).unwrap();
    if n_kept == CONTROL_ROWS {
        return Err("the disk keeps what was not synced, so it cannot show a loss".to_owned());
    }
    println!("the control lost {} of {CONTROL_ROWS} rows", CONTROL_ROWS - n_kept);
    Ok(disk)
}
