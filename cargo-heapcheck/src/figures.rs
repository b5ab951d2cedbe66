#![forbid(unsafe_code)]
//! Numbers as people read them. What machines read stays exact.

/// Below this every byte is told.
const EXACT_MAX: u64 = 10_000;
const UNITS: &[&str] = &["KB", "MB", "GB", "TB", "PB", "EB"];

/// `1,234 bytes`, and from ten thousand on `12.3 KB` (a kilobyte has a thousand bytes).
pub(crate) fn bytes(count: u64) -> String {
    if count < EXACT_MAX {
        return counted(count, "byte");
    }
    // In tenths of the unit; what would be rounded up to a thousand of it belongs to the next one.
    let (mut tenths, mut unit) = (count.saturating_add(50) / 100, 0);
    let mut divisor = 100_u64;
    while tenths >= 10_000 && unit + 1 < UNITS.len() {
        divisor = divisor.saturating_mul(1000);
        tenths = count.saturating_add(divisor / 2) / divisor;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

/// A number with its noun: `1 block`, `1,234 blocks`.
pub(crate) fn counted(count: u64, noun: &str) -> String {
    format!("{} {noun}{}", grouped(count), if count == 1 { "" } else { "s" })
}

/// `1,234,567`.
pub(crate) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_people() {
        let check = |count: u64, expected: &str| assert_eq!(bytes(count), expected);
        check(0, "0 bytes");
        check(1, "1 byte");
        check(1_234, "1,234 bytes");
        check(9_999, "9,999 bytes");
        check(10_000, "10.0 KB");
        check(24_049, "24.0 KB");
        check(24_050, "24.1 KB");
        check(999_949, "999.9 KB");
        check(999_950, "1.0 MB");
        check(1_234_567_890, "1.2 GB");
        check(u64::MAX, "18.4 EB");
        assert_eq!(counted(1_000, "block"), "1,000 blocks");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }
}
