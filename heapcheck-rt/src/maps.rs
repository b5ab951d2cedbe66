#![expect(unsafe_code, reason = "asks the kernel whether pages can be read")]
//! The mappings of this process, as the kernel lists them.
//!
//! Read with system calls into arena memory, so it may be done while the world is stopped, and should be: then the
//! list stays true for as long as nobody runs. The arena grows while the list is read, but inside the reservation,
//! which callers leave out anyway.
//!
//! # Safety
//! See the only block.

use crate::arena::{Arena, Buf};
use crate::intervals::Span;
use crate::mapline::{self, MapKind, Perms};
use crate::space::{Grow, OutOfMemory};
use crate::sys;

/// Bytes asked for at once. The kernel answers with whole lines, at most a page of them at a time.
const READ_BYTES: usize = 4 << 10;
/// Room for the list at first, so that it need not move: as much as a program with a dozen libraries has.
const ROOM_BYTES: usize = 16 << 10;
/// A mapping of this size may be mere address space: which pages of it were ever filled is asked for.
const SPARSE_BYTES: usize = 64 << 20;
/// Pages that are asked for at once.
const ASKED_PAGES: usize = 8 << 10;
/// So few pages that nobody filled are not left out between two others.
const GAP_BYTES: usize = 16 * sys::PAGE;

/// A mapping.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mapping {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) perms: Perms,
    pub(crate) kind: MapKind,
    name_start: u32,
    name_end: u32,
}

impl Mapping {
    /// Its addresses.
    pub(crate) const fn span(&self) -> Span {
        Span::new(self.start, self.end)
    }

    /// Whether loads from `span`, which lies in it, work. What the kernel lists as readable is, but for files and for shared
    /// memory that was cut short (touching it is SIGBUS).
    fn holds(&self, span: Span) -> bool {
        let start = span.start / sys::PAGE * sys::PAGE;
        !matches!(self.kind, MapKind::Memory | MapKind::File) || sys::can_read(start, span.end - start)
    }

    /// Whether it is a file, not a device, into which the program may write.
    pub(crate) fn is_written_file(&self, name: &[u8]) -> bool {
        self.kind == MapKind::File && self.perms.writable() && !name.starts_with(b"/dev/")
    }

    /// Calls `visit` with the parts of `span`, which lies in it, that may hold a word which is not zero, and can be read.
    ///
    /// Reading a page makes it, and of shared memory makes it for good. A pool that has reserved a terabyte is asked
    /// about, not read.
    pub(crate) fn each_filled(
        &self,
        span: Span,
        arena: &'static Arena,
        mut visit: impl FnMut(Span) -> Result<(), OutOfMemory>,
    ) -> Result<(), OutOfMemory> {
        let is_file = self.kind == MapKind::File;
        if self.kind != MapKind::Memory && !is_file && span.end - span.start < SPARSE_BYTES {
            return visit(span);
        }
        // Pages of a file that nobody has written are not read from the disk.
        let gap_bytes = if is_file { 0 } else { GAP_BYTES };
        let mut asker = Asker::new(self, arena)?;
        let mut visit = |lo: usize, hi: usize| {
            let part = Span::new(lo.max(span.start), hi.min(span.end));
            if part.is_empty() || !self.holds(part) { Ok(()) } else { visit(part) }
        };
        let (mut lo, mut hi) = (span.start, span.start);
        let mut at = span.start / sys::PAGE * sys::PAGE;
        while at < span.end {
            let pages = (span.end - at).div_ceil(sys::PAGE).min(ASKED_PAGES);
            asker.ask(at, pages);
            for page in (0..pages).filter(|page| asker.is_filled(*page)) {
                let start = at + page * sys::PAGE;
                if start.saturating_sub(hi) > gap_bytes {
                    visit(lo, hi)?;
                    lo = start;
                }
                hi = start + sys::PAGE;
            }
            at += pages * sys::PAGE;
        }
        visit(lo, hi)
    }
}

