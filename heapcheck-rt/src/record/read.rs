#![forbid(unsafe_code)]
//! Reads a record back, for tools and tests. Only the library has it: it allocates.
//!
//! Whatever the bytes, it returns: a [`Record`], or a [`ReadError`] that says what is wrong and where. Time and memory
//! are proportional to the number of bytes. A file that breaks off is how a killed process looks and no error, as long
//! as its first item is whole: such a record has no `end`.

use std::fmt;

use super::items::{
    Begin, Block, Check, Contents, Edge, End, Fault, FaultKind, Held, HolderKind, InUse, Leak, LeakKind,
    Module, Moment, Note, NoteKind, Outcome, Scope, Step, StopWay, Thread, Totals, Trace,
};
use super::wire::{
    FILE_HEADER_BYTES, ITEM_HEADER_BYTES, MAGIC, MAJOR, PAYLOAD_BYTES_MAX, STEP_BYTES, Seal, tag,
};
use crate::options::{Mode, Stacks};

/// All that a process wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Major and minor version of the format.
    pub version: (u16, u16),
    /// The process.
    pub begin: Begin<Vec<u8>>,
    /// Loaded files.
    pub modules: Vec<Module<Vec<u8>>>,
    /// Threads, each as often as it was written; [`Record::thread`] finds the last.
    pub threads: Vec<Thread<Vec<u8>>>,
    /// Scopes.
    pub scopes: Vec<Scope<Vec<u8>>>,
    /// Call stacks, in order of their numbers.
    pub traces: Vec<Trace<Vec<u64>>>,
    /// Checks, in the order they ran.
    pub checks: Vec<Found>,
    /// Wrong frees.
    pub faults: Vec<Fault>,
    /// Lines for people.
    pub notes: Vec<Note<Vec<u8>>>,
    /// How it ended; `None`: it was killed, or left without a word.
    pub end: Option<End<Vec<u8>>>,
    /// How many items of unknown tags were skipped.
    pub skipped_items: u64,
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Which check.
    pub check: Check,
    /// Leaks.
    pub leaks: Vec<Leak>,
    /// Leaked blocks.
    pub blocks: Vec<Block>,
    /// Pointers between them.
    pub edges: Vec<Edge>,
    /// Words of the blocks.
    pub contents: Vec<Contents<Vec<u64>>>,
    /// Live blocks with what holds them, when that was asked for.
    pub held: Vec<Held<Vec<Step>, Vec<u64>>>,
    /// All live blocks by where they were allocated, when that was asked for.
    pub in_use: Vec<InUse>,
    /// Its sums; `None`: it did not come to its end.
    pub totals: Option<Totals>,
}

impl Record {
    /// Finds a call stack.
    pub fn trace(&self, id: u32) -> Option<&Trace<Vec<u64>>> {
        let at = self.traces.binary_search_by_key(&id, |trace| trace.id).ok()?;
        self.traces.get(at)
    }

    /// Finds a thread, as it was written last.
    pub fn thread(&self, index: u32) -> Option<&Thread<Vec<u8>>> {
        self.threads.iter().rfind(|thread| thread.index == index)
    }

    /// Finds a scope, as it was written last.
    pub fn scope(&self, id: u32) -> Option<&Scope<Vec<u8>>> {
        self.scopes.iter().rfind(|scope| scope.id == id)
    }

    /// Finds the file that holds `pc`, for a trace of that number.
    pub fn module_of(&self, pc: u64, trace: u32) -> Option<&Module<Vec<u8>>> {
        // What was written later knows which have been closed since.
        self.modules.iter().rfind(|module| {
            (module.lo..module.hi).contains(&pc) && (module.trace_from..module.trace_to).contains(&trace)
        })
    }

    /// The arguments of the process.
    pub fn args(&self) -> impl Iterator<Item = &[u8]> {
        let args = self.begin.args.strip_suffix(b"\0").unwrap_or(&self.begin.args);
        args.split(|&byte| byte == 0).take(if self.begin.args.is_empty() { 0 } else { usize::MAX })
    }
}

