#![expect(unsafe_code, reason = "a signal handler that publishes where its thread stopped")]
//! Where stopped threads meet the stopper: the handler of the stop signal, and the slots it publishes in.
//!
//! Each signal carries a word, generation and slot number, so the handler needs no thread-local storage, no lookup and
//! one kind of system call (futex), which even a sandboxed thread may make. A handler that comes too late finds another
//! generation and returns. The generation is odd while the world is stopped.
//!
//! # Safety
//! A published context is the kernel's `ucontext_t` on the stack of a thread that sleeps in the handler until the
//! generation changes.

use crate::arena::Arena;
use crate::intervals::Span;
use crate::lock::Lock;
use crate::saved::{self, Layout, Saved};
use crate::space::OutOfMemory;
use crate::sys;
use core::sync::atomic::{
    AtomicU32, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release, SeqCst},
};

/// Words of general registers.
pub(crate) const GENERAL: usize = 16;

/// Where among them the frame pointer is.
pub(crate) const FRAME_POINTER: usize = 10;

/// Where a handler publishes. Slots are never given back: a late handler of an earlier stop may still read its own.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) context: AtomicUsize,
    pub(crate) generation: AtomicU32,
}

/// Slots of the first chunk; each further chunk has twice as many.
const FIRST_SLOTS: usize = 256;

/// Chunks: enough for 2^22 threads, which is the most that Linux can number (proc_sys_kernel_pid_max(5)).
const CHUNKS: usize = 15;

/// The meeting place of the stopper and the handlers. A handler gets no pointer of ours, so this is a static.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) lock: Lock,
    pub(crate) generation: AtomicU32,
    /// How many handlers of this generation have published, and at how many the stopper wants to be woken by `complete`.
    pub(crate) answered: AtomicU32,
    pub(crate) wanted: AtomicU32,
    pub(crate) complete: AtomicU32,
    /// How many handlers are inside, of any generation.
    pub(crate) inside: AtomicU32,
    chunks: [AtomicUsize; CHUNKS],
    pub(crate) saved: Layout,
}

pub(crate) static WORLD: World = World {
    lock: Lock::new(),
    generation: AtomicU32::new(0),
    answered: AtomicU32::new(0),
    wanted: AtomicU32::new(0),
    complete: AtomicU32::new(0),
    inside: AtomicU32::new(0),
    chunks: [const { AtomicUsize::new(0) }; CHUNKS],
    saved: Layout::new(),
};

impl World {
    /// The chunk and the place in it of a slot.
    fn place(index: usize) -> (usize, usize) {
        let chunk = ((index + FIRST_SLOTS) / FIRST_SLOTS).ilog2() as usize;
        (chunk, index + FIRST_SLOTS - (FIRST_SLOTS << chunk))
    }

    /// The slot of a number, if it was made.
    pub(crate) fn slot(&self, index: usize) -> Option<&Slot> {
        let (chunk, place) = Self::place(index);
        let first = self.chunks.get(chunk)?.load(Acquire);
        // SAFETY: a chunk that is not null has this many slots, all zeros at first, and is never given back.
        (first != 0).then(|| unsafe { &*(first as *const Slot).add(place) })
    }

    /// Makes the slot of a number, before the first signal that names it is sent.
    pub(crate) fn make_slot(&self, arena: &Arena, index: usize) -> Result<(), OutOfMemory> {
        let (chunk, _) = Self::place(index);
        let cell = self.chunks.get(chunk).ok_or(OutOfMemory)?;
        if cell.load(Relaxed) == 0 {
            cell.store(arena.take((FIRST_SLOTS << chunk) * size_of::<Slot>())?, Release);
        }
        Ok(())
    }

    /// Forgets the handlers of threads that fork(2) did not copy. For the child, before it stops anybody.
    pub(crate) fn forget_others(&self) {
        self.inside.store(0, SeqCst);
    }
}

/// The handler: publishes and sleeps until the generation changes.
pub(crate) extern "C" fn park(_signal: i32, info: usize, context: usize) {
    // SAFETY: the kernel calls this with a siginfo_t, because the action has SA_SIGINFO.
    let Some(word) = (unsafe { sys::signal_word(info) }) else { return };
    let (generation, index) = ((word >> 32) as u32, word as u32 as usize);
    WORLD.inside.fetch_add(1, SeqCst);
    if WORLD.generation.load(SeqCst) == generation
        && let Some(slot) = WORLD.slot(index)
    {
        slot.context.store(context, Relaxed);
        slot.generation.store(generation, Release);
        let answered = WORLD.answered.fetch_add(1, SeqCst) + 1;
        if answered >= WORLD.wanted.load(SeqCst) {
            WORLD.complete.store(1, SeqCst);
            sys::futex_wake_all(&WORLD.complete);
        }
        while WORLD.generation.load(Acquire) == generation {
            sys::futex_wait(&WORLD.generation, generation, 0);
        }
    }
    WORLD.inside.fetch_sub(1, SeqCst);
}

/// Reads the general registers of the thread that published in `slot`, the stack pointer last, and the address of its
/// next instruction, and tells what the kernel saved of the others.
///
/// # Safety
/// The slot has the current generation, which does not change meanwhile.
pub(crate) unsafe fn read_context(slot: &Slot) -> ([usize; GENERAL], usize, Saved) {
    // ucontext_t: flags, link, stack (3 words), then the registers r8..r15 rdi rsi rbp rbx rdx rax rcx rsp rip eflags
    // segments err trapno oldmask cr2, then the pointer to the saved state (linux uapi/asm/sigcontext.h). The words at
    // 464 of that state hold, if the first is the magic, the whole size, the features and the size of the state.
    const REGISTERS: usize = 5;
    const SAVED: usize = REGISTERS + 23;
    const MAGIC: u32 = 0x4650_5853;
    // SAFETY: the context is alive by the caller's promise; the kernel made it, so its pointers are good.
    unsafe {
        let words = slot.context.load(Relaxed) as *const usize;
        let registers = words.add(REGISTERS).cast::<[usize; GENERAL]>().read();
        let pc = words.add(REGISTERS + GENERAL).read();
        let saved = words.add(SAVED).read();
        let mut bytes = 0;
        if saved != 0 {
            let software = (saved + 464) as *const u32;
            bytes = if software.read() == MAGIC { software.add(4).read() as usize } else { 512 };
        }
        (registers, pc, saved::read(Span::new(saved, saved + bytes)))
    }
}
