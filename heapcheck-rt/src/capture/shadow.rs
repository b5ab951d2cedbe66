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
//! What lies outside of the runtime's own frame (around `main`, or around the function of a thread) is not checked at all: such
//! a frame is entered once on its stack, so a walk that reaches it knows the rest.
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

use crate::arch::{self, Pair};
use crate::depot::Frames;
use crate::limits::{DEPTH_MAX, SHADOW_FRAMES};
use core::sync::atomic::{Ordering::SeqCst, compiler_fence};

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

#[inline(always)]
fn any_differs(proofs: &[Proof]) -> bool {
    let mut all = 0;
    for proof in proofs {
        all |= proof.differs();
    }
    all != 0
}

/// The rest of a frame.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Frame {
    /// One more than it is when the frame was interrupted: such a frame goes by the rule of another address, and no
    /// walk may join it.
    pub(crate) sp: usize,
    pub(crate) pc: usize,
    /// The frame pointer, and all ones when some frame from here outwards is found by it, else 0.
    pub(crate) bp: usize,
    pub(crate) bp_mask: usize,
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

/// The runtime's own frame around `main`, or around the function of a thread. It is entered once on its stack: where it is
/// reached, what lies outside of it is what it was.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Root {
    /// Its stack pointer while it calls; 0 when there is no such frame.
    pub(crate) sp: usize,
    /// Where its caller's frame begins.
    pub(crate) end: usize,
    /// Where its code begins.
    pub(crate) code: usize,
}

/// More than the code of a frame around `main` has, from its beginning to its call.
const ROOT_CODE_BYTES: usize = 512;

impl Root {
    #[inline(always)]
    fn is(&self, step: &Step) -> bool {
        step.sp == self.sp && step.pc.wrapping_sub(self.code) < ROOT_CODE_BYTES
    }
}

/// Places by stack pointers, which are multiples of sixteen: as many as some kilobytes of stack have.
const PLACES: usize = 512;
const _: () = assert!(SHADOW_FRAMES - 1 <= u8::MAX as usize);

#[inline(always)]
fn place_of(sp: usize) -> usize {
    sp / 16 % PLACES
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
    /// Frames from here on are not joined.
    bound: usize,
    /// Whether frames further out than frame 0 are missing.
    pub(crate) cut: bool,
    /// Whether they are missing for want of room, so that a new walk would find them.
    more: bool,
    /// Hash of the frames further out than frame 0 that were here once.
    outside: u64,
    /// The trace of the whole shadow, 0 when not known.
    pub(crate) last_trace: u32,
    /// The stack pointer of the runtime's own frame around what the program runs on this stack, and the code of that frame.
    pub(crate) root: Root,
    /// How many frames lie outside of that one.
    settled: usize,
    /// Behind the innermost frame whose frame pointer was saved elsewhere than below the return address.
    odd_end: usize,
    /// Behind the innermost frame of which not both words of the pair matter.
    mixed_end: usize,
    proofs: [Proof; SHADOW_FRAMES],
    /// The same, where the words lie side by side, as they do in code with frame pointers: compared at once.
    pairs: [Pair; SHADOW_FRAMES],
    frames: [Frame; SHADOW_FRAMES],
    /// Which frame has a stack pointer, if there is one: the last that was put there. One whose place another took is not
    /// joined.
    places: [u8; PLACES],
    /// Of each frame and all outer ones, see [`Shadow::hash`].
    hashes: [u64; SHADOW_FRAMES],
    pub(crate) steps: [Step; SHADOW_FRAMES],
}

impl Shadow {
    /// Begins a walk.
    #[inline(always)]
    pub(crate) fn begin(&mut self) {
        self.bound = self.len;
        self.trusted = 0;
    }

    /// The trace of the whole shadow, now that all that decides to look has been read.
    #[inline(always)]
    pub(crate) fn last_trace_now(&self) -> u32 {
        // SAFETY: this is our own word.
        unsafe { (&raw const self.last_trace).read_volatile() }
    }

