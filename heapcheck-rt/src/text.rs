#![forbid(unsafe_code)]
//! Text without an allocator: words, numbers and paths into a [`Sink`].
//!
//! [`Text`] gathers what it is given and hands it on in large pieces, so that a report of a hundred lines is a few
//! `write` calls and lines of two processes rarely mix. It is flushed when it is dropped. An error of the sink is
//! kept and ends the output: a report that can't be written has nobody to complain to. `core::fmt` is not used,
//! because its panics and its size have no place inside somebody's malloc.

use crate::sink::{Sink, SinkError};

/// How much is gathered before the sink is called.
const BUFFER: usize = 1024;

/// Gathers text for a sink.
pub struct Text<'s> {
    sink: &'s mut dyn Sink,
    buffer: [u8; BUFFER],
    len: usize,
    error: Option<SinkError>,
}

impl<'s> Text<'s> {
    /// Writes to `sink`.
    pub fn new(sink: &'s mut dyn Sink) -> Self {
        Self { sink, buffer: [0; BUFFER], len: 0, error: None }
    }

    /// Appends words.
    pub fn str(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    /// Appends bytes as they are.
    pub fn bytes(&mut self, mut bytes: &[u8]) -> &mut Self {
        while !bytes.is_empty() {
            if self.len == BUFFER {
                self.hand_on();
            }
            let taken = bytes.len().min(BUFFER - self.len);
            self.buffer[self.len..self.len + taken].copy_from_slice(&bytes[..taken]);
            self.len += taken;
            bytes = &bytes[taken..];
        }
        self
    }

    /// Appends bytes that a person wrote or a file holds: control characters become `?`, and what is longer than
    /// `limit` is cut and ends in `...`.
    pub fn printable(&mut self, bytes: &[u8], limit: usize) -> &mut Self {
        for &byte in bytes.iter().take(limit) {
            self.bytes(&[if byte < 0x20 || byte == 0x7f { b'?' } else { byte }]);
        }
        if bytes.len() > limit {
            self.str("...");
        }
        self
    }

    /// Appends a decimal number.
    pub fn dec(&mut self, number: u64) -> &mut Self {
        self.bytes(digits(number, 10, &mut [0; 20]))
    }

    /// Appends a decimal number that may be negative.
    pub fn signed(&mut self, number: i64) -> &mut Self {
        if number < 0 {
            self.str("-");
        }
        self.dec(number.unsigned_abs())
    }

    /// Appends `0x` and lower-case hexadecimal digits.
    pub fn hex(&mut self, number: u64) -> &mut Self {
        self.str("0x").bytes(digits(number, 16, &mut [0; 20]))
    }

    /// Appends a decimal number with commas between thousands.
    pub fn grouped(&mut self, number: u64) -> &mut Self {
        let mut buffer = [0; 20];
        let digits = digits(number, 10, &mut buffer);
        let (first, rest) = digits.split_at((digits.len() - 1) % 3 + 1);
        self.bytes(first);
        rest.chunks(3).fold(self, |text, group| text.str(",").bytes(group))
    }

    /// Appends a number and its noun, as in `1 block` and `6,000 blocks`.
    pub fn count(&mut self, number: u64, noun: &str) -> &mut Self {
        self.grouped(number).str(" ").str(noun).str(if number == 1 { "" } else { "s" })
    }

    /// Hands on what was gathered, and tells the first error of the sink.
    pub fn flush(&mut self) -> Result<(), SinkError> {
        self.hand_on();
        self.error.map_or(Ok(()), Err)
    }

    fn hand_on(&mut self) {
        if self.error.is_none()
            && self.len > 0
            && let Err(error) = self.sink.write(&self.buffer[..self.len])
        {
            self.error = Some(error);
        }
        self.len = 0;
    }
}

impl Drop for Text<'_> {
    fn drop(&mut self) {
        self.hand_on();
    }
}

/// Writes a number at the end of `room`; u64::MAX has 20 decimal digits. `base` is 10 or 16.
pub fn digits(mut number: u64, base: u64, room: &mut [u8; 20]) -> &[u8] {
    let mut at = room.len();
    while at > 0 {
        at -= 1;
        room[at] = b"0123456789abcdef"[(number % base) as usize];
        number /= base;
        if number == 0 {
            break;
        }
    }
    &room[at..]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::Fixed;

    fn check(write: impl FnOnce(&mut Text<'_>), expected: &str) {
        let mut bytes = Vec::new();
        write(&mut Text::new(&mut bytes));
        assert_eq!(String::from_utf8(bytes).unwrap(), expected);
    }

    #[test]
    fn numbers_are_written_in_full() {
        check(
            |text| {
                text.dec(0).str(" ").dec(u64::MAX);
            },
            "0 18446744073709551615",
        );
        check(
            |text| {
                text.signed(i64::MIN).str(" ").signed(7);
            },
            "-9223372036854775808 7",
        );
        check(
            |text| {
                text.hex(0).str(" ").hex(0xdead_beef).str(" ").hex(u64::MAX);
            },
            "0x0 0xdeadbeef 0xffffffffffffffff",
        );
        check(
            |text| {
                text.count(0, "block").str(", ").count(1, "block").str(", ").count(2, "block");
            },
            "0 blocks, 1 block, 2 blocks",
        );
        check(
            |text| {
                for number in [0, 999, 1_000, 99_999, 1_234_567, u64::MAX] {
                    text.grouped(number).str(" ");
                }
            },
            "0 999 1,000 99,999 1,234,567 18,446,744,073,709,551,615 ",
        );
    }

    #[test]
    fn foreign_bytes_are_tamed() {
        check(
            |text| {
                text.printable(b"a\x1b[1m\nb", 80);
            },
            "a?[1m?b",
        );
        check(
            |text| {
                text.printable(b"abcdef", 3);
            },
            "abc...",
        );
    }

    #[test]
    fn long_text_passes_through_the_buffer() {
        let long = "0123456789".repeat(333);
        check(
            |text| {
                text.str(&long).str("!");
            },
            &format!("{long}!"),
        );
    }

    #[test]
    fn an_error_of_the_sink_ends_the_output() {
        let mut fixed = Fixed::<8>::new();
        let mut text = Text::new(&mut fixed);
        text.str("more than eight");
        assert_eq!(text.flush(), Err(SinkError::Full));
        assert_eq!(text.str("x").flush(), Err(SinkError::Full));
        drop(text);
        assert_eq!(fixed.as_bytes(), b"more tha");
    }
}
