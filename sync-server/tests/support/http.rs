//! A client of HTTP/1.1 over a blocking socket, whose steps can be taken one at a time.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

/// Longer than anything takes. A disk that is shared with builds may hold up every sync for half a minute.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Requests after which a client of several servers goes to the next one: few, so that it gets around.
const REQUESTS_PER_VISIT: usize = 3;

/// Where a server listens right now; it changes with every start.
#[derive(Clone, Debug)]
pub(crate) struct Address(Arc<Mutex<SocketAddr>>);

impl Address {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self(Arc::new(Mutex::new(address)))
    }

    pub(crate) fn set(&self, address: SocketAddr) {
        *self.0.lock().unwrap() = address;
    }

    pub(crate) fn get(&self) -> SocketAddr {
        *self.0.lock().unwrap()
    }
}

/// A connection that is made again when it was lost. Of several servers the next one is asked each time, after a refusal
/// and now and then without one.
#[derive(Debug)]
pub(crate) struct Http {
    addresses: Vec<Address>,
    n_connects: usize,
    n_asked: usize,
    token: Option<String>,
    stream: Option<BufReader<TcpStream>>,
}

/// The first part of an answer.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) status: u16,
    content_type: String,
    retry_after: Option<u32>,
    length: Option<usize>,
    closes: bool,
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    content_type: String,
    retry_after: Option<u32>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The code of a refusal, which must have the form of one.
    pub(crate) fn code(&self) -> String {
        assert_eq!(self.content_type, "application/problem+json", "{self:?}");
        let code = self.json()["code"].as_str().unwrap().to_owned();
        // Damage does not go away by waiting; everything else that is not there now does.
        let passes = self.status == 503 && code != "space_quarantined";
        assert!(!passes || self.retry_after.is_some(), "when to come back? {self:?}");
        code
    }

    /// The body of a success.
    #[track_caller]
    pub(crate) fn ok(&self) -> Value {
        assert!(matches!(self.status, 200 | 201), "{self:?}");
        self.json()
    }
}

impl Http {
    pub(crate) fn new(addresses: &[Address], token: Option<&str>) -> Self {
        let token = token.map(str::to_owned);
        Self { addresses: addresses.to_owned(), n_connects: 0, n_asked: 0, token, stream: None }
    }

    pub(crate) fn get(&mut self, path: &str) -> io::Result<Answer> {
        self.ask("GET", path, "")
    }

    pub(crate) fn post(&mut self, path: &str, body: &str) -> io::Result<Answer> {
        self.ask("POST", path, body)
    }

    pub(crate) fn delete(&mut self, path: &str) -> io::Result<Answer> {
        self.ask("DELETE", path, "")
    }

    fn ask(&mut self, method: &str, path: &str, body: &str) -> io::Result<Answer> {
        let answer = self.send_head(method, path, body.len(), "").and_then(|()| {
            self.send_body(body)?;
            self.answer()
        });
        self.n_asked += 1;
        let has_seen_enough =
            |answer: &Answer| answer.status == 503 || self.n_asked.is_multiple_of(REQUESTS_PER_VISIT);
        if !answer.as_ref().is_ok_and(|answer| self.addresses.len() == 1 || !has_seen_enough(answer)) {
            self.stream = None;
        }
        answer
    }

    /// Sends the first part of a request, and `more` header lines.
    pub(crate) fn send_head(
        &mut self,
        method: &str,
        path: &str,
        length: usize,
        more: &str,
    ) -> io::Result<()> {
        let token =
            self.token.as_ref().map_or(String::new(), |token| format!("authorization: Bearer {token}\r\n"));
        let content = if length > 0 { "content-type: application/json\r\n" } else { "" };
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\n{token}{content}content-length: {length}\r\n{more}\r\n"
        );
        self.send_body(&head)
    }

    pub(crate) fn send_body(&mut self, body: &str) -> io::Result<()> {
        self.stream()?.get_mut().write_all(body.as_bytes())
    }

    /// Reads a whole answer.
    pub(crate) fn answer(&mut self) -> io::Result<Answer> {
        let head = self.head()?;
        let body = self.body(&head)?;
        let Head { status, content_type, retry_after, .. } = head;
        Ok(Answer { status, content_type, retry_after, body })
    }

    /// Reads the first part of an answer.
    pub(crate) fn head(&mut self) -> io::Result<Head> {
        let status = self.line()?;
        let status = status.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| io::Error::other("no status line"))?;
        let mut head =
            Head { status, content_type: String::new(), retry_after: None, length: Some(0), closes: false };
        loop {
            let line = self.line()?.to_ascii_lowercase();
            match line.split_once(": ") {
                Some(("content-length", length)) => head.length = length.parse().ok(),
                Some(("transfer-encoding", _)) => head.length = None,
                Some(("retry-after", seconds)) => head.retry_after = seconds.parse().ok(),
                Some(("content-type", name)) => name.clone_into(&mut head.content_type),
                Some(("connection", "close")) => head.closes = true,
                None if line.is_empty() => return Ok(head),
                _ => {}
            }
        }
    }

    /// Reads the rest of an answer.
    pub(crate) fn body(&mut self, head: &Head) -> io::Result<String> {
        let mut body = Vec::new();
        match head.length {
            Some(length) => self.read_exactly(length, &mut body)?,
            None => while self.chunk(&mut body)? {},
        }
        if head.closes {
            self.stream = None;
        }
        String::from_utf8(body).map_err(io::Error::other)
    }

    /// Reads one chunk; says whether there are more.
    fn chunk(&mut self, body: &mut Vec<u8>) -> io::Result<bool> {
        let length = usize::from_str_radix(&self.line()?, 16).map_err(io::Error::other)?;
        self.read_exactly(length, body)?;
        self.line()?;
        Ok(length > 0)
    }

    fn read_exactly(&mut self, length: usize, body: &mut Vec<u8>) -> io::Result<()> {
        let limit = u64::try_from(length).map_err(io::Error::other)?;
        let n_read = self.stream()?.by_ref().take(limit).read_to_end(body)?;
        if n_read == length { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.stream()?.read_line(&mut line)?;
        match line.strip_suffix("\r\n") {
            Some(line) => Ok(line.to_owned()),
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    fn stream(&mut self) -> io::Result<&mut BufReader<TcpStream>> {
        if self.stream.is_none() {
            let address = self.addresses[self.n_connects % self.addresses.len()].get();
            self.n_connects += 1;
            let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            stream.set_nodelay(true)?;
            self.stream = Some(BufReader::new(stream));
        }
        Ok(self.stream.as_mut().unwrap())
    }
}
