use super::*;

fn long(local: usize, labels: usize) -> String {
    format!("{}@{}org", "a".repeat(local), format!("{}.", "b".repeat(59)).repeat(labels))
}

#[test]
fn ordinary_addresses_are_accepted() {
    let longest = long(10, 4);
    for (text, normal) in [
        ("ada@example.org", "ada@example.org"),
        ("Ada@Example.ORG", "ada@example.org"),
        ("a.b+c@example.org", "a.b+c@example.org"),
        ("o'brien_{x}~1@sub.example.org", "o'brien_{x}~1@sub.example.org"),
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("ada@BÜCHER.example", "ada@xn--bcher-kva.example"),
        ("ada@xn--bcher-kva.example", "ada@xn--bcher-kva.example"),
        ("ada@日本。example", "ada@xn--wgv71a.example"),
        ("ada@localhost", "ada@localhost"),
        ("1@2.example", "1@2.example"),
        (&longest, &longest),
    ] {
        assert_eq!(MailAddress::new(text).unwrap().normal(), normal);
    }
    assert_eq!(longest.len(), BYTES_MAX);
}

#[test]
fn whatever_is_not_one_plain_address_is_refused() {
    let (too_long, long_local, very_long) = (long(11, 4), long(65, 1), "a".repeat(400) + "@example.org");
    let expanding = format!("a@{}.org", "ü".repeat(60));
    for text in [
        "",
        "@",
        "ada",
        "@example.org",
        "ada@",
        " ada@example.org",
        "ada@example.org ",
        "ada@example.org\n",
        "ada@example.org\r\nBcc: eve@example.org",
        "ada\r\nRCPT TO:<eve@example.org>@example.org",
        "ada@example.org\0",
        "ada@example.org,eve@example.org",
        "ada@example.org;eve@example.org",
        "ada@example.org eve@example.org",
        "ada@eve@example.org",
        "ada,eve@example.org",
        "\"x\"@",
        "\"x\"@example.org",
        "\"a b\"@example.org",
        "Ada <ada@example.org>",
        "<ada@example.org>",
        "ada@example.org>",
        "ada(comment)@example.org",
        "mailto:ada@example.org",
        "ada%eve.example@example.org",
        "eve.example!ada@example.org",
        ".ada@example.org",
        "ada.@example.org",
        "a..da@example.org",
        "ädä@example.org",
        "ada@example..org",
        "ada@.example.org",
        "ada@example.org.",
        "ada@-example.org",
        "ada@exa_mple.org",
        "ada@exa mple.org",
        "ada@[127.0.0.1]",
        "ada@127.0.0.1",
        "ada@2130706433",
        "ada@example.org/x",
        "ada@example.org?bcc=eve",
        "ada@xn--\u{fc}.org",
        "ada@xn--a.org",
        &too_long,
        &long_local,
        &very_long,
        &expanding,
    ] {
        let problem = MailAddress::new(text).expect_err(text);
        assert_eq!(problem.code(), Code::ValidationFailed, "{text:?}");
        assert!(!format!("{problem:?}").contains("eve"), "it repeats what was sent");
    }
}

#[test]
fn a_refusal_points_at_the_address() {
    let problem = MailAddress::new("ada").unwrap_err();
    let expected = Problem::new(Code::ValidationFailed)
        .detail("the mail address is not allowed: it has no @")
        .pointer("/address");
    assert_eq!(problem, expected);
}

#[test]
fn variants_of_one_address_count_together_and_stay_different_addresses() {
    let keys = |texts: &[&str]| -> Vec<String> {
        texts.iter().map(|text| MailAddress::new(text).unwrap().limit_key()).collect()
    };
    let same = keys(&["ab@example.org", "A.B@example.org", "ab+x@EXAMPLE.org", "a.b+x+y.z@example.org"]);
    assert!(same.iter().all(|key| key == "ab@example.org"), "{same:?}");
    let different = keys(&[
        "ab@example.org",
        "abc@example.org",
        "ab@sub.example.org",
        "+b@example.org",
        "+c@example.org",
    ]);
    assert_eq!(different.iter().collect::<std::collections::HashSet<_>>().len(), 5);
    assert_ne!(MailAddress::new("a.b@example.org").unwrap(), MailAddress::new("ab@example.org").unwrap());
}

#[test]
fn what_is_shown_has_nothing_invisible_in_it() {
    let address = MailAddress::new("Ada@ex\u{ad}ample\u{200b}.org").unwrap();
    assert_eq!((address.display(), address.normal()), ("Ada@example.org", "ada@example.org"));
}

#[test]
fn debug_shows_nothing() {
    let address = MailAddress::new("ada@example.org").unwrap();
    assert_eq!(format!("{:?}", Some(address)), "Some(MailAddress(***))");
}
