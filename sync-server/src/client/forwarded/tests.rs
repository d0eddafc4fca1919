//! Whom requests are counted by, as a table: heads of all kinds, from peers that are trusted and that are not.

use std::net::IpAddr;

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};

use crate::client::TrustedProxies;

type Head<'r> = &'r [(&'static str, &'static str)];

fn client(peer: &str, head: Head<'_>) -> String {
    let proxies = ["10.0.0.0/8", "fd00::/8", "127.0.0.1"].map(|network| network.parse().unwrap());
    let mut headers = HeaderMap::new();
    for (name, value) in head {
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        headers.append(HeaderName::from_static(name), value);
    }
    TrustedProxies::new(proxies.into()).client(peer.parse().unwrap(), &headers).ip().to_string()
}

const XFF: &str = "x-forwarded-for";
const FORWARDED: &str = "forwarded";
const REAL: &str = "x-real-ip";

#[test]
fn a_stranger_is_not_asked_whom_it_speaks_for() {
    for head in [
        &[(XFF, "198.51.100.7")][..],
        &[(XFF, "198.51.100.7, 10.0.0.1")],
        &[(FORWARDED, "for=198.51.100.7")],
        &[(REAL, "198.51.100.7")],
        &[(XFF, "127.0.0.1"), (REAL, "127.0.0.1"), (FORWARDED, "for=127.0.0.1")],
    ] {
        assert_eq!(client("203.0.113.9", head), "203.0.113.9", "{head:?}");
        assert_eq!(client("::ffff:203.0.113.9", head), "203.0.113.9", "{head:?}");
    }
}

#[test]
fn behind_trusted_proxies_the_rightmost_stranger_counts() {
    let rows: &[(Head<'_>, &str)] = &[
        (&[], "10.0.0.1"),
        (&[(XFF, "198.51.100.7")], "198.51.100.7"),
        (&[(XFF, "1.1.1.1, 198.51.100.7")], "198.51.100.7"),
        (&[(XFF, "1.1.1.1, 198.51.100.7, 10.2.3.4")], "198.51.100.7"),
        (&[(XFF, "1.1.1.1"), (XFF, "198.51.100.7,10.2.3.4")], "198.51.100.7"),
        (&[(XFF, "198.51.100.7:4711")], "198.51.100.7"),
        (&[(XFF, "2001:db8::7")], "2001:db8::7"),
        (&[(XFF, "[2001:db8::7]")], "2001:db8::7"),
        (&[(XFF, "[2001:db8::7]:4711, fd00::1")], "2001:db8::7"),
        (&[(XFF, "::ffff:198.51.100.7")], "198.51.100.7"),
        (&[(FORWARDED, "for=198.51.100.7;proto=https;by=10.0.0.1")], "198.51.100.7"),
        (&[(FORWARDED, "For=\"[2001:db8::7]:4711\"")], "2001:db8::7"),
        (&[(FORWARDED, "for=1.1.1.1, proto=http; for=\"198.51.100.7:99\" , for=10.9.9.9")], "198.51.100.7"),
        (&[(FORWARDED, "for=1.1.1.1;by=\"a,b;for=2.2.2.2\", for=198.51.100.7")], "198.51.100.7"),
        (&[(REAL, "198.51.100.7")], "198.51.100.7"),
    ];
    for (head, expected) in rows {
        assert_eq!(client("10.0.0.1", head), *expected, "{head:?}");
        assert_eq!(client("::ffff:10.0.0.1", head), *expected, "{head:?}");
    }
}

#[test]
fn what_is_no_address_ends_the_way_at_the_proxy_that_said_it() {
    for head in [
        &[(XFF, "")][..],
        &[(XFF, "198.51.100.7, unknown")],
        &[(XFF, "198.51.100.7,")],
        &[(XFF, "198.51.100.7 1.1.1.1")],
        &[(XFF, "198.51.100.7:port")],
        &[(XFF, "[198.51.100.7]")],
        &[(XFF, "198.51.100.07")],
        &[(XFF, "fe80::1%eth0")],
        &[(XFF, "sync.example")],
        &[(XFF, "198.51.100.7, \u{e4}")],
        &[(FORWARDED, "for=198.51.100.7, for=unknown")],
        &[(FORWARDED, "for=_hidden")],
        &[(FORWARDED, "for=198.51.100.7;for=1.1.1.1")],
        &[(FORWARDED, "by=198.51.100.7")],
        &[(FORWARDED, "for=\"198.51.100.7, for=1.1.1.1")],
        &[(FORWARDED, "for=\"198.51.100\\.7\"")],
        &[(REAL, "nobody")],
    ] {
        assert_eq!(client("10.0.0.1", head), "10.0.0.1", "{head:?}");
    }
    assert_eq!(client("10.0.0.1", &[(XFF, "1.1.1.1, garbage, 10.0.0.2")]), "10.0.0.2");
}

#[test]
fn headers_that_contradict_each_other_are_not_believed() {
    for head in [
        &[(XFF, "1.1.1.1"), (REAL, "198.51.100.7")][..],
        &[(XFF, "198.51.100.7"), (FORWARDED, "for=1.1.1.1")],
    ] {
        assert_eq!(client("10.0.0.1", head), "10.0.0.1", "{head:?}");
    }
    for head in [
        &[(XFF, "198.51.100.7"), (REAL, "198.51.100.7")][..],
        &[(XFF, "198.51.100.7, 10.0.0.2"), (REAL, "10.0.0.2")],
        &[(XFF, "10.0.0.7"), (REAL, "198.51.100.7")],
        &[(XFF, "198.51.100.7"), (FORWARDED, "for=unknown")],
    ] {
        assert_eq!(client("10.0.0.1", head), "198.51.100.7", "{head:?}");
    }
}

#[test]
fn a_client_within_the_trusted_networks_is_the_furthest_of_them() {
    assert_eq!(client("127.0.0.1", &[(XFF, "10.7.7.7, 10.0.0.2")]), "10.7.7.7");
}

#[test]
fn a_hundred_hops_are_read_from_the_right() {
    let long: &'static str = format!("{}198.51.100.7, 10.0.0.5", "1.1.1.1, ".repeat(98)).leak();
    assert_eq!(client("10.0.0.1", &[(XFF, long)]), "198.51.100.7");
    let trusted: &'static str = format!("198.51.100.7{}", ", 10.0.0.5".repeat(99)).leak();
    assert_eq!(client("10.0.0.1", &[(XFF, trusted)]), "198.51.100.7");
    let peer: IpAddr = "10.0.0.1".parse().unwrap();
    assert_eq!(TrustedProxies::default().client(peer, &HeaderMap::new()).ip(), peer);
}
