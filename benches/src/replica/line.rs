//! A line to a server on which requests and bytes are counted.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What went over a line. Heads count as bytes, but for the body.
#[derive(Debug, Default)]
struct Count {
    n_requests: usize,
    asked_bytes: usize,
    answered_bytes: usize,
    body_bytes: usize,
}

/// Passes one connection on.
pub(super) struct Line {
    /// Where to connect to instead of the server.
    pub(super) address: SocketAddr,
    passing: JoinHandle<Count>,
}

impl Line {
    /// A line to the server at `address`, for requests without a body, one after the other.
    pub(super) async fn open(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let passing = tokio::spawn(async move {
            let (client, _) = listener.accept().await.expect("the client connects");
            let server = TcpStream::connect(server).await.expect("the server listens");
            pass(client, server).await
        });
        Self { address, passing }
    }

    /// Waits until the client is gone, and says what each of `n` syncs has cost.
    pub(super) async fn close(self, n: usize) -> String {
        let Count { n_requests, asked_bytes, answered_bytes, body_bytes } =
            self.passing.await.expect("the line ends with its client");
        let each = |total: usize| total as f64 / n as f64;
        let (n_requests, asked, answered, body) =
            (each(n_requests), each(asked_bytes), each(answered_bytes), each(body_bytes));
        format!(
            "a sync with nothing to do: {n_requests:.1} requests, {asked:.0} bytes sent, \
             {answered:.0} received, of which the body is {body:.0}"
        )
    }
}

/// Passes on what either side says until the client is gone. Heads and bodies are so short that each comes in one piece.
async fn pass(mut client: TcpStream, mut server: TcpStream) -> Count {
    let mut count = Count::default();
    let (mut asked, mut answered) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    loop {
        tokio::select! {
            n = client.read(&mut asked) => {
                let Some(n) = n.ok().filter(|n| *n > 0) else { return count };
                count.n_requests += usize::from(end_of_head(&asked[..n]).is_some());
                count.asked_bytes += n;
                server.write_all(&asked[..n]).await.expect("the server reads");
            }
            n = server.read(&mut answered) => {
                let Some(n) = n.ok().filter(|n| *n > 0) else { return count };
                count.answered_bytes += n;
                count.body_bytes += n - end_of_head(&answered[..n]).unwrap_or_default();
                client.write_all(&answered[..n]).await.expect("the client reads");
            }
        }
    }
}

fn end_of_head(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|end| end + 4)
}
