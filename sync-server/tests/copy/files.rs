//! Files: never half, never over another, and for their owner alone.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::support::server::{Layout, World};
use crate::world::{export, failed, fill, import, run};

#[test]
fn the_file_is_for_its_owner_alone_and_nothing_is_left_beside_it() {
    let files = tempfile::tempdir().unwrap();
    let world = World::new(Layout::OneFile);
    fill(&world);
    let file = files.path().join("all.ndjson");
    export(&world, &file);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let names: Vec<_> = fs::read_dir(files.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["all.ndjson"]);
}

#[test]
fn a_file_that_is_there_is_not_overwritten() {
    let files = tempfile::tempdir().unwrap();
    let world = World::new(Layout::OneFile);
    fill(&world);
    for name in ["all", "all.part"] {
        fs::write(files.path().join(name), "precious").unwrap();
        let refused = run(&["export", "--store", &world.store(), files.path().join("all").to_str().unwrap()]);
        assert!(failed(&refused).contains(name), "{refused:?}");
        assert_eq!(fs::read_to_string(files.path().join(name)).unwrap(), "precious");
        fs::remove_file(files.path().join(name)).unwrap();
    }
}

#[test]
fn an_export_of_what_is_not_there_or_in_use_is_refused_and_leaves_no_file() {
    let files = tempfile::tempdir().unwrap();
    let file = files.path().join("all");
    for layout in [Layout::OneFile, Layout::FilePerSpace] {
        let world = World::new(layout);
        let refused = failed(&run(&["export", "--store", &world.store(), file.to_str().unwrap()]));
        assert!(refused.contains("no store to export"), "{refused}");
        assert!(!world.main_file().exists(), "an export made a store");
        let server = world.start();
        for command in ["export", "import"] {
            fs::write(files.path().join("import"), "").unwrap();
            let name = if command == "export" { &file } else { &files.path().join("import") };
            let refused = failed(&run(&[command, "--store", &world.store(), name.to_str().unwrap()]));
            assert!(refused.contains("another process uses this data"), "{refused}");
        }
        server.stop();
        assert!(!file.exists());
    }
    let refused = failed(&run(&["import", "--store", "memory:", file.to_str().unwrap()]));
    assert!(refused.contains("memory"), "{refused}");
    assert_eq!(fs::read_dir(files.path()).unwrap().count(), 1);
}

#[test]
fn a_damaged_export_is_refused_with_its_line_and_the_whole_one_goes_in_after_it() {
    let files = tempfile::tempdir().unwrap();
    let (whole, damaged) = (files.path().join("whole"), files.path().join("damaged"));
    let old = World::new(Layout::OneFile);
    let (accounts, _) = fill(&old);
    export(&old, &whole);
    let text = fs::read(&whole).unwrap();
    let n_lines = text.iter().filter(|byte| **byte == b'\n').count();
    for layout in [Layout::OneFile, Layout::FilePerSpace] {
        let new = World::new(layout);
        for n in (0..n_lines).step_by(3) {
            let at = text.split_inclusive(|byte| *byte == b'\n').take(n).map(<[u8]>::len).sum::<usize>();
            let mut flipped = text.clone();
            flipped[at + 5] ^= 1;
            for (bytes, line) in [(&flipped[..], n + 1), (&text[..at], n)] {
                fs::write(&damaged, bytes).unwrap();
                let refused = failed(&run(&["import", "--store", &new.store(), damaged.to_str().unwrap()]));
                assert!(n == 0 || refused.contains(&format!("line {line}")), "{refused}");
            }
        }
        let told = import(&new, &whole);
        assert!(told.contains("records: 10, users: 2"), "{told}");
        let server = new.start();
        assert_eq!(new.log_in("ada").space, accounts[0].space);
        server.stop();
    }
}

#[test]
fn a_store_with_something_else_in_it_is_left_as_it_is() {
    let files = tempfile::tempdir().unwrap();
    let file = files.path().join("all");
    let (old, other) = (World::new(Layout::OneFile), World::new(Layout::OneFile));
    let (accounts, _) = fill(&old);
    export(&old, &file);
    import(&other, &file);
    let server = other.start();
    let ada = other.log_in("ada");
    let body = crate::world::batch(6).to_string();
    other.http(&ada).post(&ada.path("changes"), &body).unwrap().ok();
    server.stop();
    let before = fs::read(other.main_file()).unwrap();
    let refused = failed(&run(&["import", "--store", &other.store(), file.to_str().unwrap()]));
    assert!(refused.contains(&accounts[0].space) && refused.contains("was not touched"), "{refused}");
    assert!(fs::read(other.main_file()).unwrap() == before);
}
