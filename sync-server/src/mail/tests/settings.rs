//! What is read from the settings.

use sync_core::SystemClock;

use super::*;
use crate::mail::smtp_url::Privacy;
use crate::mail::{MailSettings, SmtpUrl};

#[test]
fn a_url_says_where_and_how_and_as_whom() {
    let login = |user: &str, password: &str| Some((user.to_owned(), password.to_owned()));
    for (text, host, port, privacy, who) in [
        ("smtps://u:p@mail.example", "mail.example", 465, Privacy::Tls, login("u", "p")),
        ("smtps://mail.example:2465/", "mail.example", 2465, Privacy::Tls, None),
        ("smtp://u:p@mail.example:587", "mail.example", 587, Privacy::StartTls, login("u", "p")),
        ("smtp://mail.example", "mail.example", 587, Privacy::StartTls, None),
        ("smtp://mail.example?tls=required", "mail.example", 587, Privacy::StartTls, None),
        ("smtp://localhost:25", "localhost", 25, Privacy::None, None),
        ("smtp://127.0.0.1", "127.0.0.1", 25, Privacy::None, None),
        ("smtp://[::1]:1025?tls=none", "::1", 1025, Privacy::None, None),
        ("smtp://localhost?tls=required", "localhost", 587, Privacy::StartTls, None),
        (
            "smtp://a%40b.example:%3A%2F%40@mail.example",
            "mail.example",
            587,
            Privacy::StartTls,
            login("a@b.example", ":/@"),
        ),
    ] {
        let url = SmtpUrl::parse(text).unwrap();
        assert_eq!(
            (url.host.as_str(), url.port, url.privacy, url.login),
            (host, port, privacy, who),
            "{text}"
        );
    }
}

#[test]
fn a_url_that_would_send_in_the_clear_or_makes_no_sense_is_refused() {
    for text in [
        "",
        "mail.example",
        "mail.example:587",
        "http://mail.example",
        "smtp://",
        "smtps:mail.example",
        "smtp://mail.example?tls=none",
        "smtp://192.168.1.1?tls=none",
        "smtp://localhost.evil.example?tls=none",
        "smtp://mail.example?tls=opportunistic",
        "smtp://mail.example?tls=required&tls=none",
        "smtps://mail.example?tls=none",
        "smtp://mail.example/path",
        "smtp://mail.example#x",
        "smtp://secret@mail.example",
        "smtp://:secret@mail.example",
        "smtp://u:%ff@mail.example",
        "smtp://u:secret@mail.example:99999",
    ] {
        let error = SmtpUrl::parse(text).expect_err(text);
        assert!(!error.contains("secret"), "{error}");
    }
}

#[test]
fn a_password_shows_nowhere() {
    let url = SmtpUrl::parse("smtp://user:secret@localhost").unwrap();
    let smtp = crate::mail::Smtp::new(url.clone(), &sender()).unwrap();
    let shown = format!("{url:?} {smtp:?}");
    assert!(!shown.contains("secret") && !shown.contains("user"), "{shown}");
}

#[tokio::test]
async fn settings_name_one_way_or_none() {
    let dir = tempfile::tempdir().unwrap();
    let open = |smtp_url, mail_dir, mail_from| {
        let settings = MailSettings { smtp_url, mail_dir, mail_from, base_url: BASE };
        settings.open(Arc::new(SystemClock), Arc::new(SeededIds::new(1)))
    };
    assert!(open(None, None, None).unwrap().is_none(), "a server without mail knows it");
    assert!(open(Some("smtp://mail.example"), None, None).unwrap().is_some());
    assert!(open(Some("smtp://mail.example"), Some(dir.path()), None).is_err());
    assert!(open(Some("nonsense"), None, None).is_err());
    assert!(open(None, None, Some("nonsense")).is_err(), "a mistake is told although nothing is sent");

    let office = open(None, Some(dir.path()), Some("Notes <notes@example.org>")).unwrap().unwrap();
    office.post(letter_to("ada@example.org"));
    office.close().await;
    let [file] = &std::fs::read_dir(dir.path()).unwrap().collect::<Vec<_>>()[..] else {
        panic!("one letter")
    };
    let text = std::fs::read_to_string(file.as_ref().unwrap().path()).unwrap();
    assert!(
        text.contains("From: Notes <notes@example.org>\r\n")
            && text.contains(&format!("{BASE}/link#{TOKEN}"))
    );
}
