#![forbid(unsafe_code)]
//! Writes the wire format of protocol buffers: the five kinds of fields that a profile needs.

/// A message that is being written.
#[derive(Debug, Default)]
pub(crate) struct Message {
    bytes: Vec<u8>,
}

const VARINT: u64 = 0;
const LENGTH: u64 = 2;

impl Message {
    /// Its bytes.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Adds a number; one that is 0 is not written, as readers take it for granted.
    pub(crate) fn number(&mut self, field: u64, value: u64) {
        if value != 0 {
            self.varint(field << 3 | VARINT);
            self.varint(value);
        }
    }

    /// Adds a text, which may be empty.
    pub(crate) fn text(&mut self, field: u64, text: &str) {
        self.block(field, text.as_bytes());
    }

    /// Adds a message inside of this one.
    pub(crate) fn message(&mut self, field: u64, inner: Self) {
        self.block(field, &inner.bytes);
    }

    /// Adds a list of numbers, packed.
    pub(crate) fn numbers(&mut self, field: u64, values: impl IntoIterator<Item = u64>) {
        let mut inner = Self::default();
        values.into_iter().for_each(|value| inner.varint(value));
        self.block(field, &inner.bytes);
    }

    fn block(&mut self, field: u64, bytes: &[u8]) {
        self.varint(field << 3 | LENGTH);
        self.varint(bytes.len() as u64);
        self.bytes.extend_from_slice(bytes);
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_written_as_the_specification_shows_them() {
        // The examples of https://protobuf.dev/programming-guides/encoding.
        let mut inner = Message::default();
        inner.number(1, 150);
        assert_eq!(inner.bytes, [0x08, 0x96, 0x01]);
        let mut outer = Message::default();
        outer.message(3, inner);
        outer.text(2, "testing");
        outer.numbers(6, [3, 270, 86942]);
        outer.number(7, 0);
        let expected = b"\x1a\x03\x08\x96\x01\x12\x07testing\x32\x06\x03\x8e\x02\x9e\xa7\x05";
        assert_eq!(outer.into_bytes(), expected);
    }
}
