#![forbid(unsafe_code)]
//! Sizes and times as people write them: `1KB`, `64KiB`, `1m 30s`.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

/// How long something may take; `None`: as long as it likes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Timeout(pub(crate) Option<Duration>);

impl Timeout {
    /// How the kind of value is called in messages.
    pub(crate) const WHAT: &'static str = "a time such as `30s` or `none`";

    /// Reads one.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self(None));
        }
        let duration = humantime::parse_duration(text).map_err(|error| error.to_string())?;
        if duration.is_zero() {
            return Err("no test can end in no time".to_string());
        }
        Ok(Self(Some(duration)))
    }
}

/// How the kind of value is called in messages.
pub(crate) const SIZE: &str = "a size such as `100` or `1KB`";

/// Reads a size in bytes: `KB` is a thousand of them, `KiB` 1024.
pub(crate) fn read_size(text: &str) -> Result<u64, String> {
    let size = text.parse::<bytesize::ByteSize>().map(|size| size.as_u64());
    size.map_err(|_| "a size is a number, alone or with B, KB, KiB, MB, MiB, GB or GiB".to_string())
}

/// A time as people write it.
pub(crate) fn time(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}

/// How the kind of value is called in messages.
pub(crate) const DATE: &str = "a date such as `2030-12-31`";

/// Reads a day, in the one spelling by which days can be compared as texts.
pub(crate) fn read_date(text: &str) -> Result<String, String> {
    let date: toml::value::Datetime = text.parse().map_err(|_| "there is no such day".to_string())?;
    match (date.date, date.time) {
        (Some(date), None) => Ok(date.to_string()),
        _ => Err("only the day counts".to_string()),
    }
}

/// The day that it is now (UTC), in the spelling of [`read_date`].
pub(crate) fn today() -> String {
    let mut now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    now.truncate(10);
    now
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_as_people_write_them() {
        let sizes = [("0", 0), ("100", 100), ("1KB", 1000), ("1 KiB", 1024), ("1.5MB", 1_500_000)];
        for (text, expected) in sizes {
            assert_eq!(read_size(text), Ok(expected), "{text}");
        }
        for text in ["", "KB", "-1", "ten", "1 parsec"] {
            assert!(read_size(text).is_err(), "{text}");
        }
        let times = [("500ms", Some(500)), ("2s", Some(2000)), ("1m 30s", Some(90_000)), ("none", None)];
        for (text, expected) in times {
            assert_eq!(Timeout::read(text), Ok(Timeout(expected.map(Duration::from_millis))), "{text}");
        }
        for text in ["", "0s", "5", "5 parsecs", "-1s"] {
            assert!(Timeout::read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn days_are_compared_as_texts() {
        assert_eq!(read_date("2030-12-31").as_deref(), Ok("2030-12-31"));
        for text in ["2030-13-01", "2030-02-30", "31.12.2030", "2030-12-31T10:00:00Z", "soon", "2030-1-1"] {
            assert!(read_date(text).is_err(), "{text}");
        }
        assert_eq!(read_date(&today()), Ok(today()));
        assert!(*"2026-01-01" < *today() && today() < read_date("9999-12-31").unwrap());
    }
}
