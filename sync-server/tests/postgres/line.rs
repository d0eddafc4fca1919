//! A line to the database that can fall silent, as when a cable is cut: nobody hears of it.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread::{sleep, spawn};

use crate::support::server::LOOK;

/// Passes connections on to a socket. Its threads end with their connections, and the last with the test.
pub(crate) struct Line {
    pub(crate) address: SocketAddr,
    is_silent: Arc<AtomicBool>,
}

impl Line {
    /// To the database whose socket is in this folder.
    pub(crate) fn to(folder: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let line = Self { address: listener.local_addr().unwrap(), is_silent: Arc::default() };
        let (socket, is_silent) = (folder.join(".s.PGSQL.5432"), Arc::clone(&line.is_silent));
        spawn(move || {
            for client in listener.incoming().map(Result::unwrap) {
                // Without a database the client is hung up on.
                let Ok(database) = UnixStream::connect(&socket) else { continue };
                let (client_too, database_too) = (client.try_clone().unwrap(), database.try_clone().unwrap());
                let (there, back) = (Arc::clone(&is_silent), Arc::clone(&is_silent));
                spawn(move || {
                    pass_on(&client, &database, &there);
                    database.shutdown(Shutdown::Both).ok();
                });
                spawn(move || {
                    pass_on(&database_too, &client_too, &back);
                    TcpStream::shutdown(&client_too, Shutdown::Both).ok();
                });
            }
        });
        line
    }

    /// From now on nothing gets through, and no connection ends.
    pub(crate) fn fall_silent(&self) {
        self.is_silent.store(true, SeqCst);
    }

    /// What was held up gets through, and so does what comes.
    pub(crate) fn speak_again(&self) {
        self.is_silent.store(false, SeqCst);
    }
}

fn pass_on(mut from: impl Read, mut to: impl Write, is_silent: &AtomicBool) {
    let mut bytes = [0; 8192];
    while let Ok(n @ 1..) = from.read(&mut bytes) {
        while is_silent.load(SeqCst) {
            sleep(LOOK);
        }
        if to.write_all(&bytes[..n]).is_err() {
            return;
        }
    }
}
