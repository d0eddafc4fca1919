//! What clients know, held against what the server says in the end.

use super::dump::Dump;
use super::reader::Reader;
use super::server::{Account, World};
use super::writer::{BOARD, Writer};

/// Checks a space that is quiet: all batches are answered.
pub(crate) fn check(world: &World, account: &Account, writers: &mut [Writer], readers: &mut [Reader]) {
    let dump = Dump::of(world, account);
    for writer in writers.iter() {
        check_own(&dump, writer);
        check_log_of(&dump, writer);
    }
    check_log(&dump);
    check_board(&dump, writers);
    for reader in readers {
        reader.finish();
        reader.view.assert_is(&dump.view, "I3: a reader that chained cursors");
    }
    for writer in writers {
        let Some(follows) = writer.follows.take() else { continue };
        let view = follows.caught_up(world, account);
        view.assert_is(&dump.view, "I3, I9: a writer that pulled with its pushes");
    }
}

/// I1, I2: every record is as its only writer left it.
pub(crate) fn check_own(dump: &Dump, writer: &Writer) {
    for (idx, own) in writer.own.iter().enumerate() {
        let stored = dump.view.0.get(&writer.key(idx));
        assert_eq!(stored.map_or(0, |seen| seen.version), own.version, "I1: {:?}", writer.key(idx));
        assert_eq!(stored.and_then(|seen| seen.data.clone()), own.data, "I1: {:?}", writer.key(idx));
    }
}

/// I2: every batch took effect once.
fn check_log_of(dump: &Dump, writer: &Writer) {
    let n_mutations: u64 =
        dump.log_of(&writer.client).map(|entry| entry["n_mutations"].as_u64().unwrap()).sum();
    assert_eq!(n_mutations, writer.next - 1, "I2: mutations of {}", writer.client);
    let n_batches = dump.log_of(&writer.client).count();
    assert_eq!(n_batches, writer.counts.answered, "I2: batches of {}", writer.client);
}

/// I3, I5: the log has no gap, and its positions never go back.
fn check_log(dump: &Dump) {
    for (number, entry) in (1..).zip(&dump.log) {
        assert_eq!(entry["entry"], number, "I3: the log has a gap");
    }
    let heads: Vec<i64> = dump.log.iter().map(|entry| entry["head"].as_i64().unwrap()).collect();
    assert!(heads.is_sorted(), "I5: the log went back in time");
}

/// I2: the record that all patch holds everyone's last number.
fn check_board(dump: &Dump, writers: &[Writer]) {
    let board = &dump.view.0[&(BOARD.0.to_owned(), BOARD.1.to_owned())];
    let board = board.data.as_ref().unwrap();
    for writer in writers {
        let stored = board[&writer.client].as_u64().unwrap_or(0);
        assert_eq!(stored, writer.n_patches, "I2: patches of {}", writer.client);
    }
}
