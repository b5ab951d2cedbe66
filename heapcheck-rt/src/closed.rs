#![expect(unsafe_code, reason = "shares a list under a lock of its own")]
//! Libraries that were closed: where their code lay, and for which traces, so that old frames still have names.
//!
//! A trace is a list of addresses, and after dlclose(3) other code may come to lie at them. The numbers of traces grow, so
//! a pair of them says when a library was there: it was loaded for traces from `trace_from` on, and gone for those from
//! `trace_to` on. What lies there later begins where the last one ended.
//!
//! ```text
//!   address     [ a.so ........ ][ b.so ... ][ a.so, loaded again ...
//!   traces      0               17           40
//! ```
//!
//! A trace has the same number whenever it has the same addresses. So one that was seen first in `a.so` stays with it,
//! even when `b.so` calls from exactly the same places.
//!
//! # Safety
//! The shared list is only touched under the lock.

use crate::arena::{Arena, Buf};
use crate::limits::CLOSED_MAX;
use crate::lock::Lock;
use crate::space::{Grow, OutOfMemory};
use core::cell::UnsafeCell;

/// A file that is or was loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct File<'a> {
    /// What the loader added to the addresses of the file.
    pub(crate) base: usize,
    /// The lowest and highest address of its segments.
    pub(crate) lo: usize,
    pub(crate) hi: usize,
    /// The first trace that may refer to it, and the first that may not any more.
    pub(crate) trace_from: u32,
    pub(crate) trace_to: u32,
    pub(crate) path: &'a [u8],
    pub(crate) build_id: &'a [u8],
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    base: usize,
    lo: usize,
    hi: usize,
    trace_from: u32,
    trace_to: u32,
    /// Where the path and the build id begin and end among the bytes.
    path: (usize, usize),
    build_id: (usize, usize),
}

/// Libraries that were closed.
#[derive(Debug)]
pub(crate) struct ClosedList {
    entries: Buf<Entry>,
    bytes: Buf<u8>,
    /// What lies around all that found no room: nothing is known of these addresses before that trace.
    unknown: (usize, usize, u32),
    /// How often something was added.
    changes: u64,
}

impl ClosedList {
    pub(crate) const fn new(arena: &'static Arena) -> Self {
        Self { entries: Buf::new(arena), bytes: Buf::new(arena), unknown: (usize::MAX, 0, 0), changes: 0 }
    }

    /// Copies the list.
    fn copy(&self, arena: &'static Arena) -> Result<Self, OutOfMemory> {
        let mut copy = Self { unknown: self.unknown, changes: self.changes, ..Self::new(arena) };
        copy.entries.extend(self.entries.as_slice())?;
        copy.bytes.extend(self.bytes.as_slice())?;
        Ok(copy)
    }

    /// How often something was added.
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    /// Calls `visit` with every closed library, in the order of their ends.
    pub(crate) fn each<E>(&self, mut visit: impl FnMut(File<'_>) -> Result<(), E>) -> Result<(), E> {
        self.entries.as_slice().iter().try_for_each(|entry| visit(self.file(entry)))
    }

    /// Finds the library that lay at `address` for a trace.
    pub(crate) fn find(&self, address: usize, trace: u32) -> Option<File<'_>> {
        let is_it = |entry: &&Entry| {
            (entry.lo..entry.hi).contains(&address) && (entry.trace_from..entry.trace_to).contains(&trace)
        };
        self.entries.as_slice().iter().rfind(is_it).map(|entry| self.file(entry))
    }

    /// The first trace that may refer to what lies between two addresses now.
    pub(crate) fn first_trace(&self, lo: usize, hi: usize) -> u32 {
        let overlaps = |from: usize, to: usize| from < hi && lo < to;
        let (from, to, trace) = self.unknown;
        let before = self.entries.as_slice().iter().filter(|entry| overlaps(entry.lo, entry.hi));
        before.map(|entry| entry.trace_to).max().unwrap_or(0).max(if overlaps(from, to) { trace } else { 0 })
    }

    /// Notes a library that is gone for traces from `file.trace_to` on; when it came is found here.
    fn add(&mut self, file: File<'_>) {
        self.changes += 1;
        let trace_from = self.first_trace(file.lo, file.hi);
        let overlaps = |entry: &Entry| entry.lo < file.hi && file.lo < entry.hi;
        let last = self.entries.as_slice().iter().rposition(overlaps);
        let is_same = |index: &usize| {
            let known = self.file(&self.entries.as_slice()[*index]);
            let file = File { trace_from: known.trace_from, trace_to: known.trace_to, ..file };
            known == file && known.trace_to == trace_from
        };
        if let Some(index) = last.filter(is_same) {
            self.entries.as_mut_slice()[index].trace_to = file.trace_to;
        } else if trace_from < file.trace_to && self.try_add(file, trace_from).is_err() {
            let (from, to, trace) = self.unknown;
            self.unknown = (from.min(file.lo), to.max(file.hi), trace.max(file.trace_to));
        }
    }

