#![expect(unsafe_code, reason = "reads return addresses from the thread's own stack")]
//! The shadow: what a thread remembers of its last walk, so that the next one is short.
//!
//! Frames lie outermost first, so new inner frames are pushed and popped at the end and nothing moves:
//!
//! ```text
//!   0            joined                    len
//!   | main .. unchanged outer part .. | new inner frames |
//! ```
//!
//! Why it is exact: the next frame of a walk is a function of (pc, sp, bp) and of the words that hold the return address
//! and the saved frame pointer. When a frame of the new walk equals one of the last walk, and each of those words still
//! holds what it held, then the outer part of both walks is the same. Checking a frame is two loads that depend on
//! nothing, where walking it is a chain of look-ups.
//!
//! The frame pointer matters only where some outer frame is found with its help; elsewhere it is not compared.
//!
//! In a deep recursion only the innermost frames are here. On the way back a frame is joined only while enough of them
//! are left for a trace; then the rest of the walk is made anew. A trace is told by its own frames alone, whatever lies
//! outside of them and whichever way they were found.
//!
//! # Safety
//! Recorded slots lie above the stack pointer on the thread's own stack, between bounds that the caller checked; only
//! the owning thread reads its shadow.

use crate::arch;
use crate::limits::{DEPTH_MAX, SHADOW_FRAMES};

/// The words of a [`Proof`] where they lie side by side, as they do in code with frame pointers: compared at once.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(16))]
struct Pair {
    /// The saved frame pointer and the return address.
    words: [usize; 2],
    /// All ones for each word that matters.
    mask: [usize; 2],
}

/// The words that must not have changed for a frame to be still there.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Proof {
    /// Where the return address into this frame lies, and what it was.
    pub(crate) pc_slot: usize,
    pub(crate) pc: usize,
    /// Where the frame pointer of this frame was saved by its callee, and what it was. The return address again when
    /// the frame pointer does not matter.
    pub(crate) bp_slot: usize,
    pub(crate) bp: usize,
}

impl Proof {
    /// Whether the words are unchanged.
    #[inline(always)]
    fn differs(&self) -> usize {
        // SAFETY: see the head of this file.
        unsafe {
            ((self.pc_slot as *const usize).read_volatile() ^ self.pc)
                | ((self.bp_slot as *const usize).read_volatile() ^ self.bp)
        }
    }
}

/// The rest of a frame.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Frame {
    /// One more than it is when the frame was interrupted: such a frame goes by the rule of another address, and no
    /// walk may join it.
    pub(crate) sp: usize,
    pub(crate) bp: usize,
    /// Hash of this frame and all outer ones, see [`Shadow::hash`].
    pub(crate) hash: u64,
    /// Whether some frame from here outwards is found by the frame pointer.
    pub(crate) needs_bp: bool,
}

/// A frame of the walk under way.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Step {
    pub(crate) pc: usize,
    pub(crate) sp: usize,
    pub(crate) bp: usize,
    pub(crate) pc_slot: usize,
    /// 0 when the callee did not save the frame pointer.
    pub(crate) bp_slot: usize,
    pub(crate) uses_bp: bool,
    pub(crate) keeps_bp: bool,
    pub(crate) interrupted: bool,
}

/// The base of the running hash, and its powers. It is odd, so that no frame is ever shifted out.
const BASE: u64 = 0xD6E8_FEB8_6659_FD93;
static POWERS: [u64; DEPTH_MAX + 1] = {
    let mut powers = [1; DEPTH_MAX + 1];
    let mut index = 1;
    while index <= DEPTH_MAX {
        powers[index] = BASE.wrapping_mul(powers[index - 1]);
        index += 1;
    }
    powers
};

/// A word that must not have changed.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Word {
    pub(crate) slot: usize,
    pub(crate) value: usize,
}

