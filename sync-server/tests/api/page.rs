//! `docs/bad-input.md`, the table for people: made from the file, and held to it.

use super::golden::hold;
use super::table::{Group, Row, Table};

const HEAD: &str = "# Bad input

What is sent, and what is answered.
Each row is asked in a test, over the memory store, SQLite and Postgres, which also checks that the refusal is a problem
document with these words, that nothing changed in spaces or accounts, and that the log shows neither a secret nor content.
The inputs themselves are in `sync-server/tests/bad_input.toml`, from which this page is made:
`UPDATE_GOLDEN=1 cargo test -p sync-server --test api` writes it anew.

Refusals are `application/problem+json` with a stable `code`; programs go by the code, `detail` is for people.
The order of the checks is: transport and size, credentials, the space and the role in it, the path, the query, the body.
";

#[test]
fn the_page_about_bad_input_says_what_the_table_says() {
    let table = Table::read();
    let sections: Vec<String> = table.groups.iter().map(section).collect();
    hold("../docs/bad-input.md", &format!("{HEAD}\n{}", sections.join("\n")));
}

#[test]
fn rows_have_names_of_their_own_that_tell_their_area() {
    let table = Table::read();
    let mut seen = std::collections::HashSet::new();
    for (group, row) in table.groups.iter().flat_map(|group| group.rows.iter().map(move |row| (group, row))) {
        assert!(seen.insert(&row.id), "{} is there twice", row.id);
        let number = row.id.strip_prefix(group.area.as_str());
        assert!(number.is_some_and(|number| number.parse::<u32>().is_ok()), "{}", row.id);
    }
}

#[test]
fn rows_that_are_held_elsewhere_name_a_test_that_exists() {
    let tests = [
        include_str!("../wire/requests.rs"),
        include_str!("../wire/connections.rs"),
        include_str!("../wire/limited.rs"),
        include_str!("../live/access.rs"),
        include_str!("../live/conversation.rs"),
        include_str!("../live/handshake.rs"),
        include_str!("../live/misuse.rs"),
        include_str!("../live/raw.rs"),
        include_str!("../live/slow.rs"),
        include_str!("../../src/auth/secret/tests.rs"),
        include_str!("../../src/auth/token/tests.rs"),
        include_str!("accounts.rs"),
        include_str!("openapi.rs"),
        include_str!("faults.rs"),
        include_str!("bad_input.rs"),
        include_str!("races.rs"),
        include_str!("ends.rs"),
        include_str!("limits.rs"),
        include_str!("names.rs"),
        include_str!("sessions.rs"),
        include_str!("dump.rs"),
        include_str!("../../src/client.rs"),
        include_str!("../../src/client/forwarded/tests.rs"),
        include_str!("../../src/cors.rs"),
        include_str!("../../src/edge/same_site.rs"),
        include_str!("../../src/limit/tests.rs"),
        include_str!("../../src/mail/tests/writing.rs"),
        include_str!("../../src/limit/table.rs"),
    ];
    for row in Table::read().groups.iter().flat_map(|group| &group.rows) {
        let Some(name) = &row.see else { continue };
        assert!(tests.iter().any(|text| text.contains(&format!("fn {name}("))), "{}: {name}", row.id);
    }
}

fn section(group: &Group) -> String {
    let about = group.about.as_ref().map_or(String::new(), |about| format!("{about}\n\n"));
    let rows: Vec<String> = group.rows.iter().map(|row| line(group, row)).collect();
    let head = "| | input | request | answer |\n|---|---|---|---|\n";
    format!("## {}\n\n{about}{head}{}", group.title, rows.concat())
}

fn line(group: &Group, row: &Row) -> String {
    let request = match &row.see {
        Some(_) => String::new(),
        None => format!("`{}`", row.ask(group).replace('|', "%7C")),
    };
    let limit = row.limit.map_or(String::new(), |limit| format!(", `limit` {limit}"));
    let pointer = row.pointer.as_ref().map_or(String::new(), |pointer| format!(" at `\"{pointer}\"`"));
    format!("| {} | {} | {request} | {}{pointer}{limit} |\n", row.id, row.what, answer(row))
}

/// The status, and the code as code.
fn answer(row: &Row) -> String {
    match row.answer.split_once(' ') {
        Some((status, words)) if status.parse::<u16>().is_ok() && !words.contains(',') => {
            let words: Vec<String> = words.split(' ').map(|word| format!("`{word}`")).collect();
            format!("{status} {}", words.join(", "))
        }
        _ => row.answer.clone(),
    }
}
