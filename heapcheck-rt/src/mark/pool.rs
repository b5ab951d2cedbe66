#![forbid(unsafe_code)]
//! What the markers share: the pieces of work still to hand out, and the page that the marking has reached.
//!
//! ```text
//!            strong roots ──> weak roots ──> hints ──┐ <─┐
//!             │       ↑        │      ↑       │    ↑   │   │ found more
//!             └ sweep ┘        └ sweep┘       └sweep   ├───┘
//!            while blocks were left unscanned          └──> census ──> done
//! ```
//!
//! There is no barrier and no fixed number of markers. A marker that finds nothing to do steps aside; the last one at
//! work that finds nothing turns the page. One that comes late joins the page it finds, one that never comes is not
//! waited for. All of this happens under one spin lock, once for each piece of work, so that every step is easy to
//! believe; a marker inside its piece only ever reads [`Pool::is_hungry`].

use core::ops::AddAssign;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize};

use super::{ROOT_PIECE_BYTES, RUNS_PIECE, Root, Roots};
use crate::space::Slot;

/// How many blocks the shelf holds.
const SHELF: usize = 256;
/// How many of them are handed out at a time.
const BATCH: usize = 16;
/// How many huge blocks can be on offer in pieces at one time; more are scanned whole by who found them.
const HUGE: usize = 8;
/// Spins before the processor is offered to somebody else.
const SPINS: u32 = 64;

/// A piece of work for one marker.
pub(super) enum Work {
    /// The loose words among the strong roots.
    Words,
    /// The memory of a root or of a huge block, or a part of it.
    Range(Root),
    /// Blocks that another marker has marked.
    Blocks(Batch),
    /// Scan what is marked but unscanned in the runs `from..to`.
    Sweep { from: usize, to: usize },
    /// Mark what only hints point to in the runs `from..to`.
    Hints { from: usize, to: usize },
    /// Count what lives in the runs `from..to`.
    Count { from: usize, to: usize },
    /// Nothing is left, for anybody.
    Done,
}

/// What lives in a heap, when all is marked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Live blocks.
    pub blocks: usize,
    /// Their bytes.
    pub bytes: usize,
    /// Those that nothing reaches.
    pub lost: usize,
    /// Those that only weak roots and hints reach.
    pub doubtful: usize,
}

impl AddAssign for Census {
    fn add_assign(&mut self, other: Self) {
        self.blocks += other.blocks;
        self.bytes += other.bytes;
        self.lost += other.lost;
        self.doubtful += other.doubtful;
    }
}

/// Some blocks, by their first bytes.
pub(super) struct Batch {
    addrs: [usize; BATCH],
    count: usize,
}

impl Batch {
    pub(super) fn addrs(&self) -> &[usize] {
        &self.addrs[..self.count]
    }
}

/// What a marker saw while it did a piece of work.
#[derive(Default)]
pub(super) struct Sighting {
    /// It marked blocks without scanning them.
    pub(super) left_unscanned: bool,
    /// It ran out of stack.
    pub(super) overflowed: bool,
    /// It remembered a hint.
    pub(super) saw_hint: bool,
    /// So many blocks were unscanned in the runs it swept.
    pub(super) swept: usize,
    /// This is what it counted.
    pub(super) census: Census,
}

const STRONG: u8 = 0;
const WEAK: u8 = 1;
const HINTS: u8 = 2;
const COUNT: u8 = 3;
const DONE: u8 = 4;

/// Keeps what every marker reads all the time off the cache line that the lock holder writes.
#[repr(align(128))]
struct Quiet<T>(T);

/// Everything but `waiting` and `news` belongs to the holder of `lock`.
pub(super) struct Pool<'a> {
    lock: AtomicBool,
    roots: Roots<'a>,
    runs: usize,
    slots: usize,
    page: AtomicU8,
    sweeping: AtomicBool,
    at_work: AtomicUsize,
    words_given: AtomicBool,
    /// The root in hand and the first address of it that nobody has taken.
    root: AtomicUsize,
    root_at: AtomicUsize,
    /// The first run that nobody has taken.
    run: AtomicUsize,
    shelf: [AtomicUsize; SHELF],
    shelved: AtomicUsize,
    huge: [(AtomicUsize, AtomicUsize); HUGE],
    dense: AtomicBool,
    left_unscanned: AtomicBool,
    saw_hint: AtomicBool,
    swept: AtomicUsize,
    counts: bool,
    /// Blocks, bytes, lost and doubtful blocks.
    census: [AtomicUsize; 4],
    /// How many markers have stepped aside.
    waiting: Quiet<AtomicUsize>,
    /// Grows whenever one that has stepped aside should look again.
    news: Quiet<AtomicUsize>,
    yield_now: fn(),
}