/// Why bytes are no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadError {
    /// Where in the file.
    pub offset: usize,
    /// What is wrong there.
    pub reason: Reason,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The first bytes are not those of a record.
    NotARecord,
    /// A version that this reader does not know.
    Major(u16),
    /// Something before the offset was changed after it was written.
    Damaged,
    /// An item says that it is longer than any can be.
    TooLong(u32),
    /// The lengths in an item do not fit each other.
    Lengths(u16),
    /// A code has no meaning.
    Code(&'static str, u8),
    /// The words of this block are not as many as are said to be known, or lie beside words.
    Contents(u32),
    /// The first item is not whole, or not that of a process.
    NoBegin,
    /// A second process.
    SecondBegin,
    /// A leak before any check.
    NoCheck,
    /// There is something behind the end.
    AfterEnd,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let offset = self.offset;
        match self.reason {
            Reason::NotARecord => write!(f, "not a heapcheck record"),
            Reason::Major(major) => {
                write!(f, "the record has format version {major}, and only version {MAJOR} is known")
            }
            Reason::Damaged => write!(f, "the record is damaged before byte {offset}"),
            Reason::TooLong(length) => write!(f, "the item at byte {offset} has an absurd length, {length}"),
            Reason::Lengths(tag) => {
                write!(f, "the lengths in the item at byte {offset} (tag {tag}) do not fit each other")
            }
            Reason::Code(what, code) => write!(f, "the item at byte {offset} has an unknown {what}, {code}"),
            Reason::Contents(block) => {
                write!(f, "the item at byte {offset} has other words of block {block} than it says")
            }
            Reason::NoBegin => write!(f, "the record breaks off in its first item"),
            Reason::SecondBegin => write!(f, "a second process begins at byte {offset}"),
            Reason::NoCheck => write!(f, "the item at byte {offset} belongs to a check, and none has begun"),
            Reason::AfterEnd => write!(f, "the record goes on after its end, at byte {offset}"),
        }
    }
}

impl std::error::Error for ReadError {}

/// Reads a record.
pub fn read(file: &[u8]) -> Result<Record, ReadError> {
    let mut items = Items::open(file)?;
    let begin = match items.next()? {
        Some(mut item) if item.tag == tag::BEGIN => {
            read_begin(&mut item).map_err(|reason| item.at(reason))?
        }
        _ => return Err(ReadError { offset: FILE_HEADER_BYTES, reason: Reason::NoBegin }),
    };
    let mut record = Record {
        version: items.version,
        begin,
        modules: Vec::new(),
        threads: Vec::new(),
        scopes: Vec::new(),
        traces: Vec::new(),
        checks: Vec::new(),
        faults: Vec::new(),
        notes: Vec::new(),
        end: None,
        skipped_items: 0,
    };
    while let Some(mut item) = items.next()? {
        take_item(&mut record, &mut item).map_err(|reason| item.at(reason))?;
    }
    record.traces.sort_by_key(|trace| trace.id);
    Ok(record)
}

/// The items of a file, each with a valid check.
struct Items<'f> {
    file: &'f [u8],
    at: usize,
    seal: Seal,
    version: (u16, u16),
    is_ended: bool,
}

impl<'f> Items<'f> {
    fn open(file: &'f [u8]) -> Result<Self, ReadError> {
        let error = |offset, reason| Err(ReadError { offset, reason });
        let Some((header, _)) = file.split_at_checked(FILE_HEADER_BYTES) else {
            let reason = if MAGIC.starts_with(&file[..file.len().min(8)]) && !file.is_empty() {
                Reason::NoBegin
            } else {
                Reason::NotARecord
            };
            return error(file.len(), reason);
        };
        if header[..8] != MAGIC {
            return error(0, Reason::NotARecord);
        }
        let version =
            (u16::from_le_bytes([header[8], header[9]]), u16::from_le_bytes([header[10], header[11]]));
        if version.0 != MAJOR {
            return error(8, Reason::Major(version.0));
        }
        let mut seal = Seal::new();
        seal.absorb_bytes(header);
        Ok(Self { file, at: FILE_HEADER_BYTES, seal, version, is_ended: false })
    }

