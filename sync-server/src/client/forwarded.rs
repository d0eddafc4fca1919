//! What proxies write about where a request comes from: three headers, read from the nearest hop on.

use std::net::{IpAddr, SocketAddr};

use hyper::HeaderMap;

/// The hops that one header tells, the nearest first; `None` for one that is told as something else than an address.
type Hops = Vec<Option<IpAddr>>;

/// Reads one line of a header.
type Read = fn(&str) -> Hops;

/// What each of the headers that are there tells.
pub(super) fn kinds(headers: &HeaderMap) -> [Option<Hops>; 3] {
    let kinds: [(&str, Read); 3] =
        [("x-forwarded-for", listed), ("forwarded", elements), ("x-real-ip", listed)];
    kinds.map(|(name, read)| {
        let lines = headers.get_all(name).iter().rev();
        let hops: Hops = lines.flat_map(|line| line.to_str().map_or_else(|_| vec![None], read)).collect();
        headers.contains_key(name).then_some(hops)
    })
}

/// `client, proxy, proxy`.
fn listed(line: &str) -> Hops {
    line.rsplit(',').map(|entry| node(entry.trim())).collect()
}

/// `for=client;proto=https, for="[2001:db8::1]:4711"` (RFC 7239).
fn elements(line: &str) -> Hops {
    match split_outside_quotes(line, ',') {
        Some(elements) => elements.into_iter().rev().map(client_of).collect(),
        // A quote that never ends may have been begun by anyone, to hide what stands behind it.
        None => vec![None],
    }
}

/// The `for` of an element; `None` when it has none, or more than one, or one that is no address.
fn client_of(element: &str) -> Option<IpAddr> {
    let pairs = split_outside_quotes(element, ';')?;
    let pairs = pairs.into_iter().filter_map(|pair| pair.split_once('='));
    let mut clients = pairs.filter(|(name, _)| name.trim().eq_ignore_ascii_case("for"));
    let (_, value) = clients.next().filter(|_| clients.next().is_none())?;
    let value = value.trim();
    node(value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value))
}

/// An address, with a port or without.
fn node(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let ip = match bare {
        Some(v6) => IpAddr::V6(v6.parse().ok()?),
        None => text.parse().or_else(|_| text.parse().map(|address: SocketAddr| address.ip())).ok()?,
    };
    Some(ip.to_canonical())
}

/// The parts between separators that are not quoted; `None` when a quote does not end. No address has a quote or a
/// backslash in it, so escapes need not be understood: what has one is no address.
fn split_outside_quotes(line: &str, separator: char) -> Option<Vec<&str>> {
    let mut is_quoted = false;
    let parts = line.split(|c| {
        is_quoted ^= c == '"';
        c == separator && !is_quoted
    });
    let parts = parts.collect();
    (!is_quoted).then_some(parts)
}

#[cfg(test)]
mod tests;
