#![expect(unsafe_code, reason = "reads return addresses from the thread's own stack")]
//! Short traces by heart: the last ones that each call site took.
//!
//! A short trace has a handful of frames, and most allocations come from a place that allocated before, at the same
//! stack depth. A memo holds (pc, sp, bp) of such a place with the words that its outer frames were found through; when
//! all are unchanged the trace is the same, by the argument of [`super::shadow`].
//!
//! This is the hottest code of the runtime, and it is counted in instructions. Where a trace has few enough words they
//! are compared without a loop ([`Memos::find`]); deeper ones are found by [`Memos::find_deep`]. The place is told by
//! one word made of `pc` and `sp`: two places share it with a chance of one in some 2^40, no worse than two traces share
//! a hash in the depot. That word is looked at again at the end: a signal handler may have put another place there, and never
//! the same one, because what it interrupts lies on the stack as well.
//!
//! # Safety
//! The slots of a memo lie above its `sp`, which equals the stack pointer of the walk, on the thread's own stack.

use super::shadow::{Step, Word};
use crate::limits::{MEMO_SLOTS, SHORT_MAX};
use core::sync::atomic::{Ordering::SeqCst, compiler_fence};

/// Words that decide about a trace of three frames: two return addresses and a frame pointer.
const FEW: usize = 3;
/// Words that decide about the deepest short trace: for each outer frame both, but for the last its return address.
const MOST: usize = 2 * (SHORT_MAX - 1) - 1;

/// A call site that allocated.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(256))]
struct Memo {
    /// The place, for a trace of few words; 0 for a deeper one.
    key: usize,
    bp: usize,
    /// All ones where the frame pointer matters.
    bp_mask: usize,
    trace: u32,
    /// Words behind the first few.
    more: u32,
    words: [Word; MOST],
    /// The place, for a trace of any depth.
    deep_key: usize,
}

const _: () = assert!(size_of::<Memo>() == 256);

/// The place as one word. Allocation functions are called from few places that are called from many, so the next
/// return address is taken in where a frame pointer leads to it: it lies above `sp` and below `end`, on the stack.
#[inline(always)]
pub(super) fn key_of(pc: usize, sp: usize, bp: usize, end: usize) -> usize {
    let mut place = pc;
    if bp > sp && bp < end {
        // SAFETY: both words above `bp` lie on the thread's own stack, above its stack pointer; `end` is two words
        // below the stack's end.
        place ^= unsafe { (bp as *const usize).add(1).read_unaligned() }.rotate_left(24);
    }
    place.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ sp
}

/// What a word is now that what decides to look at it has been read.
#[inline(always)]
fn now<T: Copy>(word: &T) -> T {
    // SAFETY: a reference can be read.
    unsafe { (&raw const *word).read_volatile() }
}

/// The memos of a thread.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Memos {
    slots: [Memo; MEMO_SLOTS],
}

impl Memos {
    /// Where to look for a place. The high bits of its word tell call sites apart; in a recursion the same site comes with
    /// stack pointers that differ in low bits.
    #[inline(always)]
    fn slot(key: usize, sp: usize) -> usize {
        ((key >> (usize::BITS - MEMO_SLOTS.ilog2())) ^ (sp / 16)) % MEMO_SLOTS
    }

    /// The trace of this call site, when it has few words, is known, and nothing has changed.
    #[inline(always)]
    pub(crate) fn find(&self, pc: usize, sp: usize, bp: usize, end: usize) -> Option<u32> {
        let key = key_of(pc, sp, bp, end);
        let memo = &self.slots[Self::slot(key, sp)];
        if memo.key != key || (memo.bp ^ bp) & memo.bp_mask != 0 {
            return None;
        }
        let mut differs = 0;
        for word in &memo.words[..FEW] {
            differs |= word.differs();
        }
        if differs != 0 {
            return None;
        }
        let trace = now(&memo.trace);
        (now(&memo.key) == key).then_some(trace)
    }

    /// The trace of this call site, of any depth.
    #[inline(never)]
    pub(crate) fn find_deep(&self, pc: usize, sp: usize, bp: usize, end: usize) -> Option<u32> {
        let key = key_of(pc, sp, bp, end);
        let memo = &self.slots[Self::slot(key, sp)];
        if memo.deep_key != key || (memo.bp ^ bp) & memo.bp_mask != 0 {
            return None;
        }
        let differs =
            memo.words.iter().take(FEW + memo.more as usize).fold(0, |all, word| all | word.differs());
        if differs != 0 {
            return None;
        }
        let trace = now(&memo.trace);
        (now(&memo.deep_key) == key).then_some(trace)
    }

    /// Learns the trace of a walk of at most [`SHORT_MAX`] frames, innermost first.
    #[inline(never)]
    pub(crate) fn learn(&mut self, steps: &[Step], trace: u32, end: usize) {
        let Some((first, outer)) = steps.split_first() else { return };
        if outer.len() >= SHORT_MAX {
            return;
        }
        let key = key_of(first.pc, first.sp, first.bp, end);
        let memo = &mut self.slots[Self::slot(key, first.sp)];
        // Nobody who interrupts this finds half of it.
        (memo.key, memo.deep_key) = (0, 0);
        compiler_fence(SeqCst);
        // The outermost frame's own rule was not used; from there inwards a frame needs its frame pointer when it was
        // stepped out of by it, or when it only passes on what an outer frame needs.
        let mut needs_bp = false;
        let mut count = 0;
        for (index, step) in outer.iter().enumerate().rev() {
            if index + 1 < outer.len() {
                needs_bp = step.uses_bp || (step.keeps_bp && needs_bp);
            }
            memo.words[count] = Word { slot: step.pc_slot, value: step.pc };
            count += 1;
            if needs_bp && step.bp_slot != 0 {
                memo.words[count] = Word { slot: step.bp_slot, value: step.bp };
                count += 1;
            }
        }
        memo.more = count.saturating_sub(FEW) as u32;
        // Too few: the slot of the innermost return address is as good as any, and holds what it must by now.
        for word in memo.words.iter_mut().take(FEW).skip(count) {
            *word = Word { slot: first.sp - size_of::<usize>(), value: first.pc };
        }
        needs_bp = !outer.is_empty() && (first.uses_bp || (first.keeps_bp && needs_bp));
        memo.bp_mask = if needs_bp { usize::MAX } else { 0 };
        (memo.bp, memo.trace) = (first.bp, trace);
        compiler_fence(SeqCst);
        (memo.key, memo.deep_key) = (if memo.more == 0 { key } else { 0 }, key);
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        // SAFETY: these are our own words.
        unsafe { Self::clear_of(self) };
    }

    /// Forgets everything, also when they belong to another thread.
    ///
    /// # Safety
    /// `this` points at memos. Their thread may be using them: a key that is zero fits no place.
    pub(crate) unsafe fn clear_of(this: *mut Self) {
        for index in 0..MEMO_SLOTS {
            // SAFETY: as the caller promises; the index is one of the array.
            unsafe {
                let memo = (&raw mut (*this).slots).cast::<Memo>().add(index);
                (&raw mut (*memo).key).write_volatile(0);
                (&raw mut (*memo).deep_key).write_volatile(0);
            }
        }
    }
}