    /// Finds the next item; `None` after the last, and where the file breaks off.
    fn next(&mut self) -> Result<Option<Item<'f>>, ReadError> {
        let offset = self.at;
        let rest = &self.file[offset..];
        let error = |reason| Err(ReadError { offset, reason });
        if self.is_ended {
            return if rest.is_empty() { Ok(None) } else { error(Reason::AfterEnd) };
        }
        let Some((header, rest)) = rest.split_at_checked(ITEM_HEADER_BYTES) else {
            return Ok(None);
        };
        let word = |at: usize| header[at..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        self.seal.absorb(word(0));
        if self.seal.value() != word(8) {
            return Err(ReadError { offset: offset + ITEM_HEADER_BYTES, reason: Reason::Damaged });
        }
        let (tag, fixed_bytes, length) = (word(0) as u16, (word(0) >> 16) as u16, (word(0) >> 32) as u32);
        if length as usize > PAYLOAD_BYTES_MAX {
            return error(Reason::TooLong(length));
        }
        let Some((filled, rest)) = rest.split_at_checked((length as usize).next_multiple_of(8)) else {
            return Ok(None);
        };
        self.seal.absorb_bytes(filled);
        self.at += ITEM_HEADER_BYTES + filled.len();
        if tag == tag::END {
            let Some(close) = rest.first_chunk() else {
                return Ok(None);
            };
            if u64::from_le_bytes(*close) != self.seal.value() {
                return Err(ReadError { offset: self.at + close.len(), reason: Reason::Damaged });
            }
            self.at += close.len();
            self.is_ended = true;
        }
        let Some((fixed, tails)) = filled[..length as usize].split_at_checked(fixed_bytes.into()) else {
            return error(Reason::Lengths(tag));
        };
        Ok(Some(Item { offset, tag, fixed, tails }))
    }
}

/// An item whose fields are taken one after the other.
struct Item<'f> {
    offset: usize,
    tag: u16,
    fixed: &'f [u8],
    tails: &'f [u8],
}

impl<'f> Item<'f> {
    fn at(&self, reason: Reason) -> ReadError {
        ReadError { offset: self.offset, reason }
    }

    /// Takes `N` bytes of the fixed part; those that are not there are zero.
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        let (taken, rest) = self.fixed.split_at(self.fixed.len().min(N));
        bytes[..taken.len()].copy_from_slice(taken);
        self.fixed = rest;
        bytes
    }

    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take())
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take())
    }

    fn u8(&mut self) -> u8 {
        self.take::<1>()[0]
    }

    fn coded<T>(&mut self, what: &'static str, from_code: fn(u8) -> Option<T>) -> Result<T, Reason> {
        let code = self.u8();
        from_code(code).ok_or(Reason::Code(what, code))
    }

    fn tail(&mut self, len: usize) -> Result<&'f [u8], Reason> {
        let (tail, rest) = self.tails.split_at_checked(len).ok_or(Reason::Lengths(self.tag))?;
        self.tails = rest;
        Ok(tail)
    }
}

fn mode_from_code(code: u8) -> Option<Mode> {
    Mode::ALL.get(usize::from(code).checked_sub(1)?).copied()
}

fn stacks_from_code(code: u8) -> Option<Stacks> {
    Stacks::ALL.get(usize::from(code)).copied()
}

fn take_item(record: &mut Record, item: &mut Item<'_>) -> Result<(), Reason> {
    match item.tag {
        tag::BEGIN => return Err(Reason::SecondBegin),
        tag::MODULE => record.modules.push(read_module(item)?),
        tag::THREAD => record.threads.push(read_thread(item)?),
        tag::SCOPE => record.scopes.push(read_scope(item)?),
        tag::TRACE => record.traces.push(read_trace(item)?),
        tag::CHECK => record.checks.push(read_check(item)?),
        tag::LEAK => found(record)?.leaks.push(read_leak(item)?),
        tag::BLOCK => found(record)?.blocks.push(read_block(item)?),
        tag::EDGE => found(record)?.edges.push(read_edge(item)),
        tag::CONTENTS => found(record)?.contents.push(read_contents(item)?),
        tag::FAULT => record.faults.push(read_fault(item)?),
        tag::NOTE => record.notes.push(read_note(item)?),
        tag::TOTALS => found(record)?.totals = Some(read_totals(item)),
        tag::END => record.end = Some(read_end(item)?),
        tag::HELD => found(record)?.held.push(read_held(item)?),
        tag::IN_USE => found(record)?.in_use.push(read_in_use(item)),
        _ => record.skipped_items += 1,
    }
    Ok(())
}

