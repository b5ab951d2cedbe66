#![forbid(unsafe_code)]
//! Why what lives is alive: for each trace, the way from a root to one of its blocks, in the terms of the record.
//!
//! Made only when it was asked for, while the world stands still. Of the blocks of a trace the largest speaks for all.

use crate::arena::{Arena, Buf};
use crate::limits::{DEPTH_MAX, WAY_BLOCKS};
use crate::mark::Root;
use crate::modules::{Modules, Tls};
use crate::paths::{self, Paths};
use crate::record::{Held, HolderKind, Step};
use crate::rootkinds::RootKind;
use crate::roots::{RootRange, Roots, Tag, ThreadFacts};
use crate::space::{Grow, OutOfMemory, Slot, Space};
use crate::state::{SCRATCH, SPANS};
use crate::stopped_heap::{ArenaMemory, StoppedHeap};
use crate::unwind::{self, Registers};

/// The live blocks of one trace.
#[derive(Clone, Copy)]
struct Group {
    blocks: u64,
    bytes: u64,
    largest: Slot,
    largest_bytes: usize,
}

/// A frame of a stopped thread.
#[derive(Clone, Copy)]
struct Frame {
    tid: i32,
    /// What it takes of the stack.
    memory: Root,
    pc: usize,
}

/// Everything that roots reach, and how.
pub(crate) struct Ways<'a> {
    roots: &'a Roots,
    modules: &'a Modules,
    threads: &'a [ThreadFacts],
    paths: Paths<ArenaMemory>,
    /// By the number of the trace.
    groups: Buf<Group>,
    frames: Buf<Frame>,
}

/// Frames that are named as holders of one block: a caller often holds what its callee does.
const PCS_MAX: usize = 8;
/// Words of a stack that are looked at for them.
const WORDS_MAX: usize = 16 << 10;

const NOBODY: Group = Group { blocks: 0, bytes: 0, largest: Slot { id: 0, base: 0 }, largest_bytes: 0 };

impl<'a> Ways<'a> {
    /// Searches the heap.
    pub(crate) fn find(
        heap: &StoppedHeap, roots: &'a Roots, modules: &'a Modules, threads: &'a [ThreadFacts],
    ) -> Result<Self, OutOfMemory> {
        let tiers = Tiers::of(roots, &SCRATCH)?;
        let [lasting, passing, weak] = [&tiers.lasting, &tiers.passing, &tiers.weak].map(|tier| tier.as_slice());
        let paths = paths::find(&ArenaMemory(&SCRATCH), heap, &[lasting, passing, weak])?;
        let mut groups = Buf::new(&SCRATCH);
        for slot in paths.reached() {
            let Some(live) = SPANS.meta(slot.id).live() else { continue };
            let index = live.trace as usize;
            if groups.as_slice().len() <= index {
                groups.resize(index + 1, NOBODY)?;
            }
            let group = &mut groups.as_mut_slice()[index];
            group.blocks += 1;
            group.bytes += live.size as u64;
            // The first of a size has the shortest way.
            if group.blocks == 1 || live.size > group.largest_bytes {
                (group.largest, group.largest_bytes) = (*slot, live.size);
            }
        }
        Ok(Self { roots, modules, threads, paths, groups, frames: Buf::new(&SCRATCH) })
    }

    /// Walks the stack of a stopped thread, so that what lies on it can be said to belong to a function.
    pub(crate) fn add_frames(&mut self, tid: i32, at: Registers) -> Result<(), OutOfMemory> {
        let (modules, frames) = (self.modules, &mut self.frames);
        let mut outcome = Ok(());
        unwind::each_frame(at, |pc| modules.tables_of(pc), 2 * DEPTH_MAX, |frame, end| {
            let memory = Root { lo: frame.sp, hi: end };
            outcome = outcome.and_then(|()| frames.push(Frame { tid, memory, pc: frame.behind() }));
        });
        outcome
    }

