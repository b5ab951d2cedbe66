//! A program whose global allocator counts and forwards to `System`; it loses one block of 1337 bytes.
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

struct Counting;

static LIVE_BYTES: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is forwarded to `System` with the arguments it came with.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE_BYTES.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `GlobalAlloc::alloc`, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        LIVE_BYTES.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: `block` came from `alloc` above, hence from `System`, with this layout.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static GLOBAL: Counting = Counting;

/// Tells how many bytes the program keeps and loses; the test that runs this looks for the odd one.
const LOST_BYTES: usize = 1337;

#[inline(never)]
fn lose() {
    std::mem::forget(std::hint::black_box(vec![1_u8; LOST_BYTES]));
}

#[inline(never)]
fn keep() -> usize {
    let mut words: Vec<String> = Vec::new();
    for number in 0..200 {
        words.push(format!("word {number}"));
    }
    let zeroed = std::hint::black_box(vec![0_u64; 100]);
    let boxed = Box::new(Aligned([7; 64]));
    words.len() + zeroed.len() + usize::from(std::hint::black_box(boxed).0[0])
}

#[repr(align(64))]
struct Aligned([u8; 64]);

fn main() {
    println!("{}", keep());
    lose();
}
