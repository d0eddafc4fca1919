//! How mails leave: what may be said about it, and the several variables that other programs take as one URL.

use url::Url;

use super::hidden::Hidden;

/// Port of submission with STARTTLS, unless another is named.
const SUBMISSION_PORT: u16 = 587;

/// Port of submission over TLS from the first byte.
const SUBMISSIONS_PORT: u16 = 465;

/// Bytes of an address: what a mail's envelope can carry.
const ADDRESS_BYTES_MAX: usize = 254;

/// Checks the URL of a server for mails. No error repeats it: it may hold a password.
pub(super) fn check_url(url: &Hidden) -> Result<(), String> {
    let refused = || "it is not smtp://USER:PASSWORD@HOST:PORT or smtps://…".to_owned();
    let url = Url::parse(url.reveal()).map_err(|_| refused())?;
    let is_known = ["smtp", "smtps"].contains(&url.scheme());
    let has_no_path = matches!(url.path(), "" | "/") && url.fragment().is_none();
    let has_host = url.host_str().is_some_and(|host| !host.is_empty());
    (is_known && has_no_path && has_host).then_some(()).ok_or_else(refused)
}

/// Checks the address mails come from: one address, nothing around it.
pub(super) fn check_from(address: &str) -> Result<(), String> {
    let is_plain = |c: char| c.is_ascii_graphic() && !"<>()[],;:\\\"".contains(c);
    let (local, host) = address.split_once('@').unwrap_or_default();
    let is_whole = !local.is_empty() && !host.is_empty() && !host.contains('@');
    if is_whole && address.len() <= ADDRESS_BYTES_MAX && address.chars().all(is_plain) {
        return Ok(());
    }
    Err(format!("`{}` is not an address such as sync@app.example", address.escape_debug()))
}

/// The URL in `SMTP_URL`, or the one that `SMTP_HOST` and the variables beside it make.
pub(super) fn url_of(env: &impl Fn(&str) -> Option<String>) -> Result<Option<Hidden>, String> {
    if let Some(url) = env("SMTP_URL") {
        return Ok(Some(Hidden(url)));
    }
    let Some(host) = env("SMTP_HOST") else { return Ok(None) };
    let port = match env("SMTP_PORT") {
        Some(port) => port.parse().map_err(|_| format!("SMTP_PORT: `{port}` is not a port"))?,
        None => SUBMISSION_PORT,
    };
    let scheme = if port == SUBMISSIONS_PORT { "smtps" } else { "smtp" };
    let (user, password) = (env("SMTP_USERNAME"), env("SMTP_PASSWORD"));
    let url = composed(&format!("{scheme}://{host}:{port}"), user.as_deref(), password.as_deref());
    url.map(Some).ok_or_else(|| "SMTP_HOST: it is not the name of a host".to_owned())
}

fn composed(address: &str, user: Option<&str>, password: Option<&str>) -> Option<Hidden> {
    let mut url = Url::parse(address).ok().filter(|url| matches!(url.path(), "" | "/"))?;
    // A percent sign is left alone by the library, and would be read as the beginning of an escape.
    let escaped = |text: &str| text.replace('%', "%25");
    url.set_username(&user.map(escaped).unwrap_or_default()).ok()?;
    url.set_password(password.map(escaped).as_deref()).ok()?;
    Some(Hidden(url.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(pairs: &[(&str, &str)]) -> Result<Option<String>, String> {
        let env =
            |name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        url_of(&env).map(|url| url.map(|url| url.reveal().to_owned()))
    }

    #[test]
    fn the_variables_of_other_programs_make_one_url() {
        let host = ("SMTP_HOST", "mail.example");
        for (pairs, expected) in [
            (&[host][..], "smtp://mail.example:587"),
            (&[host, ("SMTP_PORT", "465")], "smtps://mail.example:465"),
            (
                &[host, ("SMTP_USERNAME", "a@b"), ("SMTP_PASSWORD", "p:/?#%4")],
                "smtp://a%40b:p%3A%2F%3F%23%254@mail.example:587",
            ),
            (&[host, ("SMTP_URL", "smtp://other")], "smtp://other"),
        ] {
            let url = url(pairs).unwrap().unwrap();
            assert_eq!(url, expected);
            assert_eq!(check_url(&Hidden(url)), Ok(()), "{pairs:?}");
        }
        assert_eq!(url(&[("SMTP_PORT", "25")]), Ok(None));
        assert!(url(&[host, ("SMTP_PORT", "many")]).unwrap_err().starts_with("SMTP_PORT: "));
        assert!(url(&[("SMTP_HOST", "a b/c")]).unwrap_err().starts_with("SMTP_HOST: "));
    }

    #[test]
    fn what_is_no_mail_server_is_refused_without_its_password() {
        for text in ["", "mail.example", "http://u:hunter2@h", "smtp://", "smtp://u:hunter2@h/path", "smtp:h"]
        {
            let why = check_url(&Hidden(text.to_owned())).expect_err(text);
            assert!(!why.contains("hunter2"), "{why}");
        }
        for text in ["smtp://h", "smtps://u:p@h:465", "smtp://localhost:25?tls=none"] {
            assert_eq!(check_url(&Hidden(text.to_owned())), Ok(()), "{text}");
        }
    }

    #[test]
    fn mails_come_from_one_address() {
        assert_eq!(check_from("sync@app.example"), Ok(()));
        for wrong in ["", "sync", "@b", "a@", "a@b@c", "a@b\r\nBcc: c@d", "a@b, c@d", "A <a@b>", "ä@b"] {
            assert!(check_from(wrong).is_err(), "{wrong}");
        }
        assert!(check_from(&format!("a@{}", "b".repeat(254))).is_err());
    }
}