impl Word {
    #[inline(always)]
    pub(crate) fn differs(&self) -> usize {
        // SAFETY: see the head of this file.
        unsafe { (self.slot as *const usize).read_volatile() ^ self.value }
    }
}

/// The inner part of a walk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inner {
    /// Outer frames that stayed.
    pub(crate) joined: usize,
    /// The innermost of them, and the hash of all of them.
    pub(crate) sp: usize,
    pub(crate) hash: u64,
    /// Whether the frame pointer of the innermost frame of all matters.
    pub(crate) needs_bp: bool,
    /// Words that decide.
    pub(crate) used: usize,
}

/// A word that no program counter equals: the proof of a frame that must never be taken on trust.
static NEVER: [usize; 2] = [0; 2];

/// The shadow of a thread's stack.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Shadow {
    pub(crate) len: usize,
    /// Frames that are known to be unchanged, from 0 on, during the walk under way.
    trusted: usize,
    /// Where to look for the next common frame: frames from here on are further in than the walk.
    cursor: usize,
    /// Whether frames further out than frame 0 are missing.
    pub(crate) cut: bool,
    /// Whether they are missing for want of room, so that a new walk would find them.
    more: bool,
    /// Hash of the frames further out than frame 0 that were here once.
    outside: u64,
    /// The trace of the whole shadow, 0 when not known.
    pub(crate) last_trace: u32,
    /// Behind the innermost frame whose frame pointer was saved elsewhere than below the return address.
    odd_end: usize,
    /// Behind the innermost frame of which not both words of the pair matter.
    mixed_end: usize,
    proofs: [Proof; SHADOW_FRAMES],
    pairs: [Pair; SHADOW_FRAMES],
    frames: [Frame; SHADOW_FRAMES],
    pub(crate) steps: [Step; SHADOW_FRAMES],
}

impl Shadow {
    /// Begins a walk.
    #[inline(always)]
    pub(crate) fn begin(&mut self) {
        self.cursor = self.len;
        self.trusted = 0;
    }

    /// Looks for the frame of the walk in the shadow, and answers how many frames from 0 on stay: those up to and with
    /// this one. The walk has taken `count` frames so far.
    #[inline(always)]
    pub(crate) fn join(&mut self, pc: usize, sp: usize, bp: usize, count: usize) -> Option<usize> {
        while self.cursor > 0 && self.frames[self.cursor - 1].sp < sp {
            self.cursor -= 1;
        }
        let index = self.cursor.wrapping_sub(1);
        if self.cursor == 0 || self.frames[index].sp != sp || self.proofs[index].pc != pc {
            return None;
        }
        if self.frames[index].needs_bp && self.frames[index].bp != bp {
            return None;
        }
        // Fewer frames than a trace may have, where the stack has more: the rest of the walk is made anew.
        if self.more && self.cursor + count < DEPTH_MAX {
            self.cursor = 0;
            return None;
        }
        if self.trusted <= index && !self.trust(index) {
            return None;
        }
        Some(self.cursor)
    }

    /// Checks the frames outside of `index`. When some have changed, only those outside of them are left to join.
    #[inline(always)]
    fn trust(&mut self, index: usize) -> bool {
        // The outer frames, of libc and of code without frame pointers, are checked in the general way; from where each
        // frame saved its pointer below its return address, which code with frame pointers does, one load serves both.
        let from = index.saturating_sub(DEPTH_MAX);
        let odd_end = self.odd_end.clamp(from, index);
        let mixed_end = self.mixed_end.clamp(odd_end, index);
        let slot = |place: usize| self.proofs[place].pc_slot - 8;
        let differs = self.proofs[from..odd_end].iter().fold(0, |all, proof| all | proof.differs()) != 0
            || arch::any_masked_differs(
                (odd_end..mixed_end)
                    .map(|place| (slot(place), &self.pairs[place].words, &self.pairs[place].mask)),
            )
            || arch::any_differs((mixed_end..index).map(|place| (slot(place), &self.pairs[place].words)));
        if !differs {
            self.trusted = index + 1;
            return true;
        }
        self.distrust(index);
        false
    }

