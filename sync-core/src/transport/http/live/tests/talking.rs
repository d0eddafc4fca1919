//! Conversations in virtual time: silence, slow lines, and how they end.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::io::{AsyncWriteExt, DuplexStream, duplex};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::super::Ending;
use super::super::ending::closed;
use super::super::line::Line;
use super::super::talk::talk;
use super::script::*;
use crate::error::{Error, ErrorKind};
use crate::id_source::{IdSource, SeededIds};
use crate::protocol::{Ask, Subscribe};
use crate::transport::{LiveNews, LiveStream};

/// A line with a seat, its task, and the raw end of the server.
fn line() -> (Arc<Line>, LiveStream, JoinHandle<Ending>, DuplexStream) {
    let (line, asks) = Line::new();
    let live = line.sit(&space("family"), &Subscribe::default()).unwrap();
    let (here, there) = duplex(64 << 10);
    let talked = Arc::clone(&line);
    let task = tokio::spawn(async move { talk(&talked, asks, here, &SeededIds::new(7)).await });
    (line, live, task, there)
}

fn error(ending: Ending) -> Error {
    let Ending::Failed(error) = ending else { panic!("{ending:?}") };
    error
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_half_open_ends_after_fifteen_seconds() {
    let (_line, _live, task, there) = line();
    let mut end = End::of(there).await;
    end.say(READY).await;
    end.say(first_frame("family", "0")).await;
    let began = Instant::now();
    assert_eq!(error(task.await.unwrap()).kind(), ErrorKind::Unavailable);
    assert_eq!(began.elapsed().as_secs(), 15);
}

#[tokio::test(start_paused = true)]
async fn who_says_something_else_than_that_they_are_ready_is_no_sync_server_and_who_says_nothing_may_be_one()
{
    let (_line, _live, task, _there) = line();
    let began = Instant::now();
    assert!(matches!(task.await.unwrap(), Ending::Unclear(_)));
    assert_eq!(began.elapsed().as_secs(), 10);
    for text in ["<html>", r#"{"type":"frame"}"#] {
        let (_line, _live, task, there) = line();
        End::of(there).await.say(text).await;
        assert!(matches!(task.await.unwrap(), Ending::NotHere), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn pings_that_are_answered_keep_it_alive_and_are_passed_on_as_signs_of_life() {
    let (_line, mut live, task, there) = line();
    let mut end = End::of(there).await;
    end.say(READY).await;
    let server = tokio::spawn(async move { while end.hear_no_ping().await.is_some() {} });
    let began = Instant::now();
    for _ in 0..100 {
        assert!(matches!(live.next().await, Some(Ok(LiveNews::Alive(_)))));
    }
    assert_eq!(began.elapsed().as_secs(), 1000);
    assert!(!task.is_finished() && !server.is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_large_frame_on_a_slow_line_is_not_silence() {
    let (_line, mut live, task, mut there) = line();
    // Everything at the pace of some bytes in four seconds.
    let message = |text: &str| {
        let n = u16::try_from(text.len()).unwrap().to_be_bytes();
        [&[0x81, 126], &n[..], text.as_bytes()].concat()
    };
    there.write_all(&[&[0x81, READY.len() as u8], READY.as_bytes()].concat()).await.unwrap();
    tokio::spawn(async move {
        for piece in message(&frame("family", 0)).chunks(10) {
            there.write_all(piece).await.unwrap();
            sleep(Duration::from_secs(4)).await;
        }
        std::future::pending::<()>().await;
    });
    let mut n_alive = 0;
    let began = Instant::now();
    loop {
        match timeout(Duration::from_secs(60), live.next()).await.expect("it says that it lives") {
            Some(Ok(LiveNews::Alive(_))) => n_alive += 1,
            Some(Ok(LiveNews::Frame(_))) => break,
            other => panic!("{other:?} after {:?}", began.elapsed()),
        }
    }
    assert!(began.elapsed() > Duration::from_secs(60) && n_alive > 4, "{n_alive}");
    assert!(!task.is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_line_closes_when_nobody_is_seated_for_a_while() {
    let (line, live, task, there) = line();
    let mut end = End::of(there).await;
    end.say(READY).await;
    let server = tokio::spawn(async move { while end.hear_no_ping().await.is_some() {} });
    sleep(Duration::from_secs(300)).await;
    assert!(!line.is_over());
    drop(live);
    sleep(Duration::from_secs(15)).await;
    let live = line.sit(&space("other"), &Subscribe::default());
    assert!(live.is_some(), "it is still there for whoever comes soon");
    drop(live);
    let left = Instant::now();
    assert!(matches!(task.await.unwrap(), Ending::Over));
    assert!((30..=50).contains(&left.elapsed().as_secs()), "{:?}", left.elapsed());
    assert!(line.sit(&space("family"), &Subscribe::default()).is_none());
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn how_a_server_closes_says_what_to_do() {
    use ErrorKind as K;
    for (code, kind) in [
        (1000, K::Unavailable),
        (1002, K::Unavailable),
        (1008, K::Overloaded),
        (1012, K::Unavailable),
        (1013, K::Unavailable),
        (4400, K::Invalid),
        (4401, K::Unauthorized),
        (4403, K::Unavailable),
        (4408, K::Unavailable),
    ] {
        for is_ready in [true, false] {
            let (_line, _live, task, there) = line();
            let mut end = End::of(there).await;
            if is_ready {
                end.say(READY).await;
                assert!(matches!(end.hear().await.unwrap().ask, Ask::Subscribe { .. }));
            }
            end.close(code).await;
            assert_eq!(error(task.await.unwrap()).kind(), kind, "{code}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn nonsense_is_not_believed_and_ends_it() {
    for text in ["", "{", "[]", r#"{"type":"frame","space":"family"}"#, r#"{"type":"frame","space":"../x"}"#]
    {
        let (_line, _live, task, there) = line();
        let mut end = End::of(there).await;
        end.say(READY).await;
        end.say(first_frame("family", "0")).await;
        end.say(text).await;
        assert_eq!(error(task.await.unwrap()).kind(), ErrorKind::Distrusted, "{text}");
    }
    let (_line, mut live, _task, there) = line();
    let mut end = End::of(there).await;
    end.say(READY).await;
    end.say(r#"{"type":"song","of":"a newer server"}"#).await;
    end.say(frame("family", 0)).await;
    assert!(matches!(live.next().await, Some(Ok(LiveNews::Frame(_)))));
}

#[test]
fn ten_thousand_clients_of_a_server_that_restarts_do_not_come_back_at_once() {
    let ids = SeededIds::new(7);
    let waits: Vec<u128> =
        (0..10_000).map(|_| closed(1012, &ids).retry_after().unwrap().as_millis()).collect();
    let mut by_tenth = [0; 10];
    waits.iter().for_each(|wait| by_tenth[usize::try_from(wait / 500).unwrap().min(9)] += 1);
    assert!(by_tenth.iter().all(|n| (800..1200).contains(n)), "{by_tenth:?}");
    let all_different = waits.iter().collect::<BTreeSet<_>>().len();
    assert!(all_different > 3000, "{all_different}");
    let _: &dyn IdSource = &ids;
}