    fn try_add(&mut self, file: File<'_>, trace_from: u32) -> Result<(), OutOfMemory> {
        if self.entries.as_slice().len() >= CLOSED_MAX {
            return Err(OutOfMemory);
        }
        let path = self.add_bytes(file.path)?;
        let build_id = self.add_bytes(file.build_id)?;
        let File { base, lo, hi, trace_to, .. } = file;
        self.entries.push(Entry { base, lo, hi, trace_from, trace_to, path, build_id })
    }

    fn add_bytes(&mut self, bytes: &[u8]) -> Result<(usize, usize), OutOfMemory> {
        let start = self.bytes.as_slice().len();
        self.bytes.extend(bytes)?;
        Ok((start, start + bytes.len()))
    }

    fn file(&self, entry: &Entry) -> File<'_> {
        let Entry { base, lo, hi, trace_from, trace_to, path, build_id } = *entry;
        let bytes = self.bytes.as_slice();
        let (path, build_id) = (&bytes[path.0..path.1], &bytes[build_id.0..build_id.1]);
        File { base, lo, hi, trace_from, trace_to, path, build_id }
    }
}

/// The list that all threads share.
#[derive(Debug)]
pub(crate) struct Closed {
    pub(crate) lock: Lock,
    list: UnsafeCell<ClosedList>,
}

// SAFETY: see the head of this file.
unsafe impl Sync for Closed {}

impl Closed {
    pub(crate) const fn on(arena: &'static Arena) -> Self {
        Self { lock: Lock::new(), list: UnsafeCell::new(ClosedList::new(arena)) }
    }

    /// Notes a library that is gone for traces from `file.trace_to` on.
    pub(crate) fn add(&self, file: File<'_>) {
        let _held = self.lock.hold();
        // SAFETY: the lock is held.
        unsafe { &mut *self.list.get() }.add(file);
    }

    /// Copies the list. The world is not stopped: a stopped thread may hold the lock.
    pub(crate) fn copy(&self, arena: &'static Arena) -> Result<ClosedList, OutOfMemory> {
        let _held = self.lock.hold();
        // SAFETY: the lock is held.
        unsafe { &*self.list.get() }.copy(arena)
    }
}

#[cfg(test)]
mod tests {
    use super::{ClosedList, File};
    use crate::limits::CLOSED_MAX;
    use crate::space::Grow;
    use crate::testbed::arena;

    fn file(path: &str, lo: usize, trace_to: u32) -> File<'_> {
        File {
            base: lo,
            lo,
            hi: lo + 0x1000,
            trace_from: 0,
            trace_to,
            path: path.as_bytes(),
            build_id: b"id",
        }
    }

    fn name(list: &ClosedList, address: usize, trace: u32) -> &str {
        list.find(address, trace).map_or("", |file| core::str::from_utf8(file.path).expect("text"))
    }

    #[test]
    fn libraries_that_took_turns_at_one_place_are_told_apart_by_the_trace() {
        arena!(ARENA);
        let mut list = ClosedList::new(&ARENA);
        list.add(file("a", 0x10_000, 17));
        list.add(file("b", 0x10_800, 40));
        list.add(file("a", 0x10_000, 50));
        list.add(file("c", 0x20_000, 60));
        for (address, trace, expected) in [
            (0x10_900, 16, "a"),
            (0x10_900, 17, "b"),
            (0x10_900, 40, "a"),
            (0x10_900, 50, ""),
            (0x11_400, 5, ""),
            (0x11_400, 39, "b"),
            (0x20_000, 1, "c"),
        ] {
            assert_eq!(name(&list, address, trace), expected, "{address:#x} {trace}");
        }
        assert_eq!(list.first_trace(0x10_000, 0x11_000), 50);
        assert_eq!(list.first_trace(0x11_000, 0x12_000), 40);
        assert_eq!(list.first_trace(0x30_000, 0x31_000), 0);
    }

    #[test]
    fn a_library_that_comes_back_again_and_again_takes_the_room_of_one() {
        arena!(ARENA);
        let mut list = ClosedList::new(&ARENA);
        for trace in 1..=10 * CLOSED_MAX as u32 {
            list.add(file("a", 0x10_000, trace));
        }
        assert_eq!(list.entries.as_slice().len(), 1);
        assert_eq!(name(&list, 0x10_000, 10 * CLOSED_MAX as u32 - 1), "a");
    }

    #[test]
    fn what_finds_no_room_is_not_taken_for_what_comes_after_it() {
        arena!(ARENA);
        let mut list = ClosedList::new(&ARENA);
        for number in 0..CLOSED_MAX {
            list.add(file("a", 0x1000 * number, 10));
        }
        list.add(file("b", 0x9000_0000, 20));
        list.add(file("c", 0, 30));
        assert_eq!(name(&list, 0x9000_0000, 15), "");
        assert_eq!(list.first_trace(0x9000_0000, 0x9000_1000), 30);
        assert_eq!((name(&list, 0, 9), name(&list, 0, 25)), ("a", ""));
    }
}
