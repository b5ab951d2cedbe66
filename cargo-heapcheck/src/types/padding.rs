#![forbid(unsafe_code)]
//! Padding: the bytes of a value that belong to none of its fields. Whoever moves a value may move what lies there, too: a word
//! that was on the stack before, which nobody reads and which holds nothing.

use crate::types::file::{Die, File, Language};
use crate::types::layout::{Layouts, Shape};

/// Each byte of a word.
const WHOLE: u8 = 0xff;
/// How deep types are looked into.
const DEPTH_MAX: usize = 48;

/// Whether some bytes of the word at `offset` of a type of Rust belong to no field. A pointer fills all eight.
pub(super) fn is_padding_at(file: &mut File, layouts: &mut Layouts, die: Die, offset: u64) -> bool {
    let is_rust = file.entry(die).is_some_and(|(content, _)| content.language() == Language::Rust);
    let size = layouts.read(file, die).map_or(0, |layout| layout.size);
    // What lies behind a value without a size of its own is not described.
    let is_inside = offset.checked_add(8).is_some_and(|end| end <= size);
    is_rust && is_inside && Word { file, layouts }.filled(die, -offset.cast_signed(), 0) != WHOLE
}

/// Where a word is looked up.
struct Word<'a> {
    file: &'a mut File,
    layouts: &'a mut Layouts,
}

impl Word<'_> {
    /// Which bytes of a word belong to fields of the type that begins `at` bytes behind it. What is not known may be filled.
    fn filled(&mut self, die: Die, at: i64, depth: usize) -> u8 {
        let Some(layout) = self.layouts.read(self.file, die).filter(|_| depth < DEPTH_MAX) else {
            return WHOLE;
        };
        let whole = bytes_of_word(at, layout.size);
        if whole == 0 {
            return 0;
        }
        match &layout.shape {
            Shape::Pointer(_) | Shape::Plain => whole,
            Shape::Array(of) => {
                let stride = self.layouts.read(self.file, *of).map_or(0, |of| of.size).cast_signed();
                if stride == 0 {
                    return whole;
                }
                // The element at the beginning of the word, and those that begin in it.
                let first = (-at).max(0) / stride;
                let begins = (first..).map(|index| at + index * stride).take_while(|at| *at < 8);
                let elements = begins.collect::<Vec<_>>().into_iter();
                elements.fold(0, |filled, at| filled | self.filled(*of, at, depth + 1)) & whole
            }
            Shape::Parts(parts) if !parts.is_empty() => parts.iter().fold(0, |filled, part| {
                filled | self.filled(part.of, at + part.offset.cast_signed(), depth + 1)
            }),
            Shape::Variants(parts) if parts.iter().all(|part| part.when.is_some()) && !parts.is_empty() => {
                parts.iter().fold(0, |filled, part| {
                    let tag = part
                        .when
                        .as_ref()
                        .map_or(WHOLE, |when| bytes_of_word(at + when.offset.cast_signed(), when.size));
                    filled | tag | self.filled(part.of, at + part.offset.cast_signed(), depth + 1)
                })
            }
            // Of a union the largest member tells; what has no parts here may have some elsewhere.
            Shape::Variants(parts) if layout.name.starts_with("core::mem::maybe_uninit::MaybeUninit<") => {
                parts.iter().fold(0, |filled, part| {
                    filled | self.filled(part.of, at + part.offset.cast_signed(), depth + 1)
                })
            }
            Shape::Parts(_) | Shape::Variants(_) => whole,
        }
    }
}

/// The bytes of a word that `size` bytes fill which begin `at` bytes behind its beginning.
fn bytes_of_word(at: i64, size: u64) -> u8 {
    let end = at.saturating_add_unsigned(size).clamp(0, 8);
    (at.clamp(0, 8)..end).fold(0, |bytes, byte| bytes | 1 << byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_a_word_are_counted_from_its_beginning() {
        let check = |at: i64, size: u64, expected: u8| assert_eq!(bytes_of_word(at, size), expected);
        check(0, 8, WHOLE);
        check(-8, 16, WHOLE);
        check(-8, 8, 0);
        check(8, 8, 0);
        check(0, 4, 0x0f);
        check(-1, 2, 0x01);
        check(6, 100, 0xc0);
        check(i64::MIN, u64::MAX, WHOLE);
    }
}
