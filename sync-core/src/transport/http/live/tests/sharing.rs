//! Who shares a connection, and who is not held up by whom.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use tokio::net::TcpStream;

use super::super::line::Line;
use super::script::*;
use crate::error::ErrorKind;
use crate::protocol::{Ask, Subscribe, Tell};
use crate::transport::{HttpTransport, LiveNews, LiveStream, Transport};
use crate::types::CursorToken;

fn after(at: &str) -> Subscribe {
    Subscribe { after: Some(CursorToken::new(at)), ..Subscribe::default() }
}

/// Answers each subscription with its first frame.
async fn polite(_: usize, socket: TcpStream) {
    let mut end = opened(socket).await;
    while let Some(asked) = end.hear_no_ping().await {
        let Ask::Subscribe { space, subscribe, .. } = asked.ask else { continue };
        end.say(first_frame(space.as_str(), subscribe.after.unwrap().as_str())).await;
    }
}

async fn begins_at(live: &mut LiveStream) -> String {
    loop {
        match live.next().await {
            Some(Ok(LiveNews::Frame(frame))) => return frame.from.as_ref().unwrap().as_str().into(),
            Some(Ok(LiveNews::Alive(_))) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn spaces_share_a_connection_and_a_second_reader_of_one_gets_another() {
    let (base, count) = server(polite).await;
    let transport = HttpTransport::new(&base, None).unwrap();
    let mut streams = Vec::new();
    for n in 0..20 {
        let mut live = transport.live(&space(&format!("s{n}")), &after("7")).unwrap();
        assert_eq!(begins_at(&mut live).await, "7");
        streams.push(live);
    }
    assert_eq!(count.load(Ordering::SeqCst), 1);
    let mut second = transport.live(&space("s3"), &after("8")).unwrap();
    assert_eq!(begins_at(&mut second).await, "8");
    assert_eq!(count.load(Ordering::SeqCst), 2);
    // A seat that was left is free again.
    drop(streams);
    for n in 0..20 {
        let mut live = transport.live(&space(&format!("s{n}")), &after("9")).unwrap();
        assert_eq!(begins_at(&mut live).await, "9");
    }
    assert_eq!(count.load(Ordering::SeqCst), 2);
}

fn told(line: &Line, text: &str) {
    assert!(line.told(Tell::from_json(text).unwrap()).is_continue());
}

#[tokio::test]
async fn a_slow_reader_is_told_so_after_what_it_has_and_holds_up_nobody() {
    let (line, mut asks) = Line::new();
    let mut slow = line.sit(&space("slow"), &after("0")).unwrap();
    let mut quick = line.sit(&space("quick"), &after("0")).unwrap();
    for from in 0..50 {
        told(&line, &frame("slow", from));
        told(&line, &frame("quick", from));
        assert_eq!(begins_at(&mut quick).await, from.to_string());
    }
    for from in 0..8 {
        assert_eq!(begins_at(&mut slow).await, from.to_string());
    }
    assert!(matches!(slow.next().await, Some(Ok(LiveNews::Behind))));
    assert!(slow.next().await.is_none());
    let mut kinds = Vec::new();
    while let Ok(Some(asked)) = tokio::time::timeout(Duration::from_millis(10), asks.next()).await {
        kinds.push(matches!(asked.ask, Ask::Unsubscribe { .. }));
    }
    assert_eq!(kinds, [false, false, true], "the server is told to stop");
    assert!(line.sit(&space("slow"), &after("8")).is_some());
}

#[tokio::test]
async fn what_was_meant_for_the_one_who_sat_there_before_is_not_heard() {
    let (line, mut asks) = Line::new();
    drop(line.sit(&space("family"), &after("0")).unwrap());
    let mut live = line.sit(&space("family"), &after("5")).unwrap();
    let mut asked = Vec::new();
    for _ in 0..4 {
        asked.push(asks.next().now_or_never().expect("it was asked at once").unwrap());
    }
    let order = asked.iter().map(|asked| match asked.ask {
        Ask::Subscribe { .. } => "subscribe",
        Ask::Unsubscribe { .. } => "unsubscribe",
        Ask::Ping { .. } => "ping",
        _ => "other",
    });
    assert_eq!(order.collect::<Vec<_>>(), ["subscribe", "unsubscribe", "ping", "subscribe"]);
    told(&line, &frame("family", 5));
    told(
        &line,
        r#"{"type":"resync","space":"family","reason":"horizon","epoch":"07070707070707070707070707070707","floor":3}"#,
    );
    told(&line, r#"{"type":"error","code":"space_not_found","space":"family"}"#);
    told(&line, r#"{"type":"pong","ref":"1","heads":{}}"#);
    told(
        &line,
        &format!(r#"{{"type":"pong","ref":"{}","heads":{{}}}}"#, asked[2].reference.as_ref().unwrap()),
    );
    told(&line, &first_frame("family", "5"));
    assert!(matches!(live.next().await, Some(Ok(LiveNews::Alive(None)))));
    assert_eq!(begins_at(&mut live).await, "5");
    told(&line, &frame("family", 5));
    assert_eq!(begins_at(&mut live).await, "5");
}

#[tokio::test]
async fn a_refusal_ends_the_subscription_that_it_is_about_and_no_other() {
    let (line, mut asks) = Line::new();
    let mut one = line.sit(&space("one"), &after("0")).unwrap();
    let mut two = line.sit(&space("two"), &after("0")).unwrap();
    let mut three = line.sit(&space("three"), &after("0")).unwrap();
    let reference = asks.next().await.unwrap().reference.unwrap();
    told(&line, &format!(r#"{{"type":"error","code":"space_not_found","detail":"no","ref":"{reference}"}}"#));
    told(&line, r#"{"type":"error","code":"forbidden_role","space":"two","retry_after":7}"#);
    told(&line, r#"{"type":"error","code":"from_the_future","ref":"77"}"#);
    told(&line, r#"{"type":"error","code":"invalid_cursor","space":"three","ref":"taken"}"#);
    let error = one.next().await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::NotFound, "no (space_not_found)"));
    let error = two.next().await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.retry_after()), (ErrorKind::Forbidden, Some(Duration::from_secs(7))));
    told(&line, &frame("three", 0));
    assert_eq!(begins_at(&mut three).await, "0");
    let all = Tell::from_json(r#"{"type":"error","code":"rate_limited"}"#).unwrap();
    assert_eq!(line.told(all).break_value().unwrap().kind(), ErrorKind::Overloaded);
}

#[test]
fn a_connection_has_a_hundred_seats_and_those_that_were_left_are_free() {
    let (line, _asks) = Line::new();
    let sit = |n: usize| line.sit(&space(&format!("s{n}")), &after("0"));
    let mut seats: Vec<_> = (0..100).map(|n| sit(n).unwrap()).collect();
    assert!(sit(100).is_none());
    seats.pop();
    line.is_alive();
    assert!(sit(100).is_some());
}

#[tokio::test]
async fn a_newer_token_goes_to_the_server_and_none_ends_everything() {
    let (line, mut asks) = Line::new();
    let mut live = line.sit(&space("family"), &after("0")).unwrap();
    line.sign_in(Some("newer"));
    asks.next().await.unwrap();
    let asked = asks.next().await.unwrap();
    assert_eq!(asked.ask, Ask::Auth { token: "newer".into() });
    line.sign_in(None);
    assert_eq!(live.next().await.unwrap().unwrap_err().kind(), ErrorKind::Unauthorized);
    assert!(line.sit(&space("other"), &after("0")).is_none());
}

#[test]
fn a_newer_token_that_could_not_be_looked_at_is_shown_with_each_ping_until_it_is_taken() {
    let (line, mut asks) = Line::new();
    let _live = line.sit(&space("family"), &after("0")).unwrap();
    let mut n_shown = || {
        line.ping();
        let asked = std::iter::from_fn(|| asks.next().now_or_never().flatten());
        asked.filter(|asked| matches!(asked.ask, Ask::Auth { .. })).count()
    };
    assert_eq!(n_shown(), 0);
    line.sign_in(Some("newer"));
    n_shown();
    for code in ["storage_unavailable", "overloaded", "rate_limited", "internal"] {
        told(&line, &format!(r#"{{"type":"error","code":"{code}","ref":"sign-in"}}"#));
        assert_eq!(n_shown(), 1, "{code}");
    }
    told(&line, READY);
    assert_eq!(n_shown(), 0);
}

#[test]
fn a_newer_token_that_is_not_for_this_connection_ends_it_and_is_judged_where_it_is_shown_next() {
    for code in ["invalid_token", "token_expired", "token_revoked"] {
        let (line, _asks) = Line::new();
        line.sign_in(Some("newer"));
        let refusal = format!(r#"{{"type":"error","code":"{code}","ref":"sign-in"}}"#);
        let refused = line.told(Tell::from_json(&refusal).unwrap());
        assert_eq!(refused.break_value().unwrap().kind(), ErrorKind::Unavailable, "{code}");
    }
}

#[tokio::test]
async fn a_position_is_told_once_the_reader_asks_for_more() {
    let (line, _asks) = Line::new();
    let mut live = line.sit(&space("family"), &after("0")).unwrap();
    let at = |line: &Arc<Line>| match line.ping().ask {
        Ask::Ping { at } => at.get(&space("family")).map(|cursor| cursor.as_str().to_owned()),
        other => panic!("{other:?}"),
    };
    told(&line, &frame("family", 0));
    told(&line, &frame("family", 1));
    begins_at(&mut live).await;
    assert_eq!(at(&line), None, "it may still be at it");
    begins_at(&mut live).await;
    assert_eq!(at(&line).as_deref(), Some("1"));
}
