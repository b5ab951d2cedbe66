#![forbid(unsafe_code)]
//! Unwind rules small enough for a cache: one word a program counter.
//!
//! Nearly every frame is found by one of a few rules; the rest is `Slow` and keeps no more than that. The return address
//! is always the word below the CFA.
//!
//! ```text
//!   63            32 31              8 7      0
//!   | offset of CFA | words to saved bp | kind |
//! ```

use crate::cfi::register::{RA, RBP, RSP};
use crate::cfi::{Cfa, Place, Row};

/// How the caller's frame is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// CFA = stack pointer + offset.
    Sp = 1,
    /// CFA = frame pointer + offset.
    Bp = 2,
    /// There is no caller.
    End = 3,
    /// No table knows this code: the frame pointer is all there is.
    Unknown = 4,
    /// The row must be evaluated.
    Slow = 5,
}

/// Bytes below the CFA where a rule can say that the frame pointer was saved.
const SAVED_MAX: i64 = ((1 << 24) - 1) * 8;

/// A packed rule; never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule(u64);

impl Rule {
    /// No caller.
    pub const END: Self = Self(Kind::End as u64);
    /// No table.
    pub const UNKNOWN: Self = Self(Kind::Unknown as u64);
    /// To be evaluated.
    pub const SLOW: Self = Self(Kind::Slow as u64);

    /// What code with frame pointers has nearly everywhere: the frame pointer leads to the caller's, and the return
    /// address lies behind it.
    pub const FRAMED: Self = Self(Kind::Bp as u64 | 2 << 8 | 16 << 32);

    /// Packs a row.
    pub fn from_row(row: &Row<'_>) -> Self {
        if row.place(RA) == Place::Undefined {
            return Self::END;
        }
        let Cfa::Register(register, offset) = row.cfa else { return Self::SLOW };
        let kind = match register {
            RSP => Kind::Sp,
            RBP => Kind::Bp,
            _ => return Self::SLOW,
        };
        let saved = match row.place(RBP) {
            Place::Unsaid | Place::Same => 0,
            Place::AtCfa(at) if (-SAVED_MAX..0).contains(&at) && at % 8 == 0 => -at / 8,
            _ => return Self::SLOW,
        };
        let plain_sp = matches!(row.place(RSP), Place::Unsaid | Place::CfaPlus(0));
        match i32::try_from(offset) {
            Ok(offset) if row.place(RA) == Place::AtCfa(-8) && !row.is_signal && plain_sp => {
                Self(kind as u64 | (saved as u64) << 8 | u64::from(offset as u32) << 32)
            }
            _ => Self::SLOW,
        }
    }

    /// The rule as a word that is not zero.
    #[inline(always)]
    pub fn to_word(self) -> u64 {
        self.0
    }

    /// The rule that [`Rule::to_word`] gave.
    #[inline(always)]
    pub fn from_word(word: u64) -> Self {
        Self(word)
    }

    /// How the frame is found.
    #[inline(always)]
    pub fn kind(self) -> Kind {
        match self.0 as u8 {
            1 => Kind::Sp,
            2 => Kind::Bp,
            3 => Kind::End,
            4 => Kind::Unknown,
            _ => Kind::Slow,
        }
    }

    /// What to add to the register, modulo 2^64.
    #[inline(always)]
    pub fn offset(self) -> usize {
        ((self.0 as i64) >> 32) as usize
    }

    /// How many bytes below the CFA the caller's frame pointer was saved; 0 when it is unchanged.
    #[inline(always)]
    pub fn saved_bp(self) -> usize {
        ((self.0 >> 8) as usize & ((1 << 24) - 1)) * 8
    }
}
