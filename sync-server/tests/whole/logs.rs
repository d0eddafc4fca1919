//! What must not be in a log, put into every place of a request to the real binary, at the highest level.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use tempfile::NamedTempFile;
use tokio::net::TcpStream;

use crate::world::exchange;

/// Part of everything that is nobody's business.
const SECRET: &str = "sekret";

/// A process that logs everything. Dropping it kills it.
struct Talkative {
    child: Child,
    address: String,
    /// A file, because a pipe that nobody reads would stop the server.
    log: NamedTempFile,
}

impl Talkative {
    fn start() -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sync-server"));
        command.env_clear().args(["--listen", "127.0.0.1:0", "--store", "memory:", "--log-level", "trace"]);
        command.args(["--trusted-proxy", "127.0.0.1"]);
        let log = NamedTempFile::new().unwrap();
        command.stdout(Stdio::piped()).stderr(log.reopen().unwrap());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim_end().strip_prefix("listening on http://").unwrap().to_owned();
        Self { child, address, log }
    }

    async fn ask(&self, ask: &str, head: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        exchange(&mut stream, ask, head, body).await
    }

    /// What it has logged until now.
    fn log(&self) -> String {
        std::fs::read_to_string(self.log.path()).unwrap()
    }
}

impl Drop for Talkative {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[tokio::test]
async fn nothing_that_a_client_sends_is_logged() {
    let server = Talkative::start();
    let ada = format!(r#"{{"username":"{SECRET}","password":"{SECRET} horse"}}"#);
    assert!(server.ask("POST /v1/auth/register", "", &ada).await.starts_with("HTTP/1.1 201 "));
    for head in [
        format!("Authorization: Bearer {SECRET}\r\n"),
        format!("Cookie: __Host-session={SECRET}; {SECRET}={SECRET}\r\n"),
        format!("Cookie: __Host-session={SECRET}; __Host-session={SECRET}\r\n"),
        format!("Origin: https://{SECRET}.example\r\n"),
        format!("X-Forwarded-For: {SECRET}, 192.0.2.77\r\nX-{SECRET}: {SECRET}\r\n"),
        format!("X-Bad: {SECRET}\0\r\n"),
    ] {
        for ask in ["GET /v1/spaces", "POST /v1/auth/login", &format!("FOO /{SECRET}?{SECRET}={SECRET}")] {
            for body in ["", &ada, &format!("{{{SECRET}"), &format!(r#"{{"{SECRET}":1}}"#)] {
                server.ask(ask, &head, body).await;
            }
        }
    }
    let log = server.log();
    assert!(log.contains("refused"), "the log is looked at");
    for hidden in [SECRET, "192.0.2.77"] {
        let found = log.lines().find(|line| line.contains(hidden));
        assert!(found.is_none(), "{hidden} is in the log: {found:?}");
    }
}
