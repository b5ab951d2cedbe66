#![expect(unsafe_code, reason = "forgets walks of other threads")]
//! Full traces by heart: how the last ones from each call site hung on the outer part of the stack.
//!
//! Most allocations come from a place that allocated before, through the same few inner frames, below an outer part that
//! has not changed. What is remembered is the inner part, as words that must not have changed, and which outer part of
//! the shadow it hung on; when both still hold, so does the trace, by the argument of [`super::shadow`]. The shadow
//! itself stays as it is.
//!
//! # Safety
//! Only [`Recall::clear_of`] touches what belongs to another thread, word by word.

use super::memo::key_of;
use super::shadow::{Shadow, Word};
use crate::limits::MEMO_SLOTS;
use crate::unwind::Registers;

/// Words of an inner part: fourteen frames with frame pointers, twice as many without.
const WORDS: usize = 28;

/// An inner part.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(512))]
struct Recalled {
    key: usize,
    bp: usize,
    /// All ones where the frame pointer matters.
    bp_mask: usize,
    outer_sp: usize,
    outer_hash: u64,
    trace: u32,
    joined: u16,
    used: u16,
    words: [Word; WORDS],
}

const _: () = assert!(size_of::<Recalled>() == 512);

/// The inner parts that a thread remembers; direct mapped.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Recall {
    slots: [Recalled; MEMO_SLOTS],
}

impl Recall {
    #[inline(always)]
    fn slot(key: usize) -> usize {
        key >> (usize::BITS - MEMO_SLOTS.ilog2())
    }

    /// The trace of this call site, when nothing has changed. A walk of the shadow must begin anew afterwards.
    #[inline(always)]
    pub(crate) fn find(
        &self,
        pc: usize,
        sp: usize,
        bp: usize,
        end: usize,
        shadow: &mut Shadow,
    ) -> Option<u32> {
        let key = key_of(pc, sp, bp, end);
        let known = &self.slots[Self::slot(key)];
        if known.key != key || (known.bp ^ bp) & known.bp_mask != 0 {
            return None;
        }
        let words = known.words.iter().take(usize::from(known.used));
        let holds = words.fold(0, |all, word| all | word.differs()) == 0
            && shadow.holds(usize::from(known.joined), known.outer_sp, known.outer_hash);
        holds.then_some(known.trace)
    }

    /// Learns the walk that the shadow has just finished with `count` new frames.
    #[inline(always)]
    pub(crate) fn learn(&mut self, at: Registers, end: usize, shadow: &Shadow, count: usize, trace: u32) {
        let key = key_of(at.pc, at.sp, at.bp, end);
        let known = &mut self.slots[Self::slot(key)];
        known.key = 0;
        let Some(inner) = shadow.inner_words(count, &mut known.words) else { return };
        known.bp = at.bp;
        known.bp_mask = if inner.needs_bp { usize::MAX } else { 0 };
        (known.outer_sp, known.outer_hash) = (inner.sp, inner.hash);
        (known.joined, known.used, known.trace) = (inner.joined as u16, inner.used as u16, trace);
        known.key = key;
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        // SAFETY: these are our own words.
        unsafe { Self::clear_of(self) };
    }

    /// Forgets everything, also when it belongs to another thread.
    ///
    /// # Safety
    /// `this` points at what a thread recalls. It may be using it: a key that is zero fits no place.
    pub(crate) unsafe fn clear_of(this: *mut Self) {
        for index in 0..MEMO_SLOTS {
            // SAFETY: as the caller promises; the index is one of the array.
            unsafe {
                let known = (&raw mut (*this).slots).cast::<Recalled>().add(index);
                (&raw mut (*known).key).write_volatile(0);
            }
        }
    }
}
