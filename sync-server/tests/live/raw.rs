//! Frames as no library sends them: rows W-09, W-10, W-14, W-18 and W-20 of the bad inputs, and F-60.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::world::{PATIENCE, User, World};

/// A frame of a client: its first byte, and its content under a mask of zeros.
pub(crate) fn frame(first: u8, content: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match content.len() {
        len @ 0..126 => frame.push(0x80 | u8::try_from(len).unwrap()),
        len => {
            frame.push(0x80 | 126);
            frame.extend(u16::try_from(len).unwrap().to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(content);
    frame
}

pub(crate) async fn open(world: &World, user: &User) -> TcpStream {
    shake_hands(world, &format!("/v1/live HTTP/1.1\r\nAuthorization: Bearer {}", user.token)).await
}

/// Shakes hands for what a request begins with.
async fn shake_hands(world: &World, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    let head = format!(
        "GET {request}\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.windows(4).any(|four| four == b"\r\n\r\n") {
        answer.push(stream.read_u8().await.unwrap());
    }
    stream
}

/// Reads a frame of the server: its first byte, and its content. Nothing when it is gone.
async fn read_frame(stream: &mut (impl AsyncReadExt + Unpin)) -> Option<(u8, Vec<u8>)> {
    let (first, length) = (stream.read_u8().await.ok()?, stream.read_u8().await.ok()?);
    let length = match length {
        126 => u64::from(stream.read_u16().await.ok()?),
        127 => stream.read_u64().await.ok()?,
        length => length.into(),
    };
    let mut content = vec![0; usize::try_from(length).unwrap()];
    stream.read_exact(&mut content).await.ok()?;
    Some((first, content))
}

/// Reads frames until the end; the number of it.
pub(crate) async fn end(stream: &mut (impl AsyncReadExt + Unpin)) -> Option<u16> {
    let reading = async {
        loop {
            let (first, content) = read_frame(stream).await?;
            if first == 0x88 {
                return Some(u16::from_be_bytes([content[0], content[1]]));
            }
        }
    };
    tokio::time::timeout(2 * PATIENCE, reading).await.expect("the server should end it")
}

#[tokio::test]
async fn frames_that_break_the_rules_end_it_with_the_number_for_it() {
    let world = World::new().await;
    let ada = world.user("ada").await;
    let ping = br#"{"type":"ping"}"#;
    let mut unmasked = vec![0x81, u8::try_from(ping.len()).unwrap()];
    unmasked.extend(ping);
    let mut claims = vec![0x81, 0x80 | 127];
    claims.extend((1u64 << 40).to_be_bytes());
    claims.extend([0; 4]);
    for (bytes, expected, what) in [
        (frame(0x82, b"binary"), 1003, "binary"),
        (frame(0x81, &[0xff, 0xfe]), 1007, "not UTF-8"),
        (unmasked, 1002, "unmasked"),
        (frame(0xc1, ping), 1002, "reserved bit"),
        (frame(0x83, ping), 1002, "reserved opcode"),
        (frame(0x80, ping), 1002, "a continuation of nothing"),
        (frame(0x89, &[0; 126]), 1002, "a long ping"),
        (claims, 1009, "a terabyte"),
        (frame(0x81, &[b'x'; 65_530]).repeat(1)[..].to_vec(), 0, "sixty-four KiB that are no JSON"),
    ] {
        let mut stream = open(&world, &ada).await;
        stream.write_all(&bytes).await.unwrap();
        if expected == 0 {
            // It is within the limit: two more strikes end it.
            for _ in 0..2 {
                stream.write_all(&bytes).await.unwrap();
            }
            assert_eq!(end(&mut stream).await, Some(1008), "{what}");
            continue;
        }
        assert_eq!(end(&mut stream).await, Some(expected), "{what}");
    }
}

#[tokio::test]
async fn a_message_in_very_many_pieces_ends_it_and_one_in_a_few_does_not() {
    let world = World::new().await;
    let ada = world.user("ada").await;
    for content in [&b""[..], b"x"] {
        let mut stream = open(&world, &ada).await;
        let mut pieces = frame(0x01, content);
        pieces.extend(frame(0x00, content).repeat(10_000));
        pieces.extend(frame(0x80, content));
        // It may be cut off before it has sent them all.
        let _ = stream.write_all(&pieces).await;
        assert_eq!(end(&mut stream).await, Some(1009));
    }
    let mut stream = open(&world, &ada).await;
    let ping = br#"{"type":"ping","ref":"in pieces"}"#;
    let (last, others) = ping.split_last().unwrap();
    stream.write_all(&frame(0x01, &[])).await.unwrap();
    for (n, byte) in others.iter().enumerate() {
        stream.write_all(&frame(0x00, &[*byte])).await.unwrap();
        // Pings may come between the pieces.
        stream.write_all(&frame(0x89, &n.to_be_bytes())).await.unwrap();
    }
    stream.write_all(&frame(0x80, &[*last])).await.unwrap();
    let mut heard = Vec::new();
    while !String::from_utf8_lossy(&heard).contains("in pieces") {
        heard.push(stream.read_u8().await.unwrap());
    }
}

#[tokio::test]
async fn half_a_message_is_not_waited_for() {
    let world = World::new().await;
    let ada = world.user("ada").await;
    let mut stream = open(&world, &ada).await;
    stream.write_all(&frame(0x81, br#"{"type":"ping"}"#)[..9]).await.unwrap();
    let begun = Instant::now();
    assert_eq!(end(&mut stream).await, Some(4408));
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn half_a_message_is_not_waited_for_because_of_pings_behind_it() {
    let world = World::new().await;
    let ada = world.user("ada").await;
    let mut stream = open(&world, &ada).await;
    stream.write_all(&frame(0x01, br#"{"type":"ping""#)).await.unwrap();
    let (mut reading, mut writing) = stream.into_split();
    let pinging = async {
        while writing.write_all(&frame(0x89, b"there?")).await.is_ok() {
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
        std::future::pending().await
    };
    let begun = Instant::now();
    tokio::select! {
        end = end(&mut reading) => assert_eq!(end, Some(4408)),
        () = pinging => {}
    }
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn pings_before_anybody_signed_in_are_not_answered_for_ever() {
    let world = World::new().await;
    let request = "/v1/live?auth=message HTTP/1.1";
    let mut stream = shake_hands(&world, request).await;
    for n in 0..20u8 {
        stream.write_all(&frame(0x89, &[n])).await.unwrap();
        assert_eq!(read_frame(&mut stream).await, Some((0x8a, vec![n])));
    }
    let mut flooding = shake_hands(&world, request).await;
    flooding.write_all(&frame(0x89, b"there?").repeat(60)).await.unwrap();
    assert_eq!(end(&mut flooding).await, Some(1008));
}

#[tokio::test]
async fn what_fits_into_the_window_comes_at_once_without_a_pong() {
    let world = World::new().await;
    let ada = world.user("ada").await;
    for n in 0..4 {
        world.put(&ada, &ada.space, &n.to_string(), serde_json::json!("x".repeat(100_000))).await;
    }
    let mut stream = open(&world, &ada).await;
    let subscribe = serde_json::json!({"type": "subscribe", "space": ada.space}).to_string();
    let begun = Instant::now();
    stream.write_all(&frame(0x81, subscribe.as_bytes())).await.unwrap();
    let mut n_bytes = 0;
    while n_bytes < 400_000 {
        n_bytes += read_frame(&mut stream).await.unwrap().1.len();
    }
    // Clocks are looked at every five seconds; nothing else would let it go on.
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn who_never_answers_is_let_go_within_two_beats() {
    let world = World::new().await;
    let ada = world.user("ada").await;
    let mut stream = open(&world, &ada).await;
    let begun = Instant::now();
    // Its end reads, and answers no ping.
    assert_eq!(end(&mut stream).await, Some(4408));
    assert!((25..45).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_farewell_is_answered_and_half_a_connection_is_an_end() {
    let world = World::new().await;
    let ada = world.user("ada").await;
    let mut stream = open(&world, &ada).await;
    stream.write_all(&frame(0x88, &1000u16.to_be_bytes())).await.unwrap();
    assert_eq!(end(&mut stream).await, Some(1000));
    let mut stream = open(&world, &ada).await;
    stream.shutdown().await.unwrap();
    assert_eq!(end(&mut stream).await, None);
}
