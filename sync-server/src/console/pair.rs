//! `sync-server device pair`: shows a code, waits until a device has come in by it, and asks where that was wanted.

use std::fs::{self, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use sync_core::{Clock, SystemClock};
use tokio::time::timeout;

use super::ask;
use super::failure::Failure;
use super::interrupt::Interrupts;
use super::reach::Reach;
use super::screen::Screen;
use super::table::plain;
use super::user::{find, unexpected};
use crate::operate::{Claimed, Command, DeviceCommand, DeviceLine, PairingProgress, PairingReport, Report};
use crate::qr::{Ink, Qr};

/// How often it is asked what became of the code. Half a second: who holds a phone does not wait.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// How long taking a code back may take. 5 s: whoever was told to end may be killed when that takes long, and a code is over
/// by itself in two minutes.
const CANCEL_MAX: Duration = Duration::from_secs(5);

/// What happens, one after the other, for scripts.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Event<'a> {
    /// The code is good.
    Offered(&'a PairingReport),
    /// Somebody scanned it and waits for a yes.
    Claimed(&'a Claimed),
    /// This device came in.
    Paired(&'a DeviceLine),
}

/// A code that is shown.
struct Shown<'r> {
    reach: &'r mut Reach,
    screen: Screen,
    code: PairingReport,
}

pub(super) async fn run(
    reach: &mut Reach,
    screen: Screen,
    who: &str,
    confirm: bool,
    png: Option<&Path>,
) -> Result<(), Failure> {
    if confirm && !io::stdin().is_terminal() {
        return Err(Failure::usage("there is no terminal to ask whom to let in: leave out --confirm"));
    }
    let user = find(reach, who).await?.user.user;
    if reach.is_alone() {
        return Err("no server runs on this store, so nobody could redeem a code: start it first".into());
    }
    // From here on, so that no code is left behind by whoever interrupts.
    let mut interrupts = Interrupts::listen()?;
    let pair = DeviceCommand::Pair { who: user.to_string(), confirm };
    let (code, is_ended) = make(reach, &mut interrupts, Command::Device(pair)).await?;
    let mut shown = Shown { reach, screen, code };
    if is_ended {
        return Err(shown.taken_back().await);
    }
    let why = tokio::select! {
        over = shown.until_over(png) => match over {
            Ok(()) => return Ok(()),
            Err(why) => Some(why),
        },
        () = interrupts.recv() => None,
    };
    let taken_back = shown.taken_back().await;
    // Why it was not waited for matters more than what becomes of it.
    Err(why.unwrap_or(taken_back))
}

impl Shown<'_> {
    /// Shows the code, and waits for somebody to come in.
    async fn until_over(&mut self, png: Option<&Path>) -> Result<(), Failure> {
        let picture = Qr::new(self.code.url.reveal());
        let _file = match (png, &picture) {
            (Some(path), Some(picture)) => Some(Picture::write(path, picture)?),
            _ => None,
        };
        let code = &self.code;
        self.screen.one(&Event::Offered(code), |_| text(code, picture.as_ref()))?;
        let mut is_asked = false;
        loop {
            match self.progress().await? {
                PairingProgress::Offered => self.count_down(),
                PairingProgress::Claimed(claim) if !is_asked => {
                    is_asked = true;
                    self.decide(&claim).await?;
                }
                PairingProgress::Claimed(_) | PairingProgress::Confirmed => {}
                PairingProgress::Paired(device) => return self.paired(&device),
                PairingProgress::Over => {
                    return Err(
                        "no device came in: the code is too old, was refused, or was guessed at too often"
                            .into(),
                    );
                }
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    async fn progress(&mut self) -> Result<PairingProgress, Failure> {
        let (user, pairing) = (self.code.user.clone(), self.code.pairing.clone());
        match self.reach.ask(Command::Device(DeviceCommand::Pairing { user, pairing })).await? {
            Report::Progress(progress) => Ok(progress),
            _ => Err(unexpected()),
        }
    }

    /// Shows how long the code is still good, where somebody is looking.
    fn count_down(&self) {
        if !self.screen.is_json() && io::stderr().is_terminal() {
            let left = self.code.expires_at.since(SystemClock.now()).as_secs();
            let _ = write!(io::stderr(), "\r  waiting for a device, {left:3} s left ");
        }
    }

    /// Asks whether to let in who has scanned the code: where that was wanted, or where they are signed in as somebody else.
    async fn decide(&mut self, claim: &Claimed) -> Result<(), Failure> {
        let Claimed { name, platform, from, .. } = claim;
        let platform = platform.as_deref().unwrap_or("an unknown platform");
        let who = format!("{} on {} from {}", plain(name), plain(platform), plain(from));
        if self.screen.is_json() {
            self.screen.one(&Event::Claimed(claim), |_| String::new())?;
        }
        if !io::stdin().is_terminal() {
            return Err(format!("{who} has to be confirmed, and there is no terminal to ask: refused").into());
        }
        if !ask::yes(&format!("\nLet in {who}?")).await? {
            return Err("it was refused, and the code is void".into());
        }
        let (user, pairing) = (self.code.user.clone(), self.code.pairing.clone());
        self.reach.ask(Command::Device(DeviceCommand::Confirm { user, pairing })).await.map(drop)
    }

    fn paired(&self, device: &DeviceLine) -> Result<(), Failure> {
        self.screen.one(&Event::Paired(device), |_| {
            format!("\n{} is paired: device {}", plain(&device.name), device.device)
        })
    }

    /// Takes the code back, and says whether that was done.
    async fn taken_back(&mut self) -> Failure {
        let (user, pairing) = (self.code.user.clone(), self.code.pairing.clone());
        let cancel = self.reach.ask(Command::Device(DeviceCommand::Cancel { user, pairing }));
        match timeout(CANCEL_MAX, cancel).await {
            Ok(Ok(_)) => "the code was taken back".into(),
            Ok(Err(why)) => format!(
                "the code could not be taken back ({why}): look with `device list` whether somebody came in by it"
            )
            .into(),
            Err(_) => no_answer(),
        }
    }
}

/// Has a code made, and says whether the command was ended meanwhile: then the answer is waited for a moment longer, as the
/// code may be made already.
async fn make(
    reach: &mut Reach,
    interrupts: &mut Interrupts,
    pair: Command,
) -> Result<(PairingReport, bool), Failure> {
    let mut asked = std::pin::pin!(reach.ask(pair));
    let (made, is_ended) = tokio::select! {
        made = &mut asked => (made?, false),
        () = interrupts.recv() => (timeout(CANCEL_MAX, asked).await.map_err(|_| no_answer())??, true),
    };
    match made {
        Report::Pairing(code) => Ok((code, is_ended)),
        _ => Err(unexpected()),
    }
}

fn no_answer() -> Failure {
    Failure::unreached("the server does not answer: a code that it has made is over by itself in two minutes")
}

fn text(code: &PairingReport, picture: Option<&Qr>) -> String {
    let ink = if io::stdout().is_terminal() { Ink::Coloured } else { Ink::Plain };
    let picture = picture.map_or_else(String::new, |picture| picture.terminal(ink));
    format!(
        "{picture}\n{}\n\nScan it in the app, or paste the line there. It is good once.",
        code.url.reveal()
    )
}

/// A picture of a code, which is gone when it is of no use any more.
struct Picture(PathBuf);

impl Picture {
    fn write(path: &Path, picture: &Qr) -> Result<Self, Failure> {
        let failed = |error: io::Error| format!("cannot write {}: {error}", path.display());
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let mut file = file.map_err(failed)?;
        let written = Self(path.to_owned());
        file.write_all(&picture.png()).map_err(failed)?;
        Ok(written)
    }
}

impl Drop for Picture {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
