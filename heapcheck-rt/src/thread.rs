#![expect(unsafe_code, reason = "finds thread records through thread-local storage")]
//! Threads as the runtime knows them: a record each, found through one thread-local word.
//!
//! A record is made at the thread's first allocation or by the trampoline that starts it, lives in the arena, and is
//! used again when its thread is gone. What must outlast the thread stays in [`Departed`]: where its stack was (libc
//! keeps stacks for reuse, and an abandoned stack is no root), and its return value until somebody joins it.
//!
//! # Safety
//! A record is written by its own thread only, except while the world is stopped and after the thread is gone. The
//! thread-local word is zero or points to the record of the thread that reads it.

use crate::arch;
use crate::arena::{Arena, Buf};
use crate::capture::Capture;
use crate::heap::cache::Cache;
use crate::lock::Lock;
use crate::space::{Grow, OutOfMemory};
use crate::sys;
use core::cell::UnsafeCell;
use core::sync::atomic::{
    AtomicI32, AtomicU32, AtomicU64, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release, SeqCst},
    compiler_fence,
};

/// The record is in nobody's hands.
const VACANT: u32 = 0;
/// Its thread runs.
pub(crate) const LIVE: u32 = 1;
/// Its thread is past its destructors and about to end, or has ended.
pub(crate) const LEAVING: u32 = 2;
/// Its thread vanished by fork, perhaps in the middle of a change of its lists: the record is never used again.
const ABANDONED: u32 = 3;

/// Bytes of a thread's name, the zero included (prctl(2), PR_SET_NAME).
pub(crate) const NAME_BYTES: usize = 16;

/// Threads that are told apart: as many as block metadata has bits for. Later ones use the numbers again.
const NUMBERS: u32 = 1 << 16;

/// A thread.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Thread {
    pub(crate) cache: Cache,
    /// What all its blocks have in common; see `heap::meta::tag`.
    pub(crate) tag: AtomicU64,
    /// Its own to change, and that of whoever closes the scope it is in.
    scope: AtomicU32,
    /// How frees are traced; see `state`.
    pub(crate) free_stacks: u8,
    /// Requests up to this size are served the quick way: none when traces are not short.
    pub(crate) quick_bytes: usize,
    /// Blocks that signal handlers freed while this thread was among its lists; each has the next one's address in it.
    put_off: AtomicUsize,
    /// Depth of `__lsan_disable`.
    pub(crate) disabled: u32,
    /// Blocks allocated by this record's threads, all in all.
    pub(crate) allocations: AtomicU64,
    /// Blocks of the current scope freed since the thread entered it.
    pub(crate) frees: AtomicU64,
    /// What `allocations` was when the thread entered its scope.
    pub(crate) entered: AtomicU64,
    pub(crate) capture: Capture,
    pub(crate) number: u32,
    pub(crate) tid: AtomicI32,
    /// Its thread pointer.
    pub(crate) pointer: usize,
    pub(crate) state: AtomicU32,
    /// Rounds of thread-specific destructors seen.
    pub(crate) rounds: u32,
    next: AtomicUsize,
}

/// A thread that has ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Departed {
    pub(crate) pointer: usize,
    pub(crate) stack_low: usize,
    pub(crate) stack_end: usize,
    /// What it returned, until somebody joins it.
    pub(crate) result: usize,
    /// It vanished by fork: its stack is a root, because nobody knows what it held.
    pub(crate) vanished: bool,
}

/// All threads.
#[derive(Debug)]
pub(crate) struct Threads {
    arena: &'static Arena,
    pub(crate) lock: Lock,
    first: AtomicUsize,
    count: AtomicU32,
    numbers: AtomicU32,
    /// The first number of this process, when it was forked off one with several threads.
    forked_at: AtomicU32,
    /// The names that threads had last, by number; made when the first one leaves.
    names: AtomicUsize,
    departed: UnsafeCell<Buf<Departed>>,
}

// SAFETY: `departed` is only touched under `lock`.
unsafe impl Sync for Threads {}

