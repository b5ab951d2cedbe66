#![forbid(unsafe_code)]
//! A request for a check: of what, how, and from where.

use crate::arch;
use crate::options::Mode;
use crate::record::Moment;

/// What to check.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    pub(crate) moment: Moment,
    pub(crate) mode: Mode,
    /// Only what belongs to this scope counts; 0: everything.
    pub(crate) scope: u32,
    /// The stack pointer and the registers where the runtime was entered.
    pub(crate) sp: usize,
    pub(crate) registers: [usize; 6],
}

impl Request {
    /// A check from here. Inline, so that the registers are the caller's.
    #[inline(always)]
    pub(crate) fn here(moment: Moment, mode: Mode, scope: u32) -> Self {
        Self { moment, mode, scope, sp: arch::stack_pointer(), registers: arch::callee_saved() }
    }
}
