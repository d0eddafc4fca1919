//! The other end: a command is sent to the server that runs, if one does.

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::time::timeout;

use super::line::{Reply, read, write};
use super::peer::stranger;
use super::place::is_too_long;
use crate::config::StoreUrl;
use crate::operate::{Command, Report};
use crate::problem::Problem;

/// How long an answer may take. 10 minutes: deleting what is large takes its time.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(600);

/// Bytes of an answer. 64 MiB: a user with ten thousand spaces on a hundred devices has a fifth of that.
const ANSWER_BYTES_MAX: u64 = 64 << 20;

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// No server listens there.
    Nobody,
    /// Somebody else does, who was told nothing. Text for the person at the terminal.
    Stranger(String),
    /// Text for the person at the terminal.
    Failed(String),
}

/// Has the server that runs on `store` carry out a command.
pub(crate) async fn call(store: &StoreUrl, command: &Command) -> Result<Result<Report, Problem>, Unanswered> {
    let mut stream = connect(store).await?;
    let exchange = async {
        write(&mut stream, command).await?;
        read(&mut stream, ANSWER_BYTES_MAX).await
    };
    let failed = |why: String| {
        Unanswered::Failed(format!(
            "the server took the command and did not answer ({why}): look whether it was carried out"
        ))
    };
    let line = match timeout(ANSWER_TIMEOUT, exchange).await {
        Ok(read) => read.map_err(|error| failed(error.to_string()))?,
        Err(_) => return Err(failed(format!("not within {} s", ANSWER_TIMEOUT.as_secs()))),
    };
    let reply: Reply = serde_json::from_slice(&line).map_err(|_| {
        failed("its answer is that of another version: use the program it was started from".to_owned())
    })?;
    Ok(reply.into())
}

/// To the server that runs on `store`, and to nobody else.
async fn connect(store: &StoreUrl) -> Result<UnixStream, Unanswered> {
    let (Some(path), Some(data)) = (store.control_path(), store.data_path()) else {
        return Err(Unanswered::Nobody);
    };
    if is_too_long(&path) {
        return Err(Unanswered::Nobody);
    }
    let failed = |error| unreachable(&path, &error);
    let stream = UnixStream::connect(&path).await.map_err(failed)?;
    match stranger(&stream, data).map_err(failed)? {
        None => Ok(stream),
        Some(user) => Err(Unanswered::Stranger(format!(
            "at {} listens user {user}, who neither is this user nor owns the store, so nothing was sent: find out who that \
             is, remove the file, and keep the store in a folder that nobody else may write to",
            path.display()
        ))),
    }
}

fn unreachable(path: &Path, error: &io::Error) -> Unanswered {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Unanswered::Nobody,
        io::ErrorKind::PermissionDenied => Unanswered::Failed(format!(
            "{} belongs to someone else: run this as the user that the server runs as",
            path.display()
        )),
        _ => Unanswered::Failed(format!("cannot reach the server at {}: {error}", path.display())),
    }
}
