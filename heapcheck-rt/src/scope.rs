#![expect(unsafe_code, reason = "finds scopes at addresses of its own")]
//! Scopes: who a block belongs to.
//!
//! Every block is born in the scope of its thread; threads inherit the scope of their creator. Scope 0 is the process
//! itself. A scope counts its live blocks, so that a check of a scope without any costs nothing. Threads keep their
//! part of the count for themselves (`Thread::balance`) and hand it in when they change scope.
//!
//! A scope that is metered also sums up bytes, with atomic additions on every allocation and free of its threads: only
//! who asks for a peak pays for one.
//!
//! # Safety
//! A directory entry is zero or the address of a piece of `PIECE` scopes, zeroed at first and never freed; every field
//! of a scope is atomic or written once before its number is given away. A baseline is a piece of the arena that only
//! the check, one at a time, writes, reads and gives back.

use crate::arena::Arena;
use crate::contract::{METERED, OWN_THREAD, Sums};
use crate::lock::Lock;
use crate::space::OutOfMemory;
use crate::thread::{Thread, Threads};
use core::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering::{AcqRel, Acquire, Relaxed, Release}};

const PIECE: usize = 1024;
const PIECES: usize = 4096;
/// Bytes kept of a scope's name.
const NAME_MAX: usize = 127;

// Bits of a scope's state, beside those of the contract.
/// It was ended.
const CLOSED: u32 = 1 << 8;
/// It was checked by itself: what it lost is not its parent's.
const CHECKED: u32 = 1 << 9;
/// It or a scope around it is metered.
const COUNTED: u32 = 1 << 10;
/// Threads came into it behind their own backs, so its count of live blocks is not to be trusted.
const INEXACT: u32 = 1 << 11;
/// It is that of a thread, whose name it has.
const OF_THREAD: u32 = 1 << 12;
/// There are scopes below it.
const PARENT: u32 = 1 << 13;
/// It has lost something, and whoever asked was told.
const TOLD: u32 = 1 << 14;

/// How many blocks and bytes one trace had alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Site {
    pub(crate) trace: u32,
    pub(crate) blocks: u32,
    pub(crate) bytes: u64,
}

/// A scope.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Scope {
    /// Live blocks, without what threads still keep for themselves.
    live: AtomicI64,
    live_bytes: AtomicI64,
    peak_bytes: AtomicI64,
    total_bytes: AtomicU64,
    allocations: AtomicU64,
    freed: AtomicU64,
    pub(crate) parent: AtomicU32,
    state: AtomicU32,
    /// The number of the thread that it has its name from.
    thread: AtomicU32,
    baseline_len: AtomicU32,
    baseline: AtomicUsize,
    name_len: u8,
    name: [u8; NAME_MAX],
}

/// The table of scopes. It lives here because nothing else writes scopes.
#[derive(Debug)]
pub(crate) struct Scopes {
    arena: &'static Arena,
    pub(crate) lock: Lock,
    count: AtomicU32,
    pieces: [AtomicUsize; PIECES],
}

impl Scopes {
    pub(crate) const fn on(arena: &'static Arena) -> Self {
        Self { arena, lock: Lock::new(), count: AtomicU32::new(0), pieces: [const { AtomicUsize::new(0) }; PIECES] }
    }

    /// The number behind the last scope.
    pub(crate) fn count(&self) -> u32 {
        self.count.load(Acquire) + 1
    }

