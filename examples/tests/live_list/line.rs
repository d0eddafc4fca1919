//! A line to a server that can be cut: it carries connections, until it does not.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A port of its own that leads to a server.
pub(crate) struct Line {
    address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    /// Nothing gets through, and nobody is let in.
    is_cut: bool,
    /// What the server says is swallowed.
    is_deaf: bool,
    /// Both ends of all that was ever connected since it was cut last.
    ends: Vec<TcpStream>,
}

impl Line {
    /// A line that works.
    pub(crate) fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let line = Self { address: listener.local_addr().unwrap(), shared: Arc::default() };
        let shared = Arc::clone(&line.shared);
        thread::spawn(move || {
            for client in listener.incoming() {
                // Whoever comes while there is no way is sent away at once, as by a machine that is there without a server.
                let _ = carry(&shared, client.unwrap(), server);
            }
        });
        line
    }

    /// What the server is called at this end.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends everything that is connected, in the middle of whatever it says, and lets nobody in.
    pub(crate) fn cut(&self) {
        let mut shared = self.shared.lock().unwrap();
        shared.is_cut = true;
        for end in shared.ends.drain(..) {
            // It may have ended by itself.
            end.shutdown(Shutdown::Both).ok();
        }
    }

    /// From now on the server hears and is not heard.
    pub(crate) fn deafen(&self) {
        self.shared.lock().unwrap().is_deaf = true;
    }

    /// It works again.
    pub(crate) fn mend(&self) {
        let mut shared = self.shared.lock().unwrap();
        (shared.is_cut, shared.is_deaf) = (false, false);
    }
}

/// Connects a client, unless the line is cut or there is no server.
fn carry(shared: &Arc<Mutex<Shared>>, client: TcpStream, server: SocketAddr) -> std::io::Result<()> {
    let mut held = shared.lock().unwrap();
    if held.is_cut {
        return Ok(());
    }
    let server = TcpStream::connect(server)?;
    held.ends.extend([client.try_clone()?, server.try_clone()?]);
    drop(held);
    let (from, to) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || copy(from, to, || false));
    let shared = Arc::clone(shared);
    thread::spawn(move || copy(server, client, move || shared.lock().unwrap().is_deaf));
    Ok(())
}

fn copy(mut from: TcpStream, mut to: TcpStream, is_swallowed: impl Fn() -> bool) {
    let mut buffer = [0; 16 << 10];
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        if !is_swallowed() && to.write_all(&buffer[..n]).is_err() {
            break;
        }
    }
    to.shutdown(Shutdown::Both).ok();
}
