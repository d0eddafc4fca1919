//! Durations as people write them: `90`, `15m`, `12h`, `7d`.

/// Seconds a token may live at most: a year. Longer is a password by another name.
const SECONDS_MAX: u32 = 366 * 86_400;

/// Reads a whole number of seconds, or one with a unit: `s`, `m`, `h`, `d`, `w`.
pub(super) fn seconds(text: &str) -> Result<u32, String> {
    let refused = || format!("`{text}` is not a time such as 900, 15m, 12h or 7d, of at most 366d");
    let unit_at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let unit_s = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 7 * 86_400,
        _ => return Err(refused()),
    };
    let seconds = number.parse::<u32>().ok().and_then(|number| number.checked_mul(unit_s));
    seconds.filter(|seconds| (1..=SECONDS_MAX).contains(seconds)).ok_or_else(refused)
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn times_are_read_with_and_without_a_unit() {
        for (text, expected) in
            [("90", 90), ("90s", 90), ("15m", 900), ("12h", 43_200), ("7d", 604_800), ("2w", 1_209_600)]
        {
            assert_eq!(seconds(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in ["", "0", "0d", "d", "-1", "+1", "1.5h", "7 d", "7D", "7days", "367d", "99999999999"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
