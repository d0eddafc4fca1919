//! A client that costs as little as a client can: one kept-alive connection, bodies made beforehand.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// One connection to a server, signed in.
pub(crate) struct Client {
    sender: SendRequest<Full<Bytes>>,
    token: String,
}

impl Client {
    /// Connects.
    pub(crate) async fn connect(address: std::net::SocketAddr, token: &str) -> Self {
        let stream = TcpStream::connect(address).await.expect("the server of the bench listens");
        stream.set_nodelay(true).expect("a socket takes its options");
        let (sender, connection) = handshake(TokioIo::new(stream)).await.expect("the server speaks HTTP");
        tokio::spawn(connection);
        Self { sender, token: token.to_owned() }
    }

    /// Sends a request and reads the whole answer.
    pub(crate) async fn request(
        &mut self,
        method: Method,
        path: &str,
        body: impl Into<Bytes>,
    ) -> (StatusCode, Bytes) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "bench")
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/json")
            .body(Full::new(body.into()))
            .expect("the parts of the request are plain");
        self.sender.ready().await.expect("the connection is kept alive");
        let response = self.sender.send_request(request).await.expect("the server answers");
        let status = response.status();
        let body = response.into_body().collect().await.expect("the answer arrives whole").to_bytes();
        (status, body)
    }

    /// Sends a request that must be answered with 200.
    pub(crate) async fn ok(&mut self, method: Method, path: &str, body: impl Into<Bytes>) -> Bytes {
        let (status, body) = self.request(method, path, body).await;
        assert_eq!(status, StatusCode::OK, "{}", String::from_utf8_lossy(&body));
        body
    }
}