/// Asks the kernel which pages were ever filled, many at a time: of a file, which ones are the process's own, or if it shares
/// them, which it has touched.
struct Asker {
    answers: Buf<u64>,
    /// Whether shared memory is meant: of that a page may be filled that this process has never touched (mincore(2) tells
    /// it), of other memory one may be in the swap (only proc_pid_pagemap(5) tells that).
    is_shared: bool,
    pagemap: Option<i32>,
    /// Which bits an answer has that says so (proc_pid_pagemap(5)), and which bit it has not.
    filled: u64,
    unfilled: u64,
    /// Whether an answer came. What is not known counts as filled.
    knows: bool,
}

impl Asker {
    fn new(mapping: &Mapping, arena: &'static Arena) -> Result<Self, OutOfMemory> {
        /// Present, or in the swap.
        const THERE: u64 = 3 << 62;
        const PRESENT: u64 = 1 << 63;
        /// A page of a file, or shared.
        const OF_FILE: u64 = 1 << 61;
        let mut answers = Buf::new(arena);
        answers.resize(ASKED_PAGES, 0)?;
        let is_shared = mapping.kind == MapKind::Memory;
        let (filled, unfilled) = match mapping.kind {
            MapKind::File if mapping.perms.shared() => (PRESENT, 0),
            MapKind::File => (THERE, OF_FILE),
            _ => (THERE, 0),
        };
        let pagemap =
            if is_shared { None } else { sys::open(b"/proc/thread-self/pagemap\0", sys::O_CLOEXEC, 0).ok() };
        Ok(Self { answers, is_shared, pagemap, filled, unfilled, knows: false })
    }

    /// Asks about so many pages from the address `at` on.
    fn ask(&mut self, at: usize, pages: usize) {
        let answers = &mut self.answers.as_mut_slice()[..pages];
        self.knows = match self.pagemap {
            _ if self.is_shared => sys::which_resident(at, answers),
            Some(fd) => sys::read_words_at(fd, answers, at / sys::PAGE * 8) == Ok(pages),
            None => false,
        };
    }

    fn is_filled(&self, page: usize) -> bool {
        let answers = self.answers.as_slice();
        !self.knows
            || if self.is_shared {
                answers[page / 8].to_le_bytes()[page % 8] & 1 != 0
            } else {
                answers[page] & self.filled != 0 && answers[page] & self.unfilled == 0
            }
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        if let Some(fd) = self.pagemap {
            sys::close(fd);
        }
    }
}

/// The mappings in ascending order.
#[derive(Debug)]
pub(crate) struct Maps {
    text: Buf<u8>,
    list: Buf<Mapping>,
    readable: Buf<Span>,
}

/// Why the list could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MapsError {
    /// `/proc/self/maps` cannot be opened or read.
    Unreadable(i32),
    /// The arena is full.
    OutOfMemory,
}

impl From<OutOfMemory> for MapsError {
    fn from(_: OutOfMemory) -> Self {
        Self::OutOfMemory
    }
}

impl Maps {
    /// Reads the list.
    pub(crate) fn read(arena: &'static Arena) -> Result<Self, MapsError> {
        let mut text = Buf::zeros(arena, ROOM_BYTES)?;
        text.clear();
        // Not `/proc/self`: a main thread that has left by pthread_exit(3) has no memory any more.
        read_file(b"/proc/thread-self/maps\0", &mut text)?;
        let mut maps = Self { text, list: Buf::new(arena), readable: Buf::new(arena) };
        maps.parse()?;
        Ok(maps)
    }

    fn parse(&mut self) -> Result<(), OutOfMemory> {
        let mut at = 0;
        for line in self.text.as_slice().split(|byte| *byte == b'\n') {
            if let Some(found) = mapline::parse(line) {
                self.list.push(Mapping {
                    start: found.start,
                    end: found.end,
                    perms: found.perms,
                    kind: found.kind,
                    name_start: (at + found.name_start) as u32,
                    name_end: (at + found.name_end) as u32,
                })?;
                // The pages of the kernel are no memory: some of vvar fault when touched.
                if found.perms.readable() && found.kind != MapKind::Special {
                    add_readable(&mut self.readable, Span::new(found.start, found.end))?;
                }
            }
            at += line.len() + 1;
        }
        Ok(())
    }

