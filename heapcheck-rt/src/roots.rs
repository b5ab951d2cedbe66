#![forbid(unsafe_code)]
//! Collects where the mark phase begins: ranges and words of the stopped world that may hold pointers.
//!
//! Only addresses are collected here, nothing is read but the few words of libc's thread descriptors that say where
//! thread-local storage lies. Every range is clipped to what may be read, and every one carries where it comes from.
//!
//! ```text
//!   a thread's memory      sp-128        pointer - tls depth      pointer       + descriptor       hi
//!   | guard | below sp: no root | stack        | static tls of modules | keys            |  stack  |
//! ```
//!
//! Weak ranges are what is left of writable memory without a file when everything that has an owner is taken away:
//! our reservation, segments of modules, stacks and thread-local storage of threads that live, and of threads that
//! have ended as long as libc keeps their memory for later. What has an owner is taken away whether or not its kind of
//! root is switched on, so that switching a kind off shows what lives by it alone.

use crate::arena::{Arena, Buf};
use crate::intervals::{self, Span};
use crate::limits::DESCRIPTOR_SPAN;
use crate::mapline::MapKind;
use crate::maps::Maps;
use crate::modules::{Modules, Role, Tls};
use crate::park::WORLD;
use crate::rootkinds::{RootKind, RootKinds};
use crate::space::{Grow, OutOfMemory};
use crate::stop::{Method, Stopped, StoppedThread};
use crate::sys;
use crate::threadarea;

/// The bytes below the stack pointer that a function may use (System V ABI x86-64, 3.2.2).
const RED_ZONE: usize = 128;

/// Where a root comes from: what `owner` numbers depends on the kind. Globals: the module; stacks, registers, tls, dtv
/// and keys: the thread's id; pending and regions: the place in the caller's list; maps: the place in [`Maps::all`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tag {
    pub(crate) kind: RootKind,
    pub(crate) owner: u32,
}

/// Readable memory that may hold pointers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RootRange {
    pub(crate) span: Span,
    pub(crate) tag: Tag,
}

/// A word that may be a pointer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RootWord {
    pub(crate) word: usize,
    pub(crate) tag: Tag,
}

/// Whether a thread runs code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ThreadState {
    /// It does.
    Live,
    /// It has ended; libc may keep its memory for the next one.
    Exited,
}

/// What the registry knows of a thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ThreadFacts {
    pub(crate) tid: i32,
    /// The thread pointer; zero when unknown.
    pub(crate) pointer: usize,
    /// The stack as pthread_getattr_np(3) tells it; zeros when unknown.
    pub(crate) stack_lo: usize,
    pub(crate) stack_hi: usize,
    pub(crate) state: ThreadState,
}

/// The thread that does the check, which is not in [`Stopped::threads`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller {
    pub(crate) tid: i32,
    /// The stack pointer in the frame that entered the runtime: what lies below belongs to the check.
    pub(crate) sp: usize,
    /// The registers that a callee keeps.
    pub(crate) registers: [usize; 6],
}

/// Everything that is known when the world is stopped.
pub(crate) struct World<'a> {
    pub(crate) kinds: RootKinds,
    pub(crate) stopped: &'a Stopped,
    pub(crate) caller: Caller,
    pub(crate) modules: &'a Modules,
    /// Read while the world is stopped.
    pub(crate) maps: &'a Maps,
    pub(crate) threads: &'a [ThreadFacts],
    pub(crate) regions: &'a [(usize, usize)],
    pub(crate) pending: &'a [usize],
    /// The reservation, and other memory of the runtime.
    pub(crate) ours: &'a [(usize, usize)],
}

/// The roots.
#[derive(Debug)]
pub(crate) struct Roots {
    pub(crate) strong: Buf<RootRange>,
    pub(crate) words: Buf<RootWord>,
    pub(crate) weak: Buf<RootRange>,
}

/// Collects the roots of `world`.
pub(crate) fn collect(world: &World<'_>, arena: &'static Arena) -> Result<Roots, OutOfMemory> {
    let roots = Roots { strong: Buf::new(arena), words: Buf::new(arena), weak: Buf::new(arena) };
    let mut ours = Buf::new(arena);
    for (start, end) in world.ours {
        ours.push(Span::new(*start, *end))?;
    }
    let kept = intervals::normalise(ours.as_mut_slice());
    ours.resize(kept, Span::new(0, 0))?;
    let owned = Buf::new(arena);
    let tls_depth = world.modules.static_tls_depth();
    let mut collector = Collector { world, roots, ours, owned, arena, tls_depth };
    collector.add_globals()?;
    collector.add_threads()?;
    collector.add_given()?;
    collector.add_weak()?;
    Ok(collector.roots)
}

