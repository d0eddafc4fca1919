use proptest::collection::vec;
use proptest::prelude::*;
use tokio_tungstenite::tungstenite::protocol::frame::Frame as Theirs;

use super::*;

/// A frame as the library writes those of a client.
fn frame(opcode: OpCode, is_final: bool, mask: [u8; 4], content: &[u8]) -> Vec<u8> {
    let header = FrameHeader { is_final, opcode, mask: Some(mask), ..FrameHeader::default() };
    let mut bytes = Vec::new();
    Theirs::from_payload(header, content.to_vec().into()).format(&mut bytes).unwrap();
    bytes
}

fn data(kind: Data, is_final: bool, content: &[u8]) -> Vec<u8> {
    frame(OpCode::Data(kind), is_final, [1, 2, 3, 4], content)
}

fn control(kind: Control, content: &[u8]) -> Vec<u8> {
    frame(OpCode::Control(kind), true, [9, 8, 7, 6], content)
}

/// Everything that comes of some bytes, which arrive in these pieces.
fn unpacked<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Message>, Option<End>, Unpacker) {
    let (mut unpacker, mut messages) = (Unpacker::default(), Vec::new());
    for mut piece in pieces {
        loop {
            match unpacker.unpack(&mut piece) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(end) => return (messages, Some(end), unpacker),
            }
        }
        assert!(piece.is_empty(), "all of it is taken");
    }
    (messages, None, unpacker)
}

/// A conversation of all kinds of frames, and what it says.
fn conversation() -> (Vec<u8>, Vec<Message>) {
    let long = "é".repeat(150);
    let longer = "x".repeat(MESSAGE_BYTES_MAX);
    let bytes = [
        data(Data::Text, true, b"short"),
        data(Data::Text, true, b""),
        // The pieces cut a letter in two, and a ping comes between.
        data(Data::Text, false, &long.as_bytes()[..7]),
        control(Control::Ping, b"there?"),
        data(Data::Continue, false, b""),
        data(Data::Continue, true, &long.as_bytes()[7..]),
        control(Control::Pong, &[0xff; 125]),
        data(Data::Text, true, longer.as_bytes()),
        control(Control::Close, &[0x03, 0xe8, b'b', b'y', b'e']),
    ];
    let says = [
        Message::Text("short".into()),
        Message::Text(String::new()),
        Message::Ping("there?".into()),
        Message::Text(long),
        Message::Pong(vec![0xff; 125].into()),
        Message::Text(longer),
        Message::Close(Some(1000)),
    ];
    (bytes.concat(), says.into())
}

#[test]
fn a_conversation_is_understood_wherever_it_is_cut_once() {
    let (bytes, says) = conversation();
    for at in (0..1_000).chain(bytes.len() - 200..=bytes.len()) {
        let (first, rest) = bytes.split_at(at);
        let (messages, end, unpacker) = unpacked([first, rest]);
        assert!(end.is_none() && messages == says, "cut at {at}");
        assert!(!unpacker.is_within_message());
    }
}

proptest! {
    #[test]
    fn a_conversation_is_understood_in_any_pieces(lengths in vec(1..700usize, 1..200)) {
        let (bytes, says) = conversation();
        let (mut rest, mut pieces) = (&bytes[..], Vec::new());
        for length in lengths {
            let (piece, later) = rest.split_at(length.min(rest.len()));
            pieces.push(piece);
            rest = later;
        }
        pieces.push(rest);
        let (messages, end, _) = unpacked(pieces);
        prop_assert!(end.is_none());
        prop_assert_eq!(messages, says);
    }

    #[test]
    fn whatever_comes_is_taken_or_ends_it(bytes in vec(any::<u8>(), 0..300)) {
        let (messages, end, unpacker) = unpacked([&bytes[..]]);
        prop_assert!(unpacker.text.len() + unpacker.control.len() + messages.len() <= bytes.len());
        let (again, end_again, _) = unpacked(bytes.chunks(1));
        prop_assert_eq!((messages, end), (again, end_again));
    }

    #[test]
    fn masks_are_undone(mask: [u8; 4], text in ".{0,40}") {
        let bytes = frame(OpCode::Data(Data::Text), true, mask, text.as_bytes());
        prop_assert_eq!(unpacked(bytes.chunks(3)).0, [Message::Text(text)]);
    }
}

