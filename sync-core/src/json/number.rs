//! Numbers: which literals are held exactly, and the one way to write each.

use std::borrow::Cow;

/// Longest literal considered; the exact decimal expansion of an `f64` has at most 767 significant digits.
const LITERAL_BYTES_MAX: usize = 800;
/// Every decimal of this many digits survives `f64` and is the shortest for its value (`f64::DIGITS`).
const DIGITS_ALWAYS_HELD: usize = f64::DIGITS as usize;
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

    /// Recognises most canonical numbers without calculating: short integers and short plain fractions.
    #[inline]
    pub(super) fn is_plainly_canonical(&self) -> bool {
        if self.exponent.is_some() {
            return false;
        }
        if self.fraction.is_empty() {
            let is_negative_zero = self.is_negative && self.whole == "0";
            return self.whole.len() <= INTEGER_DIGITS_ALWAYS_FIT && !is_negative_zero;
        }
        let is_short = self.whole.len() + self.fraction.len() <= DIGITS_ALWAYS_HELD;
        // Six zeros after the point is where the exponent form begins.
        is_short
            && !self.fraction.ends_with('0')
            && (self.whole != "0" || !self.fraction.starts_with("000000"))
    }

    /// The number in its one form, or `None` when no `i64`, `u64` or `f64` holds it.
    pub(super) fn canonical(&self) -> Option<Cow<'a, str>> {
        if self.text.len() > LITERAL_BYTES_MAX {
            return None;
        }
        if self.fraction.is_empty() && self.exponent.is_none() && self.fits_integer() {
            return Some(Cow::Borrowed(if self.text == "-0" { "0" } else { self.text }));
        }
        let decimal = Decimal::of(self);
        if decimal.digits.is_empty() {
            return Some(Cow::Borrowed("0"));
        }
        let nearest = decimal.nearest_float(self.text)?;
        let written = decimal.integer(self.is_negative).unwrap_or_else(|| nearest.print(self.is_negative));
        Some(Cow::Owned(written))
    }

    fn fits_integer(&self) -> bool {
        if self.is_negative { self.text.parse::<i64>().is_ok() } else { self.text.parse::<u64>().is_ok() }
    }
}

#[inline]
fn digits_end(bytes: &[u8], from: usize) -> Result<usize, usize> {
    let rest = bytes.get(from..).unwrap_or_default();
    let count = rest.iter().position(|b| !b.is_ascii_digit()).unwrap_or(rest.len());
    if count == 0 { Err(from.min(bytes.len())) } else { Ok(from + count) }
}

/// A positive decimal: `0.DIGITS` times ten to the power of `point`.
#[derive(Clone, PartialEq, Eq)]
struct Decimal {
    /// Significant digits: neither the first nor the last is 0. Empty for zero.
    digits: String,
    point: i64,
}

impl Decimal {
    fn of(literal: &Literal<'_>) -> Self {
        let all = [literal.whole, literal.fraction].concat();
        let significant = all.trim_start_matches('0');
        // Both lengths are at most LITERAL_BYTES_MAX, so that neither cast nor difference can go wrong.
        let whole = literal.whole.len() as i64 - (all.len() - significant.len()) as i64;
        let point = whole.saturating_add(literal.exponent.map_or(0, saturating_integer));
        Self { digits: significant.trim_end_matches('0').to_owned(), point }
    }

    /// The decimal in `{:e}` form.
    fn of_scientific(text: &str) -> Self {
        Self::of(&Literal::read(text, 0).expect("Rust prints finite floats as JSON does"))
    }

    /// The shortest decimal of the `f64` that holds `self`, which was written as `text`; `None` when none does.
    ///
    /// It is held when the float gives back the same digits, either as its shortest decimal or when it is
    /// printed with as many digits as there are. Both are asked: at a power of two, where the floats below are
    /// closer together than those above, the shortest decimal is not always the nearest of its length
    /// (2^-44 is 5.684341886080802e-14, and …801e-14 is nearer to it, but nearer still to the float before).
    fn nearest_float(&self, text: &str) -> Option<Self> {
        if self.digits.len() <= DIGITS_ALWAYS_HELD && (-290..=290).contains(&self.point) {
            return Some(self.clone());
        }
        let float = text.parse::<f64>().ok()?.abs();
        if !float.is_finite() || float == 0.0 {
            return None;
        }
        let shortest = Self::of_scientific(&format!("{float:e}"));
        let is_held =
            *self == shortest || *self == Self::of_scientific(&format!("{float:.*e}", self.digits.len() - 1));
        is_held.then_some(shortest)
    }

    /// All digits of an integer that fits `i64` or `u64`; `None` for any other number.
    fn integer(&self, is_negative: bool) -> Option<String> {
        let n_digits = usize::try_from(self.point).ok().filter(|n| *n <= 20 && *n >= self.digits.len())?;
        let text = format!("{}{:0<n_digits$}", sign(is_negative), self.digits);
        Literal::read(&text, 0).is_ok_and(|literal| literal.fits_integer()).then_some(text)
    }

    /// As `Number::toString` of ECMAScript does.
    fn print(&self, is_negative: bool) -> String {
        let (sign, digits) = (sign(is_negative), &self.digits);
        match usize::try_from(self.point) {
            Ok(point @ 1..=21) if point >= digits.len() => format!("{sign}{digits:0<point$}"),
            Ok(point @ 1..=21) => format!("{sign}{}.{}", &digits[..point], &digits[point..]),
            _ if (-5..=0).contains(&self.point) => {
                let zeros = "0".repeat(self.point.unsigned_abs() as usize);
                format!("{sign}0.{zeros}{digits}")
            }
            _ => {
                let (head, tail) = digits.split_at(1);
                let dot = if tail.is_empty() { "" } else { "." };
                format!("{sign}{head}{dot}{tail}e{:+}", self.point - 1)
            }
        }
    }
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