    #[cold]
    #[inline(never)]
    fn distrust(&mut self, index: usize) {
        let from = index.saturating_sub(DEPTH_MAX);
        let changed = self.proofs[from..index].iter().position(|proof| proof.differs() != 0);
        let kept = if from > 0 { 0 } else { changed.unwrap_or(0) };
        self.cursor = kept;
        self.trusted = kept;
    }

    /// Ends a walk of `count` new frames inside of the `joined` ones that stay. `cut` says that the walk stopped early;
    /// it matters only when nothing was joined.
    #[inline(always)]
    pub(crate) fn finish(&mut self, mut joined: usize, count: usize, cut: bool) {
        if joined == 0 {
            self.cut = cut;
            self.more = cut && count == SHADOW_FRAMES;
            self.outside = 0;
        } else if joined + count > SHADOW_FRAMES {
            joined = self.slide(joined, DEPTH_MAX.min(SHADOW_FRAMES - count));
        }
        let (mut hash, mut needs_bp) = (self.outside, false);
        if joined > 0 {
            let frame = &self.frames[joined - 1];
            (hash, needs_bp) = (frame.hash, frame.needs_bp);
        }
        self.odd_end = self.odd_end.min(joined);
        self.mixed_end = self.mixed_end.min(joined);
        let mut index = joined;
        for place in (0..count).rev() {
            let step = self.steps[place];
            hash = hash.wrapping_mul(BASE).wrapping_add(mix(0, step.pc as u64));
            needs_bp = step.uses_bp || (step.keeps_bp && needs_bp);
            let (bp_slot, bp) =
                if needs_bp && step.bp_slot != 0 { (step.bp_slot, step.bp) } else { (step.pc_slot, step.pc) };
            // Nobody has saved the innermost frame's pointer yet: when it becomes an outer frame, `reached_through` says
            // where it was saved then.
            self.set_proof(index, Proof { pc_slot: step.pc_slot, pc: step.pc, bp_slot, bp }, place > 0);
            self.frames[index] =
                Frame { sp: step.sp | usize::from(step.interrupted), bp: step.bp, hash, needs_bp };
            index += 1;
        }
        self.len = index;
    }

    /// What the last walk found inside of its joined frames, as the words that must not change, from the joined frame
    /// inwards; `None` when they are more than `words` has room for, or nothing was joined.
    pub(crate) fn inner_words(&self, count: usize, words: &mut [Word]) -> Option<Inner> {
        let joined = self.len.checked_sub(count).filter(|joined| *joined > 0 && count > 0)?;
        let mut used = 0;
        for index in joined - 1..self.len - 1 {
            let proof = &self.proofs[index];
            *words.get_mut(used)? = Word { slot: proof.pc_slot, value: proof.pc };
            used += 1;
            if proof.bp_slot != proof.pc_slot {
                *words.get_mut(used)? = Word { slot: proof.bp_slot, value: proof.bp };
                used += 1;
            }
        }
        let outer = &self.frames[joined - 1];
        Some(Inner {
            joined,
            sp: outer.sp,
            hash: outer.hash,
            needs_bp: self.frames[self.len - 1].needs_bp,
            used,
        })
    }

    /// Whether the outer `joined` frames are the ones with this hash, the innermost of them at `sp`, and unchanged.
    #[inline(always)]
    pub(crate) fn holds(&mut self, joined: usize, sp: usize, hash: u64) -> bool {
        let index = joined - 1;
        joined <= self.len
            && self.frames[index].sp == sp
            && self.frames[index].hash == hash
            && self.trust(index)
    }

