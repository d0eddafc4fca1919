use super::*;

/// What a reader of another make sees in a picture of `side` pixels.
fn read(side: usize, is_dark: impl Fn(usize, usize) -> bool) -> String {
    let grey = |x, y| if is_dark(x, y) { 0 } else { 255 };
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(side, side, grey);
    let grids = image.detect_grids();
    assert_eq!(grids.len(), 1, "there is one code in the picture");
    grids[0].decode().unwrap().1
}

fn texts() -> Vec<String> {
    let token = "Zm9vYmFyLWZvb2Jhci1mb29iYXItZm9vYmFyLWZvbw_";
    let mut texts = vec![
        format!("https://sync.example/pair#{token}"),
        format!("http://[fe80::1234:5678:9abc:def0]:65535/pair#{token}"),
    ];
    texts.extend(
        (1..=TEXT_BYTES_MAX).step_by(27).map(|length| "https://a.b/#x_".repeat(20)[..length].to_owned()),
    );
    texts
}

#[test]
fn a_picture_is_read_back_by_another_reader() {
    for text in texts() {
        let file = Qr::new(&text).unwrap().png();
        let mut reader = png::Decoder::new(std::io::Cursor::new(&file)).read_info().unwrap();
        let (side, depth) = (reader.info().width as usize, reader.info().bit_depth);
        assert_eq!((reader.info().height as usize, depth), (side, png::BitDepth::One));
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        let is_dark = |x: usize, y: usize| pixels[y * side / 8 + x / 8] & (0x80 >> (x % 8)) == 0;
        assert_eq!(read(side, is_dark), text);
        assert!(file.len() < 4096, "{} bytes for a code of {}", file.len(), text.len());
    }
}

/// What a terminal shows, with four pixels for each square.
fn shown(lines: &[Vec<char>], x: usize, y: usize) -> bool {
    let (x, y) = (x / 4, y / 4);
    matches!((lines[y / 2][x], y % 2), ('█', _) | ('▀', 0) | ('▄', 1))
}

#[test]
fn a_terminal_is_read_back_by_another_reader() {
    for text in texts() {
        let code = Qr::new(&text).unwrap();
        for (ink, drawn_is_dark) in [(Ink::Coloured, true), (Ink::Plain, false)] {
            let drawn = code.terminal(ink);
            let drawn = drawn.replace("\x1b[38;5;16;48;5;231m", "").replace("\x1b[0m", "");
            let lines: Vec<Vec<char>> = drawn.lines().map(|line| line.chars().collect()).collect();
            let side = lines[0].len() * 4;
            assert_eq!(read(side, |x, y| shown(&lines, x, y) == drawn_is_dark), text);
        }
    }
}

#[test]
fn every_line_sets_both_colours_and_puts_them_back() {
    let coloured = Qr::new("text").unwrap().terminal(Ink::Coloured);
    assert!(
        coloured.lines().all(|line| line.starts_with("\x1b[38;5;16;48;5;231m") && line.ends_with("\x1b[0m"))
    );
    let plain = Qr::new("text").unwrap().terminal(Ink::Plain);
    assert!(plain.chars().all(|c| "█▀▄ \n".contains(c)));
}

#[test]
fn the_quiet_zone_is_light_on_all_sides() {
    let code = Qr::new("text").unwrap();
    let n = code.width();
    for along in 0..n {
        for near in [0, 1, 2, 3, n - 4, n - 3, n - 2, n - 1] {
            assert!(!code.is_dark(along, near) && !code.is_dark(near, along));
        }
    }
    assert!(code.is_dark(QUIET, QUIET), "the corner of the code itself is dark");
}

#[test]
fn an_ordinary_pairing_code_fits_a_small_terminal() {
    let code = Qr::new(&texts()[0]).unwrap().terminal(Ink::Plain);
    assert!(code.lines().count() <= 24 && code.lines().all(|line| line.chars().count() <= 80), "{code}");
}

#[test]
fn a_text_that_is_too_long_is_refused() {
    assert!(Qr::new(&"x".repeat(TEXT_BYTES_MAX + 1)).is_none());
    let largest = Qr::new(&"\u{e9}".repeat(TEXT_BYTES_MAX / 2)).unwrap();
    assert_eq!((largest.width(), largest.terminal(Ink::Plain).lines().count()), (65, 33));
}

#[test]
fn every_pairing_code_has_a_picture() {
    let host = format!("https://{}.example", "a".repeat(206));
    let code = sync_core::PairingCode::new(&host, &"x".repeat(43)).unwrap().to_url();
    assert_eq!(code.len(), TEXT_BYTES_MAX);
    assert!(Qr::new(&code).is_some());
}

#[test]
fn debug_shows_nothing_of_the_text() {
    assert_eq!(format!("{:?}", Qr::new("secret").unwrap()), "Qr { side: 21, .. }");
}
