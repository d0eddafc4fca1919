//! `docs/accounts.md`: its commands are carried out in their order, and answered as it says.

use std::collections::BTreeMap;

use super::world::{Answer, World, request, set_header};

const MANUAL: &str = include_str!("../../../docs/accounts.md");

#[tokio::test]
async fn the_commands_of_the_manual_are_answered_as_it_says() {
    let world = World::memory();
    let mut known = BTreeMap::from([("S".to_owned(), String::new())]);
    let mut n_commands = 0;
    for line in MANUAL.lines().filter(|line| line.starts_with("curl ")) {
        let (command, status) = line.rsplit_once(" # ").unwrap_or_else(|| panic!("{line}: no status"));
        let answer = ask(&world, &words(command, &known)).await;
        assert_eq!(answer.status.to_string(), status, "{line}: {answer:?}");
        learn(&mut known, &answer);
        if line.contains("/auth/link ") {
            known.insert("LINK".into(), world.letter("eve@example.org").await);
        }
        n_commands += 1;
    }
    assert_eq!(
        n_commands,
        MANUAL.matches("curl ").count(),
        "some commands do not stand at the start of a line"
    );
}

/// The words of a command as a shell would hand them over.
fn words(command: &str, known: &BTreeMap<String, String>) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    let mut rest = command.chars().peekable();
    while let Some(c) = rest.next() {
        match (c, quote) {
            ('\'' | '"', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            ('\\', None) => word.extend(rest.next()),
            (' ', None) => words.push(std::mem::take(&mut word)),
            ('$', None | Some('"')) => {
                let mut name = String::new();
                while let Some(c) = rest.next_if(|c| c.is_ascii_uppercase() || *c == '_') {
                    name.push(c);
                }
                word.push_str(known.get(&name).unwrap_or_else(|| panic!("{command}: ${name} is not known")));
            }
            (c, _) => word.push(c),
        }
    }
    words.push(word);
    words
}

/// Does what curl would.
async fn ask(world: &World, words: &[String]) -> Answer {
    let mut headers = Default::default();
    set_header(&mut headers, "host", "h", true);
    let (mut method, mut body) = ("GET", None);
    let mut options = words[2..].iter();
    while let Some(option) = options.next() {
        let value = options.next().unwrap();
        match option.as_str() {
            "-X" => method = value,
            "-H" => {
                let (name, value) = value.split_once(": ").unwrap();
                set_header(&mut headers, &name.to_lowercase(), value, true);
            }
            "--json" => {
                set_header(&mut headers, "content-type", "application/json", true);
                body = Some(value.clone().into());
                method = if method == "GET" { "POST" } else { method };
            }
            other => panic!("the manual has no {other}"),
        }
    }
    world.send(request(&format!("{method} {}", words[1]), headers, body)).await
}

/// Every member of the answer that is text, by its name.
fn learn(known: &mut BTreeMap<String, String>, answer: &Answer) {
    let body = serde_json::from_slice::<serde_json::Value>(&answer.body).unwrap_or_default();
    for (name, value) in body.as_object().into_iter().flatten() {
        if let Some(text) = value.as_str() {
            known.insert(name.to_uppercase(), text.to_owned());
        }
    }
}