    /// Every mapping.
    pub(crate) fn all(&self) -> &[Mapping] {
        self.list.as_slice()
    }

    /// What may be read, as a sorted list.
    pub(crate) fn readable(&self) -> &[Span] {
        self.readable.as_slice()
    }

    /// The name in the list: a path, or something in brackets, or nothing.
    pub(crate) fn name(&self, mapping: &Mapping) -> &[u8] {
        &self.text.as_slice()[mapping.name_start as usize..mapping.name_end as usize]
    }

    /// Finds the mapping that holds `address`.
    pub(crate) fn find(&self, address: usize) -> Option<&Mapping> {
        let list = self.list.as_slice();
        let index = list.partition_point(|mapping| mapping.end <= address);
        list.get(index).filter(|mapping| mapping.span().contains(address))
    }

    /// Reads the word at `address` if it lies in a mapping that may be read.
    pub(crate) fn read_word(&self, address: usize) -> Option<usize> {
        let mapping = self.find(address).filter(|mapping| mapping.perms.readable())?;
        if !address.is_multiple_of(size_of::<usize>())
            || mapping.kind == MapKind::Special
            || !mapping.holds(Span::new(address, address + size_of::<usize>()))
        {
            return None;
        }
        // SAFETY: the word lies in a readable mapping, and is aligned. Doubt: a thread that could not be stopped may
        // have unmapped it since the list was read.
        Some(unsafe { (address as *const usize).read_volatile() })
    }
}

/// Appends to the sorted list of what may be read.
fn add_readable(list: &mut Buf<Span>, span: Span) -> Result<(), OutOfMemory> {
    match list.as_mut_slice().last_mut() {
        // Neighbours join. A list that was read while it changed may even step back by a mapping; it stays sorted.
        Some(last) if last.end >= span.start => last.end = last.end.max(span.end),
        _ => list.push(span)?,
    }
    Ok(())
}

/// Reads a whole file of `/proc`, whose size nobody knows before.
fn read_file(path: &[u8], text: &mut Buf<u8>) -> Result<(), MapsError> {
    let fd = sys::open(path, sys::O_CLOEXEC, 0).map_err(|error| MapsError::Unreadable(error.0))?;
    let mut filled = 0;
    let outcome = loop {
        if let Err(error) = text.resize(filled + READ_BYTES, 0) {
            break Err(error.into());
        }
        match sys::read(fd, &mut text.as_mut_slice()[filled..]) {
            Ok(0) => break Ok(()),
            Ok(bytes) => filled += bytes,
            Err(error) => break Err(MapsError::Unreadable(error.0)),
        }
    };
    sys::close(fd);
    outcome?;
    Ok(text.resize(filled, 0)?)
}

#[cfg(test)]
mod tests {
    use super::Maps;
    use crate::mapline::MapKind;
    use crate::testbed::arena;

    #[test]
    fn this_process_has_its_stack_heap_and_code() {
        arena!(ARENA);
        let maps = Maps::read(&ARENA).expect("maps");
        let local = 0usize;
        let stack = maps.find(&raw const local as usize).expect("stack");
        assert!(stack.perms.writable());
        let code = maps.find(Maps::read as *const () as usize).expect("code");
        assert!(code.perms.executable() && code.kind == MapKind::File);
        assert!(maps.name(code).starts_with(b"/"));
        assert!(maps.readable().windows(2).all(|pair| pair[0].end < pair[1].start));
        let word = 0x1234_5678_9abc_def0usize;
        assert_eq!(maps.read_word(&raw const word as usize), Some(word));
        assert_eq!(maps.read_word(8), None);
    }
}