struct Collector<'a> {
    world: &'a World<'a>,
    roots: Roots,
    /// Sorted list of what belongs to the runtime.
    ours: Buf<Span>,
    /// What somebody owns, so that it is no weak root.
    owned: Buf<Span>,
    arena: &'static Arena,
    tls_depth: usize,
}

impl Collector<'_> {
    /// Adds the readable parts of `span`, without those that are ours.
    fn add(&mut self, span: Span, kind: RootKind, owner: u32) -> Result<(), OutOfMemory> {
        if !self.world.kinds.has(kind) {
            return Ok(());
        }
        let (strong, readable) = (&mut self.roots.strong, self.world.maps.readable());
        let mut outcome = Ok(());
        intervals::subtract(span, self.ours.as_slice(), |part| {
            intervals::clip(part, readable, |span| {
                let span = word_aligned(span);
                if !span.is_empty() && outcome.is_ok() {
                    outcome = strong.push(RootRange { span, tag: Tag { kind, owner } });
                }
            });
        });
        outcome
    }

    fn add_word(&mut self, word: usize, kind: RootKind, owner: u32) -> Result<(), OutOfMemory> {
        if self.world.kinds.has(kind) && word != 0 {
            self.roots.words.push(RootWord { word, tag: Tag { kind, owner } })?;
        }
        Ok(())
    }

    fn is_ours(&self, address: usize) -> bool {
        intervals::find(self.ours.as_slice(), address).is_some()
    }

    /// Writable segments of every module but the runtime. Up to the end of the last page: ld.so puts its first
    /// allocations, the list of modules among them, behind its own segment (elf/dl-minimal-malloc.c).
    fn add_globals(&mut self) -> Result<(), OutOfMemory> {
        let modules = self.world.modules;
        for (number, module) in modules.all().iter().enumerate() {
            for segment in modules.segments(module).iter().filter(|segment| segment.writable) {
                let span = Span::new(
                    segment.span.start & !(sys::PAGE - 1),
                    segment.span.end.next_multiple_of(sys::PAGE),
                );
                self.owned.push(span)?;
                // A static program shares its segments with its runtime, whose own variables hold addresses of its
                // tables and of free blocks, but of no live one.
                if module.role != Role::Runtime {
                    self.add(span, RootKind::Globals, number as u32)?;
                }
            }
        }
        Ok(())
    }

    fn add_threads(&mut self) -> Result<(), OutOfMemory> {
        let Caller { tid, sp, registers } = self.world.caller;
        for word in registers {
            self.add_word(word, RootKind::Registers, tid as u32)?;
        }
        self.add_thread(tid, Some(sp), self.live_facts(tid))?;
        for thread in self.world.stopped.threads() {
            self.add_registers(thread)?;
            let sp = match thread.method {
                Method::Signal | Method::Ptrace => Some(thread.sp),
                Method::WholeStack => None,
                Method::Nothing => continue,
            };
            let facts = self.live_facts(thread.tid);
            self.add_thread(thread.tid, sp, facts)?;
            if facts.is_none_or(|facts| facts.stack_hi == 0) && sp.is_none() && thread.sp != 0 {
                self.add_mapping_around(thread.sp, 0, thread.tid)?;
            }
        }
        for facts in self.world.threads {
            let is_alive = facts.state == ThreadState::Live && self.lives(facts.tid);
            // Memory of a thread that ended is taken away only while it still is what it was.
            if !is_alive && facts.pointer != 0 && self.word(facts.pointer) == Some(facts.pointer) {
                self.own_thread(facts)?;
                // libc frees the vector with the memory; in a static program it is a block like any other.
                if let Some(dtv) = threadarea::dtv_of(facts.pointer, |address| self.word(address))
                    && self.is_ours(dtv.start)
                {
                    self.add_word(dtv.start, RootKind::Dtv, facts.tid as u32)?;
                }
            }
        }
        Ok(())
    }

    fn live_facts(&self, tid: i32) -> Option<ThreadFacts> {
        let is_it = |facts: &&ThreadFacts| facts.tid == tid && facts.state == ThreadState::Live;
        self.world.threads.iter().find(is_it).copied()
    }

    fn lives(&self, tid: i32) -> bool {
        tid == self.world.caller.tid || self.world.stopped.threads().iter().any(|thread| thread.tid == tid)
    }

    fn word(&self, address: usize) -> Option<usize> {
        self.world.maps.read_word(address)
    }

    fn add_registers(&mut self, thread: &StoppedThread) -> Result<(), OutOfMemory> {
        let owner = thread.tid as u32;
        for word in thread.registers {
            self.add_word(word, RootKind::Registers, owner)?;
        }
        if !self.world.kinds.has(RootKind::Registers) {
            return Ok(());
        }
        let saved = if self.waits_in_libc(thread.pc) { thread.saved.without_wide() } else { thread.saved };
        let tag = Tag { kind: RootKind::Registers, owner };
        let mut outcome = Ok(());
        // They lie on the thread's stack or in our arena: readable either way, and not to be clipped.
        saved.each_part(&WORLD.saved, |span| {
            outcome = outcome.and_then(|()| self.roots.strong.push(RootRange { span, tag }))
        });
        outcome
    }

    /// Whether code of libc has called the kernel there. The wide vector registers are what one of its string functions has left
    /// then: code that calls a function keeps nothing in them (System V ABI x86-64, 3.2.1), and what else libc is made of is
    /// compiled for plain x86-64. What was copied last would hold blocks, for as long as nobody copies that much again.
    fn waits_in_libc(&self, pc: usize) -> bool {
        let modules = self.world.modules;
        let is_plain = |role: Role| matches!(role, Role::Libc | Role::Runtime);
        // The kernel goes back to the instruction when it is to begin anew.
        modules.find(pc).is_some_and(|module| is_plain(modules.all()[module].role))
            && (self.calls_kernel(pc) || self.calls_kernel(pc - 2))
    }

    /// Whether the instruction at `pc` is `syscall`.
    fn calls_kernel(&self, pc: usize) -> bool {
        let byte = |at: usize| self.word(at & !7).map(|word| (word >> (at % 8 * 8)) as u8);
        byte(pc) == Some(0x0f) && byte(pc + 1) == Some(0x05)
    }

    fn own_thread(&mut self, facts: &ThreadFacts) -> Result<(), OutOfMemory> {
        self.owned.push(Span::new(facts.stack_lo, facts.stack_hi))?;
        if facts.pointer != 0 {
            self.owned.push(self.area_of(facts.pointer, facts.stack_hi))?;
        }
        Ok(())
    }

    /// Static thread-local storage and descriptor of the thread whose pointer is `pointer`.
    fn area_of(&self, pointer: usize, stack_hi: usize) -> Span {
        Span::new(pointer.saturating_sub(self.tls_depth), descriptor_end(pointer, stack_hi))
    }

    /// Adds stack and thread-local storage of a live thread. Without `sp` all of its stack counts.
    fn add_thread(
        &mut self,
        tid: i32,
        sp: Option<usize>,
        facts: Option<ThreadFacts>,
    ) -> Result<(), OutOfMemory> {
        let unknown = ThreadFacts { tid, pointer: 0, stack_lo: 0, stack_hi: 0, state: ThreadState::Live };
        let facts = facts.unwrap_or(unknown);
        self.own_thread(&facts)?;
        // The caller is in the runtime, and what lies below it are the runtime's frames.
        let red_zone = if tid == self.world.caller.tid { 0 } else { RED_ZONE };
        let own = Span::new(facts.stack_lo, facts.stack_hi);
        let area = match facts.pointer {
            0 => Span::new(0, 0),
            pointer => self.area_of(pointer, facts.stack_hi),
        };
        let from = match sp {
            Some(sp) if own.contains(sp) => sp.saturating_sub(red_zone).max(own.start),
            _ => own.start,
        };
        let mut parts = [Span::new(0, 0); 2];
        let mut count = 0;
        let holes = if area.is_empty() { &[][..] } else { core::slice::from_ref(&area) };
        intervals::subtract(Span::new(from, own.end), holes, |part| {
            parts[count] = part;
            count += 1;
        });
        for part in &parts[..count] {
            self.add(*part, RootKind::Stacks, tid as u32)?;
        }
        if let Some(sp) = sp
            && !own.contains(sp)
        {
            self.add_mapping_around(sp, sp.saturating_sub(red_zone), tid)?;
        }
        if facts.pointer != 0 { self.add_storage(&facts) } else { Ok(()) }
    }

    /// A stack that nobody announced: a signal stack, a coroutine's, one that raw clone(2) was given. In a block of
    /// the heap it is that block, else what is left of the mapping from `from` upwards.
    fn add_mapping_around(&mut self, sp: usize, from: usize, tid: i32) -> Result<(), OutOfMemory> {
        if self.is_ours(sp) {
            return self.add_word(sp, RootKind::Stacks, tid as u32);
        }
        let Some(mapping) = self.world.maps.find(sp).filter(|mapping| mapping.perms.writable()) else {
            return Ok(());
        };
        let span = Span::new(mapping.start.max(from), mapping.end);
        self.owned.push(span)?;
        self.add(span, RootKind::Stacks, tid as u32)
    }

    /// Static and dynamic thread-local storage, and the descriptor.
    fn add_storage(&mut self, facts: &ThreadFacts) -> Result<(), OutOfMemory> {
        let (pointer, owner) = (facts.pointer, facts.tid as u32);
        let dtv = threadarea::dtv_of(pointer, |address| self.word(address));
        if let Some(dtv) = dtv {
            // A vector in the heap is a block: found by its pointer, and read as far as it is long.
            if self.is_ours(dtv.start) {
                self.add_word(dtv.start, RootKind::Dtv, owner)?;
            } else {
                let span = Span::new(dtv.start, dtv.end);
                self.add(span, RootKind::Dtv, owner)?;
                self.owned.push(span)?;
            }
        }
        for module in self.world.modules.all() {
            match module.tls {
                Tls::Static { below, size } if module.role != Role::Runtime => {
                    let start = pointer - below;
                    self.add(Span::new(start, start + size), RootKind::Tls, owner)?;
                }
                Tls::Dynamic { module, size } => {
                    let block = dtv.and_then(|dtv| dtv.allocated(module, |address| self.word(address)));
                    if let Some(block) = block.filter(|block| !self.is_ours(*block)) {
                        let span = Span::new(block, block.saturating_add(size));
                        self.add(span, RootKind::Dtv, owner)?;
                        self.owned.push(span)?;
                    }
                }
                _ => {}
            }
        }
        // The word that points to the vector counts as `dtv`; the rest of the descriptor holds the keys' values.
        self.add(Span::new(pointer, pointer + 8), RootKind::Keys, owner)?;
        let end = descriptor_end(pointer, facts.stack_hi);
        self.add(Span::new(pointer + 16, end), RootKind::Keys, owner)
    }

    fn add_given(&mut self) -> Result<(), OutOfMemory> {
        for (number, word) in self.world.pending.iter().enumerate() {
            self.add_word(*word, RootKind::Pending, number as u32)?;
        }
        for (number, (start, end)) in self.world.regions.iter().enumerate() {
            // A region inside a block of the heap is no memory of ours; it is the program's to name.
            let span = word_aligned(Span::new(*start, *end));
            let readable = self.world.maps.readable();
            let (strong, mut outcome) = (&mut self.roots.strong, Ok(()));
            let tag = Tag { kind: RootKind::Regions, owner: number as u32 };
            if self.world.kinds.has(RootKind::Regions) {
                intervals::clip(span, readable, |span| {
                    outcome = outcome.and_then(|()| strong.push(RootRange { span, tag }));
                });
            }
            outcome?;
        }
        Ok(())
    }

    fn add_weak(&mut self) -> Result<(), OutOfMemory> {
        if !self.world.kinds.has(RootKind::Maps) {
            return Ok(());
        }
        let mut owned = core::mem::replace(&mut self.owned, Buf::new(self.arena));
        owned.extend(self.ours.as_slice())?;
        let kept = intervals::normalise(owned.as_mut_slice());
        owned.resize(kept, Span::new(0, 0))?;
        for (number, mapping) in self.world.maps.all().iter().enumerate() {
            let is_memory =
                matches!(mapping.kind, MapKind::Anonymous | MapKind::Memory | MapKind::Heap | MapKind::Stack)
                    || mapping.is_written_file(self.world.maps.name(mapping));
            // What may not be written any more may have been: frozen tables, code that was made at run time.
            if !is_memory || !mapping.perms.readable() {
                continue;
            }
            // Of a module's file only its segments are the program's.
            if mapping.kind == MapKind::File
                && self.world.modules.all().iter().any(|module| {
                    self.world
                        .modules
                        .segments(module)
                        .iter()
                        .any(|segment| segment.span.start < mapping.end && mapping.start < segment.span.end)
                })
            {
                continue;
            }
            let tag = Tag { kind: RootKind::Maps, owner: number as u32 };
            let (weak, arena, mut outcome) = (&mut self.roots.weak, self.arena, Ok(()));
            intervals::subtract(mapping.span(), owned.as_slice(), |span| {
                let span = word_aligned(span);
                if !span.is_empty() && outcome.is_ok() {
                    outcome = mapping.each_filled(span, arena, |span| weak.push(RootRange { span, tag }));
                }
            });
            outcome?;
        }
        Ok(())
    }
}

/// Where the thread descriptor ends at the latest: a thread that libc made has it at the top of its stack.
fn descriptor_end(pointer: usize, stack_hi: usize) -> usize {
    let end = pointer + DESCRIPTOR_SPAN;
    if pointer < stack_hi { end.min(stack_hi) } else { end }
}

/// The whole words of `span`.
fn word_aligned(span: Span) -> Span {
    Span::new(span.start.next_multiple_of(size_of::<usize>()), span.end & !(size_of::<usize>() - 1))
}
