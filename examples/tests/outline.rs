//! The outline of two computers, as its users run it.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_sync-server-for-tests"))
            .args(["--listen", "127.0.0.1:0", "--store", "memory:"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, url: line.trim().strip_prefix("listening on ").unwrap().to_owned() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

struct Computer(TempDir);

impl Computer {
    /// One on which Ada has signed in; on the first one she registers.
    fn of_ada(server: &Server, register: bool) -> Self {
        let computer = Self(tempfile::tempdir().unwrap());
        let mut args = vec!["login", server.url.as_str(), "ada"];
        args.extend(register.then_some("--register"));
        computer.ok(&args);
        computer
    }

    fn run(&self, args: &[&str]) -> (bool, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_outline"))
            .env("OUTLINE_DATA", self.0.path())
            .env("OUTLINE_PASSWORD", "correct horse battery")
            .args(args)
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(said).unwrap())
    }

    #[track_caller]
    fn ok(&self, args: &[&str]) -> String {
        let (success, said) = self.run(args);
        assert!(success, "{args:?}: {said}");
        said
    }

    /// The outline, indented, without ids.
    fn shown(&self) -> String {
        self.ok(&["show"]).lines().map(|line| format!("{}\n", &line[10..])).collect()
    }

    /// The beginning of the id of a line.
    fn id(&self, text: &str) -> String {
        let shown = self.ok(&["show"]);
        let line = shown.lines().find(|line| line.ends_with(text)).unwrap();
        line[..8].to_owned()
    }

    fn add(&self, text: &str, under: Option<&str>) {
        match under {
            Some(under) => self.ok(&["add", text, "--under", &self.id(under)]),
            None => self.ok(&["add", text]),
        };
    }
}

#[test]
fn two_people_who_move_the_same_branch_at_once_have_one_outline() {
    let server = Server::start();
    let (desk, phone) = (Computer::of_ada(&server, true), Computer::of_ada(&server, false));
    for (text, under) in
        [("Plants", None), ("Animals", None), ("Trees", Some("Plants")), ("Oak", Some("Trees"))]
    {
        desk.add(text, under);
    }
    assert_eq!(desk.shown(), "Plants\n  Trees\n    Oak\nAnimals\n");
    desk.ok(&["sync"]);
    phone.ok(&["sync"]);
    assert_eq!(phone.shown(), desk.shown());

    // Apart: the desk puts Plants below Animals, the phone Animals below Plants and Trees to the first level.
    desk.ok(&["move", &desk.id("Plants"), "--under", &desk.id("Animals")]);
    desk.add("Beech", Some("Trees"));
    phone.ok(&["move", &phone.id("Animals"), "--under", &phone.id("Plants")]);
    phone.ok(&["move", &phone.id("Trees")]);
    phone.ok(&["say", &phone.id("Oak"), "Old oak"]);
    for _ in 0..2 {
        desk.ok(&["sync"]);
        phone.ok(&["sync"]);
    }
    let shown = desk.shown();
    assert_eq!(phone.shown(), shown);
    for text in ["Plants", "Animals", "Trees", "Old oak", "Beech"] {
        assert_eq!(shown.lines().filter(|line| line.trim() == text).count(), 1, "{text} in {shown}");
    }

    // Removed on one computer, it goes from the other; what is below goes with it.
    phone.ok(&["rm", &phone.id("Trees")]);
    phone.ok(&["sync"]);
    desk.ok(&["sync"]);
    assert!(!desk.shown().contains("oak"), "{}", desk.shown());
}

#[test]
fn what_does_not_go_is_said() {
    let server = Server::start();
    let desk = Computer::of_ada(&server, true);
    assert_eq!(desk.ok(&["show"]), "nothing yet: outline add TEXT\n");
    desk.add("Plants", None);
    desk.add("Trees", Some("Plants"));
    let (success, said) = desk.run(&["move", &desk.id("Plants"), "--under", &desk.id("Trees")]);
    assert!(!success && said.contains("below it"), "{said}");
    let (success, said) = desk.run(&["rm", "nothing"]);
    assert!(!success && said.contains("there is no line"), "{said}");
    let (success, said) = Computer(tempfile::tempdir().unwrap()).run(&["show"]);
    assert!(!success && said.contains("sign in first"), "{said}");
}
