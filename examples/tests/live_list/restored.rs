//! A server that ends, and one that comes back as it was before.

use std::fs;
use std::path::Path;

use crate::world::{World, assert_converged};

#[test]
fn pages_go_on_when_the_server_was_restarted() {
    let Some((mut world, ada, bob)) = World::with_two() else { return };
    ada.add("milk");
    bob.wait_items(&[("milk", false)]);
    world.restart(|_| {});
    bob.tick("milk");
    assert_converged([&ada, &bob], &[("milk", true)]);
}

#[test]
fn a_server_that_was_restored_from_a_backup_costs_no_unsent_edit() {
    let Some((mut world, ada, bob)) = World::with_two() else { return };
    ada.add("milk");
    ada.add("bread");
    bob.wait_items(&[("milk", false), ("bread", false)]);
    let backup = tempfile::tempdir().unwrap();
    world.restart(|data| copy(data, backup.path()));
    ada.come_back();
    bob.come_back();
    ada.tick("milk");
    ada.add("soap");
    bob.wait_items(&[("milk", true), ("bread", false), ("soap", false)]);
    bob.cut_off();
    bob.rewrite("bread", "rye bread");
    // The server will never have heard of the version that this was based on.
    bob.rewrite("milk", "oat milk");
    bob.add("salt");
    world.restart(|data| copy(backup.path(), data));
    bob.come_back();
    // What was done after the backup is gone, from the pages too. What had not been sent is there.
    assert_converged([&ada, &bob], &[("oat milk", false), ("rye bread", false), ("salt", false)]);
}

/// Makes the files of a folder those of another.
fn copy(from: &Path, to: &Path) {
    for old in files(to) {
        fs::remove_file(old).unwrap();
    }
    for file in files(from) {
        let copied = to.join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(copied.parent().unwrap()).unwrap();
        fs::copy(&file, copied).unwrap();
    }
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] })
        .filter(|path| path.is_file())
        .collect()
}
