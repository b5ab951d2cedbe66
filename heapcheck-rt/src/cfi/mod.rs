#![forbid(unsafe_code)]
//! Call-frame information: which rule finds the caller's frame, as compilers write it into `.eh_frame`.
//!
//! Input are the bytes of a loaded module, output is the [`Row`] that holds at a program counter: where the canonical
//! frame address (CFA) is and where the registers of the caller were saved. Nothing is allocated, nothing panics on
//! damaged tables, and every loop ends with its input. Formats: DWARF 5 section 6.4, LSB Core "Exception Frames", System
//! V ABI x86-64 section 3.7 for the register numbers.

mod cursor;
mod tables;
mod program;
mod expression;
#[cfg(not(heapcheck_injected))]
pub mod fuzz;
#[cfg(test)]
mod tests;

pub use cursor::CfiError;
pub use expression::evaluate;
pub use program::{Cfa, KEPT, Place, Row};
pub use tables::{Fde, Section, Tables};

/// Register numbers of x86-64 that matter here.
pub mod register {
    /// The frame pointer.
    pub const RBP: u16 = 6;
    /// The stack pointer.
    pub const RSP: u16 = 7;
    /// The column of the return address.
    pub const RA: u16 = 16;
}
