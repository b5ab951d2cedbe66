#![forbid(unsafe_code)]
//! Amounts as pprof writes them: `1.50kB`, `12`, ` 3.25%`.

use super::sample::Metric;

/// The unit of a byte and the larger ones, each 1,024 times the one before.
const UNITS: &[&str] = &["B", "kB", "MB", "GB", "TB"];

/// Writes an amount; bytes in the unit that suits them unless they are wanted `exactly`.
pub(crate) fn amount(value: i64, metric: Metric, exactly: bool) -> String {
    if metric == Metric::Objects || exactly || value == 0 {
        return value.to_string();
    }
    let mut scaled = value as f64;
    let mut unit = 0;
    while scaled.abs() >= 1024.0 && unit + 1 < UNITS.len() {
        scaled /= 1024.0;
        unit += 1;
    }
    let number = format!("{scaled:.2}");
    format!("{}{}", number.strip_suffix(".00").unwrap_or(&number), UNITS[unit])
}

/// Writes a share of a whole in six characters.
pub(crate) fn percent(value: i64, total: i64) -> String {
    let ratio = if total == 0 { 0.0 } else { value as f64 / total as f64 * 100.0 };
    match ratio.abs() {
        size if (99.95..100.05).contains(&size) => {
            format!("{:>5}%", if ratio < 0.0 { "-100" } else { "100" })
        }
        size if size >= 1.0 || size == 0.0 => format!("{ratio:>5.2}%").replace(" 0.00%", "    0%"),
        _ => format!("{ratio:>5.2}%"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_read_as_in_pprof() {
        let check = |value: i64, expected: &str| assert_eq!(amount(value, Metric::Space, false), expected);
        check(0, "0");
        check(1022, "1022B");
        check(1536, "1.50kB");
        check(-2048, "-2kB");
        check(5 << 40, "5TB");
        check(5 << 50, "5120TB");
        assert_eq!(amount(1536, Metric::Space, true), "1536");
        assert_eq!(amount(1536, Metric::Objects, false), "1536");
    }

    #[test]
    fn shares_have_one_width() {
        let check = |value: i64, expected: &str| assert_eq!(percent(value, 2000), expected);
        check(2000, "  100%");
        check(-2000, " -100%");
        check(0, "    0%");
        check(1, " 0.05%");
        check(333, "16.65%");
        assert_eq!(percent(1, 0), "    0%");
    }
}