    /// Hides all frames from whoever interrupts the walk, which has begun, until it ends: they are about to change.
    #[inline(always)]
    pub(crate) fn hide(&mut self) {
        // SAFETY: these are our own words.
        unsafe { Self::clear_of(self) };
        compiler_fence(SeqCst);
    }

    /// Looks for the frame of the walk in the shadow, and answers how many frames from 0 on stay: those up to and with
    /// this one. The walk has taken `count` frames so far.
    #[inline(always)]
    pub(crate) fn join(&mut self, pc: usize, sp: usize, bp: usize, count: usize) -> Option<usize> {
        let index = usize::from(self.places[place_of(sp)]);
        let Frame { sp: its_sp, pc: its_pc, bp: its_bp, bp_mask } = self.frames[index];
        // One decision: where the frame differs, and whether it does, no processor can guess.
        let differs = (its_sp ^ sp) | (its_pc ^ pc) | ((its_bp ^ bp) & bp_mask);
        if differs | usize::from(index >= self.bound) != 0 {
            return None;
        }
        // Fewer frames than a trace may have, where the stack has more: the rest of the walk is made anew.
        if self.more && index + 1 + count < DEPTH_MAX {
            self.bound = 0;
            return None;
        }
        if self.trusted <= index && !self.trust(index) {
            return None;
        }
        Some(index + 1)
    }