impl Thread {
    /// The calling thread's record, when it has one.
    #[inline(always)]
    pub(crate) fn current() -> Option<&'static mut Thread> {
        // SAFETY: see the head of this file. Hooks make one reference at a time: none calls another while it holds it.
        unsafe { (arch::tls_word() as *mut Thread).as_mut() }
    }

    /// Notes that the function `code`, whose frame lies from its stack pointer `sp` up to `end`, is about to call what the program
    /// runs on this thread's stack.
    pub(crate) fn note_root(sp: usize, end: usize, code: usize) {
        if let Some(thread) = Self::current() {
            thread.capture.set_root(sp, end, code);
        }
    }

    /// The scope that its blocks are born in.
    #[inline(always)]
    pub(crate) fn scope(&self) -> u32 {
        self.scope.load(Relaxed)
    }

    /// Puts it into a scope.
    pub(crate) fn set_scope(&self, scope: u32) {
        self.scope.store(scope, Relaxed);
    }

    /// Puts it from one scope into another, unless it has left by itself.
    pub(crate) fn move_scope(&self, from: u32, to: u32) -> bool {
        self.scope.compare_exchange(from, to, Relaxed, Relaxed).is_ok()
    }

    /// Sets the state bits that the thread's blocks are born with. Only while no other thread allocates.
    pub(crate) fn set_born(&self, born: u8) {
        self.tag.store(crate::heap::meta::tag(self.number as u16, born), Relaxed);
    }

    /// Counts one allocation.
    #[inline(always)]
    pub(crate) fn count_allocation(&self) {
        self.allocations.store(self.allocations.load(Relaxed) + 1, Relaxed);
    }

    /// Counts one free of a block of the thread's own scope.
    #[inline(always)]
    pub(crate) fn count_free(&self) {
        self.frees.store(self.frees.load(Relaxed) + 1, Relaxed);
    }

    /// Blocks of the current scope that this thread allocated, less those that it freed.
    pub(crate) fn balance(&self) -> i64 {
        let allocated = self.allocations.load(Relaxed).wrapping_sub(self.entered.load(Relaxed));
        allocated.wrapping_sub(self.frees.load(Relaxed)) as i64
    }

    /// Begins a new balance and returns the one before.
    pub(crate) fn settle(&self) -> i64 {
        let balance = self.balance();
        self.entered.store(self.allocations.load(Relaxed), Relaxed);
        self.frees.store(0, Relaxed);
        balance
    }

    /// Overwrites what calls of the calling thread have left on its stack; see [`arch::clear_below`]. Does nothing on a stack that
    /// is not the thread's own, or that has little room.
    #[inline(never)]
    pub(crate) fn clear_stack<const BYTES: usize>(&self) {
        let (low, end) = (self.capture.stack_low, self.capture.stack_end);
        if low != 0 && (low + 2 * BYTES..end).contains(&arch::stack_pointer()) {
            arch::clear_below::<BYTES>();
        }
    }

    /// Closes the quick ways to a signal handler that interrupts the thread from here on: its lists of free blocks are about
    /// to change. Returns what [`Thread::leave_lists`] wants back.
    #[inline]
    pub(crate) fn enter_lists(&mut self, busy: u8) -> usize {
        let quick_bytes = self.quick_bytes;
        // SAFETY: these are our own words; a handler on this thread reads them.
        unsafe {
            (&raw mut self.quick_bytes).write_volatile(0);
            (&raw mut self.free_stacks).write_volatile(self.free_stacks | busy);
        }
        compiler_fence(SeqCst);
        quick_bytes
    }

    /// Opens them again.
    #[inline]
    pub(crate) fn leave_lists(&mut self, busy: u8, quick_bytes: usize) {
        compiler_fence(SeqCst);
        // SAFETY: as above.
        unsafe {
            (&raw mut self.free_stacks).write_volatile(self.free_stacks & !busy);
            (&raw mut self.quick_bytes).write_volatile(quick_bytes);
        }
    }

    /// Puts a freed block off until its lists are as they should be.
    pub(crate) fn put_off(&self, address: usize) {
        loop {
            let first = self.put_off.load(Relaxed);
            // SAFETY: the block was just freed and has room for a word; nobody else knows it.
            unsafe { (address as *mut usize).write(first) };
            // Another handler may have interrupted this one.
            if self.put_off.compare_exchange(first, address, SeqCst, Relaxed).is_ok() {
                return;
            }
        }
    }

    /// Whether freed blocks wait for [`Thread::take_put_off`].
    #[inline]
    pub(crate) fn has_put_off(&self) -> bool {
        self.put_off.load(Relaxed) != 0
    }

    /// Calls `take` with every freed block that waits.
    pub(crate) fn take_put_off(&mut self, mut take: impl FnMut(&mut Self, usize)) {
        let mut address = self.put_off.swap(0, SeqCst);
        while address != 0 {
            // SAFETY: `put_off` has written the link, and nobody has been given the block since.
            let next = unsafe { (address as *const usize).read() };
            take(self, address);
            address = next;
        }
    }

    /// Whether the thread is past its destructors.
    pub(crate) fn is_leaving(&self) -> bool {
        self.state.load(Relaxed) == LEAVING
    }
}