    /// Finds a scope by its number.
    pub(crate) fn get(&self, number: u32) -> Option<&'static Scope> {
        let piece = self.pieces.get(number as usize / PIECE)?.load(Acquire);
        // SAFETY: see the head of this file.
        (piece != 0).then(|| unsafe { &*(piece as *const Scope).add(number as usize % PIECE) })
    }

    /// Makes a scope below `parent`. `flags` are those of the contract.
    pub(crate) fn open(&self, parent: u32, name: &[u8], flags: u32) -> Result<u32, OutOfMemory> {
        let _held = self.lock.hold();
        let number = self.count.load(Relaxed) + 1;
        let piece = self.pieces.get(number as usize / PIECE).ok_or(OutOfMemory)?;
        if piece.load(Relaxed) == 0 {
            piece.store(self.arena.take(PIECE * size_of::<Scope>())?, Release);
        }
        let is_counted = flags & METERED != 0 || self.is_counted(parent);
        let above = self.get(parent).filter(|_| parent != 0);
        // SAFETY: the scope lies in a piece of ours and its number was not given away yet.
        let scope = unsafe { &mut *(piece.load(Relaxed) as *mut Scope).add(number as usize % PIECE) };
        let len = name.len().min(NAME_MAX);
        scope.name[..len].copy_from_slice(&name[..len]);
        scope.name_len = len as u8;
        scope.parent.store(parent, Relaxed);
        let counted = if is_counted { COUNTED } else { 0 };
        scope.state.store(flags & (METERED | OWN_THREAD) | counted, Relaxed);
        self.count.store(number, Release);
        if let Some(above) = above {
            above.state.fetch_or(PARENT, Relaxed);
        }
        Ok(number)
    }

    /// Makes the scope of a thread that is about to be started; [`Scope::belongs_to`] tells it which.
    pub(crate) fn open_for_thread(&self) -> Result<u32, OutOfMemory> {
        let number = self.open(0, b"thread", 0)?;
        if let Some(scope) = self.get(number) {
            scope.state.fetch_or(OF_THREAD, Relaxed);
        }
        Ok(number)
    }

    /// Whether a scope passed its check, or one around it: what it has lost nobody was told.
    pub(crate) fn has_passed(&self, number: u32) -> bool {
        let (mut at, mut states) = (number, 0);
        while let Some(scope) = self.get(at).filter(|_| at != 0) {
            states |= scope.state.load(Relaxed);
            at = scope.parent.load(Relaxed);
        }
        states & (CHECKED | TOLD) == CHECKED
    }

    /// Whether `number` is `scope` or lies below it.
    pub(crate) fn is_within(&self, number: u32, scope: u32) -> bool {
        let mut at = number;
        // Parents have smaller numbers, so this ends.
        while at > scope {
            at = self.parent_of(at);
        }
        at == scope
    }

    /// Whether a block of scope `number` counts in a check of `scope`: it is its own, or that of one below that nobody
    /// has checked.
    pub(crate) fn counts_for(&self, number: u32, scope: u32) -> bool {
        let mut at = number;
        while at > scope {
            if self.get(at).is_none_or(|found| found.is(CHECKED)) {
                return false;
            }
            at = self.parent_of(at);
        }
        at == scope
    }

    /// The innermost open scope from `number` outwards.
    pub(crate) fn open_around(&self, number: u32) -> u32 {
        let mut at = number;
        while at != 0 && self.get(at).is_none_or(Scope::is_closed) {
            at = self.parent_of(at);
        }
        at
    }

    /// The scope that threads inherit which are started in `number`.
    pub(crate) fn inherited_from(&self, number: u32) -> u32 {
        let mut at = self.open_around(number);
        while at != 0 && self.get(at).is_some_and(|found| found.is(OWN_THREAD)) {
            at = self.open_around(self.parent_of(at));
        }
        at
    }

    /// Whether bytes are to be summed up for this scope, or for one around it.
    pub(crate) fn is_counted(&self, number: u32) -> bool {
        number != 0 && self.get(number).is_some_and(|found| found.is(COUNTED))
    }

    fn parent_of(&self, number: u32) -> u32 {
        self.get(number).map_or(0, |found| found.parent.load(Relaxed))
    }

    /// Calls `visit` with every metered scope from `number` outwards.
    fn each_metered(&self, number: u32, visit: impl Fn(&Scope)) {
        let mut at = number;
        while let Some(scope) = self.get(at).filter(|_| at != 0) {
            if scope.is(METERED) {
                visit(scope);
            }
            at = scope.parent.load(Relaxed);
        }
    }

    /// Sums up an allocation.
    pub(crate) fn meter_allocation(&self, number: u32, bytes: u64) {
        self.each_metered(number, |scope| {
            scope.allocations.fetch_add(1, Relaxed);
            scope.grow(bytes as i64);
        });
    }

    /// Sums up a free of a block of this scope.
    pub(crate) fn meter_free(&self, number: u32, bytes: u64) {
        self.each_metered(number, |scope| {
            scope.freed.fetch_add(1, Relaxed);
            scope.grow(-(bytes as i64));
        });
    }

    /// Leaves a block that is about to move out of the live bytes until [`Scopes::take_back`]: to the program it is one block
    /// all the time, though for a moment it lies in two places.
    pub(crate) fn set_aside(&self, number: u32, bytes: u64) {
        self.each_metered(number, |scope| {
            scope.live_bytes.fetch_sub(bytes as i64, Relaxed);
        });
    }

    /// Undoes [`Scopes::set_aside`], when the old place was freed or there is no new one.
    pub(crate) fn take_back(&self, number: u32, bytes: u64) {
        self.each_metered(number, |scope| {
            scope.live_bytes.fetch_add(bytes as i64, Relaxed);
        });
    }

    /// Sums up a block that changed its size in place.
    pub(crate) fn meter_resize(&self, number: u32, old: u64, new: u64) {
        self.each_metered(number, |scope| scope.grow(new as i64 - old as i64));
    }

    /// The baseline of a scope, and forgets it.
    pub(crate) fn take_baseline(&self, scope: &Scope, visit: &mut dyn FnMut(&[Site])) {
        let address = scope.baseline.swap(0, AcqRel);
        if address == 0 {
            return;
        }
        let len = scope.baseline_len.load(Relaxed) as usize;
        // SAFETY: see the head of this file.
        unsafe {
            visit(core::slice::from_raw_parts(address as *const Site, len));
            self.arena.give_back(address, len.max(1) * size_of::<Site>());
        }
    }

    /// Keeps a baseline.
    pub(crate) fn set_baseline(&self, scope: &Scope, sites: &[Site]) -> Result<(), OutOfMemory> {
        self.take_baseline(scope, &mut |_| ());
        let address = self.arena.take(sites.len().max(1) * size_of::<Site>())?;
        // SAFETY: the piece is ours alone and has room for all of them.
        unsafe { core::ptr::copy_nonoverlapping(sites.as_ptr(), address as *mut Site, sites.len()) };
        scope.baseline_len.store(sites.len() as u32, Relaxed);
        scope.baseline.store(address, Release);
        Ok(())
    }
}

