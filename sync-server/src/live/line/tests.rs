use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as Theirs;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::*;

/// A line, and the other end of it as a library speaks it, which reads nothing before it is asked to.
async fn lines(
    pipe_bytes: usize,
) -> (Reader<DuplexStream>, Writer<DuplexStream>, WebSocketStream<DuplexStream>) {
    let (near, far) = tokio::io::duplex(pipe_bytes);
    let (reader, writer) = open(near);
    (reader, writer, WebSocketStream::from_raw_socket(far, Role::Client, None).await)
}

fn text(n_bytes: usize) -> String {
    "x".repeat(n_bytes)
}

#[tokio::test]
async fn messages_that_come_at_once_are_heard_one_after_the_other() {
    let (mut reader, _writer, mut far) = lines(1 << 20).await;
    let lengths = [0, 1, 5_000, 60_000, 2, READ_BYTES, 3];
    for n_bytes in lengths {
        far.feed(Theirs::text(text(n_bytes))).await.unwrap();
    }
    far.flush().await.unwrap();
    for n_bytes in lengths {
        assert_eq!(reader.next().await, Ok(Message::Text(text(n_bytes))));
    }
    assert!(reader.rest.is_empty());
    drop(far);
    assert_eq!(reader.next().await, Err(End::Gone));
}

#[tokio::test]
async fn hearing_may_be_given_up_at_any_time_and_nothing_is_lost() {
    let (mut reader, _writer, mut far) = lines(16).await;
    let sending = async {
        for n in 0..50 {
            far.send(Theirs::text(text(n * 7))).await.unwrap();
        }
        far
    };
    let hearing = async {
        let (mut heard, mut n_given_up) = (Vec::new(), 0);
        while heard.len() < 50 {
            tokio::select! {
                biased;
                message = reader.next() => heard.push(message.unwrap()),
                () = tokio::task::yield_now() => n_given_up += 1,
            }
        }
        assert!(n_given_up > 50);
        heard
    };
    let (_far, heard) = tokio::join!(sending, hearing);
    assert_eq!(heard, (0..50).map(|n| Message::Text(text(n * 7))).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_is_told_arrives_in_order_through_a_narrow_pipe() {
    let (mut reader, mut writer, mut far) = lines(13).await;
    let lengths: Vec<usize> = (0..120).map(|n| n * 9).collect();
    lengths.iter().for_each(|n_bytes| writer.tell(text(*n_bytes)));
    writer.answer("there".into());
    assert!(writer.has_waiting());
    let hearing = async {
        for n_bytes in &lengths {
            assert_eq!(far.next().await.unwrap().unwrap(), Theirs::text(text(*n_bytes)));
        }
        assert_eq!(far.next().await.unwrap().unwrap(), Theirs::Pong("there".into()));
    };
    tokio::select! {
        () = hearing => {}
        driven = writer.drive() => panic!("{driven:?}"),
        heard = reader.next() => panic!("{heard:?}"),
    }
    assert!(!writer.has_waiting());
    assert_eq!(writer.waiting.n_bytes(), 0);
}

#[tokio::test]
async fn room_for_more_is_noticed_when_it_is_there() {
    let (_reader, mut writer, mut far) = lines(1_000).await;
    (0..3).for_each(|_| writer.tell(text(WAITING_BYTES_MAX / 2)));
    let hearing = async {
        for _ in 0..3 {
            far.next().await.unwrap().unwrap();
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        driven = writer.drive() => assert_eq!(driven, Ok(())),
        () = hearing => {}
    }
    assert!(writer.has_room() && writer.has_waiting(), "as soon as that");
}

#[tokio::test]
async fn a_farewell_comes_behind_what_was_begun_and_instead_of_what_was_not() {
    for pipe_bytes in 1..40 {
        let (reader, mut writer, mut far) = lines(pipe_bytes).await;
        for _ in 0..5 {
            writer.tell(text(10));
        }
        // As much as goes in.
        assert!(tokio::time::timeout(Duration::ZERO, writer.drive()).await.is_err());
        let closing = tokio::spawn(close(reader, writer, End::RESTART));
        let mut n_told = 0;
        let farewell = loop {
            match far.next().await.unwrap().unwrap() {
                Theirs::Text(told) => n_told += usize::from(told.as_str() == text(10)),
                Theirs::Close(farewell) => break farewell.unwrap(),
                other => panic!("{other}"),
            }
        };
        assert_eq!(u16::from(farewell.code), 1012);
        assert_eq!(n_told, pipe_bytes.div_ceil(12).min(5), "{pipe_bytes}");
        far.flush().await.unwrap();
        closing.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn who_breaks_the_rules_and_goes_on_sending_is_told_so_all_the_same() {
    let (near, far) = tokio::io::duplex(64);
    let (mut reader, writer) = open(near);
    let (mut reading, mut writing) = tokio::io::split(far);
    let sending = tokio::spawn(async move {
        let mut n_sent = 0;
        while n_sent < 100_000 && writing.write_all(b"GET / HTTP/1.1\r\n").await.is_ok() {
            n_sent += 16;
        }
        n_sent
    });
    let end = reader.next().await.unwrap_err();
    assert_eq!(end, End::PROTOCOL);
    let closing = tokio::spawn(close(reader, writer, end));
    let mut farewell = Vec::new();
    reading.read_to_end(&mut farewell).await.unwrap();
    assert_eq!(&farewell[2..4], &1002u16.to_be_bytes());
    closing.await.unwrap();
    assert_eq!(sending.await.unwrap(), 100_000, "nothing was reset before it was read");
}

#[tokio::test(start_paused = true)]
async fn who_takes_nothing_is_stalled_and_who_takes_a_little_is_not() {
    let (_reader, mut writer, mut far) = lines(100).await;
    writer.tell(text(1_000));
    let driving = |writer: &mut Writer<DuplexStream>| {
        let mut cx = Context::from_waker(std::task::Waker::noop());
        assert!(writer.poll_written(&mut cx).is_pending());
    };
    driving(&mut writer);
    for _ in 0..3 {
        tokio::time::advance(STALL_MAX - Duration::from_secs(1)).await;
        assert!(!writer.is_stalled());
        far.get_mut().read_exact(&mut [0; 10]).await.unwrap();
        driving(&mut writer);
    }
    tokio::time::advance(STALL_MAX).await;
    assert!(writer.is_stalled());
}