fn found(record: &mut Record) -> Result<&mut Found, Reason> {
    record.checks.last_mut().ok_or(Reason::NoCheck)
}

fn read_begin(item: &mut Item<'_>) -> Result<Begin<Vec<u8>>, Reason> {
    let start_time_ns = item.u64();
    let (pid, ppid) = (item.u32(), item.u32());
    let forked = item.u8() != 0;
    let mode = item.coded("mode", mode_from_code)?;
    let stacks = item.coded("kind of stack", stacks_from_code)?;
    item.u8();
    let (exe_len, args_len) = (item.u32(), item.u32());
    let exe = item.tail(exe_len as usize)?.to_vec();
    let args = item.tail(args_len as usize)?.to_vec();
    Ok(Begin { pid, ppid, start_time_ns, forked, mode, stacks, exe, args })
}

fn read_module(item: &mut Item<'_>) -> Result<Module<Vec<u8>>, Reason> {
    let (base, lo, hi) = (item.u64(), item.u64(), item.u64());
    let (id, trace_from, trace_to) = (item.u32(), item.u32(), item.u32());
    let (path_len, build_id_len) = (item.u32(), item.u32());
    let path = item.tail(path_len as usize)?.to_vec();
    let build_id = item.tail(build_id_len as usize)?.to_vec();
    Ok(Module { id, trace_from, trace_to, base, lo, hi, path, build_id })
}

fn read_thread(item: &mut Item<'_>) -> Result<Thread<Vec<u8>>, Reason> {
    let (index, tid, scope) = (item.u32(), item.u32(), item.u32());
    let alive = item.u8() != 0;
    let stop = item.coded("way of stopping", StopWay::from_code)?;
    item.take::<2>();
    let name_len = item.u32();
    let name = item.tail(name_len as usize)?.to_vec();
    Ok(Thread { index, tid, scope, alive, stop, name })
}

fn read_scope(item: &mut Item<'_>) -> Result<Scope<Vec<u8>>, Reason> {
    let (id, parent, name_len) = (item.u32(), item.u32(), item.u32());
    Ok(Scope { id, parent, name: item.tail(name_len as usize)?.to_vec() })
}

fn read_trace(item: &mut Item<'_>) -> Result<Trace<Vec<u64>>, Reason> {
    let (id, count) = (item.u32(), item.u32());
    let truncated = item.u8() != 0;
    let pcs = item.tail((count as usize).saturating_mul(8))?.as_chunks().0;
    Ok(Trace { id, truncated, pcs: pcs.iter().map(|pc| u64::from_le_bytes(*pc)).collect() })
}

fn read_check(item: &mut Item<'_>) -> Result<Found, Reason> {
    let (number, scope) = (item.u32(), item.u32());
    let moment = item.coded("moment", Moment::from_code)?;
    let mode = item.coded("mode", mode_from_code)?;
    let check = Check { number, scope, moment, mode, has_in_use: item.u8() != 0 };
    Ok(Found {
        check,
        leaks: Vec::new(),
        blocks: Vec::new(),
        edges: Vec::new(),
        contents: Vec::new(),
        held: Vec::new(),
        in_use: Vec::new(),
        totals: None,
    })
}

fn read_leak(item: &mut Item<'_>) -> Result<Leak, Reason> {
    let (blocks, bytes, largest_bytes) = (item.u64(), item.u64(), item.u64());
    let (retained_blocks, retained_bytes) = (item.u64(), item.u64());
    let (trace, scope, thread) = (item.u32(), item.u32(), item.u32());
    let kind = item.coded("kind of leak", LeakKind::from_code)?;
    let suppressed = item.u8() != 0;
    Ok(Leak {
        kind,
        suppressed,
        trace,
        scope,
        thread,
        blocks,
        bytes,
        largest_bytes,
        retained_blocks,
        retained_bytes,
    })
}

