//! What goes wrong on the way, told with the address and the cause.

use std::error::Error as StdError;
use std::iter::successors;

use hyper::Response;
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;

use super::address::Address;
use crate::error::{Error, ErrorKind};

/// There is no connection, or it broke before there was an answer.
pub(super) fn unreachable(address: &Address, error: hyper_util::client::legacy::Error) -> Error {
    let message = format!("cannot reach the server at {address}: {}", root_cause(&error));
    Error::new(ErrorKind::Unavailable, message).with_source(error)
}

/// The innermost cause, as it goes on in a sentence: the layers above say no more than that there was one.
fn root_cause(error: &dyn StdError) -> String {
    let innermost = successors(error.source(), |cause| (*cause).source()).last();
    let text = innermost.map_or_else(|| error.to_string(), ToString::to_string);
    // What the system says begins with a capital and ends with its number.
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}

pub(super) fn too_slow() -> Error {
    Error::new(ErrorKind::Unavailable, "the server took too long to answer")
}

/// The body of an answer that broke off.
pub(super) fn cut(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
    Error::new(ErrorKind::Unavailable, "the answer of the server was cut").with_source(error)
}

/// What came back is not an answer of a sync server.
pub(super) fn not_an_answer(response: &Response<Incoming>) -> Error {
    let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content_type = content_type.unwrap_or("no content type");
    let message = format!("the answer is not a sync server's: status {}, {content_type}", response.status());
    Error::new(ErrorKind::Distrusted, message).with_status(response.status().as_u16())
}
