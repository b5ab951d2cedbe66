#![forbid(unsafe_code)]
//! The bytes of a record file.
//!
//! All numbers are little-endian. The file is a header, items, and after the last item a closing word.
//!
//! ```text
//! file     0  8  magic: 89 'H' 'E' 'A' 'P' 0d 0a 1a
//!          8  2  major version: a reader refuses one that it does not know
//!         10  2  minor version: a newer one has more tags, or more fields at the end of a fixed part
//!         12  4  zero
//! item     0  2  tag
//!          2  2  length of the fixed part
//!          4  4  length of the payload: the fixed part, then the tails
//!          8  8  check: the seal of all words before it
//!         16  n  payload, filled up with zeros to a multiple of 8
//! close    0  8  after END only: the seal of all words before it
//! ```
//!
//! The file is a row of 64-bit words, since everything is filled up to 8 bytes. The *seal* is a hash of all words but
//! the checks. Each step of it is a bijection of the state for a given word, and of the word for a given state, so one
//! damaged word is always found, and more than one all but surely. A check is read before the length beside it is
//! believed. The payload before the place where a killed process stopped writing is the only one that no seal covers.
//!
//! A field that a fixed part is too short for reads as zero: that is how an older minor version looks. What is longer
//! than known is skipped, as is an item with an unknown tag.
//!
//! ```text
//! tag          fixed part                                                              tails
//!  1 BEGIN     u64 start_time_ns, u32 pid, ppid, u8 forked, mode, stacks, 0, u32 a, b  a exe, b args
//!  2 MODULE    u64 base, lo, hi, u32 id, trace_from, trace_to, a, b                    a path, b build id
//!  3 THREAD    u32 index, tid, scope, u8 alive, stop, u16 0, u32 a                     a name
//!  4 SCOPE     u32 id, parent, a                                                       a name
//!  5 TRACE     u32 id, a, u8 truncated                                                 a u64 pcs
//!  6 CHECK     u32 number, scope, u8 moment, mode, has_in_use                          -
//!  7 LEAK      u64 blocks, bytes, largest_bytes, retained_blocks, retained_bytes,
//!              u32 trace, scope, thread, u8 kind, suppressed                           -
//!  8 BLOCK     u64 addr, size_bytes, retained_bytes,
//!              u32 id, component, trace, scope, thread, u8 kind                        -
//!  9 EDGE      u64 offset, to_offset, u32 from, to                                     -
//! 10 FAULT     u64 addr, size_bytes,
//!              u32 free_trace, alloc_trace, first_free_trace, thread, u8 kind          -
//! 11 NOTE      u32 a, u8 kind                                                          a text
//! 12 TOTALS    u64 of each sum, in the order of `Totals`                               -
//! 13 END       i32 exit_status, u32 a, u8 moment, outcome                              a reason
//! 14 HELD      u64 blocks, bytes, addr, base, u32 trace, tid, module, omitted,
//!              omitted_at, a, b, u8 kind                                               a steps, b u64 pcs
//! 15 IN_USE    u64 blocks, bytes, u32 trace, scope, thread                             -
//! 16 CONTENTS  u64 offset, known, u32 block, a                                         a u64 words
//!
//! step         u64 addr, size_bytes, to_offset, offset, u32 trace, 0
//! ```

/// The first bytes of a record. As in PNG, the high bit and the line ends tell a transfer as text.
pub const MAGIC: [u8; 8] = *b"\x89HEAP\r\n\x1a";
/// Changes when an older reader would misread.
pub const MAJOR: u16 = 1;
/// Changes when a newer reader knows more.
pub const MINOR: u16 = 3;
/// The header of the file.
pub const FILE_HEADER_BYTES: usize = 16;
/// The header of an item.
pub const ITEM_HEADER_BYTES: usize = 16;
/// The longest payload. The longest real ones are the arguments of a process, at most 6 MiB on Linux (execve(2):
/// three quarters of the stack limit of 8 MiB), and a larger length is damage.
pub const PAYLOAD_BYTES_MAX: usize = 1 << 24;
/// Bytes of a step in the tail of HELD.
pub const STEP_BYTES: usize = 40;
/// The longest fixed part that is written; the totals have it.
pub const FIXED_BYTES_MAX: usize = 160;

/// The tags.
pub mod tag {
    /// The process.
    pub const BEGIN: u16 = 1;
    /// A loaded file.
    pub const MODULE: u16 = 2;
    /// A thread.
    pub const THREAD: u16 = 3;
    /// A scope.
    pub const SCOPE: u16 = 4;
    /// A call stack.
    pub const TRACE: u16 = 5;
    /// A check begins.
    pub const CHECK: u16 = 6;
    /// Leaked blocks that belong together.
    pub const LEAK: u16 = 7;
    /// A leaked block.
    pub const BLOCK: u16 = 8;
    /// A pointer between leaked blocks.
    pub const EDGE: u16 = 9;
    /// A wrong free.
    pub const FAULT: u16 = 10;
    /// A line for people.
    pub const NOTE: u16 = 11;
    /// The sums of a check.
    pub const TOTALS: u16 = 12;
    /// The end.
    pub const END: u16 = 13;
    /// Live blocks and what holds them.
    pub const HELD: u16 = 14;
    /// Live blocks that belong together.
    pub const IN_USE: u16 = 15;
    /// Words of a leaked block.
    pub const CONTENTS: u16 = 16;
}

/// The running hash of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seal(u64);

impl Seal {
    /// Of no words.
    pub const fn new() -> Self {
        // Any number that is not 0, so that a file of zeros has no seal of zeros.
        Self(0x9e37_79b9_7f4a_7c15)
    }

    /// Takes in a word. The multiplier is odd and the shift keeps the high half, so each step is a bijection.
    #[inline]
    pub fn absorb(&mut self, word: u64) {
        let mixed = (self.0 ^ word).wrapping_mul(0xd6e8_feb8_6659_fd93);
        self.0 = mixed ^ (mixed >> 32);
    }

    /// Takes in whole words. A rest shorter than a word is not taken.
    pub fn absorb_bytes(&mut self, bytes: &[u8]) {
        for word in bytes.as_chunks().0 {
            self.absorb(u64::from_le_bytes(*word));
        }
    }

    /// The hash of what was taken in.
    pub fn value(self) -> u64 {
        self.0
    }
}

impl Default for Seal {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_word_changes_the_seal() {
        let words: Vec<u64> = (0..64).map(|n| n * n).collect();
        let seal_of = |words: &[u64]| {
            let mut seal = Seal::new();
            words.iter().for_each(|&word| seal.absorb(word));
            seal
        };
        let whole = seal_of(&words);
        for at in 0..words.len() {
            for bit in 0..64 {
                let mut damaged = words.clone();
                damaged[at] ^= 1 << bit;
                assert_ne!(seal_of(&damaged), whole);
            }
        }
    }
}