impl<'a> Pool<'a> {
    pub(super) fn new(roots: Roots<'a>, runs: usize, slots: usize, yield_now: fn()) -> Self {
        Self {
            lock: AtomicBool::new(false),
            roots,
            runs,
            slots,
            page: AtomicU8::new(STRONG),
            sweeping: AtomicBool::new(false),
            at_work: AtomicUsize::new(0),
            words_given: AtomicBool::new(false),
            root: AtomicUsize::new(0),
            root_at: AtomicUsize::new(0),
            run: AtomicUsize::new(0),
            shelf: [const { AtomicUsize::new(0) }; SHELF],
            shelved: AtomicUsize::new(0),
            huge: [const { (AtomicUsize::new(0), AtomicUsize::new(0)) }; HUGE],
            dense: AtomicBool::new(false),
            left_unscanned: AtomicBool::new(false),
            saw_hint: AtomicBool::new(false),
            swept: AtomicUsize::new(0),
            counts: false,
            census: [const { AtomicUsize::new(0) }; 4],
            waiting: Quiet(AtomicUsize::new(0)),
            news: Quiet(AtomicUsize::new(0)),
            yield_now,
        }
    }

    /// Adds a census as the last page. Nobody has joined yet.
    pub(super) fn count_at_the_end(&mut self) {
        self.counts = true;
    }

    /// What was counted so far.
    pub(super) fn census(&self) -> Census {
        let _held = self.hold();
        let [blocks, bytes, lost, doubtful] = self.census.each_ref().map(|sum| sum.load(Relaxed));
        Census { blocks, bytes, lost, doubtful }
    }

    /// Counts the calling marker as one at work, until [`Pool::take`] tells it that all is done.
    pub(super) fn join(&self) {
        let _held = self.hold();
        add(&self.at_work, 1);
    }

    /// Whether a marker has stepped aside and there is nothing on the shelf for it.
    #[inline]
    pub(super) fn is_hungry(&self) -> bool {
        self.waiting.0.load(Relaxed) != 0 && self.shelved.load(Relaxed) == 0
    }

    /// Whether what is marked now is doubtful. Stays the same while a marker is at work.
    pub(super) fn is_weak(&self) -> bool {
        self.page.load(Relaxed) != STRONG
    }

    /// Whether marked blocks are left for the sweep. Turns false only while nobody is at work.
    pub(super) fn is_dense(&self) -> bool {
        self.dense.load(Relaxed)
    }

    /// Offers blocks to those who wait; returns how many from the end of `blocks` were taken over.
    pub(super) fn offer(&self, blocks: &[Slot]) -> usize {
        let _held = self.hold();
        let shelved = self.shelved.load(Relaxed);
        let count = blocks.len().min(SHELF - shelved);
        for (place, slot) in self.shelf[shelved..].iter().zip(blocks.iter().rev().take(count)) {
            place.store(slot.base, Relaxed);
        }
        self.shelved.store(shelved + count, Relaxed);
        add(&self.news.0, 1);
        count
    }

    /// Offers a huge block in pieces; false when there is no room for it.
    pub(super) fn offer_range(&self, range: Root) -> bool {
        let _held = self.hold();
        let free = self.huge.iter().find(|(lo, hi)| lo.load(Relaxed) >= hi.load(Relaxed));
        let Some((lo, hi)) = free else { return false };
        lo.store(range.lo, Relaxed);
        hi.store(range.hi, Relaxed);
        add(&self.news.0, 1);
        true
    }

    /// Takes the next piece of work, waiting for one if need be. `sighting` tells of the piece done before.
    pub(super) fn take(&self, sighting: Sighting) -> Work {
        let mut held = self.hold();
        self.note(sighting);
        loop {
            if let Some(work) = self.next() {
                return work;
            }
            if self.page.load(Relaxed) == DONE {
                self.at_work.store(self.at_work.load(Relaxed) - 1, Relaxed);
                return Work::Done;
            }
            if self.at_work.load(Relaxed) == 1 {
                self.turn_page();
                add(&self.news.0, 1);
                continue;
            }
            held = self.step_aside(held);
        }
    }

    fn note(&self, sighting: Sighting) {
        if sighting.left_unscanned {
            self.left_unscanned.store(true, Relaxed);
        }
        if sighting.overflowed {
            self.dense.store(true, Relaxed);
        }
        if sighting.saw_hint {
            self.saw_hint.store(true, Relaxed);
        }
        add(&self.swept, sighting.swept);
        let Census { blocks, bytes, lost, doubtful } = sighting.census;
        for (sum, more) in self.census.iter().zip([blocks, bytes, lost, doubtful]) {
            add(sum, more);
        }
    }

    fn next(&self) -> Option<Work> {
        self.next_of_huge()
            .or_else(|| self.next_of_shelf())
            .or_else(|| if self.sweeping.load(Relaxed) { self.next_of_sweep() } else { self.next_of_page() })
    }

