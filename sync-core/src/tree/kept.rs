//! Checkpoints as servers and replicas keep them beside the ops: what they were made from, and the state, as a text.
//!
//! A checkpoint can be lost or be of no use any more at any time; then the state is made from the ops, and is the same.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde::de::DeserializeOwned;
use xxhash_rust::xxh3::xxh3_64;

use crate::tree::TreeState;

/// The ops in the first checkpoint of a tree, unless something else is asked for: fewer are applied in some hundredths of a
/// second.
pub(crate) const OPS_MIN: u64 = 20_000;
/// A tree gets another checkpoint when it has grown by one part of so many. So all that are written of it as it
/// grows have five times the size of the last.
const GROWTH: u64 = 4;
/// Digits of the checksum over all that follows it.
const SUM_DIGITS: usize = 16;

/// Whether a tree with so many ops is to get a checkpoint, when `n_kept` of them are in the last one.
pub(crate) fn is_due(n_ops: u64, n_kept: u64, ops_min: u64) -> bool {
    n_ops.saturating_sub(n_kept) >= ops_min.max(n_kept / GROWTH).max(1)
}

/// Writes a state, and with it what it was made from.
pub(crate) fn write(made_from: &impl Serialize, state: &TreeState) -> String {
    let made_from = serde_json::to_string(made_from).expect("positions have a JSON form");
    let mut text = format!("{:SUM_DIGITS$} {made_from} ", "");
    STANDARD.encode_string(state.checkpoint(), &mut text);
    let sum = format!("{:016x}", xxh3_64(&text.as_bytes()[SUM_DIGITS..]));
    text.replace_range(..SUM_DIGITS, &sum);
    text
}

/// Reads a state, and what it was made from. `None` where nothing of that kind was written, where it has changed since, and
/// where its past does not count.
pub(crate) fn read<M: DeserializeOwned>(
    text: &str,
    counts: impl FnOnce(&M) -> bool,
) -> Option<(M, TreeState)> {
    let (sum, rest) = text.split_at_checked(SUM_DIGITS)?;
    if u64::from_str_radix(sum, 16).ok()? != xxh3_64(rest.as_bytes()) {
        return None;
    }
    let (made_from, state) = rest.rsplit_once(' ')?;
    let made_from = serde_json::from_str(made_from).ok().filter(counts)?;
    Some((made_from, TreeState::restore(&STANDARD.decode(state).ok()?).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{TreeOp, VertexId};

    #[test]
    fn a_tree_that_grows_is_written_at_each_quarter_more() {
        let mut n_kept = 0;
        let mut written = Vec::new();
        for n_ops in 0..1000 {
            if is_due(n_ops, n_kept, 100) {
                n_kept = n_ops;
                written.push(n_ops);
            }
        }
        assert_eq!(written, [100, 200, 300, 400, 500, 625, 781, 976]);
        assert!(!is_due(0, 0, 0), "nothing is not worth a row");
    }

    #[test]
    fn what_is_not_a_checkpoint_is_none() {
        let mut made = TreeState::new();
        made.apply([TreeOp::moving("1@a".parse().unwrap(), VertexId::new("v").unwrap(), None)]);
        let text = write(&7, &made);
        let (from, state) = read::<i32>(&text, |_| true).unwrap();
        assert_eq!((from, state.hash()), (7, made.hash()));
        assert!(read::<i32>(&text, |from| *from != 7).is_none());
        for end in 0..text.len() {
            assert!(read::<i32>(&text[..end], |_| true).is_none(), "{end}");
            let mut damaged = text.clone().into_bytes();
            damaged[end] ^= 1;
            assert!(read::<i32>(&String::from_utf8(damaged).unwrap(), |_| true).is_none(), "{end}");
        }
    }
}
