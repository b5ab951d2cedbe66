#![expect(unsafe_code, reason = "reads return addresses from the thread's own stack")]
//! Short traces by their program counters, for code with frame pointers.
//!
//! A trace of three frames of which the inner two are found by the frame pointer ([`Rule::FRAMED`]) is told by three words:
//! its program counter, and two return addresses that lie behind saved frame pointers. How a frame is found depends on its
//! program counter alone, so the same words mean the same trace wherever on the stack they lie. This finds what
//! [`super::memo`] does not: places that are reached at ever other depths, or from ever other callers.
//!
//! # Safety
//! What is read lies between the walk's stack pointer and the end of the thread's own stack.

use super::shadow::Step;
use crate::limits::FRAMED_SLOTS;
use crate::rule::Rule;
use crate::unwind::Rules;
use core::sync::atomic::{Ordering::SeqCst, compiler_fence};

/// Frames of such a trace.
pub(super) const FRAMES: usize = 3;

/// A trace. One without program counters is none.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
struct Entry {
    pcs: [usize; FRAMES],
    trace: usize,
}

/// The traces that a thread remembers so.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Framed {
    slots: [Entry; FRAMED_SLOTS],
}

/// Direct mapped: the high bits of a product tell them apart.
#[inline(always)]
fn slot(pcs: [usize; FRAMES]) -> usize {
    let mixed = pcs[0] ^ pcs[1].rotate_left(20) ^ pcs[2].rotate_left(40);
    mixed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (usize::BITS - FRAMED_SLOTS.ilog2())
}

impl Framed {
    /// The trace of a call, if its frames are found like those of one that was learnt. `end` is two words below the end of
    /// the stack.
    #[inline(always)]
    pub(super) fn find(&self, pc: usize, sp: usize, bp: usize, end: usize) -> Option<u32> {
        let is_on_stack = |bp: usize, sp: usize| bp >= sp && bp <= end && bp.is_multiple_of(8);
        if !is_on_stack(bp, sp) {
            return None;
        }
        // SAFETY: both words lie between `sp` and the end of the stack.
        let (outer_bp, outer_pc) =
            unsafe { ((bp as *const usize).read(), (bp as *const usize).add(1).read()) };
        if !is_on_stack(outer_bp, bp + 16) {
            return None;
        }
        // SAFETY: as above.
        let pcs = [pc, outer_pc, unsafe { (outer_bp as *const usize).add(1).read() }];
        let entry = &self.slots[slot(pcs)];
        (entry.pcs == pcs).then_some(entry.trace as u32)
    }

    /// Learns the trace of a walk, if its frames are found so.
    pub(super) fn learn(&mut self, rules: &Rules, steps: &[Step], trace: u32) {
        let &[inner, middle, outer] = steps else { return };
        let is_framed = |step: Step| !step.interrupted && rules.known_rule_of(step.pc) == Some(Rule::FRAMED);
        if is_framed(inner) && is_framed(middle) && !outer.interrupted {
            let pcs = [inner.pc, middle.pc, outer.pc];
            let entry = &mut self.slots[slot(pcs)];
            // Nobody who interrupts this finds half of it.
            entry.pcs[0] = 0;
            compiler_fence(SeqCst);
            (entry.pcs[1], entry.pcs[2], entry.trace) = (pcs[1], pcs[2], trace as usize);
            compiler_fence(SeqCst);
            entry.pcs[0] = pcs[0];
        }
    }

    /// Forgets everything, also when it belongs to another thread.
    ///
    /// # Safety
    /// `this` points at such traces. Their thread may be using them: no call has the program counter zero.
    pub(super) unsafe fn clear_of(this: *mut Self) {
        for index in 0..FRAMED_SLOTS {
            // SAFETY: as the caller promises; the index is one of the array.
            unsafe { (&raw mut (*this).slots[index].pcs[0]).write_volatile(0) };
        }
    }
}
