#![expect(unsafe_code, reason = "asks the dynamic linker for tables and reads them where they are loaded")]
//! Unwind rules of the running process: found once a program counter, then remembered for all threads.
//!
//! The tables of the module that holds a program counter come from `_dl_find_object` (glibc 2.35 and later: it takes no
//! lock and knows modules the moment they are loaded) and elsewhere from `dl_iterate_phdr`, called while no lock of ours
//! is held, because a thread inside `dlopen` holds the loader's lock and may allocate.
//!
//! # Safety
//! Tables are read while code of their module is on the stack, so the module is loaded. Reads of foreign stacks go
//! through the kernel and fail instead of faulting.

use crate::arch::weak_symbol;
use crate::arena::Arena;
use crate::cfi::register::{RA, RBP, RSP};
use crate::cfi::{Cfa, Place, Row, Section, Tables, evaluate};
use crate::rule::{Kind, Rule};
use crate::sys::{self, libc};
use crate::table::Table;
use core::ffi::{c_int, c_void};

/// A frame on its way outwards.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Registers {
    pub(crate) pc: usize,
    pub(crate) sp: usize,
    pub(crate) bp: usize,
    /// The frame did not call but was interrupted: `pc` is its next instruction, not a return address.
    pub(crate) interrupted: bool,
}

impl Registers {
    /// One more than the address whose rule holds: a return address may lie behind the end of its function.
    #[inline(always)]
    pub(crate) fn behind(&self) -> usize {
        self.pc + usize::from(self.interrupted)
    }
}

/// A walk cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stuck;

/// The rule cache.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) table: Table,
}

impl Rules {
    pub(crate) const fn on(arena: &'static Arena) -> Self {
        Self { table: Table::on(arena) }
    }

    /// The rule for a frame; `behind` is its return address.
    #[inline(always)]
    pub(crate) fn rule_of(&self, behind: usize) -> Rule {
        match self.table.find(behind as u64) {
            Some(word) => Rule::from_word(word),
            None => self.learn(behind),
        }
    }

    /// The rule for a frame when it was asked for before.
    #[inline(always)]
    pub(crate) fn known_rule_of(&self, behind: usize) -> Option<Rule> {
        self.table.find(behind as u64).map(Rule::from_word)
    }

    #[cold]
    #[inline(never)]
    fn learn(&self, behind: usize) -> Rule {
        let rule = match with_row(behind, Rule::from_row) {
            Some(rule) => rule,
            // Nobody called: the address of a function was pushed for the return from a coroutine's first frame, as
            // glibc's makecontext does with `__start_context`.
            None if with_row(behind + 1, |_| ()).is_some() => Rule::END,
            None => Rule::UNKNOWN,
        };
        let _ = self.table.add(behind as u64, rule.to_word());
        rule
    }

    /// Steps by a rule that is neither of the two fast ones. `None` at the outermost frame.
    #[inline(never)]
    pub(crate) fn step_rarely(
        &self,
        rule: Rule,
        at: Registers,
        memory: &mut Memory<'_>,
    ) -> Result<Option<Registers>, Stuck> {
        match rule.kind() {
            Kind::End => Ok(None),
            Kind::Sp => step_to(at.sp.wrapping_add(rule.offset()), rule, at, memory),
            Kind::Bp => step_to(at.bp.wrapping_add(rule.offset()), rule, at, memory),
            Kind::Unknown => {
                if at.bp <= at.sp || !at.bp.is_multiple_of(8) {
                    return Err(Stuck);
                }
                let bp = memory.read(at.bp).ok_or(Stuck)?;
                let pc = memory.read(at.bp + 8).ok_or(Stuck)?;
                Ok(Some(Registers { pc, sp: at.bp + 16, bp, interrupted: false }))
            }
            Kind::Slow => match with_row(at.behind(), |row| step_by_row(row, at, memory)) {
                Some(next) => next,
                None => Err(Stuck),
            },
        }
    }

    /// Steps on a stack of which nothing is known.
    pub(crate) fn step_carefully(
        &self,
        at: Registers,
        memory: &mut Memory<'_>,
    ) -> Result<Option<Registers>, Stuck> {
        let next = self.step_rarely(self.rule_of(at.behind()), at, memory)?;
        match next {
            // A signal may have interrupted another stack; any other step goes up.
            Some(next) if next.sp <= at.sp && !next.interrupted => Err(Stuck),
            next => Ok(next),
        }
    }
}