    /// Checks the frames outside of `index`. When some have changed, only those outside of them are left to join.
    #[inline(always)]
    fn trust(&mut self, index: usize) -> bool {
        // The outer frames, of libc and of code without frame pointers, are checked in the general way; from where each
        // frame saved its pointer below its return address, which code with frame pointers does, one load serves both.
        let first = if self.settled < index { self.settled } else { 0 };
        let odd_end = self.odd_end.min(index).max(first);
        let mixed_end = self.mixed_end.min(index).max(odd_end);
        let differs = if index > DEPTH_MAX {
            any_differs(&self.proofs[index - DEPTH_MAX..index])
        } else {
            any_differs(&self.proofs[first..odd_end])
                || arch::any_masked_differs(&self.pairs[odd_end..mixed_end])
                || arch::any_differs(&self.pairs[mixed_end..index])
        };
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
        self.bound = kept;
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
            (hash, needs_bp) = (self.hashes[joined - 1], self.frames[joined - 1].bp_mask != 0);
        }
        self.odd_end = self.odd_end.min(joined);
        self.mixed_end = self.mixed_end.min(joined);
        if joined <= self.settled {
            self.settled = 0;
        }
        let mut index = joined;
        for place in (0..count).rev() {
            let step = self.steps[place];
            hash = add(hash, &step);
            needs_bp = step.uses_bp || (step.keeps_bp && needs_bp);
            let (bp_slot, bp) =
                if needs_bp && step.bp_slot != 0 { (step.bp_slot, step.bp) } else { (step.pc_slot, step.pc) };
            // Nobody has saved the innermost frame's pointer yet: when it becomes an outer frame, `reached_through` says
            // where it was saved then.
            self.set_proof(index, Proof { pc_slot: step.pc_slot, pc: step.pc, bp_slot, bp }, place > 0);
            if self.root.is(&step) {
                self.settled = index;
            }
            let bp_mask = if needs_bp { usize::MAX } else { 0 };
            self.frames[index] =
                Frame { sp: step.sp | usize::from(step.interrupted), pc: step.pc, bp: step.bp, bp_mask };
            self.hashes[index] = hash;
            self.places[place_of(step.sp)] = index as u8;
            index += 1;
        }
        compiler_fence(SeqCst);
        self.len = index;
        // A walk that a signal handler's has interrupted knows another shadow: it joins none of its frames.
        self.bound = 0;
    }

    /// The joined frame may have been reached through another callee, which saved its frame pointer elsewhere, or which
    /// says nothing about it.
    #[inline(always)]
    pub(crate) fn reached_through(&mut self, joined: usize, pc_slot: usize, bp_slot: usize) {
        let Frame { pc, bp, bp_mask, .. } = self.frames[joined - 1];
        let (bp_slot, bp) = if bp_mask != 0 && bp_slot != 0 { (bp_slot, bp) } else { (pc_slot, pc) };
        self.set_proof(joined - 1, Proof { pc_slot, pc, bp_slot, bp }, true);
    }

    #[inline(always)]
    fn set_proof(&mut self, index: usize, proof: Proof, is_outer: bool) {
        let below = proof.bp_slot == proof.pc_slot - 8;
        let matters = proof.bp_slot != proof.pc_slot;
        self.pairs[index] = Pair {
            words: [if below { proof.bp } else { 0 }, proof.pc],
            address: proof.pc_slot - 8,
            mask: if below { usize::MAX } else { 0 },
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
        self.outside = self.hashes[first - 1];
        self.proofs.copy_within(first..joined, 0);
        self.pairs.copy_within(first..joined, 0);
        self.frames.copy_within(first..joined, 0);
        self.hashes.copy_within(first..joined, 0);
        for (index, frame) in self.frames[..kept].iter().enumerate() {
            self.places[place_of(frame.sp)] = index as u8;
        }
        self.cut = true;
        self.more = true;
        self.settled = 0;
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
        let len = self.len;
        // Another thread may just have made this one forget everything.
        let Some(last) = len.checked_sub(1) else { return 0 };
        let depth = depth.min(len).min(DEPTH_MAX);
        let outer = match len - depth {
            0 => self.outside,
            frames => self.hashes[frames - 1],
        };
        let all = self.hashes[last];
        mix(if self.is_cut(depth) { 2 } else { 1 }, all.wrapping_sub(outer.wrapping_mul(POWERS[depth])))
    }

    /// The hash of a whole stack: that of the outer `joined` frames, and `inner`, the sum of `count` frames inside of
    /// them. `None` when it is more than `depth` frames, or outer ones are missing.
    #[inline(always)]
    pub(crate) fn hash_with(&self, joined: usize, count: usize, inner: u64, depth: usize) -> Option<u64> {
        (!self.cut && joined + count <= depth.min(DEPTH_MAX))
            .then(|| mix(1, self.hashes[joined - 1].wrapping_mul(POWERS[count]).wrapping_add(inner)))
    }

    /// The innermost `depth` frames.
    #[inline(always)]
    pub(crate) fn frames(
        &self,
        depth: usize,
    ) -> Frames<impl Iterator<Item = usize> + Clone + '_, impl Fn(usize) -> u64 + '_> {
        let inner = &self.proofs[self.len - depth.min(self.len)..self.len];
        let pcs = inner.iter().rev().map(|proof| proof.pc);
        Frames { len: inner.len(), cut: self.is_cut(depth), pcs, outer_hash: |count| self.hashes[count - 1] }
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

/// The frames of a short trace.
pub(crate) fn few_frames(
    steps: &[Step],
    cut: bool,
) -> Frames<impl Iterator<Item = usize> + Clone + '_, impl Fn(usize) -> u64> {
    Frames { len: steps.len(), cut, pcs: steps.iter().map(|step| step.pc), outer_hash: |_| 0 }
}

/// The slot of a frame whose predecessor says nothing about it, as across a signal: it is walked anew each time.
pub(crate) fn never_trusted() -> usize {
    &raw const NEVER as usize + 8
}

/// The hash of all frames, one more inner one included.
#[inline(always)]
fn add(hash: u64, step: &Step) -> u64 {
    hash.wrapping_mul(BASE).wrapping_add(mix(0, step.pc as u64))
}

/// What the frame with this program counter adds to the hash of all, with `inner` frames inside of it.
#[inline(always)]
pub(crate) fn share(pc: usize, inner: usize) -> u64 {
    mix(0, pc as u64).wrapping_mul(POWERS[inner])
}

/// One step of the running hash.
#[inline(always)]
pub(crate) fn mix(hash: u64, word: u64) -> u64 {
    let product = (hash ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    product ^ (product >> 29)
}