impl Threads {
    pub(crate) const fn on(arena: &'static Arena) -> Self {
        Self {
            arena,
            lock: Lock::new(),
            first: AtomicUsize::new(0),
            count: AtomicU32::new(0),
            numbers: AtomicU32::new(0),
            forked_at: AtomicU32::new(0),
            names: AtomicUsize::new(0),
            departed: UnsafeCell::new(Buf::new(arena)),
        }
    }

    /// Gives the calling thread a record. `born` are the state bits of its blocks.
    #[cold]
    pub(crate) fn attach(&self, born: u8) -> Result<&'static mut Thread, OutOfMemory> {
        let _held = self.lock.hold();
        // A signal handler may have come first.
        if let Some(thread) = Thread::current() {
            return Ok(thread);
        }
        let pointer = arch::thread_pointer();
        let address = match self.vacant() {
            Some(address) => address,
            None => self.add()?,
        };
        // SAFETY: the record is vacant or new, so it is the calling thread's from here on.
        let thread = unsafe { &mut *(address as *mut Thread) };
        thread.number = self.numbers.fetch_add(1, Relaxed) % NUMBERS;
        thread.set_born(born);
        thread.set_scope(0);
        (thread.disabled, thread.rounds) = (0, 0);
        if thread.tid.load(Relaxed) != 0 {
            thread.capture.clear();
        }
        thread.capture.set_stack(0, 0);
        thread.pointer = pointer;
        thread.tid.store(sys::thread_id(), Relaxed);
        thread.state.store(LIVE, Release);
        // SAFETY: the lock is held.
        let departed = unsafe { &mut *self.departed.get() };
        forget(departed, |gone| gone.pointer == pointer);
        arch::set_tls_word(address);
        Ok(thread)
    }

    /// A record whose thread is gone. Its cache is emptied by the caller's first refill being served elsewhere: blocks
    /// that a leaving thread freed last are handed on with the record.
    fn vacant(&self) -> Option<usize> {
        let process = sys::process_id();
        let mut address = self.first.load(Acquire);
        while address != 0 {
            // SAFETY: records are never freed.
            let thread = unsafe { &*(address as *const Thread) };
            match thread.state.load(Acquire) {
                VACANT => return Some(address),
                LEAVING if sys::signal_thread(process, thread.tid.load(Relaxed), 0).is_err() => return Some(address),
                _ => address = thread.next.load(Relaxed),
            }
        }
        None
    }

    fn add(&self) -> Result<usize, OutOfMemory> {
        let address = self.arena.take(size_of::<Thread>())?;
        // SAFETY: the piece is zeroed, large enough, and page aligned; zeros are a valid vacant record.
        let thread = unsafe { &mut *(address as *mut Thread) };
        self.count.fetch_add(1, Relaxed);
        thread.next.store(self.first.load(Relaxed), Relaxed);
        self.first.store(address, Release);
        Ok(address)
    }

    /// Calls `visit` with every record whose thread runs or has not quite left.
    pub(crate) fn each(&self, mut visit: impl FnMut(&'static Thread)) {
        let mut address = self.first.load(Acquire);
        while address != 0 {
            // SAFETY: records are never freed.
            let thread = unsafe { &*(address as *const Thread) };
            if matches!(thread.state.load(Acquire), LIVE | LEAVING) {
                visit(thread);
            }
            address = thread.next.load(Acquire);
        }
    }

    /// Notes that the calling thread is past its destructors.
    pub(crate) fn leave(&self, thread: &mut Thread) {
        let _held = self.lock.hold();
        // SAFETY: the lock is held.
        let departed = unsafe { &mut *self.departed.get() };
        let pointer = thread.pointer;
        if !departed.as_slice().iter().any(|gone| gone.pointer == pointer) {
            let _ = departed.push(Departed {
                pointer,
                stack_low: thread.capture.stack_low,
                stack_end: thread.capture.stack_end,
                result: 0,
                vanished: false,
            });
        }
        self.keep_name(thread);
        thread.state.store(LEAVING, Release);
    }

    fn keep_name(&self, thread: &Thread) {
        if self.names.load(Relaxed) == 0 {
            let Ok(names) = self.arena.take(NUMBERS as usize * NAME_BYTES) else { return };
            self.names.store(names, Release);
        }
        let mut name = [0u8; NAME_BYTES];
        sys::read_thread_name(thread.tid.load(Relaxed), &mut name);
        // SAFETY: the table has a place for every number, and the lock is held.
        unsafe {
            (self.names.load(Relaxed) as *mut [u8; NAME_BYTES]).add(thread.number as usize).write(name);
        }
    }

    /// Reads the name of a thread, as it is or was, and returns its length.
    pub(crate) fn read_name(&self, number: u32, name: &mut [u8; NAME_BYTES]) -> usize {
        *name = [0; NAME_BYTES];
        let names = self.names.load(Acquire);
        if names != 0 {
            // SAFETY: as in `keep_name`; a name that is just being written may come out mixed.
            *name = unsafe { (names as *const [u8; NAME_BYTES]).add((number % NUMBERS) as usize).read() };
        }
        self.each(|thread| {
            if thread.number == number && thread.state.load(Relaxed) == LIVE {
                sys::read_thread_name(thread.tid.load(Relaxed), name);
            }
        });
        name.iter().position(|byte| *byte == 0).unwrap_or(NAME_BYTES)
    }

    /// Notes what the calling thread returns.
    pub(crate) fn set_result(&self, thread: &Thread, result: usize) {
        let _held = self.lock.hold();
        // SAFETY: the lock is held.
        let departed = unsafe { &mut *self.departed.get() };
        forget(departed, |gone| gone.pointer == thread.pointer);
        let _ = departed.push(Departed {
            pointer: thread.pointer,
            stack_low: thread.capture.stack_low,
            stack_end: thread.capture.stack_end,
            result,
            vanished: false,
        });
    }

    /// Notes that the thread with this pointer was joined.
    pub(crate) fn joined(&self, pointer: usize) {
        let _held = self.lock.hold();
        // SAFETY: the lock is held.
        for gone in unsafe { &mut *self.departed.get() }.as_mut_slice() {
            if gone.pointer == pointer {
                gone.result = 0;
            }
        }
    }

    /// In a forked child: only the calling thread is left. When others have vanished, it gets a new number, and blocks
    /// of all smaller ones are inherited: see [`Threads::is_inherited`].
    pub(crate) fn keep_only(&self, survivor: Option<&mut Thread>) {
        let survivor_address = survivor.as_deref().map_or(0, |thread| thread as *const Thread as usize);
        let mut vanished = false;
        // SAFETY: fork took the lock, and no other thread exists.
        let departed = unsafe { &mut *self.departed.get() };
        let mut address = self.first.load(Acquire);
        while address != 0 {
            // SAFETY: records are never freed.
            let thread = unsafe { &*(address as *const Thread) };
            if address == survivor_address {
                thread.tid.store(sys::thread_id(), Relaxed);
            } else if thread.state.load(Relaxed) == LIVE {
                let _ = departed.push(Departed {
                    pointer: thread.pointer,
                    stack_low: thread.capture.stack_low,
                    stack_end: thread.capture.stack_end,
                    result: 0,
                    vanished: true,
                });
                thread.state.store(ABANDONED, Relaxed);
                vanished = true;
            }
            address = thread.next.load(Acquire);
        }
        if let Some(thread) = survivor.filter(|_| vanished) {
            thread.number = self.numbers.fetch_add(1, Relaxed) % NUMBERS;
            thread.set_born(0);
            self.forked_at.store(thread.number, Relaxed);
        }
    }

    /// Whether a block of this thread was there before this process was forked off one with several threads. What the
    /// vanished ones held in registers nobody knows, so such blocks are never leaks here; the parent's check sees them.
    pub(crate) fn is_inherited(&self, number: u16) -> bool {
        u32::from(number) < self.forked_at.load(Relaxed)
    }

    /// The departed threads. The caller holds [`Threads::lock`] or has stopped the world.
    pub(crate) fn departed(&self) -> &[Departed] {
        // SAFETY: as the caller promises, nobody changes the list.
        unsafe { &*self.departed.get() }.as_slice()
    }

    /// Calls `visit` with the number of every thread that vanished by fork.
    pub(crate) fn each_vanished(&self, mut visit: impl FnMut(u32)) {
        let mut address = self.first.load(Acquire);
        while address != 0 {
            // SAFETY: records are never freed.
            let thread = unsafe { &*(address as *const Thread) };
            if thread.state.load(Relaxed) == ABANDONED {
                visit(thread.number);
            }
            address = thread.next.load(Acquire);
        }
    }

    /// How many records were made: the largest number of threads at one time.
    pub(crate) fn count(&self) -> u32 {
        self.count.load(Relaxed)
    }
}

fn forget(departed: &mut Buf<Departed>, gone: impl Fn(&Departed) -> bool) {
    while let Some(index) = departed.as_slice().iter().position(&gone) {
        if let Some(last) = departed.pop()
            && index < departed.as_slice().len()
        {
            departed.as_mut_slice()[index] = last;
        }
    }
}
