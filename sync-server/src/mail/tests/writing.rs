//! What a letter looks like on paper, and in a folder.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::mail::MailDir;

const ID: &str = "0123456789abcdef0123456789abcdef";

fn written(letter: &Letter, sender: &Sender) -> String {
    let mail = Mail::write(letter, sender, ID.to_owned(), start());
    String::from_utf8(mail.bytes().to_vec()).unwrap()
}

/// Headers, plain text and HTML.
fn parts(mail: &str) -> (Vec<&str>, String, String) {
    let (head, body) = mail.split_once("\r\n\r\n").unwrap();
    let boundary = format!("--{ID}");
    let mut parts = body.split(&boundary).map(str::to_owned);
    assert_eq!(parts.next().unwrap(), "");
    let (plain, html, end) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
    assert_eq!((end.trim_end(), parts.next()), ("--", None));
    (head.split("\r\n").collect(), plain, html)
}

#[test]
fn a_letter_has_the_headers_that_mail_needs_and_no_others() {
    let mail = written(&letter_to("Ada+x@Example.org"), &sender());
    let (mut headers, ..) = parts(&mail);
    headers.sort_unstable();
    assert_eq!(
        headers,
        [
            " boundary=\"0123456789abcdef0123456789abcdef\"",
            "Auto-Submitted: auto-generated",
            "Content-Type: multipart/alternative;",
            "Date: Tue, 14 Nov 2023 22:13:20 +0000",
            "From: Sync <sync@sync.example>",
            "MIME-Version: 1.0",
            "Message-ID: <0123456789abcdef0123456789abcdef@sync.example>",
            "Subject: Your link to sign in",
            "To: ada+x@example.org",
        ]
    );
}

#[test]
fn both_halves_have_the_link_in_one_piece() {
    let mail = written(&letter_to("ada@example.org"), &sender());
    let (_, plain, html) = parts(&mail);
    let link = format!("{BASE}/link#{TOKEN}");
    assert!(
        plain.contains(&format!("\r\n{link}\r\n")) && plain.contains("text/plain; charset=utf-8"),
        "{plain}"
    );
    assert!(
        html.contains(&format!("<a href=\"{link}\">")) && html.contains("text/html; charset=utf-8"),
        "{html}"
    );
    for half in [&plain, &html] {
        assert!(half.contains("Content-Transfer-Encoding: 7bit") && half.contains(TOKEN));
        let words = half.replace("\r\n", " ");
        for said in
            ["within 10 minutes", "works once", "If this was not you, ignore this letter", " sync.example "]
        {
            assert!(words.contains(said), "{said}");
        }
        assert!(!half.contains('{'), "a word of the template was not filled in");
    }
    assert!(mail.split("\r\n").all(|line| line.len() <= 998 && !line.contains(['\r', '\n'])));
}

#[test]
fn what_stands_in_a_base_url_stays_text() {
    let base = "https://h\"><script>alert(1)</script>&amp;";
    let to = MailAddress::new("ada@example.org").unwrap();
    let mail = written(&Letter::magic_link(to, base, TOKEN, TEN_MINUTES), &sender());
    let (_, _, html) = parts(&mail);
    assert!(!html.contains("<script"), "{html}");
    assert!(html.contains("&lt;script&gt;") && html.contains("&amp;amp;"));
}

#[test]
fn every_address_that_is_accepted_can_be_written_to() {
    for address in
        ["o'brien_{x}|~1@example.org", "a=b?c^d`e@example.org", "ada@日本.example", "ada@localhost"]
    {
        let mail = written(&letter_to(address), &sender());
        let normal = MailAddress::new(address).unwrap().normal().to_owned();
        assert!(mail.contains(&format!("To: {normal}\r\n")), "{mail}");
    }
}

#[test]
fn a_sender_is_one_address_with_a_name() {
    for (text, from) in [
        ("sync@sync.example", "sync@sync.example"),
        ("Sync <SYNC@Sync.example>", "Sync <sync@sync.example>"),
        ("\"Sync, Inc.\" <sync@sync.example>", "=?utf-8?b?U3luYywgSW5jLg==?= <sync@sync.example>"),
        ("Bücher <sync@sync.example>", "=?utf-8?b?QsO8Y2hlcg==?= <sync@sync.example>"),
    ] {
        let mail = written(&letter_to("ada@example.org"), &Sender::new(text).unwrap());
        assert!(mail.contains(&format!("From: {from}\r\n")), "{mail}");
    }
    for text in [
        "",
        "Sync",
        "a@b.example, c@d.example",
        "x\r\nBcc: eve@example.org <a@b.example>",
        "\"x\"@",
        "a@1.2.3.4",
    ] {
        assert!(Sender::new(text).is_err(), "{text}");
    }
    for (base, address) in [
        ("https://sync.example:8443", "no-reply@sync.example"),
        ("http://127.0.0.1:8080", "no-reply@localhost"),
        ("http://[::1]", "no-reply@localhost"),
        ("nonsense", "no-reply@localhost"),
    ] {
        assert_eq!(Sender::of(base).address().normal(), address);
    }
}

#[test]
fn nothing_of_a_letter_shows_in_debug() {
    let letter = letter_to("ada@example.org");
    let mail = Mail::write(&letter, &sender(), ID.to_owned(), start());
    let shown = format!("{letter:?} {mail:?} {:?}", sender());
    assert_eq!(shown, format!("Letter(***) Mail {{ id: \"{ID}\", .. }} {:?}", sender()));
    assert!(!shown.contains("ada") && !shown.contains(TOKEN));
}

#[tokio::test]
async fn a_folder_gets_one_private_whole_file_for_each_mail_in_the_order_of_time() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("a/mail");
    let mailer = MailDir::open(&folder).unwrap();
    assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
    for (id, micros) in [("b", 9), ("a", 1_700_000_000_000_000), ("c", 10), ("d", 10)] {
        let at = Timestamp::from_micros(micros).unwrap();
        mailer.send(&Mail::write(&letter_to("ada@example.org"), &sender(), id.to_owned(), at)).await.unwrap();
    }
    let mut names: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    let expected = ["0000000000000009-b", "0000000000000010-c", "0000000000000010-d", "1700000000000000-a"];
    assert_eq!(names, expected.map(|name| std::ffi::OsString::from(format!("{name}.eml"))));
    for name in names {
        let path = folder.join(name);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(fs::read_to_string(path).unwrap().ends_with("--\r\n"));
    }
}

#[tokio::test]
async fn a_folder_that_is_gone_is_a_failure_that_may_pass() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("mail");
    let mailer = MailDir::open(&folder).unwrap();
    fs::remove_dir(&folder).unwrap();
    let mail = Mail::write(&letter_to("ada@example.org"), &sender(), ID.to_owned(), start());
    assert!(mailer.send(&mail).await.unwrap_err().is_temporary());
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(MailDir::open(&file).is_err());
}
