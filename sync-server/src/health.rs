//! The `healthcheck` subcommand: asks a running server over HTTP, for container runtimes that want a command.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::origin::reachable;
use crate::tls;

/// Time for each step of the check. 3 s: below the usual 5 s interval of health checks.
const STEP_TIMEOUT: Duration = Duration::from_secs(3);

/// The start of a good answer.
const GOOD: &[u8] = b"HTTP/1.1 200 ";

/// Asks `GET /health` at the address the server listens on.
///
/// A wildcard address is asked on loopback. Over TLS any certificate is taken: it names the host that people know, and is
/// for them to verify.
///
/// # Errors
///
/// The connection's error, or `InvalidData` when the answer is not a 200.
pub fn check(listen: SocketAddr, is_tls: bool) -> io::Result<()> {
    let address = SocketAddr::new(reachable(listen.ip()), listen.port());
    let stream = TcpStream::connect_timeout(&address, STEP_TIMEOUT)?;
    stream.set_read_timeout(Some(STEP_TIMEOUT))?;
    stream.set_write_timeout(Some(STEP_TIMEOUT))?;
    if is_tls {
        ask(tls::connect_unverified(address.ip(), stream).map_err(io::Error::other)?, address)
    } else {
        ask(stream, address)
    }
}

fn ask(mut stream: impl Read + Write, address: SocketAddr) -> io::Result<()> {
    write!(stream, "GET /health HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
    stream.flush()?;
    let mut start = [0; GOOD.len()];
    stream.read_exact(&mut start)?;
    if start == GOOD {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, format!("{address} did not answer /health with 200")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, TcpListener};

    fn answered(answer: &'static [u8]) -> io::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = std::thread::spawn(move || {
            let mut stream = listener.accept().unwrap().0;
            // Unread bytes would turn the close into a reset, which may overtake the answer.
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                request.extend(byte);
            }
            stream.write_all(answer).unwrap();
        });
        let result = check(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port), false);
        server.join().unwrap();
        result
    }

    #[test]
    fn a_200_is_healthy_and_nothing_else() {
        assert!(answered(b"HTTP/1.1 200 OK\r\n\r\n").is_ok());
        assert!(answered(b"HTTP/1.1 503 Service Unavailable\r\n\r\n").is_err());
        assert!(answered(b"").is_err());
    }
}