#[test]
fn what_breaks_the_rules_ends_it() {
    let unmasked = {
        let mut bytes = Vec::new();
        Theirs::message("{}", OpCode::Data(Data::Text), true).format(&mut bytes).unwrap();
        bytes
    };
    let reserved = |bit: u8| {
        let mut bytes = data(Data::Text, true, b"{}");
        bytes[0] |= bit;
        bytes
    };
    let begun = data(Data::Text, false, b"{");
    for (what, bytes, expected) in [
        ("no mask", unmasked, End::PROTOCOL),
        ("the first reserved bit", reserved(0x40), End::PROTOCOL),
        ("the second", reserved(0x20), End::PROTOCOL),
        ("the third", reserved(0x10), End::PROTOCOL),
        ("an opcode that is none", data(Data::Reserved(3), true, b""), End::PROTOCOL),
        ("a control that is none", control(Control::Reserved(11), b""), End::PROTOCOL),
        ("a continuation of nothing", data(Data::Continue, true, b""), End::PROTOCOL),
        ("a message in a message", [begun.clone(), data(Data::Text, true, b"{}")].concat(), End::PROTOCOL),
        ("bytes in a message", [begun.clone(), data(Data::Binary, true, b"{}")].concat(), End::PROTOCOL),
        ("bytes", data(Data::Binary, true, b"{}"), End::BINARY),
        ("a long ping", control(Control::Ping, &[0; 126]), End::PROTOCOL),
        ("half a ping", frame(OpCode::Control(Control::Ping), false, [0; 4], b""), End::PROTOCOL),
        ("a close of one byte", control(Control::Close, &[3]), End::PROTOCOL),
        ("a close for no reason", control(Control::Close, &1005u16.to_be_bytes()), End::PROTOCOL),
        ("a close for no reason there is", control(Control::Close, &[0, 1]), End::PROTOCOL),
        ("a reason that is no text", control(Control::Close, &[3, 232, 0xff]), End::NOT_UTF8),
        ("no text", data(Data::Text, true, &[0xff]), End::NOT_UTF8),
        (
            "a length in more bytes than it takes",
            [&[0x81, 0x80 | 126, 0, 5][..], &[0; 4]].concat(),
            End::PROTOCOL,
        ),
        ("one in eight", [&[0x81, 0x80 | 127][..], &300u64.to_be_bytes(), &[0; 4]].concat(), End::PROTOCOL),
        ("one that is negative", [&[0x81, 0x80 | 127][..], &[0xff; 8], &[0; 4]].concat(), End::PROTOCOL),
        ("half a letter", data(Data::Text, true, &"é".as_bytes()[..1]), End::NOT_UTF8),
        ("too much", data(Data::Text, true, &[b'x'; MESSAGE_BYTES_MAX + 1]), End::TOO_BIG),
        (
            "too much in two",
            [begun, data(Data::Continue, true, &[b'x'; MESSAGE_BYTES_MAX])].concat(),
            End::TOO_BIG,
        ),
    ] {
        let (messages, end, _) = unpacked([&bytes[..]]);
        assert_eq!((messages, end), (vec![], Some(expected)), "{what}");
    }
}

#[test]
fn a_message_may_come_in_hundreds_of_pieces_and_not_in_thousands() {
    for (n_pieces, expected) in [(500, None), (2_000, Some(End::TOO_BIG))] {
        let bytes = [
            data(Data::Text, false, b""),
            data(Data::Continue, false, b"x").repeat(n_pieces),
            data(Data::Continue, true, b""),
        ];
        let (messages, end, _) = unpacked([&bytes.concat()[..]]);
        assert_eq!(end, expected);
        assert_eq!(messages.len(), usize::from(expected.is_none()));
    }
    // Each message anew.
    let bytes = [data(Data::Text, false, b""), data(Data::Continue, true, b"x")].concat().repeat(2_000);
    assert_eq!(unpacked([&bytes[..]]).0.len(), 2_000);
}

#[test]
fn one_within_a_message_is_known_to_be_and_holds_what_has_come() {
    let whole = data(Data::Text, true, &[b'x'; 300]);
    for n_bytes in 0..=whole.len() {
        let (_, _, unpacker) = unpacked([&whole[..n_bytes]]);
        assert_eq!(unpacker.is_within_message(), (1..whole.len()).contains(&n_bytes), "{n_bytes}");
        assert!(unpacker.text.capacity() <= 600);
    }
    let begun = [data(Data::Text, false, b"{"), control(Control::Ping, b"")].concat();
    assert!(unpacked([&begun[..]]).2.is_within_message());
    let (_, _, idle) = unpacked([&conversation().0[..]]);
    assert_eq!((idle.text.capacity(), idle.control.capacity()), (0, 0));
}