    /// Calls `visit` with each trace whose blocks are reached.
    pub(crate) fn each<E>(&self, heap: &StoppedHeap, mut visit: impl FnMut(&Held<&[Step], &[u64]>) -> Result<(), E>) -> Result<(), E> {
        for (trace, group) in self.groups.as_slice().iter().enumerate().filter(|(_, group)| group.blocks > 0) {
            let mut way = Way::new();
            let root = self.follow(heap, group.largest, &mut way);
            let (steps, omitted) = way.from_root();
            let mut pcs = [0; PCS_MAX];
            let mut held = self.describe(root, steps);
            if held.kind == HolderKind::Stack
                && let Some(first) = steps.first()
            {
                let block = Root { lo: first.addr as usize, hi: (first.addr + first.size_bytes.max(1)) as usize };
                let count = self.find_frames(heap, held.tid, block, &mut pcs);
                held.pcs = &pcs[..count];
            }
            (held.trace, held.blocks, held.bytes) = (trace as u32, group.blocks, group.bytes);
            held.omitted = omitted as u32;
            held.omitted_at = if omitted > 0 { (steps.len() - NEAR) as u32 } else { 0 };
            visit(&held)?;
        }
        Ok(())
    }

    /// Goes from a block to its root, and answers the address of the word there.
    fn follow(&self, heap: &StoppedHeap, from: Slot, way: &mut Way) -> usize {
        let (mut slot, mut offset) = (from, 0);
        loop {
            let Some(holder) = self.paths.holder_of(slot.id) else { return 0 };
            way.push(step(slot, heap.read(holder.addr).wrapping_sub(slot.base), offset));
            let next = (!holder.is_root).then(|| heap.slot_of(holder.addr)).flatten();
            let Some(next) = next else { return holder.addr };
            (slot, offset) = (next, holder.addr - next.base);
        }
    }

    fn describe<'s>(&self, addr: usize, steps: &'s [Step]) -> Held<&'s [Step], &'s [u64]> {
        let tag = self.tag_at(addr);
        let mut held = Held {
            trace: 0,
            blocks: 0,
            bytes: 0,
            kind: tag.map_or(HolderKind::Other, |tag| kind_of(tag.kind)),
            tid: 0,
            module: u32::MAX,
            addr: addr as u64,
            base: 0,
            omitted: 0,
            omitted_at: 0,
            steps,
            pcs: &[][..],
        };
        let Some(Tag { kind, owner }) = tag else { return held };
        let is_word = self.is_word(addr);
        match kind {
            RootKind::Globals => held.module = owner,
            RootKind::Stacks | RootKind::Registers | RootKind::Tls | RootKind::Dtv | RootKind::Keys => held.tid = owner,
            _ => {}
        }
        match kind {
            RootKind::Tls => self.describe_tls(&mut held, owner, addr),
            // The vector itself is a block: which module's storage it leads to says the place in it.
            RootKind::Dtv if is_word && steps.len() > 1 => {
                held.module = self.dynamic_module(steps[0].offset as usize / 16);
            }
            RootKind::Keys => held.base = self.pointer_of(owner) as u64,
            _ => {}
        }
        if is_word || kind == RootKind::Registers {
            held.addr = 0;
        }
        held
    }

    fn describe_tls(&self, held: &mut Held<&[Step], &[u64]>, owner: u32, addr: usize) {
        let pointer = self.pointer_of(owner);
        for (number, module) in self.modules.all().iter().enumerate() {
            if let Tls::Static { below, size } = module.tls
                && (pointer - below..pointer - below + size).contains(&addr)
            {
                (held.module, held.base) = (number as u32, (pointer - below) as u64);
            }
        }
    }

    fn dynamic_module(&self, wanted: usize) -> u32 {
        let is_it = |tls: Tls| matches!(tls, Tls::Dynamic { module, .. } if module == wanted);
        let found = self.modules.all().iter().position(|module| is_it(module.tls));
        found.map_or(u32::MAX, |number| number as u32)
    }

    fn pointer_of(&self, tid: u32) -> usize {
        let known = self.threads.iter().find(|facts| facts.tid == tid as i32 && facts.pointer != 0);
        known.map_or(0, |facts| facts.pointer)
    }

    /// Finds the frames of a thread that hold a pointer into the block, innermost first.
    fn find_frames(&self, heap: &StoppedHeap, tid: u32, block: Root, pcs: &mut [u64]) -> usize {
        let (mut count, mut words) = (0, 0);
        let own = self.frames.as_slice().iter().filter(|frame| frame.tid == tid as i32);
        for frame in own {
            let is_root = |addr: usize| {
                let mut stacks = self.roots.strong.as_slice().iter();
                stacks.any(|range| range.tag.kind == RootKind::Stacks && range.span.contains(addr))
            };
            let Root { lo, hi } = frame.memory;
            words += (hi - lo) / size_of::<usize>();
            if words > WORDS_MAX || count == pcs.len() {
                break;
            }
            let mut addrs = (lo..hi).step_by(size_of::<usize>());
            if addrs.any(|addr| is_root(addr) && (block.lo..block.hi).contains(&heap.read(addr))) {
                pcs[count] = frame.pc as u64;
                count += 1;
            }
        }
        count
    }

    fn is_word(&self, addr: usize) -> bool {
        self.roots.words.as_slice().iter().any(|word| addr_of(&word.word) == addr)
    }

    fn tag_at(&self, addr: usize) -> Option<Tag> {
        let ranges = self.roots.strong.as_slice().iter().chain(self.roots.weak.as_slice());
        let mut ranges = ranges.filter(|range| range.span.contains(addr)).map(|range| range.tag);
        let mut words = self.roots.words.as_slice().iter().filter(|word| addr_of(&word.word) == addr);
        words.next().map(|word| word.tag).or_else(|| ranges.next())
    }
}

