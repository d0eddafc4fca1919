//! What a person is asked: passwords, which nobody sees, and whether they mean it.
//!
//! Questions go to standard error, so that what a command yields can go elsewhere.

use std::io::{self, BufRead, IsTerminal, Read, Write};

use tokio::sync::oneshot;
use tokio::task::block_in_place;

use super::failure::Failure;
use crate::auth::password;
use crate::config::Hidden;

/// A new password: asked for twice without showing it, or the first line of standard input.
///
/// It is taken as it is, but for the end of the line.
pub(super) fn password(from_stdin: bool) -> Result<Hidden, Failure> {
    if from_stdin {
        return Ok(line_of(io::stdin().lock())?.as_str().into());
    }
    if !io::stdin().is_terminal() {
        return Err(Failure::usage("there is no terminal to ask for the password: use --password-stdin"));
    }
    let ask = |prompt: &str| {
        block_in_place(|| rpassword::prompt_password(prompt))
            .map_err(|error| Failure::from(format!("cannot ask for the password: {error}")))
    };
    let (first, again) = (ask("New password: ")?, ask("Again: ")?);
    if first != again {
        return Err("the two were not the same: nothing was changed".into());
    }
    Ok(first.as_str().into())
}

fn line_of(input: impl BufRead) -> Result<String, Failure> {
    // With the end of the line, and one more byte to notice what is too long.
    let limit = password::BYTES_MAX as u64 + 3;
    let mut line = String::new();
    let read = block_in_place(|| input.take(limit).read_line(&mut line));
    read.map_err(|error| format!("cannot read the password from standard input: {error}"))?;
    let end = line.trim_end_matches('\n').len();
    line.truncate(end);
    Ok(line.strip_suffix('\r').map(str::to_owned).unwrap_or(line))
}

/// Has a name typed before something goes for good.
pub(super) async fn name_typed(warning: &str, name: &str) -> Result<(), Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::usage("there is no terminal to ask whether this is meant: say --yes"));
    }
    let question = format!("{warning}\nThis cannot be undone. Type {name} to go on: ");
    match answer(&question).await?.trim() == name {
        true => Ok(()),
        false => Err("that is not the name: nothing was deleted".into()),
    }
}

/// Asks something that is answered with yes or no; anything else is asked again.
pub(super) async fn yes(question: &str) -> Result<bool, Failure> {
    loop {
        match answer(&format!("{question} [y/n] ")).await?.trim() {
            "y" | "Y" | "yes" => return Ok(true),
            "n" | "N" | "no" | "" => return Ok(false),
            _ => {}
        }
    }
}

/// Reads in a thread that nobody waits for, so that whoever is asked may interrupt instead of answering.
async fn answer(question: &str) -> Result<String, Failure> {
    let mut stderr = io::stderr();
    write!(stderr, "{question}").and_then(|()| stderr.flush())?;
    let (reply, answer) = oneshot::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = io::stdin().lock().take(ANSWER_BYTES_MAX).read_line(&mut line);
        // It may have been interrupted meanwhile.
        let _ = reply.send(read.map(|_| line));
    });
    let read = answer.await.map_err(|_| "cannot read the answer")?;
    read.map_err(|error| format!("cannot read the answer: {error}").into())
}

/// Bytes of an answer. 1 kB: names are shorter.
const ANSWER_BYTES_MAX: u64 = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_password_is_a_line_as_it_is() {
        for (input, expected) in
            [("secret\n", "secret"), ("secret", "secret"), (" se cret \r\nmore\n", " se cret "), ("", "")]
        {
            assert_eq!(line_of(input.as_bytes()).unwrap(), expected, "{input:?}");
        }
        let endless = "x".repeat(1 << 20);
        assert!(line_of(endless.as_bytes()).unwrap().len() > password::BYTES_MAX);
    }
}
