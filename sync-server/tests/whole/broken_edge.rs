//! Descriptors of the real binary: it takes what it may have, and says when that is little.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

use crate::world::PATIENCE;

/// A server started under `ulimit`, ended when dropped.
struct Limited(Child);

impl Limited {
    fn start(ulimit: &str) -> Self {
        let server = env!("CARGO_BIN_EXE_sync-server");
        let line = format!("ulimit {ulimit} && exec {server} --listen 127.0.0.1:0 --store memory:");
        let mut command = Command::new("sh");
        command.args(["-c", &line]).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut ready = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        assert!(ready.starts_with("listening on "), "{ready}");
        Self(child)
    }

    /// The soft limit of descriptors and the hard one, as the system tells them.
    fn limits(&self) -> [String; 2] {
        let told = std::fs::read_to_string(format!("/proc/{}/limits", self.0.id())).unwrap();
        let line = told.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap().to_owned();
        let mut words = line.split_whitespace().map(str::to_owned);
        [words.next().unwrap(), words.next().unwrap()]
    }

    /// Whether the log says `text` in time.
    fn says(&mut self, text: &'static str) -> bool {
        let mut log = self.0.stderr.take().unwrap();
        let (told, heard) = mpsc::channel();
        std::thread::spawn(move || {
            let (mut seen, mut bytes) = (String::new(), [0; 1024]);
            while let Ok(n @ 1..) = log.read(&mut bytes) {
                seen.push_str(&String::from_utf8_lossy(&bytes[..n]));
                if seen.contains(text) {
                    told.send(()).ok();
                }
            }
        });
        heard.recv_timeout(PATIENCE).is_ok()
    }
}

impl Drop for Limited {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_server_takes_all_the_descriptors_it_may_have() {
    let [soft, hard] = Limited::start("-S -n 300").limits();
    assert_eq!(soft, hard);
    assert_ne!(soft, "300");
}

#[test]
fn a_server_with_few_descriptors_says_so() {
    // Both limits: half of them are for connections.
    assert!(Limited::start("-n 300").says("connections_max=150"));
}
