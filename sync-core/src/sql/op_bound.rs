//! Where in the order of ops a key lies that may be any text.
//!
//! A scan goes on after any key, also after one that is no op. Ids of ops are compared as text above and as clock and peer
//! here, so the place between two ops is looked for:
//!
//! ```text
//! 0000000000000007@b      after op 7@b
//! 0000000000000007!       before all ops of clock 7
//! 0000000000000007x       before all ops of clock 8
//! 00000000000001          before all ops of clock 100
//! ```

use sea_query::{Expr, ExprTrait};

use crate::sql::tables::TreeOps;

/// A place in the order of the ops of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum OpBound {
    /// Before all ops of this clock, and after all of smaller ones.
    Before(i64),
    /// At the op of this clock and this peer, if there is one.
    At(i64, String),
}

/// Digits of a clock in the id of a record.
const CLOCK_DIGITS: usize = 16;

impl OpBound {
    /// The place of a record id among those of ops.
    pub(super) fn of(id: &str) -> Self {
        let n_digits = id.bytes().take(CLOCK_DIGITS).take_while(u8::is_ascii_digit).count();
        let (digits, rest) = id.split_at(n_digits);
        // Sixteen digits are far from the end of the range, so none of this overflows.
        let (number, unit) = digits.bytes().fold((0_i64, 10_i64.pow(16)), |(number, unit), digit| {
            (number * 10 + i64::from(digit - b'0'), unit / 10)
        });
        // What an id of an op has where the digits end.
        let (next_min, next_max) = if n_digits == CLOCK_DIGITS { (b'@', b'@') } else { (b'0', b'9') };
        match rest.bytes().next() {
            Some(next) if next > next_max => Self::Before((number + 1) * unit),
            Some(next) if next >= next_min => Self::At(number, rest.get(1..).unwrap_or_default().to_owned()),
            _ => Self::Before(number * unit),
        }
    }

    /// The condition that an op lies behind this place; `before`: in front of it.
    pub(super) fn is_passed(&self, before: bool) -> Expr {
        let clock = || Expr::col(TreeOps::Clock);
        match (self, before) {
            (Self::Before(bound), false) => clock().gte(*bound),
            (Self::Before(bound), true) => clock().lt(*bound),
            (Self::At(bound, peer), _) => {
                let (op, place) = (
                    Expr::tuple([clock(), Expr::col(TreeOps::PeerId)]),
                    Expr::tuple([Expr::val(*bound), Expr::val(peer.as_str())]),
                );
                if before { op.lt(place) } else { op.gt(place) }
            }
        }
    }

    /// The same for the ops of all trees, where this is a place in `tree`.
    pub(super) fn is_passed_among_trees(&self, tree: &str, before: bool) -> Expr {
        let mut op = vec![Expr::col(TreeOps::TreeId), Expr::col(TreeOps::Clock)];
        let mut place = vec![Expr::val(tree)];
        match self {
            Self::Before(bound) => place.push(Expr::val(*bound)),
            Self::At(bound, peer) => {
                op.push(Expr::col(TreeOps::PeerId));
                place.extend([Expr::val(*bound), Expr::val(peer.as_str())]);
            }
        }
        let (op, place) = (Expr::tuple(op), Expr::tuple(place));
        match (self, before) {
            (_, true) => op.lt(place),
            (Self::Before(_), false) => op.gte(place),
            (Self::At(..), false) => op.gt(place),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::types::{OpClock, OpId, PeerId};

    fn passes(bound: &OpBound, id: &OpId) -> bool {
        let clock = i64::try_from(id.clock.get()).unwrap();
        match bound {
            OpBound::Before(bound) => clock >= *bound,
            OpBound::At(bound, peer) => (clock, id.peer.as_str()) > (*bound, peer.as_str()),
        }
    }

    proptest! {
        #[test]
        fn a_place_is_passed_by_the_ops_whose_ids_are_greater(
            clock in prop_oneof![1_u64..200, 999_999_u64..1_000_001, OpClock::MAX.get() - 1..=OpClock::MAX.get()],
            peer in "[0-9a-f-]{1,3}",
            text in prop_oneof!["[0-9]{0,17}[ -Aa-fé@]{0,3}", "0{13}[0-9]{2,4}[!-A@]?[0-9a-f-]{0,3}", ".{0,4}"],
        ) {
            let id = OpId::new(OpClock::new(clock).unwrap(), PeerId::new(peer).unwrap());
            let record_id = id.record_id();
            prop_assert_eq!(passes(&OpBound::of(&text), &id), record_id.as_str() > text.as_str(), "{} {}", record_id, text);
            prop_assert!(!passes(&OpBound::of(record_id.as_str()), &id));
        }
    }
}
