//! A recorded conversation, cut after each of its bytes: whoever goes on with their cursor misses nothing and hears nothing
//! twice.

use futures_util::StreamExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::script::*;
use crate::protocol::{Ask, Subscribe};
use crate::transport::{HttpTransport, LiveNews, Transport};
use crate::types::CursorToken;

/// Frames of the whole conversation.
const FRAMES: usize = 3;

/// A text message as it goes over the wire from a server.
fn on_the_wire(text: &str) -> Vec<u8> {
    let mut bytes = vec![0x81];
    match u8::try_from(text.len()).ok().filter(|n| *n < 126) {
        Some(n) => bytes.push(n),
        None => {
            bytes.push(126);
            bytes.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
        }
    }
    bytes.extend(text.as_bytes());
    bytes
}

/// The recorded conversation after the handshake.
fn recorded() -> Vec<u8> {
    let mut bytes = on_the_wire(READY);
    bytes.extend(on_the_wire(&first_frame("family", "0")));
    bytes.extend((0..FRAMES).flat_map(|from| on_the_wire(&frame("family", from))));
    bytes.extend(on_the_wire(r#"{"type":"beat","heads":{"family":3}}"#));
    bytes
}

/// The first connection is the record, cut; all others go on from what is asked for.
async fn talk(number: usize, mut socket: TcpStream, cut: usize) {
    if number == 0 {
        let (_, answer) = accepted(&mut socket).await;
        let bytes = [answer.into_bytes(), recorded()].concat();
        let _ = socket.write_all(&bytes[..cut]).await;
        let _ = socket.shutdown().await;
        return;
    }
    let mut end = opened(socket).await;
    while let Some(asked) = end.hear_no_ping().await {
        let Ask::Subscribe { subscribe, .. } = asked.ask else { continue };
        let from: usize = subscribe.after.unwrap().as_str().parse().unwrap();
        end.say(first_frame("family", &from.to_string())).await;
        for from in from..FRAMES {
            end.say(frame("family", from)).await;
        }
    }
}

/// A reader that keeps what fits to its cursor.
#[derive(Debug, Default, PartialEq)]
struct Reader {
    at: usize,
    held: Vec<String>,
}

impl Reader {
    fn subscribe(&self) -> Subscribe {
        Subscribe { after: Some(CursorToken::new(self.at.to_string())), ..Subscribe::default() }
    }

    /// Reads until all is there or nothing more comes.
    async fn read(&mut self, transport: &HttpTransport) {
        let subscribe = self.subscribe();
        let Some(mut live) = transport.live(&space("family"), &subscribe) else { return };
        while self.at < FRAMES {
            let Some(Ok(news)) = live.next().await else { return };
            let LiveNews::Frame(frame) = news else { continue };
            assert_eq!(frame.from.as_ref().unwrap().as_str(), self.at.to_string(), "in one chain");
            self.at = frame.page.cursor.as_str().parse().unwrap();
            self.held.extend(
                frame.page.changes.iter().map(|change| change.data.as_ref().unwrap().as_str().into()),
            );
        }
    }
}

#[tokio::test]
async fn a_conversation_that_is_cut_after_any_byte_is_gone_on_with_and_ends_the_same() {
    let expected = Reader { at: FRAMES, held: (1..=FRAMES).map(|n| format!("\"ü{n}\"")).collect() };
    // The last part of the answer that accepts has always 28 characters.
    let answer = "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: \r\n\r\n";
    let n_bytes = answer.len() + 28 + recorded().len();
    for cut in 0..=n_bytes {
        let (base, _) = server(move |number, socket| talk(number, socket, cut)).await;
        let (mut reader, transport) = (Reader::default(), HttpTransport::new(&base, Some("secret")).unwrap());
        for _ in 0..2 {
            reader.read(&transport).await;
        }
        assert_eq!(reader, expected, "cut after {cut} bytes");
    }
}