fn read_block(item: &mut Item<'_>) -> Result<Block, Reason> {
    let (addr, size_bytes, retained_bytes) = (item.u64(), item.u64(), item.u64());
    let (id, component) = (item.u32(), item.u32());
    let (trace, scope, thread) = (item.u32(), item.u32(), item.u32());
    let kind = item.coded("kind of leak", LeakKind::from_code)?;
    Ok(Block { id, component, trace, scope, thread, kind, addr, size_bytes, retained_bytes })
}

fn read_edge(item: &mut Item<'_>) -> Edge {
    let (offset, to_offset) = (item.u64(), item.u64());
    let (from, to) = (item.u32(), item.u32());
    Edge { from, to, offset, to_offset }
}

fn read_contents(item: &mut Item<'_>) -> Result<Contents<Vec<u64>>, Reason> {
    let (offset, known) = (item.u64(), item.u64());
    let (block, count) = (item.u32(), item.u32());
    if count != known.count_ones() || !offset.is_multiple_of(8) {
        return Err(Reason::Contents(block));
    }
    let words = item.tail(count as usize * 8)?.as_chunks().0;
    let words = words.iter().map(|word| u64::from_le_bytes(*word)).collect();
    Ok(Contents { block, offset, known, words })
}

/// Reads what holds a block. A root of a newer kind is still a root.
fn read_held(item: &mut Item<'_>) -> Result<Held<Vec<Step>, Vec<u64>>, Reason> {
    let (blocks, bytes) = (item.u64(), item.u64());
    let (addr, base) = (item.u64(), item.u64());
    let (trace, tid, module) = (item.u32(), item.u32(), item.u32());
    let (omitted, omitted_at) = (item.u32(), item.u32());
    let (steps_len, pcs_len) = (item.u32(), item.u32());
    let kind = HolderKind::from_code(item.u8()).unwrap_or(HolderKind::Other);
    let steps = item.tail((steps_len as usize).saturating_mul(STEP_BYTES))?;
    let pcs = item.tail((pcs_len as usize).saturating_mul(8))?.as_chunks().0;
    let steps = steps.as_chunks::<STEP_BYTES>().0.iter().map(|bytes| {
        let number = |at: usize| bytes[at * 8..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        Step {
            addr: number(0),
            size_bytes: number(1),
            to_offset: number(2),
            offset: number(3),
            trace: number(4) as u32,
        }
    });
    let (steps, pcs) = (steps.collect(), pcs.iter().map(|pc| u64::from_le_bytes(*pc)).collect());
    Ok(Held { trace, blocks, bytes, kind, tid, module, addr, base, omitted, omitted_at, steps, pcs })
}

fn read_in_use(item: &mut Item<'_>) -> InUse {
    let (blocks, bytes) = (item.u64(), item.u64());
    let (trace, scope, thread) = (item.u32(), item.u32(), item.u32());
    InUse { trace, scope, thread, blocks, bytes }
}

fn read_fault(item: &mut Item<'_>) -> Result<Fault, Reason> {
    let (addr, size_bytes) = (item.u64(), item.u64());
    let (free_trace, alloc_trace, first_free_trace) = (item.u32(), item.u32(), item.u32());
    let thread = item.u32();
    let kind = item.coded("kind of fault", FaultKind::from_code)?;
    Ok(Fault { kind, thread, free_trace, alloc_trace, first_free_trace, addr, size_bytes })
}

/// Reads a note. One of a newer kind is still a line for people.
fn read_note(item: &mut Item<'_>) -> Result<Note<Vec<u8>>, Reason> {
    let len = item.u32();
    let kind = NoteKind::from_code(item.u8()).unwrap_or(NoteKind::Other);
    Ok(Note { kind, text: item.tail(len as usize)?.to_vec() })
}

fn read_totals(item: &mut Item<'_>) -> Totals {
    Totals::from_array([(); Totals::COUNT].map(|()| item.u64()))
}

fn read_end(item: &mut Item<'_>) -> Result<End<Vec<u8>>, Reason> {
    let exit_status = i32::from_le_bytes(item.take());
    let len = item.u32();
    let moment = item.coded("moment", Moment::from_code)?;
    let outcome = item.coded("outcome", Outcome::from_code)?;
    Ok(End { exit_status, moment, outcome, reason: item.tail(len as usize)?.to_vec() })
}
