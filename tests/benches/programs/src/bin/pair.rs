//! `pair MODE DEPTH`: nanoseconds of a malloc and its free below DEPTH frames of recursion, the best of many batches.
//!
//! `one`: pairs of 64 bytes on one thread, called from one place. `descend`: the whole recursion is entered anew for
//! each pair. `two`: two threads at once, each its own pairs. `apart`: two processes instead, which share no allocator: what
//! the machine does to anything that runs twice. `handoff`: one thread allocates, another frees. `ring`: the hand-over
//! alone, of no blocks. `churn-N`: N live blocks of mixed sizes, a random one replaced each time. A batch of two lasts from
//! the moment both are ready until both are done, so the best batch is one in which both really ran.

use heapcheck_bench_programs::{
    Random, at_depth, beside, end, free, malloc, monotonic_ns, number, shared, tell,
};
use std::hint::{black_box, spin_loop};
use std::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering::*};
use std::thread;

const SIZE: usize = 64;
const PAIRS: usize = 4_000;
const BATCHES: usize = 300;

fn main() {
    let mode = std::env::args().nth(1).unwrap_or_else(|| "one".into());
    let depth = number(2, 5);
    let ns = match mode.as_str() {
        "one" => one(depth),
        "descend" => descend(depth),
        "two" => together(depth, [pairs, pairs]),
        "apart" => apart(depth),
        "handoff" => together(depth, [produce, consume]),
        "ring" => together(depth, [produce_nothing, consume_nothing]),
        _ => churn(
            depth,
            mode.strip_prefix("churn-").and_then(|live| live.parse().ok()).expect("a known mode"),
        ),
    };
    tell("ns", ns);
    end();
}

fn best(mut batch: impl FnMut()) -> f64 {
    let mut best_ns = u64::MAX;
    for _ in 0..BATCHES {
        let start_ns = monotonic_ns();
        batch();
        best_ns = best_ns.min(monotonic_ns() - start_ns);
    }
    best_ns as f64 / PAIRS as f64
}

#[inline(never)]
fn pairs() {
    for _ in 0..PAIRS {
        free(malloc(SIZE));
    }
}

fn one(depth: usize) -> f64 {
    let mut ns = 0.0;
    at_depth(depth, &mut || ns = best(pairs));
    ns
}

fn descend(depth: usize) -> f64 {
    best(|| {
        for _ in 0..PAIRS {
            at_depth(depth, &mut || free(malloc(SIZE)));
        }
    })
}

fn churn(depth: usize, live: usize) -> f64 {
    let mut random = Random(3);
    let mut blocks: Vec<*mut u8> = (0..live).map(|_| malloc(mixed_size(&mut random))).collect();
    let mut ns = 0.0;
    at_depth(depth, &mut || {
        ns = best(|| {
            for _ in 0..PAIRS {
                let block = &mut blocks[random.below(live)];
                free(*block);
                *block = malloc(mixed_size(&mut random));
            }
        });
    });
    blocks.into_iter().for_each(free);
    ns
}

/// Mostly small, as in real programs; one in sixteen goes up to 2 KiB.
fn mixed_size(random: &mut Random) -> usize {
    let bits = random.next_bits() as usize;
    if bits & 15 == 0 { 16 + (bits >> 8) % 2032 } else { 8 + (bits >> 8) % 248 }
}

/// Where two sides begin together: how often one has come, and when each was done. All zeros is a fresh one.
struct Meeting<'a>(&'a [AtomicU64; 3]);

impl Meeting<'_> {
    /// Waits until `arrivals` calls were made by both sides together; the time of leaving.
    fn meet(&self, arrivals: u64) -> u64 {
        self.0[0].fetch_add(1, AcqRel);
        wait_until(|| self.0[0].load(Acquire) >= arrivals);
        monotonic_ns()
    }

    /// One side, in batches that start together; a batch takes as long as its slower side.
    fn attend(&self, which: usize, depth: usize, work: fn()) -> f64 {
        let mut best_ns = u64::MAX;
        at_depth(depth, &mut || {
            for batch in 0..BATCHES as u64 {
                let start_ns = self.meet(4 * batch + 2);
                work();
                self.0[1 + which].store(monotonic_ns(), Relaxed);
                self.meet(4 * batch + 4);
                let done_ns = self.0[1].load(Relaxed).max(self.0[2].load(Relaxed));
                best_ns = best_ns.min(done_ns - start_ns);
            }
        });
        best_ns as f64 / PAIRS as f64
    }
}

fn together(depth: usize, sides: [fn(); 2]) -> f64 {
    let words = [const { AtomicU64::new(0) }; 3];
    let meeting = Meeting(&words);
    thread::scope(|scope| {
        let other = scope.spawn(|| meeting.attend(1, depth, sides[1]));
        meeting.attend(0, depth, sides[0]).min(other.join().expect("the other side ran"))
    })
}

fn apart(depth: usize) -> f64 {
    let meeting = Meeting(shared());
    beside(|| _ = meeting.attend(1, depth, pairs), || meeting.attend(0, depth, pairs))
}

fn wait_until(mut ready: impl FnMut() -> bool) {
    let mut spins = 0u32;
    while !ready() {
        spins += 1;
        // The other side may need this very processor.
        if spins.is_multiple_of(4096) { thread::yield_now() } else { spin_loop() }
    }
}

const RING: usize = 1024;
static SLOTS: [AtomicPtr<u8>; RING] = [const { AtomicPtr::new(std::ptr::null_mut()) }; RING];
/// Both sides touch their shared count once a group, so that the ring costs little beside the pairs.
const GROUP: usize = 50;

/// A count alone on its cache lines (two, as processors prefetch them in pairs).
#[repr(align(128))]
struct Lonely(AtomicUsize);
static MADE: Lonely = Lonely(AtomicUsize::new(0));
static FREED: Lonely = Lonely(AtomicUsize::new(0));

fn produce() {
    hand_over(|| malloc(SIZE));
}

fn consume() {
    take_over(free);
}

fn produce_nothing() {
    hand_over(|| black_box(SLOTS.as_ptr().cast_mut().cast()));
}

fn consume_nothing() {
    take_over(|block| {
        black_box(block);
    });
}

#[inline(always)]
fn hand_over(mut make: impl FnMut() -> *mut u8) {
    let mut made = MADE.0.load(Relaxed);
    for _ in 0..PAIRS / GROUP {
        wait_until(|| made + GROUP - FREED.0.load(Acquire) <= RING);
        for _ in 0..GROUP {
            SLOTS[made % RING].store(make(), Relaxed);
            made += 1;
        }
        MADE.0.store(made, Release);
    }
}

#[inline(always)]
fn take_over(mut take: impl FnMut(*mut u8)) {
    let mut freed = FREED.0.load(Relaxed);
    for _ in 0..PAIRS / GROUP {
        wait_until(|| MADE.0.load(Acquire) >= freed + GROUP);
        for _ in 0..GROUP {
            take(SLOTS[freed % RING].load(Relaxed));
            freed += 1;
        }
        FREED.0.store(freed, Release);
    }
}
