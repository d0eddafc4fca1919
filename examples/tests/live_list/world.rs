//! The program with its server and page, a browser, and devices that look at the same list over lines of their own.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::chromium::Chromium;
use crate::line::Line;
use crate::page::Page;

/// How long something may take on a busy machine before it counts as broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The password of everyone.
const PASSWORD: &str = "correct horse battery";

/// All items as they are shown: what they say, and whether they are done.
pub(crate) const ITEMS: &str = "[...document.querySelectorAll('#items li')]
    .map((li) => [li.querySelector('.text').value, li.querySelector('.done').checked])";

/// Everything that is needed to share a list.
pub(crate) struct World {
    program: Child,
    page: SocketAddr,
    server: SocketAddr,
    data: TempDir,
    browser: Chromium,
}

impl World {
    /// `None` where there is no browser.
    pub(crate) fn start() -> Option<Self> {
        let browser = Chromium::start()?;
        let data = tempfile::tempdir().unwrap();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let (program, page, server) = start(&data, any, any);
        Some(Self { program, page, server, data, browser })
    }

    /// Ada, who has made a list, and Bob, whom she invited, both looking at it.
    pub(crate) fn with_two() -> Option<(Self, Device, Device)> {
        let world = Self::start()?;
        let ada = world.device("");
        ada.enter("ada", "register");
        ada.page.write("#create input", "Groceries");
        ada.page.click("#create button");
        ada.wait_live();
        let bob = world.device(&ada.invite());
        bob.enter("bob", "register");
        bob.choose("Groceries");
        bob.wait_live();
        Some((world, ada, bob))
    }

    /// Another computer with the page open. `invite` is the token of an invite, or empty.
    pub(crate) fn device(&self, invite: &str) -> Device {
        let line = Line::to(self.server);
        let page = self.browser.page(&format!("http://{}/#server={}&invite={invite}", self.page, line.url()));
        Device { line, page, server: self.server }
    }

    /// Ends the server in order, does something to the folder with its data, and starts it again where it was.
    pub(crate) fn restart(&mut self, meanwhile: impl FnOnce(&std::path::Path)) {
        let kill = Command::new("sh").args(["-c", &format!("kill -INT {}", self.program.id())]).status();
        assert!(kill.unwrap().success() && self.program.wait().unwrap().success());
        meanwhile(self.data.path());
        (self.program, _, _) = start(&self.data, self.page, self.server);
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.program.kill().ok();
        self.program.wait().ok();
    }
}

/// The program, where its page is, and where its server.
fn start(data: &TempDir, page: SocketAddr, server: SocketAddr) -> (Child, SocketAddr, SocketAddr) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_live-list"))
        .args(["--page", &page.to_string(), "--listen", &server.to_string(), "--data"])
        .arg(data.path().join("data"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(program.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let (page, server) =
        line.trim().strip_prefix("open http://").unwrap().split_once("/#server=http://").unwrap();
    (program, page.parse().unwrap(), server.parse().unwrap())
}

/// A computer with the page open, and its line to the server.
pub(crate) struct Device {
    pub(crate) line: Line,
    pub(crate) page: Page,
    server: SocketAddr,
}

impl Device {
    /// Makes an account, or signs in, and comes to see one's lists.
    #[track_caller]
    pub(crate) fn enter(&self, name: &str, how: &str) {
        self.page.wait("!document.getElementById('enter').hidden");
        self.page.write("#enter [name=username]", name);
        self.page.write("#enter [name=password]", PASSWORD);
        self.page.click(&format!("#enter [value={how}]"));
        self.page.wait("!document.getElementById('spaces').hidden");
    }

    /// Opens one of the lists.
    #[track_caller]
    pub(crate) fn choose(&self, name: &str) {
        let button = format!(
            "[...document.querySelectorAll('.open')].find((button) => button.textContent === {})",
            json!(name)
        );
        self.page.wait(&format!("Boolean({button})"));
        self.page.run(&format!("{button}.click()"));
    }

    /// The token of a new invite to the list.
    #[track_caller]
    pub(crate) fn invite(&self) -> String {
        self.page.click("#invite");
        let link = self.page.wait("document.getElementById('link').textContent");
        link.as_str().unwrap().split("invite=").nth(1).unwrap().to_owned()
    }

    #[track_caller]
    pub(crate) fn wait_live(&self) {
        self.page.wait("document.getElementById('state').textContent === 'live'");
    }

    /// Cuts the line, and waits until the page has noticed.
    #[track_caller]
    pub(crate) fn cut_off(&self) {
        self.line.cut();
        self.page.wait("document.getElementById('state').textContent.startsWith('waiting')");
    }

    /// Mends the line, and waits until everything has been sent and received.
    #[track_caller]
    pub(crate) fn come_back(&self) {
        self.line.mend();
        // What a browser says when its network is back. Without it the page comes back by itself, up to a minute later.
        self.page.run("dispatchEvent(new Event('online'))");
        self.wait_live();
        self.wait_sent();
    }

    #[track_caller]
    pub(crate) fn wait_sent(&self) {
        self.page.wait("document.getElementById('unsent').textContent === ''");
    }

    #[track_caller]
    pub(crate) fn add(&self, text: &str) {
        self.page.write("#add input", text);
        self.page.click("#add button");
    }

    /// Gives the item that says `from` another text, and leaves it.
    #[track_caller]
    pub(crate) fn rewrite(&self, from: &str, to: &str) {
        self.page.write(&self.field(from), to);
        self.page.leave();
    }

    #[track_caller]
    pub(crate) fn tick(&self, text: &str) {
        self.press(text, ".done");
    }

    /// Presses a button of the item that says `text`.
    #[track_caller]
    pub(crate) fn press(&self, text: &str, button: &str) {
        let row = self.field(text).replace(" .text", "");
        self.page.click(&format!("{row} {button}"));
    }

    /// A selector of the field of the item that says `text`.
    #[track_caller]
    pub(crate) fn field(&self, text: &str) -> String {
        let js = "[...document.querySelectorAll('#items li')].find((li) => li.querySelector('.text').value === TEXT)?.dataset.id";
        let id = self.page.wait(&js.replace("TEXT", &json!(text).to_string()));
        format!("[data-id=\"{}\"] .text", id.as_str().unwrap())
    }

    /// Waits until the page shows exactly these items.
    #[track_caller]
    pub(crate) fn wait_items(&self, expected: &[(&str, bool)]) {
        self.page.wait_for(ITEMS, &json!(expected));
    }

    /// The items as the server has them, in the order in which they are shown.
    pub(crate) fn items_of_server(&self) -> Value {
        let js = "(async () => {
            const { access_token } = JSON.parse(localStorage.getItem('account'));
            const path = `/v1/spaces/${localStorage.getItem('space')}/records/items`;
            const answer = await fetch('http://SERVER' + path, { headers: { authorization: `Bearer ${access_token}` } });
            const { records } = await answer.json();
            const items = records.map(({ data }) => data).sort((a, b) => a.order - b.order);
            return items.map(({ text, done }) => [text, done]);
        })()";
        self.page.value(&js.replace("SERVER", &self.server.to_string()))
    }
}

/// Waits until both show the same as the server has, which is this, and nothing went wrong in any page.
#[track_caller]
pub(crate) fn assert_converged(devices: [&Device; 2], expected: &[(&str, bool)]) {
    for device in devices {
        device.wait_items(expected);
        device.wait_sent();
    }
    assert_eq!(devices[0].items_of_server(), json!(expected));
    devices[0].page.assert_no_faults();
}
