//! A code as characters: each is as high as two squares, and shows its upper half, its lower half, both, or none.

use super::Qr;

/// How squares are told apart on a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    /// Black on white, whatever the colours of the terminal are: both are set, from the 256 that themes leave alone.
    Coloured,
    /// Characters alone, for terminals without colours and for files. Light squares are the ones drawn, which is right
    /// on a dark ground; on a light one the code is a negative, which most phones read and some do not.
    Plain,
}

/// Black on white, and back to what was before.
const COLOURS: (&str, &str) = ("\x1b[38;5;16;48;5;231m", "\x1b[0m");

pub(super) fn draw(code: &Qr, ink: Ink) -> String {
    let (before, after) = if ink == Ink::Coloured { COLOURS } else { ("", "") };
    let mut text = String::new();
    for top in (0..code.width()).step_by(2) {
        text.push_str(before);
        text.extend((0..code.width()).map(|x| {
            let drawn = |y: usize| code.is_dark(x, y) == (ink == Ink::Coloured);
            half_block(drawn(top), drawn(top + 1))
        }));
        text.push_str(after);
        text.push('\n');
    }
    text
}

fn half_block(upper: bool, lower: bool) -> char {
    match (upper, lower) {
        (true, true) => '█',
        (true, false) => '▀',
        (false, true) => '▄',
        (false, false) => ' ',
    }
}
