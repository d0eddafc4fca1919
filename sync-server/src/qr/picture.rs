//! A code as a PNG of one bit for each pixel.

use png::{BitDepth, ColorType, Encoder};

use super::Qr;

/// Pixels of a square's side. With one bit each they are one byte, which is why drawing is so short.
const SCALE: usize = 8;

pub(super) fn draw(code: &Qr) -> Vec<u8> {
    let mut file = Vec::new();
    let side = u32::try_from(code.width() * SCALE).expect("a code has at most 65 squares a side");
    let mut encoder = Encoder::new(&mut file, side, side);
    encoder.set_color(ColorType::Grayscale);
    encoder.set_depth(BitDepth::One);
    let written = encoder.write_header().and_then(|mut writer| writer.write_image_data(&pixels(code)));
    written.expect("memory takes everything, and as many pixels were announced");
    file
}

/// Rows of pixels from the top; a set bit is white.
fn pixels(code: &Qr) -> Vec<u8> {
    let row = |y: usize| (0..code.width()).map(move |x| if code.is_dark(x, y) { 0x00 } else { 0xff });
    let rows = (0..code.width()).flat_map(|y| std::iter::repeat_n(y, SCALE));
    rows.flat_map(row).collect()
}