fn step_to(
    cfa: usize,
    rule: Rule,
    at: Registers,
    memory: &mut Memory<'_>,
) -> Result<Option<Registers>, Stuck> {
    let pc = memory.read(cfa.wrapping_sub(8)).ok_or(Stuck)?;
    let bp = match rule.saved_bp() {
        0 => at.bp,
        below => memory.read(cfa.wrapping_sub(below)).ok_or(Stuck)?,
    };
    Ok(Some(Registers { pc, sp: cfa, bp, interrupted: false }))
}

/// Steps by a row in general. Of the registers only the stack and the frame pointer are known.
fn step_by_row(row: &Row<'_>, at: Registers, memory: &mut Memory<'_>) -> Result<Option<Registers>, Stuck> {
    let register = |number: u16| match number {
        RBP => Some(at.bp as u64),
        RSP => Some(at.sp as u64),
        RA => Some(at.pc as u64),
        _ => None,
    };
    let cfa = match row.cfa {
        Cfa::Register(number, offset) => register(number).map(|value| value.wrapping_add(offset as u64)),
        Cfa::Expression(code) => evaluate(code, None, register, |address| memory.read_u64(address)),
    }
    .ok_or(Stuck)?;
    let mut value_at = |place: Place<'_>, unchanged: Option<u64>| match place {
        Place::Unsaid | Place::Same => unchanged,
        Place::Undefined => Some(0),
        Place::AtCfa(offset) => memory.read_u64(cfa.wrapping_add(offset as u64)),
        Place::CfaPlus(offset) => Some(cfa.wrapping_add(offset as u64)),
        Place::Register(number) => register(number),
        Place::At(code) => evaluate(code, Some(cfa), register, |address| memory.read_u64(address))
            .and_then(|address| memory.read_u64(address)),
        Place::Is(code) => evaluate(code, Some(cfa), register, |address| memory.read_u64(address)),
    };
    if row.place(RA) == Place::Undefined {
        return Ok(None);
    }
    let pc = value_at(row.place(RA), None).ok_or(Stuck)?;
    let bp = value_at(row.place(RBP), Some(at.bp as u64)).unwrap_or(0);
    let sp = value_at(row.place(RSP), Some(cfa)).ok_or(Stuck)?;
    Ok(Some(Registers { pc: pc as usize, sp: sp as usize, bp: bp as usize, interrupted: row.is_signal }))
}

/// Reads words of a stack without faulting.
#[derive(Debug)]
pub(crate) struct Memory<'a> {
    /// Words between these are known to be mapped.
    low: usize,
    end: usize,
    /// A copy of memory that is not.
    copied: usize,
    len: usize,
    copy: &'a mut [usize],
}

/// Words copied at once. Most frames are shorter than this.
pub(crate) type Copied = [usize; 128];
/// The same, where there is little room, and little is copied.
pub(crate) const COPIED_FEW: usize = 16;

impl<'a> Memory<'a> {
    /// A stack whose words between two addresses are mapped. There is a place for copies of others.
    pub(crate) fn within(low: usize, end: usize, copy: &'a mut [usize]) -> Self {
        Self { low, end, copied: 0, len: 0, copy }
    }

    /// Memory of which nothing is known.
    pub(crate) fn anywhere(copy: &'a mut [usize]) -> Self {
        Self::within(0, 0, copy)
    }

    fn read_u64(&mut self, address: u64) -> Option<u64> {
        self.read(address as usize).map(|word| word as u64)
    }

    /// The word at `address`.
    pub(crate) fn read(&mut self, address: usize) -> Option<usize> {
        if !address.is_multiple_of(8) {
            return None;
        }
        if address >= self.low && address < self.end {
            // SAFETY: the words between these addresses are mapped.
            return Some(unsafe { (address as *const usize).read() });
        }
        let index = address.wrapping_sub(self.copied) / 8;
        if index < self.len {
            return Some(self.copy[index]);
        }
        // To the end of the page, so that a mapping's end does not spoil what lies before it.
        let words = ((sys::PAGE - address % sys::PAGE) / 8).min(self.copy.len());
        self.len = sys::read_memory(address, &mut self.copy[..words]).ok()?;
        self.copied = address;
        (self.len > 0).then(|| self.copy[0])
    }
}

