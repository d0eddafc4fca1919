//! The n-th write or sync fails: what the server then says yes to must be there all the same.
//!
//! strace makes the calls fail. It counts per thread and a connection is one, so with a new connection after every
//! error the fault comes again and again.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::support::check::check;
use crate::support::crowd::account;
use crate::support::http::Answer;
use crate::support::reader::Reader;
use crate::support::rig::{run, skipped};
use crate::support::rng::Rng;
use crate::support::server::{Account, Layout, Process, World};
use crate::support::writer::Writer;

/// Pushes under a fault: enough for the last of them to be reached.
const PUSHES: usize = 12;

/// Calls, their error, and which of them fails.
type Fault = (&'static str, &'static str, usize);

#[test]
fn nothing_is_acknowledged_that_could_not_be_synced() {
    let faults = (1..=4).map(|n| ("fsync,fdatasync", "EIO", n));
    survive_faults("failing sync, one file", Layout::OneFile, faults.clone());
    survive_faults("failing sync, file per space", Layout::FilePerSpace, faults);
}

#[test]
fn nothing_is_acknowledged_that_could_not_be_written() {
    let faults =
        [("pwrite64", "EIO", 1), ("pwrite64", "EIO", 2), ("pwrite64", "EIO", 5), ("pwrite64", "EIO", 9)];
    survive_faults("failing write, one file", Layout::OneFile, faults.into_iter());
    let faults = [("pwrite64", "ENOSPC", 1), ("pwrite64", "ENOSPC", 3), ("pwrite64", "ENOSPC", 8)];
    survive_faults("full disk, file per space", Layout::FilePerSpace, faults.into_iter());
}

fn survive_faults(test: &str, layout: Layout, faults: impl Iterator<Item = Fault>) {
    if let Err(why) = run("strace", &["-f", "-e", "trace=none", "true"]) {
        return skipped(test, &why);
    }
    let mut rng = Rng::seeded(test);
    let world = World::new(layout);
    let mut server = world.start();
    let ada = account(&world, "ada");
    let mut writer = Writer::new(&world, &ada, "writer-0", rng.fork());
    let mut reader = Reader::new(&world, &ada, 5, 0);
    let file = world.file_of(&ada).display().to_string();
    writer.step();
    for fault in faults {
        let before = writer.counts;
        let mut strace = inject(&[&file, &format!("{file}-wal")], &server, fault);
        let n_answered = push_until_refused(&mut writer);
        let (calls, error, n) = fault;
        println!("{test}: {calls} {error} {n}: {n_answered} answered first, {:?}", writer.counts);
        assert!(n_answered < n || !calls.contains("sync"), "I1: acknowledged without a sync");
        assert!(writer.counts.refused() > before.refused(), "the fault should hit something");
        assert_eq!(writer.counts.full > before.full, error == "ENOSPC", "{:?}", writer.counts);
        server.kill();
        strace.wait().unwrap();
        server = world.start();
        writer.finish();
        reader.finish();
    }
    check(&world, &ada, &mut [writer], &mut [reader]);
    server.stop();
    world.check_files(&[ada]);
}

#[test]
fn a_space_whose_creation_was_acknowledged_is_there() {
    let test = "failing creation";
    if let Err(why) = run("strace", &["-f", "-e", "trace=none", "true"]) {
        return skipped(test, &why);
    }
    let world = World::new(Layout::FilePerSpace);
    let mut server = world.start();
    let mut accounts = vec![account(&world, "ada")];
    let mut n_refused = 0;
    let calls = [("fsync,fdatasync", "EIO"), ("rename", "EIO"), ("pwrite64", "ENOSPC"), ("openat", "EMFILE")];
    for (calls, error) in calls {
        for n in [1, 2, 4] {
            let mut strace = inject(&[], &server, (calls, error, n));
            let names = [1, 2].map(|attempt| format!("{error}-{}-{n}-{attempt}", &calls[..5]));
            let told = names.each_ref().map(|name| world.try_register(name));
            server.kill();
            strace.wait().unwrap();
            server = world.start();
            for (name, told) in names.iter().zip(told) {
                n_refused += usize::from(told.is_err());
                accounts.push(told.unwrap_or_else(|refusal| again(&world, name, &refusal)));
            }
            for account in &accounts {
                world.http(account).get(&account.path("changes")).unwrap().ok();
            }
        }
    }
    println!("{test}: {} created, {n_refused} refused at first", accounts.len());
    assert!(n_refused > 0, "the faults should hit something");
    server.stop();
    world.check_files(&accounts);
}

/// A user who was refused is not there, or is there with a space.
fn again(world: &World, name: &str, refusal: &Answer) -> Account {
    assert!(matches!(refusal.status, 503 | 507), "{name}: {refusal:?}");
    refusal.code();
    match world.try_register(name) {
        Ok(account) => account,
        Err(taken) if taken.code() == "username_taken" => world.log_in(name),
        Err(refusal) => panic!("{name}: {refusal:?}"),
    }
}

/// Pushes; says how many were answered before the first that was not.
fn push_until_refused(writer: &mut Writer) -> usize {
    let before = writer.counts;
    let mut n_answered = None;
    for _ in 0..PUSHES {
        writer.step();
        if writer.counts.refused() > before.refused() {
            n_answered.get_or_insert(writer.counts.answered - before.answered);
        }
    }
    n_answered.unwrap_or(writer.counts.answered - before.answered)
}

/// From now on every n-th such call of a thread of the server fails, if it is on one of the files, or on any if there
/// are none.
fn inject(files: &[&str], server: &Process, (calls, error, n): Fault) -> Child {
    let mut command = Command::new("strace");
    command.args(["-f", "-p", &server.id().to_string(), "-e", &format!("trace={calls}")]);
    command.args(["-e", &format!("inject={calls}:error={error}:when={n}")]);
    for file in files {
        command.args(["-P", file]);
    }
    let mut strace = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(strace.stderr.take().unwrap());
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    assert!(line.contains("attached"), "{line}");
    // strace must never wait for someone to read.
    std::thread::spawn(move || std::io::copy(&mut stderr, &mut std::io::sink()));
    strace
}
