//! The reference: a broadcast over WebSockets and nothing else. What one says, everyone hears.

use futures_util::{SinkExt, StreamExt};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;
use tokio_tungstenite::accept_async_with_config;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use super::follow::buffers;

/// Texts that wait for a slow connection. More than a burst has, so that nothing is lost.
const WAITING_MAX: usize = 4096;

/// Serves until standard input ends.
#[expect(clippy::print_stdout, reason = "whoever started this reads the address")]
pub(crate) async fn serve() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
    println!("{}", listener.local_addr().expect("it is bound"));
    let (said, _) = broadcast::channel(WAITING_MAX);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(connection(stream, said.clone()));
        }
    });
    let _ = tokio::io::stdin().read(&mut [0; 1]).await;
    // The thread that reads standard input is not waited for.
    std::process::exit(0);
}

async fn connection(stream: TcpStream, said: broadcast::Sender<Utf8Bytes>) {
    stream.set_nodelay(true).expect("a socket takes its options");
    let mut heard = said.subscribe();
    let Ok(mut socket) = accept_async_with_config(stream, Some(buffers())).await else { return };
    loop {
        let sent = tokio::select! {
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => said.send(text).map(|_| ()).map_err(|_| ()),
                Some(Ok(_)) => Ok(()),
                Some(Err(_)) | None => Err(()),
            },
            text = heard.recv() => {
                let mut next = Some(text.expect("no burst is longer than what may wait"));
                while let Some(text) = next {
                    let _ = socket.feed(Message::Text(text)).await;
                    next = heard.try_recv().ok();
                }
                socket.flush().await.map_err(|_| ())
            }
        };
        if sent.is_err() {
            return;
        }
    }
}
