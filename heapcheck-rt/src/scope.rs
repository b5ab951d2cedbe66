#![expect(unsafe_code, reason = "finds scopes at addresses of its own")]
//! Scopes: who a block belongs to.
//!
//! Every block is born in the scope of its thread; threads inherit the scope of their creator. Scope 0 is the process
//! itself. A scope counts its live blocks, so that a check of a scope without any costs nothing. Threads keep their
//! part of the count for themselves (`Thread::balance`) and hand it in when they change scope.
//!
//! # Safety
//! A directory entry is zero or the address of a piece of `PIECE` scopes, zeroed at first and never freed; every field
//! of a scope is atomic or written once before its number is given away.

use crate::lock::Lock;
use crate::space::OutOfMemory;
use crate::arena::Arena;
use crate::thread::{Thread, Threads};
use core::sync::atomic::{AtomicI64, AtomicU32, AtomicUsize, Ordering::{Acquire, Relaxed, Release}};

const PIECE: usize = 1024;
const PIECES: usize = 4096;
/// Bytes kept of a scope's name.
const NAME_MAX: usize = 95;

/// A scope.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Scope {
    /// Live blocks, without what threads still keep for themselves.
    live: AtomicI64,
    pub(crate) parent: AtomicU32,
    /// 1 once it was ended.
    pub(crate) closed: AtomicU32,
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

    /// Makes a scope below `parent`.
    pub(crate) fn open(&self, parent: u32, name: &[u8]) -> Result<u32, OutOfMemory> {
        let _held = self.lock.hold();
        let number = self.count.load(Relaxed) + 1;
        let piece = self.pieces.get(number as usize / PIECE).ok_or(OutOfMemory)?;
        if piece.load(Relaxed) == 0 {
            piece.store(self.arena.take(PIECE * size_of::<Scope>())?, Release);
        }
        // SAFETY: the scope lies in a piece of ours and its number was not given away yet.
        let scope = unsafe { &mut *(piece.load(Relaxed) as *mut Scope).add(number as usize % PIECE) };
        let len = name.len().min(NAME_MAX);
        scope.name[..len].copy_from_slice(&name[..len]);
        scope.name_len = len as u8;
        scope.parent.store(parent, Relaxed);
        self.count.store(number, Release);
        Ok(number)
    }

    /// Whether `number` is `scope` or lies below it.
    pub(crate) fn is_within(&self, number: u32, scope: u32) -> bool {
        let mut at = number;
        // Parents have smaller numbers, so this ends.
        while at > scope {
            at = self.get(at).map_or(0, |found| found.parent.load(Relaxed));
        }
        at == scope
    }
}

impl Scope {
    /// Whether it was ever opened: scopes are numbered from 1.
    pub(crate) fn is_open(&self) -> bool {
        self.name_len > 0
    }

    /// Its name.
    pub(crate) fn name(&self) -> &[u8] {
        &self.name[..usize::from(self.name_len)]
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

/// Puts the calling thread into another scope.
pub(crate) fn enter(scopes: &Scopes, thread: &mut Thread, scope: u32) {
    hand_in(scopes, thread);
    thread.scope = scope;
}

/// Adds a thread's part to the count of its scope.
pub(crate) fn hand_in(scopes: &Scopes, thread: &Thread) {
    let balance = thread.settle();
    if let Some(scope) = scopes.get(thread.scope) {
        scope.live.fetch_add(balance, Relaxed);
    }
}

/// How many blocks of `scope` live: exact when its threads are quiet.
pub(crate) fn live_blocks(scopes: &Scopes, threads: &Threads, scope: u32) -> i64 {
    let mut live = scopes.get(scope).map_or(0, |found| found.live.load(Relaxed));
    threads.each(|thread| {
        if thread.scope == scope {
            live += thread.balance();
        }
    });
    live
}
