use std::io::Cursor;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// Writes all that waits, by as many bytes at a time as are told, and says what was written.
fn written(packer: &mut Packer, steps: &[usize]) -> Vec<u8> {
    let (mut bytes, mut steps) = (Vec::new(), steps.iter().cycle());
    while !packer.is_empty() {
        let mut pieces = [IoSlice::new(&[]); 4];
        let n_pieces = packer.fill(&mut pieces);
        let next: Vec<u8> = pieces[..n_pieces].iter().flat_map(|piece| piece.to_vec()).collect();
        assert!(!next.is_empty(), "what waits can be written");
        let n_taken = next.len().min(*steps.next().unwrap());
        bytes.extend(&next[..n_taken]);
        let n_before = packer.n_bytes();
        packer.advance(n_taken);
        assert_eq!(packer.n_bytes(), n_before - n_taken);
    }
    assert_eq!(packer.n_bytes(), 0);
    bytes
}

/// The frames as the library reads them.
fn read(bytes: &[u8]) -> Vec<(OpCode, Vec<u8>)> {
    let (mut rest, mut frames) = (bytes, Vec::new());
    while !rest.is_empty() {
        let mut cursor = Cursor::new(rest);
        let (header, n_content) = FrameHeader::parse(&mut cursor).unwrap().expect("a whole head");
        assert!(header.is_final && header.mask.is_none());
        let (content, later) = rest[cursor.position() as usize..].split_at(n_content as usize);
        frames.push((header.opcode, content.to_vec()));
        rest = later;
    }
    frames
}

proptest! {
    #[test]
    fn what_is_packed_is_read_as_it_was_said(
        texts in vec((0..4u8, vec(any::<u8>(), 0..300)), 1..20),
        steps in vec(1..200usize, 1..20),
    ) {
        let (mut packer, mut said) = (Packer::default(), Vec::new());
        for (kind, content) in texts {
            let bytes = Bytes::from(content.clone());
            let opcode = match kind {
                0 => { packer.text(bytes); OpCode::Data(Data::Text) }
                1 => { packer.ping(bytes); OpCode::Control(Control::Ping) }
                2 => {
                    packer.pong(bytes);
                    said.retain(|(opcode, _)| *opcode != OpCode::Control(Control::Pong));
                    OpCode::Control(Control::Pong)
                }
                _ => { packer.close(bytes); OpCode::Control(Control::Close) }
            };
            said.push((opcode, content));
        }
        prop_assert_eq!(read(&written(&mut packer, &steps)), said);
    }
}

#[test]
fn lengths_of_each_kind_are_written_as_the_standard_says() {
    for n_bytes in [0, 1, 125, 126, 65_535, 65_536, 200_000] {
        let mut packer = Packer::default();
        packer.text(vec![b'x'; n_bytes].into());
        let frames = read(&written(&mut packer, &[70_000]));
        assert_eq!(frames, [(OpCode::Data(Data::Text), vec![b'x'; n_bytes])]);
    }
}

#[test]
fn a_frame_that_was_begun_is_ended_and_others_are_let_go() {
    for n_written in 0..=9 {
        let mut packer = Packer::default();
        packer.text("first".into());
        packer.text("second".into());
        let mut bytes = {
            let mut pieces = [IoSlice::new(&[]); 4];
            let n_pieces = packer.fill(&mut pieces);
            pieces[..n_pieces].iter().flat_map(|piece| piece.to_vec()).take(n_written).collect::<Vec<_>>()
        };
        packer.advance(n_written);
        packer.clear();
        packer.close("!!".into());
        bytes.extend(written(&mut packer, &[3]));
        let mut expected = vec![(OpCode::Control(Control::Close), b"!!".to_vec())];
        if n_written > 0 {
            expected.insert(0, (OpCode::Data(Data::Text), b"first".to_vec()));
        }
        if n_written > 7 {
            expected.insert(1, (OpCode::Data(Data::Text), b"second".to_vec()));
        }
        assert_eq!(read(&bytes), expected, "{n_written}");
    }
}

#[test]
fn of_the_answers_to_pings_that_wait_the_newest_is_written() {
    let mut packer = Packer::default();
    packer.text("text".into());
    (0..1_000).for_each(|n| packer.pong(format!("{n}").into()));
    assert_eq!(packer.frames.len(), 2);
    packer.advance(7);
    packer.pong("after one that was begun".into());
    let text = b"\x81\x04text\x8a".to_vec();
    let rest = written(&mut packer, &[5]);
    let expected = ["text", "999", "after one that was begun"].map(|said| said.as_bytes().to_vec());
    assert_eq!(read(&[text, rest].concat()).into_iter().map(|(_, said)| said).collect::<Vec<_>>(), expected);
}

#[test]
fn nothing_is_held_when_nothing_waits() {
    let mut packer = Packer::default();
    (0..100).for_each(|_| packer.text("text".into()));
    written(&mut packer, &[17]);
    assert_eq!(packer.frames.capacity(), 0);
}