    /// The joined frame may have been reached through another callee, which saved its frame pointer elsewhere, or which
    /// says nothing about it.
    #[inline(always)]
    pub(crate) fn reached_through(&mut self, joined: usize, pc_slot: usize, bp_slot: usize) {
        let frame = &self.frames[joined - 1];
        let pc = self.proofs[joined - 1].pc;
        let (bp_slot, bp) = if frame.needs_bp && bp_slot != 0 { (bp_slot, frame.bp) } else { (pc_slot, pc) };
        self.set_proof(joined - 1, Proof { pc_slot, pc, bp_slot, bp }, true);
    }

    #[inline(always)]
    fn set_proof(&mut self, index: usize, proof: Proof, is_outer: bool) {
        let below = proof.bp_slot == proof.pc_slot - 8;
        let matters = proof.bp_slot != proof.pc_slot;
        self.pairs[index] = Pair {
            words: [if below { proof.bp } else { 0 }, proof.pc],
            mask: [if below { usize::MAX } else { 0 }, usize::MAX],
        };
        if !below && is_outer {
            self.mixed_end = self.mixed_end.max(index + 1);
            if matters {
                self.odd_end = self.odd_end.max(index + 1);
            }
        }
        self.proofs[index] = proof;
    }

    /// Makes room in a deep recursion: keeps the innermost `kept` of the joined frames.
    #[cold]
    #[inline(never)]
    fn slide(&mut self, joined: usize, kept: usize) -> usize {
        let kept = kept.min(joined - 1);
        let first = joined - kept;
        self.outside = self.frames[first - 1].hash;
        self.proofs.copy_within(first..joined, 0);
        self.pairs.copy_within(first..joined, 0);
        self.frames.copy_within(first..joined, 0);
        self.cut = true;
        self.more = true;
        self.odd_end = self.odd_end.saturating_sub(first);
        self.mixed_end = self.mixed_end.saturating_sub(first);
        kept
    }

    /// Whether the innermost `depth` frames are not the whole stack.
    #[inline(always)]
    pub(crate) fn is_cut(&self, depth: usize) -> bool {
        self.cut || self.len > depth
    }

    /// The hash of the innermost `depth` frames, whatever lies outside of them: a polynomial of the program counters,
    /// so that the outer part can be taken off the hash of all.
    #[inline(always)]
    pub(crate) fn hash(&self, depth: usize) -> u64 {
        let depth = depth.min(self.len).min(DEPTH_MAX);
        let outer = match self.len - depth {
            0 => self.outside,
            frames => self.frames[frames - 1].hash,
        };
        let all = self.frames[self.len - 1].hash;
        mix(if self.is_cut(depth) { 2 } else { 1 }, all.wrapping_sub(outer.wrapping_mul(POWERS[depth])))
    }

    /// The program counters of the innermost `depth` frames, innermost first.
    #[inline(always)]
    pub(crate) fn pcs(&self, depth: usize) -> impl ExactSizeIterator<Item = usize> + '_ {
        self.proofs[self.len - depth.min(self.len)..self.len].iter().rev().map(|proof| proof.pc)
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        // SAFETY: these are our own words.
        unsafe { Self::clear_of(self) };
        (self.odd_end, self.mixed_end) = (0, 0);
    }

    /// Forgets everything, also when it belongs to another thread.
    ///
    /// # Safety
    /// `this` points at a shadow. Its thread may be using it: then it keeps what it has just looked at.
    pub(crate) unsafe fn clear_of(this: *mut Self) {
        // SAFETY: as the caller promises.
        unsafe {
            (&raw mut (*this).last_trace).write_volatile(0);
            (&raw mut (*this).len).write_volatile(0);
        }
    }
}

/// The slot of a frame whose predecessor says nothing about it, as across a signal: it is walked anew each time.
pub(crate) fn never_trusted() -> usize {
    &raw const NEVER as usize + 8
}

/// One step of the running hash.
#[inline(always)]
pub(crate) fn mix(hash: u64, word: u64) -> u64 {
    let product = (hash ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    product ^ (product >> 29)
}