fn step(slot: Slot, to_offset: usize, offset: usize) -> Step {
    let (size, trace) = SPANS.meta(slot.id).live().map_or((0, 0), |live| (live.size, live.trace));
    Step {
        addr: slot.base as u64,
        size_bytes: size as u64,
        to_offset: to_offset as u64,
        offset: offset as u64,
        trace,
    }
}

/// The blocks of one way: the last ones before the root, and the first ones from the block that is explained.
struct Way {
    steps: [Step; WAY_BLOCKS],
    len: usize,
    total: usize,
}

/// How many of them are kept at the end of the block.
const NEAR: usize = WAY_BLOCKS / 2;

impl Way {
    fn new() -> Self {
        let none = Step { addr: 0, size_bytes: 0, to_offset: 0, offset: 0, trace: 0 };
        Self { steps: [none; WAY_BLOCKS], len: 0, total: 0 }
    }

    /// Adds the next block towards the root. Of a long way the middle is forgotten.
    fn push(&mut self, step: Step) {
        if self.len == WAY_BLOCKS {
            self.steps.copy_within(NEAR + 1.., NEAR);
            self.len -= 1;
        }
        self.steps[self.len] = step;
        (self.len, self.total) = (self.len + 1, self.total + 1);
    }

    /// The blocks from the root on, and how many are missing.
    fn from_root(&mut self) -> (&[Step], usize) {
        self.steps[..self.len].reverse();
        (&self.steps[..self.len], self.total - self.len)
    }
}

/// The roots, the ones that say most first.
struct Tiers {
    /// Statics, thread-local storage, and what else stays.
    lasting: Buf<Root>,
    /// Stacks and registers: their words may be leftovers.
    passing: Buf<Root>,
    weak: Buf<Root>,
}

impl Tiers {
    fn of(roots: &Roots, arena: &'static Arena) -> Result<Self, OutOfMemory> {
        let mut tiers = Self { lasting: Buf::new(arena), passing: Buf::new(arena), weak: Buf::new(arena) };
        let whole = |range: &RootRange| Root { lo: range.span.start, hi: range.span.end };
        for range in roots.strong.as_slice() {
            tiers.tier_of(range.tag.kind).push(whole(range))?;
        }
        // A loose word is read where the list keeps it.
        for word in roots.words.as_slice() {
            let lo = addr_of(&word.word);
            tiers.tier_of(word.tag.kind).push(Root { lo, hi: lo + size_of::<usize>() })?;
        }
        for range in roots.weak.as_slice() {
            tiers.weak.push(whole(range))?;
        }
        Ok(tiers)
    }

    fn tier_of(&mut self, kind: RootKind) -> &mut Buf<Root> {
        match kind {
            RootKind::Stacks | RootKind::Registers => &mut self.passing,
            _ => &mut self.lasting,
        }
    }
}

fn addr_of(word: &usize) -> usize {
    core::ptr::from_ref(word).addr()
}

/// The record's word for a kind of root.
fn kind_of(kind: RootKind) -> HolderKind {
    match kind {
        RootKind::Globals => HolderKind::Static,
        RootKind::Stacks => HolderKind::Stack,
        RootKind::Registers => HolderKind::Register,
        RootKind::Tls => HolderKind::Tls,
        RootKind::Dtv => HolderKind::Dtv,
        RootKind::Keys => HolderKind::Key,
        RootKind::Pending => HolderKind::Pending,
        RootKind::Regions => HolderKind::Region,
        RootKind::Maps => HolderKind::Mapping,
        RootKind::Ends | RootKind::Tags => HolderKind::Other,
    }
}
