//! Numbers: which literals are held exactly, and the one way to write each.

use std::borrow::Cow;

/// Longest literal considered; the exact decimal expansion of an `f64` has at most 767 significant digits.
const LITERAL_BYTES_MAX: usize = 800;
/// Every decimal of this many digits survives `f64` and is the shortest for its value (`f64::DIGITS`).
const DIGITS_ALWAYS_HELD: usize = f64::DIGITS as usize;
/// And that holds up to this power of ten, far from where floats end (near 10^308 and 10^-308).
const POINT_ALWAYS_HELD: i64 = 290;
/// Longest print of a float is `-2.2250738585072014e-308`, 24 bytes; the rest is room for another layout.
const FLOAT_BYTES_MAX: usize = 32;
/// Every integer of this many digits fits `i64`.
const INTEGER_DIGITS_ALWAYS_FIT: usize = 18;

/// A number as it was written, in its parts.
#[derive(Clone, Copy)]
pub(super) struct Literal<'a> {
    text: &'a str,
    end: usize,
    is_negative: bool,
    whole: &'a str,
    fraction: &'a str,
    /// With its sign, without the `e`.
    exponent: Option<&'a str>,
}

impl<'a> Literal<'a> {
    /// Reads the number at `start`.
    ///
    /// # Errors
    /// The offset where a digit is missing.
    #[inline]
    pub(super) fn read(text: &'a str, start: usize) -> Result<Self, usize> {
        let bytes = text.as_bytes();
        let is_negative = bytes.get(start) == Some(&b'-');
        let from = start + usize::from(is_negative);
        // A number does not start with 0, except 0 itself; what follows is then somebody else's fault to find.
        let mut end = if bytes.get(from) == Some(&b'0') { from + 1 } else { digits_end(bytes, from)? };
        let whole = &text[from..end];
        let mut fraction = "";
        if bytes.get(end) == Some(&b'.') {
            let from = end + 1;
            end = digits_end(bytes, from)?;
            fraction = &text[from..end];
        }
        let mut exponent = None;
        if let Some(b'e' | b'E') = bytes.get(end) {
            let from = end + 1;
            let sign = usize::from(matches!(bytes.get(from), Some(b'+' | b'-')));
            end = digits_end(bytes, from + sign)?;
            exponent = Some(&text[from..end]);
        }
        Ok(Self { text: &text[start..end], end, is_negative, whole, fraction, exponent })
    }

    /// Offset after the last character.
    pub(super) fn end(&self) -> usize {
        self.end
    }

    /// Recognises most canonical numbers without taking them apart: short integers and plain fractions.
    #[inline]
    pub(super) fn is_plainly_canonical(&self) -> bool {
        if self.exponent.is_some() {
            return false;
        }
        if self.fraction.is_empty() {
            let is_negative_zero = self.is_negative && self.whole == "0";
            return self.whole.len() <= INTEGER_DIGITS_ALWAYS_FIT && !is_negative_zero;
        }
        // Six zeros after the point is where the exponent form begins.
        let is_plain =
            !self.fraction.ends_with('0') && (self.whole != "0" || !self.fraction.starts_with("000000"));
        is_plain && (self.whole.len() + self.fraction.len() <= DIGITS_ALWAYS_HELD || self.is_shortest())
    }

    /// Whether the nearest float prints as this very text.
    fn is_shortest(&self) -> bool {
        self.text.len() <= FLOAT_BYTES_MAX
            && self.text.parse().is_ok_and(|float: f64| Shortest::of(float).as_str() == self.text)
    }

    /// The number in its one form, or `None` when no `i64`, `u64` or `f64` holds it.
    pub(super) fn canonical(&self) -> Option<Cow<'a, str>> {
        if self.text.len() > LITERAL_BYTES_MAX {
            return None;
        }
        if self.fraction.is_empty() && self.exponent.is_none() && fits_integer(self.text) {
            return Some(Cow::Borrowed(if self.text == "-0" { "0" } else { self.text }));
        }
        let decimal = Decimal::of(self);
        if decimal.digits.is_empty() {
            return Some(Cow::Borrowed("0"));
        }
        decimal.canonical(self.text, self.is_negative).map(Cow::Owned)
    }
}

#[inline]
fn digits_end(bytes: &[u8], from: usize) -> Result<usize, usize> {
    let rest = bytes.get(from..).unwrap_or_default();
    let count = rest.iter().position(|b| !b.is_ascii_digit()).unwrap_or(rest.len());
    if count == 0 { Err(from.min(bytes.len())) } else { Ok(from + count) }
}

/// A float in as few digits as tell it from its neighbours, in some layout.
///
/// Printed by `serde_json`, which needs a quarter of the time the standard library does.
struct Shortest {
    buffer: [u8; FLOAT_BYTES_MAX],
    len: usize,
}

impl Shortest {
    fn of(float: f64) -> Self {
        let mut buffer = [0; FLOAT_BYTES_MAX];
        let mut rest = &mut buffer[..];
        serde_json::to_writer(&mut rest, &float).expect("no float prints longer than the buffer");
        let len = FLOAT_BYTES_MAX - rest.len();
        Self { buffer, len }
    }

