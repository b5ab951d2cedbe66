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
//! # Safety
//! Recorded slots lie above the stack pointer on the thread's own stack, between bounds that the caller checked; only
//! the owning thread reads its shadow.

use crate::limits::{DEPTH_MAX, SHADOW_FRAMES};

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
    pub(crate) sp: usize,
    pub(crate) bp: usize,
    /// Hash of this frame and all outer ones.
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
}

/// A word that no program counter equals: the proof of a frame that must never be taken on trust.
static NEVER: usize = 0;

/// What lies further out than frame 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Outside {
    /// Frame 0 is the outermost one.
    Nothing = 0,
    /// More frames, which a longer walk finds.
    Frames = 1,
    /// More frames, which no walk reaches.
    Unknown = 2,
}

/// The shadow of a thread's stack.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Shadow {
    pub(crate) len: usize,
    /// Frames that are known to be unchanged, from 0 on, during the walk under way.
    trusted: usize,
    /// Where to look for the next common frame: frames from here on are further in than the walk.
    cursor: usize,
    pub(crate) outside: Outside,
    /// The trace of the whole shadow, 0 when not known.
    pub(crate) last_trace: u32,
    proofs: [Proof; SHADOW_FRAMES],
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
    /// this one. `count` frames lie further in; when they and those that stay are fewer than a trace has, and there were
    /// more, then the walk must go on.
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
        if self.outside == Outside::Frames && self.cursor + count < DEPTH_MAX {
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
        let mut differs = 0;
        for proof in &self.proofs[index.saturating_sub(DEPTH_MAX)..index] {
            differs |= proof.differs();
        }
        if differs == 0 {
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

    /// Ends a walk of `count` new frames inside of the `joined` ones that stay. `outside` matters only when nothing was
    /// joined. Returns the hash of the whole.
    #[inline(always)]
    pub(crate) fn finish(&mut self, mut joined: usize, count: usize, outside: Outside) -> u64 {
        if joined == 0 {
            self.outside = outside;
        } else if joined + count > SHADOW_FRAMES {
            joined = self.slide(joined, count);
        }
        let (mut hash, mut needs_bp) = (1 + self.outside as u64, false);
        if joined > 0 {
            let frame = &self.frames[joined - 1];
            (hash, needs_bp) = (frame.hash, frame.needs_bp);
        }
        let mut index = joined;
        for step in self.steps[..count].iter().rev() {
            hash = mix(hash, step.pc as u64);
            needs_bp = step.uses_bp || (step.keeps_bp && needs_bp);
            let (bp_slot, bp) =
                if needs_bp && step.bp_slot != 0 { (step.bp_slot, step.bp) } else { (step.pc_slot, step.pc) };
            self.proofs[index] = Proof { pc_slot: step.pc_slot, pc: step.pc, bp_slot, bp };
            self.frames[index] = Frame { sp: step.sp, bp: step.bp, hash, needs_bp };
            index += 1;
        }
        self.len = index;
        hash
    }

    /// The joined frame may have been reached through another callee, which saved its frame pointer elsewhere.
    #[inline(always)]
    pub(crate) fn reached_through(&mut self, joined: usize, bp_slot: usize) {
        let frame = &self.frames[joined - 1];
        let proof = &mut self.proofs[joined - 1];
        (proof.bp_slot, proof.bp) =
            if frame.needs_bp && bp_slot != 0 { (bp_slot, frame.bp) } else { (proof.pc_slot, proof.pc) };
    }

    /// Makes room in a deep recursion: keeps the innermost frames.
    #[cold]
    #[inline(never)]
    fn slide(&mut self, joined: usize, count: usize) -> usize {
        let first = joined - DEPTH_MAX.min(SHADOW_FRAMES - count).min(joined);
        self.proofs.copy_within(first..joined, 0);
        self.frames.copy_within(first..joined, 0);
        self.outside = Outside::Frames;
        joined - first
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
    &raw const NEVER as usize
}

/// One step of the running hash.
#[inline(always)]
pub(crate) fn mix(hash: u64, word: u64) -> u64 {
    let product = (hash ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    product ^ (product >> 29)
}
