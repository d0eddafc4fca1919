//! Mail addresses: what is one, when two are the same, and which count together.

use std::fmt;

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

use crate::problem::{Code, Problem};

/// Bytes of an address: what fits between the brackets of SMTP's `RCPT TO:<…>` (RFC 5321, 4.5.3.1.3).
pub const BYTES_MAX: usize = 254;

/// Bytes before the `@` (RFC 5321, 4.5.3.1.1).
const LOCAL_BYTES_MAX: usize = 64;

/// What may stand before the `@` beside letters and digits. SMTP's atoms without `%` and `!`, which some relays read as
/// a route to another address.
const LOCAL_SIGNS: &[u8] = b"#$&'*+-/=?^_`{|}~.";

/// Exactly one address that mail can be sent to.
///
/// The part before the `@` is plain ASCII without quotes or comments, the domain is a name and no number. Nothing is
/// trimmed, nothing is repaired: what does not fit is refused. A domain in another script is kept in its ASCII form
/// (`xn--…`). `Debug` shows nothing of the address.
///
/// ```
/// use sync_server::auth::address::MailAddress;
/// let address = MailAddress::new("Ada.Lovelace+sync@Exämple.org").unwrap();
/// assert_eq!(address.normal(), "ada.lovelace+sync@xn--exmple-cua.org");
/// assert_eq!(address.display(), "Ada.Lovelace+sync@exämple.org");
/// assert_eq!(address.limit_key(), "adalovelace@xn--exmple-cua.org");
/// assert_eq!(format!("{address:?}"), "MailAddress(***)");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct MailAddress {
    display: String,
    normal: String,
}

impl fmt::Debug for MailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MailAddress(***)")
    }
}

impl MailAddress {
    /// Checks and normalises `text`.
    ///
    /// # Errors
    ///
    /// `validation_failed` at `/address`, saying which rule is broken without repeating the text.
    pub fn new(text: &str) -> Result<Self, Problem> {
        if text.len() > BYTES_MAX {
            return Err(refused("it is too long").limit(BYTES_MAX as u64));
        }
        let (local, domain) = text.split_once('@').ok_or_else(|| refused("it has no @"))?;
        check_local(local)?;
        let ascii = ascii_domain(domain)?;
        let normal = format!("{}@{ascii}", local.to_ascii_lowercase());
        if normal.len() > BYTES_MAX {
            return Err(refused("it is too long").limit(BYTES_MAX as u64));
        }
        Ok(Self { display: format!("{local}@{}", shown_domain(&ascii)), normal })
    }

    /// The address as its owner writes it, for showing it to them.
    pub fn display(&self) -> &str {
        &self.display
    }

    /// The form that is unique, in lower case and ASCII: the key under which it is stored and found, and where mail is
    /// sent. Mail never goes to another spelling, which a host that tells them apart could deliver to someone else.
    pub fn normal(&self) -> &str {
        &self.normal
    }

    /// The key under which requests for this address are counted.
    ///
    /// Many hosts deliver `a.b+c@` and `ab@` to the same person, so they share one limit. They stay different
    /// addresses: only their own host knows whether they are one.
    pub fn limit_key(&self) -> String {
        let (local, domain) = self.parts();
        let base = match local.split_once('+') {
            Some((base, _)) if !base.is_empty() => base,
            _ => local,
        };
        format!("{}@{domain}", base.replace('.', ""))
    }

    /// What follows the `@`, in lower case and ASCII.
    pub fn domain(&self) -> &str {
        self.parts().1
    }

    /// The normal form, before and after the `@`.
    pub(crate) fn parts(&self) -> (&str, &str) {
        self.normal.split_once('@').expect("it was put together with an @")
    }
}

fn check_local(local: &str) -> Result<(), Problem> {
    if !(1..=LOCAL_BYTES_MAX).contains(&local.len()) {
        return Err(refused("it must have 1 to 64 bytes before the @"));
    }
    if !local.bytes().all(|b| b.is_ascii_alphanumeric() || LOCAL_SIGNS.contains(&b)) {
        return Err(refused("it has a character before the @ that is not supported"));
    }
    if local.split('.').any(str::is_empty) {
        return Err(refused("a dot is at the wrong place"));
    }
    Ok(())
}

/// The domain as DNS knows it: mapped by UTS 46, letters, digits and hyphens only.
fn ascii_domain(domain: &str) -> Result<String, Problem> {
    let strict = (AsciiDenyList::STD3, Hyphens::CheckFirstLast, DnsLength::Verify);
    let ascii = Uts46::new()
        .to_ascii(domain.as_bytes(), strict.0, strict.1, strict.2)
        .map_err(|_| refused("what follows the @ is not a domain"))?;
    let last = ascii.rsplit('.').next().unwrap_or_default();
    if last.bytes().all(|b| b.is_ascii_digit()) {
        return Err(refused("what follows the @ is a number and not a domain"));
    }
    Ok(ascii.into_owned())
}

/// The domain in its own script. Made from the ASCII form, so that nothing invisible is left in it.
fn shown_domain(ascii: &str) -> String {
    let (shown, valid) =
        Uts46::new().to_unicode(ascii.as_bytes(), AsciiDenyList::STD3, Hyphens::CheckFirstLast);
    if valid.is_ok() { shown.into_owned() } else { ascii.to_owned() }
}

fn refused(why: &str) -> Problem {
    Problem::new(Code::ValidationFailed)
        .detail(format!("the mail address is not allowed: {why}"))
        .pointer("/address")
}

#[cfg(test)]
mod tests;