    fn as_str(&self) -> &str {
        str::from_utf8(&self.buffer[..self.len]).expect("numbers are printed in ascii")
    }
}

/// A positive decimal: `0.DIGITS` times ten to the power of `point`.
#[derive(Clone, PartialEq, Eq)]
struct Decimal<'a> {
    /// Significant digits: neither the first nor the last is 0. Empty for zero.
    digits: Cow<'a, str>,
    point: i64,
}

impl<'a> Decimal<'a> {
    fn of(literal: &Literal<'a>) -> Self {
        let whole = literal.whole.trim_start_matches('0');
        let fraction = literal.fraction.trim_end_matches('0');
        let (digits, point) = match (whole, fraction) {
            ("", _) => {
                let digits = fraction.trim_start_matches('0');
                (Cow::Borrowed(digits), -length(fraction) + length(digits))
            }
            (_, "") => (Cow::Borrowed(whole.trim_end_matches('0')), length(whole)),
            _ => (Cow::Owned([whole, fraction].concat()), length(whole)),
        };
        Self { digits, point: point.saturating_add(literal.exponent.map_or(0, saturating_integer)) }
    }

    /// The decimal that Rust or `serde_json` printed for a positive float.
    fn of_float(text: &'a str) -> Self {
        Self::of(&Literal::read(text, 0).expect("finite floats are printed as JSON writes them"))
    }

    /// The number in its one form, when a float holds it; `text` is how it was written.
    ///
    /// It is held when the float gives back the same digits, in one of three prints that can differ in the last:
    /// - the shortest decimal, of two equally near the even one: what JavaScript and `serde_json` print;
    /// - as many digits as there are, rounded. At a power of two, where the floats below are closer together than
    ///   those above, the shortest decimal need not be the nearest of its length (2^-44 is 5.684341886080802e-14);
    /// - the shortest decimal, of two equally near the larger: what the standard library prints for 2^50 + 0.25.
    fn canonical(&self, text: &str, is_negative: bool) -> Option<String> {
        if self.digits.len() <= DIGITS_ALWAYS_HELD
            && (-POINT_ALWAYS_HELD..=POINT_ALWAYS_HELD).contains(&self.point)
        {
            return Some(self.integer(is_negative).unwrap_or_else(|| self.print(is_negative)));
        }
        let float = text.parse::<f64>().ok()?.abs();
        if !float.is_finite() || float == 0.0 {
            return None;
        }
        let shortest = Shortest::of(float);
        let shortest = Decimal::of_float(shortest.as_str());
        let is_print = |text: String| *self == Decimal::of_float(&text);
        let is_held = *self == shortest
            || is_print(format!("{float:.*e}", self.digits.len() - 1))
            || is_print(format!("{float:e}"));
        is_held.then(|| self.integer(is_negative).unwrap_or_else(|| shortest.print(is_negative)))
    }

    /// All digits of an integer that fits `i64` or `u64`; `None` for any other number.
    fn integer(&self, is_negative: bool) -> Option<String> {
        let n_digits = usize::try_from(self.point).ok().filter(|n| *n <= 20 && *n >= self.digits.len())?;
        let text = self.padded(is_negative, n_digits);
        let fits = n_digits <= INTEGER_DIGITS_ALWAYS_FIT || fits_integer(&text);
        fits.then_some(text)
    }

    /// As `Number::toString` of ECMAScript does.
    fn print(&self, is_negative: bool) -> String {
        let (sign, digits) = (sign(is_negative), &*self.digits);
        match usize::try_from(self.point) {
            Ok(point @ 1..=21) if point >= digits.len() => self.padded(is_negative, point),
            Ok(point @ 1..=21) => [sign, &digits[..point], ".", &digits[point..]].concat(),
            _ if (-5..=0).contains(&self.point) => {
                let zeros = self.point.unsigned_abs() as usize;
                [sign, "0.", &"00000"[..zeros], digits].concat()
            }
            _ => {
                let (head, tail) = digits.split_at(1);
                let dot = if tail.is_empty() { "" } else { "." };
                format!("{sign}{head}{dot}{tail}e{:+}", self.point - 1)
            }
        }
    }

    /// The digits and as many zeros as make `n_digits`, at most 21.
    fn padded(&self, is_negative: bool, n_digits: usize) -> String {
        [sign(is_negative), &self.digits, &"00000000000000000000"[..n_digits - self.digits.len()]].concat()
    }
}

/// Of a part of a literal, which is at most `LITERAL_BYTES_MAX`.
fn length(digits: &str) -> i64 {
    digits.len() as i64
}

fn fits_integer(text: &str) -> bool {
    if text.starts_with('-') { text.parse::<i64>().is_ok() } else { text.parse::<u64>().is_ok() }
}

fn sign(is_negative: bool) -> &'static str {
    if is_negative { "-" } else { "" }
}

/// Reads an exponent; one that is far out of range stays far out of range.
fn saturating_integer(text: &str) -> i64 {
    let magnitude = text
        .trim_start_matches(['+', '-'])
        .bytes()
        .fold(0_i64, |value, b| value.saturating_mul(10).saturating_add(i64::from(b - b'0')));
    if text.starts_with('-') { -magnitude } else { magnitude }
}