/// Walks the stack of a thread that stands still, without the cache and without a lock, since whoever holds one may
/// stand still as well. `tables` finds the module of a program counter. `visit` gets each frame and the address behind it.
pub(crate) fn each_frame(
    from: Registers,
    tables: impl Fn(usize) -> Option<Found>,
    frames_max: usize,
    mut visit: impl FnMut(Registers, usize),
) {
    let mut copy: Copied = [0; _];
    let (mut at, mut memory) = (from, Memory::anywhere(&mut copy));
    for _ in 0..frames_max {
        let behind = at.behind();
        let next = tables(behind.wrapping_sub(1))
            .and_then(|found| with_row_in(&found, behind, |row| step_by_row(row, at, &mut memory)));
        let Some(Ok(Some(next))) = next else { return };
        // A signal may have interrupted another stack.
        if next.sp <= at.sp && !next.interrupted {
            return;
        }
        if next.sp > at.sp {
            visit(at, next.sp);
        }
        at = next;
    }
}

/// What `_dl_find_object` answers (glibc manual, "Dynamic Linker Introspection").
#[repr(C)]
#[derive(Default)]
pub(crate) struct Found {
    flags: u64,
    start: usize,
    end: usize,
    link_map: usize,
    header: usize,
    reserved: [u64; 7],
}

impl Found {
    /// The tables of a loaded module, which has its header there.
    pub(crate) fn in_module(start: usize, end: usize, header: usize) -> Option<Self> {
        (header != 0).then(|| Self { start, end, header, ..Self::default() })
    }
}

weak_symbol!(find_object_symbol = "_dl_find_object");

/// Finds the row of a return address and shows it to `look`.
fn with_row<R>(behind: usize, look: impl FnOnce(&Row<'_>) -> R) -> Option<R> {
    with_row_in(&find_object(behind.wrapping_sub(1))?, behind, look)
}

/// Finds the row of a return address in a module.
fn with_row_in<R>(found: &Found, behind: usize, look: impl FnOnce(&Row<'_>) -> R) -> Option<R> {
    let pc = behind.wrapping_sub(1);
    // SAFETY: the dynamic linker says that these addresses belong to the module that holds `pc`. The slices end with
    // the module, which may have holes; only what the tables point at is read.
    let bytes = |from: usize| unsafe { core::slice::from_raw_parts(from as *const u8, found.end - from) };
    let header = Section { address: found.header as u64, bytes: bytes(found.header) };
    let frames = Tables::frames_address(header)? as usize;
    if frames < found.start || frames >= found.end {
        return None;
    }
    let tables = Tables { header, frames: Section { address: frames as u64, bytes: bytes(frames) } };
    // A row is large, and stacks may be small: it is looked at where it was made.
    match &tables.row_at(pc as u64) {
        Ok(row) => Some(look(row)),
        Err(_) => None,
    }
}

fn find_object(pc: usize) -> Option<Found> {
    let mut found = Found::default();
    // A static program has one module, and glibc allocates while it sets the function up there.
    let symbol = if cfg!(heapcheck_static) { 0 } else { find_object_symbol() };
    if symbol == 0 {
        return find_module(pc);
    }
    // SAFETY: the symbol has this type in glibc.
    let missing = unsafe {
        core::mem::transmute::<usize, unsafe extern "C" fn(usize, *mut Found) -> c_int>(symbol)(
            pc, &mut found,
        )
    };
    if missing != 0 || found.header == 0 {
        return None;
    }
    // Of a program whose segments do not lie side by side only the one around `pc` is told (glibc's elf/dl-find_object.c), and
    // its tables lie in another one.
    if (found.start..found.end).contains(&found.header) { Some(found) } else { find_module(pc) }
}

/// The same, where the dynamic linker has no such function, or does not tell all of the module.
fn find_module(pc: usize) -> Option<Found> {
    struct Search {
        pc: usize,
        found: Found,
    }
    extern "C" fn visit(module: &libc::ModuleInfo, _: usize, data: *mut c_void) -> c_int {
        // SAFETY: `data` is the search below.
        let search = unsafe { &mut *data.cast::<Search>() };
        let mut found = Found { start: usize::MAX, ..Found::default() };
        for header in module.headers() {
            let start = module.base.wrapping_add(header.address as usize);
            if header.kind == libc::PT_LOAD {
                found.start = found.start.min(start);
                found.end = found.end.max(start + header.memory_size as usize);
            } else if header.kind == libc::PT_GNU_EH_FRAME {
                found.header = start;
            }
        }
        let holds = (found.start..found.end).contains(&search.pc) && found.header != 0;
        if holds {
            search.found = found;
        }
        c_int::from(holds)
    }
    let mut search = Search { pc, found: Found::default() };
    // SAFETY: the callback gets the search and keeps nothing.
    unsafe { libc::dl_iterate_phdr(visit, (&raw mut search).cast()) };
    (search.found.header != 0).then_some(search.found)
}
