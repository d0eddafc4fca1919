//! QR codes of short texts: as a picture for a page, and as characters for a terminal.
//!
//! The squares come from `fast_qr`; what is here is how they are drawn.

mod picture;
mod terminal;

use std::fmt;

use fast_qr::{ECL, QRBuilder};

pub use terminal::Ink;

/// Bytes of a text: what the 57 squares of a code of version 10 hold. Larger ones no longer fit a terminal, and phones
/// have to come close to read them.
pub const TEXT_BYTES_MAX: usize = 271;

/// Light squares around a code, on each side: without them readers do not find it.
const QUIET: usize = 4;

/// A QR code, ready to be drawn. `Debug` does not show its text.
///
/// ```
/// use sync_server::qr::{Ink, Qr};
/// let code = Qr::new("https://sync.example/pair#c2l4dGVlbiBieXRlcyBvaw").unwrap();
/// assert_eq!(&code.png()[1..4], b"PNG");
/// println!("{}", code.terminal(Ink::Coloured));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Qr {
    side: usize,
    dark: Vec<bool>,
}

impl Qr {
    /// The code of `text`; `None` when it is longer than [`TEXT_BYTES_MAX`].
    ///
    /// Its error correction is the lowest of the four: a screen has no scratches, and the squares are larger for it.
    pub fn new(text: &str) -> Option<Self> {
        if text.len() > TEXT_BYTES_MAX {
            return None;
        }
        let matrix = QRBuilder::new(text).ecl(ECL::L).build().ok()?;
        let squares = &matrix.data[..matrix.size * matrix.size];
        Some(Self { side: matrix.size, dark: squares.iter().map(|module| module.value()).collect() })
    }

    /// The code as a black and white PNG, 8 pixels for each square.
    pub fn png(&self) -> Vec<u8> {
        picture::draw(self)
    }

    /// The code as lines of text, two squares in each character, for a terminal of at most 65 columns and 33 lines.
    pub fn terminal(&self, ink: Ink) -> String {
        terminal::draw(self, ink)
    }

    /// Squares of one side, with the quiet ones.
    fn width(&self) -> usize {
        self.side + 2 * QUIET
    }

    /// Whether a square is dark, counted from the corner of the quiet zone. Whatever lies outside the code is light.
    fn is_dark(&self, x: usize, y: usize) -> bool {
        let inside = |at: usize| at.checked_sub(QUIET).filter(|at| *at < self.side);
        inside(x).zip(inside(y)).is_some_and(|(x, y)| self.dark[y * self.side + x])
    }
}

impl fmt::Debug for Qr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Qr").field("side", &self.side).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
