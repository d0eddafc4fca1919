//! What goes over the socket: a line of JSON in each direction.

use std::io;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

use crate::operate::Report;
use crate::problem::{Code, Problem};

/// What became of a command.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reply {
    Report(Report),
    Refused { code: String, detail: String, members: Map<String, Value> },
}

impl From<Result<Report, Problem>> for Reply {
    fn from(outcome: Result<Report, Problem>) -> Self {
        match outcome {
            Ok(report) => Self::Report(report),
            Err(problem) => Self::Refused {
                code: problem.code().as_str().to_owned(),
                detail: problem.text().to_owned(),
                members: problem.members().clone(),
            },
        }
    }
}

impl From<Reply> for Result<Report, Problem> {
    fn from(reply: Reply) -> Self {
        match reply {
            Reply::Report(report) => Ok(report),
            Reply::Refused { code, detail, members } => {
                let code = Code::from_name(&code).unwrap_or(Code::Internal);
                let problem = Problem::new(code).detail(detail);
                Err(members.into_iter().fold(problem, |problem, (key, value)| problem.extra(&key, value)))
            }
        }
    }
}

/// Reads a line of at most `bytes_max`, without its end.
pub(super) async fn read(stream: &mut UnixStream, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    BufReader::new(stream).take(bytes_max).read_until(b'\n', &mut line).await?;
    match line.pop() {
        Some(b'\n') => Ok(line),
        _ => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the line is not complete")),
    }
}

/// Writes a line.
pub(super) async fn write(stream: &mut UnixStream, message: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    stream.write_all(&line).await
}
