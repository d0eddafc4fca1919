//! After a move people sign in, replicas go on, and nothing is another.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use postgres_testing::Cluster;
use serde_json::json;

use crate::support::server::{Account, Layout, World};
use crate::world::{batch, command, everything, export, fill, import, succeeded};

#[test]
fn a_server_moves_between_the_layouts_and_goes_on() {
    moves_there_and_back(World::new(Layout::FilePerSpace));
}

#[test]
fn a_server_moves_to_postgres_and_back_and_goes_on() {
    let Some(cluster) = Cluster::start(&[]) else { return };
    moves_there_and_back(World::on(&cluster.url(), 1));
}

fn moves_there_and_back(there: World) {
    let files = tempfile::tempdir().unwrap();
    let old = World::new(Layout::OneFile);
    let (accounts, answers) = fill(&old);
    let back = World::new(Layout::OneFile);
    let (first, second) = (files.path().join("first"), files.path().join("second"));

    let told = export(&old, &first);
    assert!(told.contains("exported spaces: 2, records: 10, users: 2, members: 2, "), "{told}");
    let told = import(&there, &first);
    assert!(told.contains("imported spaces: 2, records: 10, users: 2, members: 2, "), "{told}");
    let told = import(&there, &first);
    assert!(told.contains("spaces: 2 (2 there already)"), "{told}");
    export(&there, &second);
    assert!(fs::read(&first).unwrap() == fs::read(&second).unwrap(), "the copy exports another text");
    import(&back, &second);

    let before = {
        let server = old.start();
        let before: Vec<_> = accounts.iter().map(|account| everything(&old, account)).collect();
        server.stop();
        before
    };
    for world in [there, back] {
        let server = world.start();
        for (n, name) in ["ada", "bob"].into_iter().enumerate() {
            let account = world.log_in(name);
            assert_eq!(account.space, accounts[n].space);
            assert_eq!(everything(&world, &account), before[n]);
            goes_on(&world, &account, &answers[n], &before[n]);
        }
        server.stop();
        if !world.is_in_a_database() {
            world.check_files(&accounts);
        }
        world.check_log();
    }
}

/// The last batch again, and one more.
fn goes_on(world: &World, account: &Account, answers: &[serde_json::Value], before: &[serde_json::Value]) {
    let mut http = world.http(account);
    let again = http.post(&account.path("changes"), &batch(5).to_string()).unwrap().ok();
    assert_eq!(again, answers[4]);
    assert_eq!(everything(world, account), before, "a retry changes nothing");
    let next = http.post(&account.path("changes"), &batch(6).to_string()).unwrap().ok();
    assert_eq!(next["outcomes"][0]["outcome"], json!("applied"), "{next}");
    let cursor = before[0]["cursor"].as_str().unwrap();
    let page = http.get(&account.path(&format!("changes?after={cursor}"))).unwrap().ok();
    assert_eq!(page["changes"].as_array().unwrap().len(), 1, "{page}");
}

#[test]
fn one_process_may_hand_the_export_to_the_other() {
    let (old, new) = (World::new(Layout::FilePerSpace), World::new(Layout::OneFile));
    let (accounts, _) = fill(&old);
    let exported = command(&["export", "--quiet", "--store", &old.store(), "-"]).output().unwrap();
    assert_eq!(succeeded(&exported), "");
    let mut child = command(&["import", "--quiet", "--store", &new.store(), "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&exported.stdout).unwrap();
    assert_eq!(succeeded(&child.wait_with_output().unwrap()), "");
    let server = new.start();
    assert_eq!(new.log_in("bob").space, accounts[1].space);
    server.stop();
}

#[test]
fn with_the_same_secret_nobody_has_to_sign_in_again() {
    let files = tempfile::tempdir().unwrap();
    let (old, new) = (World::new(Layout::OneFile), World::new(Layout::OneFile));
    let (accounts, _) = fill(&old);
    export(&old, &files.path().join("all"));
    import(&new, &files.path().join("all"));
    let server = new.start();
    let path = accounts[0].path("changes");
    assert_eq!(new.http(&accounts[0]).get(&path).unwrap().code(), "invalid_token");
    server.stop();
    let secret = |world: &World| world.main_file().with_added_extension("jwt-secret");
    fs::copy(secret(&old), secret(&new)).unwrap();
    let server = new.start();
    new.http(&accounts[0]).get(&path).unwrap().ok();
    server.stop();
}
