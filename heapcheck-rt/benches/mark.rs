#![expect(
    unsafe_code,
    reason = "the bench maps the memory of its heap and reads it raw, as the runtime does"
)]
//! How long marking with its census and classification take on a heap laid out as the runtime's: 64 KiB spans of one size class, 16 bytes of metadata a
//! block, blocks of 48 to 200 bytes whose first three words point to other blocks at random.
//!
//! `cargo bench --bench mark -- [millions of blocks].. [small|huge]` prints the least of several runs in ms, for one and
//! for two markers and for two kinds of roots: an array of all blocks, and a thousand blocks that lead to the rest.
//! The last column classifies all blocks as if all had leaked. `small` leaves out the huge pages, `stack=<n>` gives each
//! marker room for so many blocks.

use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::time::Instant;

use heapcheck_rt::classify::classify;
use heapcheck_rt::mark::{Marking, Marks, Root, Roots};
use heapcheck_rt::space::{BlockId, Grow, Memory, OutOfMemory, Run, Slot, Space};

const SPAN: usize = 64 << 10;
const CLASSES: [usize; 8] = [64, 80, 96, 112, 128, 160, 192, 224];
const STACK: usize = 16 << 10;
const ROUNDS: usize = 5;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let mut millions: Vec<f64> = args.iter().filter_map(|arg| arg.parse().ok()).collect();
    if millions.is_empty() {
        millions = vec![1.0, 5.0];
    }
    let huge_pages = !args.iter().any(|arg| arg == "small");
    let stack = args.iter().find_map(|arg| arg.strip_prefix("stack=")?.parse().ok()).unwrap_or(STACK);
    println!(
        "{:>10} {:>6} {:>8} {:>14} {:>11} {:>13}",
        "blocks", "MB", "markers", "all are roots", "1000 roots", "all leaked"
    );
    for millions in millions {
        let blocks = (millions * 1e6) as usize;
        let heap = Heap::build(blocks, huge_pages);
        let megabytes = (heap.spans.len() * SPAN) >> 20;
        let classified = if blocks <= 5_000_000 { format!("{:.1}", heap.classify()) } else { String::new() };
        for markers in [1, 2] {
            let [all, few] = [blocks, 1000].map(|roots| {
                (0..ROUNDS).map(|_| heap.mark(&heap.addrs[..roots], markers, stack)).fold(f64::MAX, f64::min)
            });
            println!("{blocks:>10} {megabytes:>6} {markers:>8} {all:>14.1} {few:>11.1} {classified:>13}");
        }
    }
}

/// What the span table knows of a span: 32 bytes.
#[derive(Clone, Copy)]
struct Span {
    first: Slot,
    magic: u64,
    stride: u32,
    slots: u32,
}

/// What the side array knows of a block: 16 bytes.
#[derive(Clone, Copy, Default)]
struct Meta {
    _trace_and_scope: u64,
    size_and_state: u64,
}

const LIVE: u64 = 0x80 << 56;

struct Heap {
    lo: usize,
    hi: usize,
    spans: Vec<Span>,
    metas: &'static [Meta],
    bytes: &'static [AtomicU8],
    addrs: Vec<usize>,
}

impl Heap {
    fn build(blocks: usize, huge_pages: bool) -> Heap {
        let mut random = Random(0x1234_5678_9abc_def1);
        let mut open: [Option<(usize, usize)>; CLASSES.len()] = [None; CLASSES.len()];
        let mut spans: Vec<Span> = Vec::new();
        let mut sizes = Vec::with_capacity(blocks * 11 / 10);
        let mut slots = Vec::with_capacity(blocks);
        for _ in 0..blocks {
            let size = 48 + random.below(153);
            let class =
                CLASSES.iter().position(|&stride| size < stride).expect("the last class is the largest");
            let (span, used) =
                open[class].filter(|&(span, used)| used < spans[span].slots as usize).unwrap_or_else(|| {
                    let stride = CLASSES[class];
                    let (id, slots) = (sizes.len() as BlockId, (SPAN / stride) as u32);
                    let magic = (1u64 << 32).div_ceil(stride as u64);
                    spans.push(Span { first: Slot { id, base: 0 }, magic, stride: stride as u32, slots });
                    sizes.resize(sizes.len() + slots as usize, 0);
                    (spans.len() - 1, 0)
                });
            open[class] = Some((span, used + 1));
            sizes[spans[span].first.id as usize + used] = size as u64 | LIVE;
            slots.push((span, used));
        }
        let lo = map(spans.len() * SPAN, huge_pages);
        spans.iter_mut().enumerate().for_each(|(index, span)| span.first.base = lo + index * SPAN);
        let metas = map(sizes.len() * size_of::<Meta>(), huge_pages) as *mut Meta;
        // SAFETY: the mapping is fresh, zeroed, large enough for so many `Meta`, and lives as long as the process.
        let metas = unsafe { std::slice::from_raw_parts_mut(metas, sizes.len()) };
        for (meta, size) in metas.iter_mut().zip(sizes) {
            meta.size_and_state = size;
        }
        let bytes = map(metas.len(), huge_pages) as *const AtomicU8;
        // SAFETY: as above, for bytes.
        let bytes = unsafe { std::slice::from_raw_parts(bytes, metas.len()) };
        let mut addrs: Vec<usize> = slots
            .iter()
            .map(|&(span, used)| spans[span].first.base + used * spans[span].stride as usize)
            .collect();
        for at in 0..addrs.len() {
            for word in 0..6 {
                let value = if word < 3 { addrs[random.below(blocks)] } else { random.below(1000) };
                // SAFETY: every block has at least six words, and `addrs` holds the first bytes of mapped blocks.
                unsafe { (addrs[at] as *mut usize).add(word).write(value) };
            }
        }
        for at in (1..addrs.len()).rev() {
            addrs.swap(at, random.below(at + 1));
        }
        Heap { lo, hi: lo + spans.len() * SPAN, spans, metas, bytes, addrs }
    }

