//! What a request must pass before any route sees it: a sane head, and a whole body within limits.
//!
//! The gate reads the body itself, so that no route can forget the cap or the deadline, and hands on a
//! request whose bytes are already in hand. It knows nothing about routes: a refusal here comes before
//! authentication and touches no storage.
//!
//! What hyper refuses earlier, with an empty body: a garbled request line, bad header bytes or two
//! different lengths (400), a line above 64 kB (414), a head above the buffer or 100 headers (431).

mod body;
mod head;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Body;
use hyper::{Method, Request};

use crate::client::{ClientAddress, Holding, Tally};
use crate::problem::{Code, Problem};

/// Bytes in the body of a `DELETE`. 64 KiB: a password and a word on what is to become of things.
const DELETE_BYTES_MAX: usize = 64 << 10;

/// The part of the memory for bodies that one address may have. A quarter: it takes more than three to keep others out, and
/// an office behind one address has eight of the largest at a time.
const PARTS: usize = 4;

/// The numbers the gate holds requests to.
#[derive(Clone, Copy, Debug)]
pub struct GateLimits {
    /// Bytes in one body. 10 MiB: the largest batch any supported client sends.
    pub body_bytes_max: usize,
    /// How long a body may take to arrive. 15 s: 10 MiB over a slow mobile link, or a client that stalls.
    pub body_deadline: Duration,
    /// Memory for all bodies in hand at once, in bytes, of which one address may have a quarter. 256 MiB: 25 of the largest,
    /// thousands of ordinary ones.
    pub bodies_bytes_max: usize,
}

impl Default for GateLimits {
    fn default() -> Self {
        Self { body_bytes_max: 10 << 20, body_deadline: Duration::from_secs(15), bodies_bytes_max: 256 << 20 }
    }
}

/// Admits requests, or says why not.
#[derive(Clone, Debug)]
pub struct Gate {
    limits: GateLimits,
    budget: Arc<Tally>,
}

/// A request that passed, with its whole body.
#[derive(Debug)]
pub struct Admitted {
    /// The request as the routes get it.
    pub request: Request<Full<Bytes>>,
    /// Holds the body's share of the memory budget; dropped when the answer is ready.
    pub share: Holding,
}

impl Default for Gate {
    fn default() -> Self {
        Self::new(GateLimits::default())
    }
}

impl Gate {
    /// A gate with these limits and a budget of its own.
    pub fn new(limits: GateLimits) -> Self {
        let bytes_max = limits.bodies_bytes_max;
        Self { limits, budget: Arc::new(Tally::new(bytes_max, bytes_max / PARTS)) }
    }

    /// Checks the head, then reads the body.
    ///
    /// A declared length over the limit is refused before the first byte is read, so that a client that
    /// sent `Expect: 100-continue` never hears 100. The body of a `GET` or `HEAD` means nothing: it is not read, and the
    /// request is handed on without it.
    ///
    /// Memory is counted by the [`ClientAddress`] among the extensions of the request; this machine is free of the limit for one
    /// address, as it is where connections are counted.
    ///
    /// # Errors
    ///
    /// `not_found`, `uri_too_long`, `headers_too_large`, `invalid_host`, `duplicate_header`,
    /// `unsupported_media_type`, `body_too_large`, `request_timeout`, `invalid_encoding` (the body broke
    /// off), `overloaded` (too many bodies at once). Those that leave the body unread close the connection.
    pub async fn admit<B>(&self, request: Request<B>) -> Result<Admitted, Problem>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let has_body = !request.body().is_end_stream();
        head::check(&request, has_body)
            .map_err(|problem| if has_body { problem.close() } else { problem })?;
        let (parts, body) = request.into_parts();
        let client = parts.extensions.get::<ClientAddress>().filter(|client| !client.is_loopback());
        let mut share = self.budget.hold(client.map(ClientAddress::counted));
        let bytes = match self.bytes_max(&parts.method) {
            None => Bytes::new(),
            Some(bytes_max) => {
                let reading = body::read(body, bytes_max, &mut share);
                let read = tokio::time::timeout(self.limits.body_deadline, reading).await;
                read.map_err(|_| self.too_slow())??
            }
        };
        Ok(Admitted { request: Request::from_parts(parts, Full::new(bytes)), share })
    }

    /// How large a body may be; `None` where it means nothing.
    fn bytes_max(&self, method: &Method) -> Option<usize> {
        match *method {
            Method::GET | Method::HEAD => None,
            Method::DELETE => Some(self.limits.body_bytes_max.min(DELETE_BYTES_MAX)),
            _ => Some(self.limits.body_bytes_max),
        }
    }

    fn too_slow(&self) -> Problem {
        let seconds = self.limits.body_deadline.as_secs();
        Problem::new(Code::RequestTimeout)
            .detail(format!("the body did not arrive within {seconds} seconds"))
            .close()
    }
}

#[cfg(test)]
mod tests;
