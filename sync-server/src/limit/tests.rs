//! Buckets over time, with a clock that also jumps.

use std::net::IpAddr;

use sync_core::{ManualClock, Timestamp};

use super::*;

const DAY: Duration = Duration::from_secs(86_400);

fn world() -> (Arc<ManualClock>, Limiter) {
    let clock = Arc::new(ManualClock::at(Timestamp::ZERO.saturating_add(100 * DAY)));
    (clock.clone(), Limiter::new(clock, [7; 16]))
}

fn client(ip: &str) -> ClientAddress {
    ip.parse::<IpAddr>().unwrap().into()
}

/// How often it may be done at once.
fn burst(limiter: &Limiter, bucket: Bucket) -> usize {
    (0..10_000).take_while(|_| limiter.allow(bucket)).count()
}

fn retry_after_s(limiter: &Limiter, bucket: Bucket) -> u64 {
    let response = limiter.check(bucket).unwrap_err().into_response();
    assert_eq!(response.status(), 429);
    response.headers()["retry-after"].to_str().unwrap().parse().unwrap()
}

#[test]
fn a_burst_is_allowed_and_then_one_each_interval() {
    for (rule, n, interval_s) in [
        (Rule::Login, 10, 300),
        (Rule::LoginAddress, 100, 30),
        (Rule::Register, 30, 60),
        (Rule::Link, 50, 72),
        (Rule::LinkMail, 5, 720),
        (Rule::InviteMail, 5, 720),
        (Rule::Inviter, 30, 120),
        (Rule::Rename, 60, 10),
        (Rule::Pairing, 5, 60),
    ] {
        let (clock, limiter) = world();
        let bucket = limiter.bucket(rule, "ada");
        assert_eq!(burst(&limiter, bucket), n, "{rule:?}");
        assert_eq!(retry_after_s(&limiter, bucket), interval_s, "{rule:?}");
        clock.advance(Duration::from_secs(interval_s) - Duration::from_micros(1));
        assert_eq!((retry_after_s(&limiter, bucket), burst(&limiter, bucket)), (1, 0), "{rule:?}");
        clock.advance(Duration::from_micros(1));
        assert_eq!(burst(&limiter, bucket), 1, "{rule:?}");
        clock.advance(DAY);
        assert_eq!(burst(&limiter, bucket), n, "{rule:?}");
    }
}

#[test]
fn a_success_costs_nothing_and_a_miss_that_was_cut_off_counts() {
    let (_, limiter) = world();
    let bucket = limiter.bucket(Rule::Login, "ada");
    for _ in 0..9 {
        limiter.attempt(&[bucket]).unwrap();
    }
    for _ in 0..1000 {
        limiter.attempt(&[bucket]).unwrap().forgive();
    }
    drop(limiter.attempt(&[bucket]).unwrap());
    assert!(limiter.attempt(&[bucket]).is_err());
}

#[test]
fn guesses_at_the_same_time_are_held_to_the_same_number() {
    let (_, limiter) = world();
    let bucket = limiter.bucket(Rule::Login, "ada");
    let begun: Vec<_> = (0..1000).filter_map(|_| limiter.attempt(&[bucket]).ok()).collect();
    assert_eq!(begun.len(), 10);
    begun.into_iter().for_each(Attempt::forgive);
    assert_eq!(burst(&limiter, bucket), 10);
}

#[test]
fn an_attacker_locks_nobody_out() {
    let (_, limiter) = world();
    let pair = |ip: &str| limiter.bucket(Rule::Login, ("ada", client(ip).counted()));
    assert_eq!(burst(&limiter, pair("203.0.113.9")), 10);
    assert_eq!(burst(&limiter, pair("192.0.2.1")), 10);
}

#[test]
fn several_buckets_are_taken_together_or_not_at_all() {
    let (_, limiter) = world();
    let (full, empty) = (limiter.bucket(Rule::Pairing, 1), limiter.bucket(Rule::Pairing, 2));
    burst(&limiter, empty);
    assert!(limiter.attempt(&[full, empty]).is_err());
    assert_eq!(burst(&limiter, full), 5);
}

#[test]
fn rules_and_keys_do_not_share() {
    let (_, limiter) = world();
    burst(&limiter, limiter.bucket(Rule::Pairing, "a"));
    assert_eq!(burst(&limiter, limiter.bucket(Rule::Pairing, "b")), 5);
    assert_eq!(burst(&limiter, limiter.bucket(Rule::Invite, "a")), 20);
}

#[test]
fn addresses_of_one_64_share_and_loopback_is_spared_where_nothing_can_be_guessed() {
    let (_, limiter) = world();
    burst(&limiter, limiter.client(Rule::Pairing, client("2001:db8::1")));
    assert_eq!(burst(&limiter, limiter.client(Rule::Pairing, client("2001:db8::ffff:2"))), 0);
    assert_eq!(burst(&limiter, limiter.client(Rule::Pairing, client("2001:db8:0:1::1"))), 5);
    assert_eq!(burst(&limiter, limiter.client(Rule::Request, client("127.0.0.1"))), 10_000);
    assert_eq!(burst(&limiter, limiter.client(Rule::Request, client("192.0.2.1"))), 600);
    assert_eq!(burst(&limiter, limiter.client(Rule::Pairing, client("::1"))), 5);
}

#[test]
fn a_clock_that_jumps_holds_nobody_for_ever() {
    let (clock, limiter) = world();
    let bucket = limiter.bucket(Rule::Login, "ada");
    burst(&limiter, bucket);
    clock.set(Timestamp::ZERO.saturating_add(DAY));
    assert_eq!(burst(&limiter, bucket), 0);
    clock.advance(Duration::from_secs(300));
    assert_eq!(burst(&limiter, bucket), 1);
    clock.set(Timestamp::MAX);
    assert_eq!(burst(&limiter, bucket), 10);
    clock.set(Timestamp::ZERO);
    assert_eq!(burst(&limiter, bucket), 0);
    clock.advance(Duration::from_secs(300));
    assert_eq!(burst(&limiter, bucket), 1);
}

#[test]
fn one_that_is_off_allows_everything() {
    let limiter = Limiter::off();
    assert_eq!(burst(&limiter, limiter.bucket(Rule::Pairing, "a")), 10_000);
}