impl Scope {
    fn is(&self, bit: u32) -> bool {
        self.state.load(Relaxed) & bit != 0
    }

    /// Whether it was ever opened: scopes are numbered from 1.
    pub(crate) fn is_open(&self) -> bool {
        self.name_len > 0
    }

    /// Whether it was ended.
    pub(crate) fn is_closed(&self) -> bool {
        self.is(CLOSED)
    }

    /// Ends it; false when it had ended before.
    pub(crate) fn close(&self) -> bool {
        self.state.fetch_or(CLOSED, AcqRel) & CLOSED == 0
    }

    /// Notes that it was checked.
    pub(crate) fn note_checked(&self) {
        self.state.fetch_or(CHECKED, Relaxed);
    }

    /// Notes that somebody was told what it has lost.
    pub(crate) fn note_told(&self) {
        self.state.fetch_or(TOLD, Relaxed);
    }

    /// Notes that its count of live blocks is not to be trusted.
    pub(crate) fn note_inexact(&self) {
        self.state.fetch_or(INEXACT, Relaxed);
    }

    /// Gives it the name of a thread.
    pub(crate) fn belongs_to(&self, thread: u32) {
        self.thread.store(thread, Relaxed);
    }

    /// The number of the thread that it is named after.
    pub(crate) fn named_after(&self) -> Option<u32> {
        self.is(OF_THREAD).then(|| self.thread.load(Relaxed))
    }

    /// Its name.
    pub(crate) fn name(&self) -> &[u8] {
        &self.name[..usize::from(self.name_len)]
    }

    fn grow(&self, bytes: i64) {
        let live = self.live_bytes.fetch_add(bytes, Relaxed) + bytes;
        if bytes > 0 {
            self.total_bytes.fetch_add(bytes as u64, Relaxed);
            self.peak_bytes.fetch_max(live, Relaxed);
        }
    }

    /// Its sums, when it is metered.
    pub(crate) fn sums(&self) -> Option<Sums> {
        let allocations = self.allocations.load(Relaxed);
        self.is(METERED).then(|| Sums {
            size: size_of::<Sums>() as u64,
            live_blocks: allocations.saturating_sub(self.freed.load(Relaxed)),
            live_bytes: self.live_bytes.load(Relaxed).max(0) as u64,
            peak_bytes: self.peak_bytes.load(Relaxed).max(0) as u64,
            total_bytes: self.total_bytes.load(Relaxed),
            allocations,
        })
    }
}

/// Notes that a block of another scope than the thread's died.
#[cold]
#[inline(never)]
pub(crate) fn lost_block(scopes: &Scopes, scope: u32) {
    if let Some(scope) = scopes.get(scope) {
        scope.live.fetch_sub(1, Relaxed);
    }
}

/// Adds a thread's part to the count of its scope.
pub(crate) fn hand_in(scopes: &Scopes, thread: &Thread) {
    let balance = thread.settle();
    if let Some(scope) = scopes.get(thread.scope()) {
        scope.live.fetch_add(balance, Relaxed);
    }
}

/// Whether no block of `scope` lives, nor of those below that count for it. Exact when its threads are quiet.
pub(crate) fn is_empty(scopes: &Scopes, threads: &Threads, scope: u32) -> bool {
    let Some(found) = scopes.get(scope) else { return true };
    let last = if found.is(PARENT) { scopes.count() } else { scope + 1 };
    (scope..last).filter(|number| scopes.counts_for(*number, scope)).all(|number| {
        let Some(found) = scopes.get(number) else { return true };
        let mut live = found.live.load(Relaxed);
        threads.each(|thread| {
            if thread.scope() == number {
                live += thread.balance();
            }
        });
        live <= 0 && !found.is(INEXACT)
    })
}