    /// Marks from `roots` with so many markers; returns the milliseconds.
    fn mark(&self, roots: &[usize], markers: usize, stack: usize) -> f64 {
        self.bytes.iter().for_each(|byte| byte.store(0, Relaxed));
        let marks = Marks::new(self.bytes);
        let range = roots.as_ptr_range();
        let strong = [Root { lo: range.start as usize, hi: range.end as usize }];
        let roots = Roots { words: &[], strong: &strong, weak: &[], ends: true, tags: true };
        let marking = Marking::new(self, roots, marks, std::thread::yield_now).counting();
        let mut stacks = vec![vec![Slot { id: 0, base: 0 }; stack]; markers];
        let begin = Instant::now();
        std::thread::scope(|scope| {
            let (own, others) = stacks.split_first_mut().expect("there is at least one marker");
            others.iter_mut().for_each(|stack| _ = scope.spawn(|| marking.run(stack)));
            marking.run(own);
        });
        let ms = begin.elapsed().as_secs_f64() * 1e3;
        let marked = (0..self.slots()).filter(|&id| marks.is_marked(id as BlockId)).count();
        assert!(marked * 10 > self.addrs.len() * 9, "only {marked} blocks were marked");
        ms
    }

    /// Classifies all blocks; returns the milliseconds.
    fn classify(&self) -> f64 {
        let begin = Instant::now();
        let mut slots = vec![];
        self.each_live(&mut |slot, _| slots.push(slot));
        let leaks = classify(&Vectors, self, slots.into_iter()).expect("the bench has memory");
        let ms = begin.elapsed().as_secs_f64() * 1e3;
        assert_eq!(leaks.blocks().len(), self.addrs.len());
        ms
    }

    #[inline]
    fn span_of(&self, addr: usize) -> Option<&Span> {
        self.spans.get((addr - self.lo) / SPAN)
    }
}

impl Space for Heap {
    #[inline]
    fn bounds(&self) -> (usize, usize) {
        (self.lo, self.hi)
    }

    fn slots(&self) -> usize {
        self.metas.len()
    }

    #[inline]
    fn slot_of(&self, addr: usize) -> Option<Slot> {
        let span = self.span_of(addr)?;
        let index = (((addr - span.first.base) as u64 * span.magic) >> 32) as u32;
        let base = span.first.base + index as usize * span.stride as usize;
        (index < span.slots).then_some(Slot { id: span.first.id + index, base })
    }

    #[inline]
    fn live_size(&self, slot: Slot) -> Option<usize> {
        let word = self.metas[slot.id as usize].size_and_state;
        (word & LIVE != 0).then_some((word & ((1 << 40) - 1)) as usize)
    }

    #[inline]
    fn read(&self, addr: usize) -> usize {
        // SAFETY: the core reads words of live blocks and of the root array only; both are mapped for good.
        unsafe { (addr as *const usize).read() }
    }

    #[inline]
    fn prefetch_size(&self, slot: Slot) {
        self.prefetch((&raw const self.metas[slot.id as usize]) as usize);
    }

    #[inline]
    fn prefetch(&self, addr: usize) {
        // SAFETY: a prefetch has no effect but on the caches; it may name any address.
        #[cfg(target_arch = "x86_64")]
        unsafe {
            std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(addr as *const i8)
        };
    }

    fn runs(&self) -> usize {
        self.spans.len()
    }

    #[inline]
    fn run(&self, index: usize) -> Option<Run> {
        let span = self.spans[index];
        Some(Run { first: span.first, stride: span.stride as usize, slots: span.slots as usize })
    }
}

unsafe extern "C" {
    fn mmap(addr: usize, len: usize, prot: i32, flags: i32, fd: i32, offset: i64) -> *mut u8;
    fn madvise(addr: *mut u8, len: usize, advice: i32) -> i32;
}

/// Maps zeroed memory for good.
fn map(len: usize, huge_pages: bool) -> usize {
    const READ_WRITE: i32 = 3;
    const PRIVATE_ANONYMOUS_NORESERVE: i32 = 0x4022;
    const HUGEPAGE: i32 = 14;
    const ALIGN: usize = 2 << 20;
    // SAFETY: an anonymous mapping at an address of the kernel's choice takes nothing from anybody; the advice covers
    // a part of it.
    unsafe {
        let at = mmap(0, len + ALIGN, READ_WRITE, PRIVATE_ANONYMOUS_NORESERVE, -1, 0) as usize;
        assert_ne!(at, usize::MAX, "no memory for the bench");
        let at = at.next_multiple_of(ALIGN);
        if huge_pages {
            madvise(at as *mut u8, len, HUGEPAGE);
        }
        at
    }
}

struct Vectors;

impl Memory for Vectors {
    type Buf<T: Copy> = Vector<T>;

    fn buf<T: Copy>(&self) -> Vector<T> {
        Vector(Vec::new())
    }
}

struct Vector<T>(Vec<T>);

impl<T: Copy> Grow<T> for Vector<T> {
    fn push(&mut self, item: T) -> Result<(), OutOfMemory> {
        self.0.push(item);
        Ok(())
    }

    fn pop(&mut self) -> Option<T> {
        self.0.pop()
    }

    fn resize(&mut self, len: usize, item: T) -> Result<(), OutOfMemory> {
        self.0.resize(len, item);
        Ok(())
    }

    fn as_slice(&self) -> &[T] {
        &self.0
    }

    fn as_mut_slice(&mut self) -> &mut [T] {
        &mut self.0
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 16) % end as u64) as usize
    }
}
