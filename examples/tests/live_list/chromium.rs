//! A browser without a window, as a process of its own that ends with its holder.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::{env, thread};

use serde_json::json;
use tempfile::TempDir;

use crate::devtools::DevTools;
use crate::page::Page;

/// What it is called, the leanest first.
const NAMES: [&str; 4] = ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"];

/// Runs a browser until its holder closes the standard input, or dies in whatever way; then all of its processes end.
const HELD: &str = "\"$@\" & read -r _; kill -KILL 0";

/// A running browser.
pub(crate) struct Chromium {
    process: Child,
    tools: Rc<RefCell<DevTools>>,
    _profile: TempDir,
}

impl Chromium {
    /// Starts one. `None` where there is none: the test is skipped then, or fails where `REQUIRE_CHROMIUM` is set.
    pub(crate) fn start() -> Option<Self> {
        let program = find()?;
        let profile = tempfile::tempdir().unwrap();
        let mut process = Command::new("sh")
            .args(["-c", HELD, "sh"])
            .arg(program)
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-first-run",
            ])
            .args(["--remote-debugging-port=0", "--disable-background-networking"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(process.stderr.take().unwrap()).lines().map_while(Result::ok);
        let address = said.find_map(|line| Some(line.strip_prefix("DevTools listening on ")?.to_owned()));
        let tools = DevTools::connect(&address.expect("a browser says where its tools are"));
        // It stops when nobody reads what it says.
        thread::spawn(move || said.for_each(drop));
        Some(Self { process, tools: Rc::new(RefCell::new(tools)), _profile: profile })
    }

    /// A page with cookies and storage of its own, as on another computer.
    pub(crate) fn page(&self, url: &str) -> Page {
        let mut tools = self.tools.borrow_mut();
        let context = tools.call(None, "Target.createBrowserContext", json!({}));
        let asked = json!({"url": "about:blank", "browserContextId": context["browserContextId"]});
        let target = tools.call(None, "Target.createTarget", asked)["targetId"].clone();
        let asked = json!({"targetId": target, "flatten": true});
        let session =
            tools.call(None, "Target.attachToTarget", asked)["sessionId"].as_str().unwrap().to_owned();
        drop(tools);
        let page = Page::new(Rc::clone(&self.tools), session);
        page.open(url);
        page
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        self.process.wait().ok();
    }
}

/// The rule for what a test may lack.
fn find() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let programs = |name| env::split_paths(&path).map(move |folder| folder.join(name));
    let found = NAMES.into_iter().flat_map(programs).find(|program| program.is_file());
    if found.is_none() {
        let thread = thread::current();
        let test = thread.name().unwrap_or("a test");
        let why_not = "no chromium here; scripts/chromium/install gets one";
        let required = env::var_os("REQUIRE_CHROMIUM").is_some_and(|value| !value.is_empty());
        assert!(!required, "{test} may not be skipped where REQUIRE_CHROMIUM is set, but {why_not}");
        // Past the captured output of the test.
        std::io::stderr().write_all(format!("\nSKIPPED {test}: {why_not}\n").as_bytes()).ok();
    }
    found
}
