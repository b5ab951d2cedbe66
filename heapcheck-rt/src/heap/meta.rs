#![forbid(unsafe_code)]
//! The sixteen bytes that the runtime knows of a block.
//!
//! ```text
//!          63            56 55      40 39                              0
//!   live   | state          | thread    | exact size                   |   | scope 63..32 | trace 31..0 |
//!   freed  | state          | pc of the free, 48 bits                  |   | trace of the free | trace   |
//! ```
//!
//! They lie beside the heap, not in it: a program that writes past its block does not harm them, and the heap walk
//! never touches the blocks. Readers may look while the owner writes; both words are atomic, and a state is written
//! last when a block comes to life, first when it dies.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

const SIZE_BITS: u32 = 40;
const THREAD_SHIFT: u32 = 40;
const STATE_SHIFT: u32 = 56;

/// The block is in the program's hands.
pub(crate) const LIVE: u8 = 0x80;
/// The block was freed and not handed out since.
pub(crate) const FREED: u8 = 0x40;
/// With [`FREED`]: the trace of the free was taken and stands where the scope was.
pub(crate) const TRACED: u8 = 0x20;
/// With [`LIVE`]: annotated as no leak, and so is what it reaches.
pub(crate) const IGNORED: u8 = 0x01;
/// With [`LIVE`]: allocated before `main` began.
pub(crate) const EARLY: u8 = 0x02;

/// Metadata of one slot.
#[derive(Debug)]
#[repr(C, align(16))]
pub(crate) struct Meta {
    trace: AtomicU32,
    scope: AtomicU32,
    facts: AtomicU64,
}

/// What [`Meta`] says of a live block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Live {
    pub(crate) size: usize,
    pub(crate) thread: u16,
    pub(crate) state: u8,
    pub(crate) trace: u32,
    pub(crate) scope: u32,
}

impl Meta {
    /// Notes a block that comes to life. `tag` is [`tag`]'s.
    #[inline(always)]
    pub(crate) fn set_live(&self, size: usize, tag: u64, trace: u32, scope: u32) {
        self.trace.store(trace, Relaxed);
        self.scope.store(scope, Relaxed);
        self.facts.store(size as u64 | tag, Relaxed);
    }

    /// Whether a live block is here.
    #[inline(always)]
    pub(crate) fn is_live(&self) -> bool {
        (self.facts.load(Relaxed) as i64) < 0
    }

    /// The size of the live block.
    #[inline(always)]
    pub(crate) fn live_size(&self) -> Option<usize> {
        let facts = self.facts.load(Relaxed);
        ((facts as i64) < 0).then_some((facts & ((1 << SIZE_BITS) - 1)) as usize)
    }

    /// The scope of the block.
    #[inline(always)]
    pub(crate) fn scope(&self) -> u32 {
        self.scope.load(Relaxed)
    }

    /// The trace of the allocation, also after the free.
    pub(crate) fn trace(&self) -> u32 {
        self.trace.load(Relaxed)
    }

    /// All facts of the live block.
    pub(crate) fn live(&self) -> Option<Live> {
        let facts = self.facts.load(Relaxed);
        let state = (facts >> STATE_SHIFT) as u8;
        (state & LIVE != 0).then(|| Live {
            size: (facts & ((1 << SIZE_BITS) - 1)) as usize,
            thread: (facts >> THREAD_SHIFT) as u16,
            state,
            trace: self.trace(),
            scope: self.scope(),
        })
    }

    /// Notes the free at `pc`, with its trace when one was taken. Program counters of user code fit 48 bits.
    #[inline(always)]
    pub(crate) fn set_freed(&self, pc: usize, trace: u32) {
        let state = if trace == 0 {
            FREED
        } else {
            self.scope.store(trace, Relaxed);
            FREED | TRACED
        };
        self.facts.store(u64::from(state) << STATE_SHIFT | pc as u64, Relaxed);
    }

    /// Where the freed block was freed: (pc, trace or 0).
    pub(crate) fn freed(&self) -> Option<(usize, u32)> {
        let facts = self.facts.load(Relaxed);
        let state = (facts >> STATE_SHIFT) as u8;
        let trace = if state & TRACED != 0 { self.scope() } else { 0 };
        (state & FREED != 0).then_some(((facts & ((1 << 48) - 1)) as usize, trace))
    }

    /// Uses the slot of a freed block as a link in a list of spare slots, and keeps where it was freed.
    pub(crate) fn set_link(&self, next: u32) {
        self.scope.store(next, Relaxed);
    }

    /// The link that [`Meta::set_link`] wrote.
    pub(crate) fn link(&self) -> u32 {
        self.scope()
    }

    /// Adds state bits to the live block.
    pub(crate) fn add_state(&self, bits: u8) {
        self.facts.fetch_or(u64::from(bits) << STATE_SHIFT, Relaxed);
    }
}

/// What all blocks of a thread have in common: its number and the state they are born with.
pub(crate) const fn tag(thread: u16, state: u8) -> u64 {
    (thread as u64) << THREAD_SHIFT | ((state | LIVE) as u64) << STATE_SHIFT
}