    fn next_of_huge(&self) -> Option<Work> {
        let (lo, hi) = self.huge.iter().find(|(lo, hi)| lo.load(Relaxed) < hi.load(Relaxed))?;
        let piece = cut(lo.load(Relaxed), hi.load(Relaxed));
        lo.store(piece.hi, Relaxed);
        Some(Work::Range(piece))
    }

    fn next_of_shelf(&self) -> Option<Work> {
        let shelved = self.shelved.load(Relaxed);
        let count = shelved.min(BATCH);
        self.shelved.store(shelved - count, Relaxed);
        let mut batch = Batch { addrs: [0; BATCH], count };
        for (addr, place) in batch.addrs.iter_mut().zip(&self.shelf[shelved - count..shelved]) {
            *addr = place.load(Relaxed);
        }
        (count > 0).then_some(Work::Blocks(batch))
    }

    fn next_of_sweep(&self) -> Option<Work> {
        self.next_runs().map(|(from, to)| Work::Sweep { from, to })
    }

    fn next_of_page(&self) -> Option<Work> {
        match self.page.load(Relaxed) {
            STRONG if !self.words_given.swap(true, Relaxed) => Some(Work::Words),
            STRONG => self.next_of_roots(self.roots.strong),
            WEAK => self.next_of_roots(self.roots.weak),
            HINTS => self.next_runs().map(|(from, to)| Work::Hints { from, to }),
            COUNT => self.next_runs().map(|(from, to)| Work::Count { from, to }),
            _ => None,
        }
    }

    fn next_of_roots(&self, roots: &[Root]) -> Option<Work> {
        loop {
            let root = roots.get(self.root.load(Relaxed))?;
            let lo = self.root_at.load(Relaxed).max(root.lo);
            if lo < root.hi {
                let piece = cut(lo, root.hi);
                self.root_at.store(piece.hi, Relaxed);
                return Some(Work::Range(piece));
            }
            self.root_at.store(0, Relaxed);
            add(&self.root, 1);
        }
    }

    fn next_runs(&self) -> Option<(usize, usize)> {
        let from = self.run.load(Relaxed);
        let to = (from + RUNS_PIECE).min(self.runs);
        self.run.store(to, Relaxed);
        (from < to).then_some((from, to))
    }

    /// Decides what comes next. Nobody is at work but the caller, and it has nothing to do.
    fn turn_page(&self) {
        let was_sweeping = self.sweeping.load(Relaxed);
        let swept = self.swept.swap(0, Relaxed);
        if self.left_unscanned.swap(false, Relaxed) {
            // A sweep that hardly meets a block is dearer than following pointers.
            if was_sweeping && swept < self.slots / 64 {
                self.dense.store(false, Relaxed);
            }
            self.sweeping.store(true, Relaxed);
            self.run.store(0, Relaxed);
            return;
        }
        self.dense.store(false, Relaxed);
        self.sweeping.store(false, Relaxed);
        self.root.store(0, Relaxed);
        self.root_at.store(0, Relaxed);
        let page = match self.page.load(Relaxed) {
            STRONG => WEAK,
            WEAK | HINTS if self.saw_hint.swap(false, Relaxed) => HINTS,
            WEAK | HINTS if self.counts => COUNT,
            _ => DONE,
        };
        self.run.store(0, Relaxed);
        self.page.store(page, Relaxed);
    }

    /// Lets go of the lock until there are news.
    fn step_aside<'p>(&'p self, held: Held<'p>) -> Held<'p> {
        let news = self.news.0.load(Relaxed);
        self.at_work.store(self.at_work.load(Relaxed) - 1, Relaxed);
        self.waiting.0.fetch_add(1, Relaxed);
        drop(held);
        self.spin_while(|| self.news.0.load(Relaxed) == news);
        let held = self.hold();
        self.waiting.0.fetch_sub(1, Relaxed);
        add(&self.at_work, 1);
        held
    }

    fn hold(&self) -> Held<'_> {
        self.spin_while(|| self.lock.swap(true, Acquire));
        Held(&self.lock)
    }

    fn spin_while(&self, condition: impl Fn() -> bool) {
        let mut spins = 0;
        while condition() {
            core::hint::spin_loop();
            spins += 1;
            if spins % SPINS == 0 {
                (self.yield_now)();
            }
        }
    }
}

/// The first piece of `lo..hi`.
fn cut(lo: usize, hi: usize) -> Root {
    Root { lo, hi: lo.saturating_add(ROOT_PIECE_BYTES).min(hi) }
}

/// Adds without an atomic operation: the caller holds the lock.
fn add(count: &AtomicUsize, more: usize) {
    count.store(count.load(Relaxed).wrapping_add(more), Relaxed);
}

/// The lock is held as long as this lives.
struct Held<'a>(&'a AtomicBool);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.store(false, Release);
    }
}
