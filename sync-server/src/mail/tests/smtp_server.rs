//! A mail server on loopback: the state machine of `mailin`, on threads, with faults when told.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::{io, thread};

use mailin::{Action, AuthMechanism, Handler, Response, SessionBuilder, response};

/// What goes wrong with one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is accepted and never spoken to.
    Silence,
    /// It is refused with a number instead of being greeted.
    Greeting(u16),
    /// The recipient is refused with a number.
    Recipient(u16),
    /// The text is refused with a number.
    Text(u16),
    /// The text is taken, and the farewell never answered.
    SilentFarewell,
}

/// One mail that arrived.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Arrived {
    pub(super) hello: String,
    pub(super) login: Option<(String, String)>,
    pub(super) from: String,
    pub(super) to: Vec<String>,
    pub(super) text: String,
}

#[derive(Debug, Default)]
struct Seen {
    faults: Mutex<VecDeque<Fault>>,
    arrived: Mutex<Vec<Arrived>>,
    lines: Mutex<Vec<String>>,
    n_connections: Mutex<usize>,
}

/// A server that listens until the test ends.
pub(super) struct SmtpServer {
    pub(super) address: SocketAddr,
    seen: Arc<Seen>,
}

impl SmtpServer {
    /// A server whose first connections suffer `faults`, one each. With `asks_login` it takes mail from those who signed
    /// in as `sync` with `p@ss:word/1`.
    pub(super) fn start(faults: &[Fault], asks_login: bool) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen { faults: Mutex::new(faults.iter().copied().collect()), ..Seen::default() });
        let shared = Arc::clone(&seen);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (shared, fault) = (Arc::clone(&shared), shared.faults.lock().unwrap().pop_front());
                *shared.n_connections.lock().unwrap() += 1;
                thread::spawn(move || talk(stream, fault, asks_login, shared));
            }
        });
        Self { address, seen }
    }

    pub(super) fn arrived(&self) -> Vec<Arrived> {
        self.seen.arrived.lock().unwrap().clone()
    }

    pub(super) fn n_connections(&self) -> usize {
        *self.seen.n_connections.lock().unwrap()
    }

    /// Every line that a client said before its text.
    pub(super) fn lines(&self) -> Vec<String> {
        self.seen.lines.lock().unwrap().clone()
    }
}

/// Holds a connection without a word until the other side hangs up.
fn stay_silent(mut lines: impl BufRead) -> io::Result<()> {
    io::copy(&mut lines, &mut io::sink()).map(drop)
}

fn talk(mut stream: TcpStream, fault: Option<Fault>, asks_login: bool, seen: Arc<Seen>) -> io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?);
    match fault {
        Some(Fault::Silence) => return stay_silent(lines),
        Some(Fault::Greeting(code)) => return write!(stream, "{code} ada@example.org is not served\r\n"),
        _ => {}
    }
    let mut builder = SessionBuilder::new("mail.example");
    if asks_login {
        builder.enable_auth(AuthMechanism::Plain).insecure_enable_plaintext_auth();
    }
    let mail = OneMail { fault, seen: Arc::clone(&seen), now: Arrived::default() };
    let mut session = builder.build(IpAddr::V4(Ipv4Addr::LOCALHOST), mail);
    session.greeting().write_to(&mut stream)?;
    let (mut line, mut is_text) = (Vec::new(), false);
    while lines.read_until(b'\n', &mut line)? > 0 {
        if !is_text {
            seen.lines.lock().unwrap().push(String::from_utf8_lossy(&line).trim_end().to_owned());
        }
        if fault == Some(Fault::SilentFarewell) && line.starts_with(b"QUIT") {
            return stay_silent(lines);
        }
        let answer = session.process(&line);
        is_text = answer.code == 354 || answer.action == Action::NoReply;
        answer.write_to(&mut stream)?;
        if answer.action == Action::Close {
            break;
        }
        line.clear();
    }
    Ok(())
}

struct OneMail {
    fault: Option<Fault>,
    seen: Arc<Seen>,
    now: Arrived,
}

/// What real servers say: with the address in it.
fn refusal(code: u16) -> Response {
    Response::custom(code, "<ada@example.org> is not served".to_owned())
}

impl Handler for OneMail {
    fn helo(&mut self, _ip: IpAddr, domain: &str) -> Response {
        self.now.hello = domain.to_owned();
        response::OK
    }

    fn auth_plain(&mut self, _authorization: &str, user: &str, password: &str) -> Response {
        self.now.login = Some((user.to_owned(), password.to_owned()));
        if (user, password) == ("sync", "p@ss:word/1") {
            response::AUTH_OK
        } else {
            response::INVALID_CREDENTIALS
        }
    }

    fn mail(&mut self, _ip: IpAddr, _domain: &str, from: &str) -> Response {
        self.now.from = from.to_owned();
        response::OK
    }

    fn rcpt(&mut self, to: &str) -> Response {
        self.now.to.push(to.to_owned());
        if let Some(Fault::Recipient(code)) = self.fault { refusal(code) } else { response::OK }
    }

    fn data_start(&mut self, _domain: &str, _from: &str, _is8bit: bool, to: &[String]) -> Response {
        assert_eq!(to, self.now.to);
        response::OK
    }

    fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.now.text.push_str(&String::from_utf8_lossy(bytes));
        Ok(())
    }

    fn data_end(&mut self) -> Response {
        if let Some(Fault::Text(code)) = self.fault {
            return refusal(code);
        }
        self.seen.arrived.lock().unwrap().push(self.now.clone());
        response::OK
    }
}
