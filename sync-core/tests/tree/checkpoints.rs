//! A tree that was written down and read again is the same tree, and stays it.

use sync_core::tree::{CheckpointError, TreeState};

use crate::histories::{Dice, moving, setting, tame, wild};
use crate::oracle::{evaluate, look};

#[test]
fn a_tree_goes_on_from_its_checkpoint_as_if_nothing_had_happened() {
    for seed in 0..150 {
        let mut dice = Dice::new(seed);
        let mut ops = match seed % 3 {
            0 => tame(&mut dice, 60, 3),
            1 => wild(&mut dice, 60, 9, 3),
            _ => wild(&mut dice, 1500, 300, 3),
        };
        dice.shuffle(&mut ops);
        let half = ops.len() / 2;
        let mut straight = TreeState::new();
        straight.apply(ops[..half].to_vec());
        // In long histories some of these are settled alone, so that the log is out of date when it is written.
        ops[half..half + 5].iter().for_each(|op| drop(straight.apply([op.clone()])));
        let mut restored = TreeState::restore(&straight.checkpoint()).unwrap();
        assert_eq!(restored.hash(), straight.hash());
        assert_eq!(look(&restored, &ops[..half + 5]), evaluate(&ops[..half + 5]), "seed {seed}");
        assert_eq!(restored.clock(), straight.clock());
        for batch in ops[half..].chunks(1 + dice.roll(200)) {
            let (one, other) = (restored.apply(batch.to_vec()), straight.apply(batch.to_vec()));
            assert_eq!(
                (one.n_new(), one.n_repeated(), one.n_waiting()),
                (other.n_new(), other.n_repeated(), other.n_waiting())
            );
            assert_eq!(one.conflicts(), other.conflicts());
        }
        assert_eq!(look(&restored, &ops), evaluate(&ops), "seed {seed}");
        assert_eq!(restored.checkpoint(), TreeState::restore(&restored.checkpoint()).unwrap().checkpoint());
    }
}

#[test]
fn what_comes_again_is_known_after_a_checkpoint() {
    let ops = [
        moving(1, 1, 0, None),
        moving(2, 1, 0, Some(0)),
        setting(3, 1, 0, "a", Some("1")),
        setting(4, 1, 0, "a", None),
        moving(5, 1, 7, Some(8)),
        setting(6, 1, 9, "a", Some("[]")),
    ];
    let others = [
        moving(2, 1, 0, None),
        setting(3, 1, 0, "a", Some("2")),
        setting(4, 1, 0, "a", Some("1")),
        moving(5, 1, 7, Some(9)),
        setting(6, 1, 9, "a", None),
    ];
    let mut tree = TreeState::new();
    tree.apply(ops.clone());
    let mut tree = TreeState::restore(&tree.checkpoint()).unwrap();
    let report = tree.apply(ops.iter().chain(&others).cloned());
    assert_eq!((report.n_new(), report.n_repeated(), report.conflicts()), (0, ops.len(), &others[..]));
}

#[test]
fn damaged_bytes_are_refused_whatever_the_damage() {
    let mut dice = Dice::new(3);
    let mut tree = TreeState::new();
    tree.apply(wild(&mut dice, 40, 8, 2));
    let bytes = tree.checkpoint();
    for place in 0..bytes.len() {
        for bit in 0..8 {
            let mut damaged = bytes.clone();
            damaged[place] ^= 1 << bit;
            let error = TreeState::restore(&damaged).unwrap_err();
            let expected = match place {
                0..4 => matches!(error, CheckpointError::NotOne),
                4..6 => matches!(error, CheckpointError::Version(_)),
                _ => matches!(error, CheckpointError::Damaged(_)),
            };
            assert!(expected, "byte {place}: {error}");
        }
        assert!(TreeState::restore(&bytes[..place]).is_err());
    }
    let longer = [&bytes[..], &[0]].concat();
    assert!(TreeState::restore(&longer).is_err());
}

/// Debug builds stop at values that are not JSON, which nothing but the checksum keeps out.
#[cfg(not(debug_assertions))]
#[test]
fn bytes_that_were_never_a_checkpoint_do_not_bring_the_program_down() {
    let mut dice = Dice::new(4);
    let mut tree = TreeState::new();
    tree.apply(wild(&mut dice, 60, 8, 2));
    let good = tree.checkpoint();
    for _ in 0..20_000 {
        let mut bytes = good[..good.len() - 8].to_vec();
        for _ in 0..1 + dice.roll(3) {
            let place = 6 + dice.roll(bytes.len() - 6);
            bytes[place] = match dice.roll(3) {
                0 => 0xff,
                1 => bytes[place] ^ 1 << dice.roll(8),
                _ => dice.roll(256) as u8,
            };
        }
        let checksum = xxhash_rust::xxh3::xxh3_64(&bytes);
        bytes.extend(checksum.to_le_bytes());
        let _ = TreeState::restore(&bytes).map(|tree| tree.hash());
    }
}
