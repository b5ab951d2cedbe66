//! A program whose global allocator puts a header before each block of `System`; it loses one block of 1337 bytes.
use std::alloc::{GlobalAlloc, Layout, System};

struct Labelled;

/// What is asked of `System`, and where in it the block begins: behind its size.
fn with_header(layout: Layout) -> (Layout, usize) {
    Layout::new::<usize>().extend(layout).expect("no overflow")
}

// SAFETY: a block lies behind its header in a block of `System`, which is as much longer.
unsafe impl GlobalAlloc for Labelled {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let (whole, offset) = with_header(layout);
        // SAFETY: the whole is not empty.
        let start = unsafe { System.alloc(whole) };
        if start.is_null() {
            return start;
        }
        // SAFETY: the header and the block lie in what was allocated.
        unsafe {
            start.cast::<usize>().write(layout.size());
            start.add(offset)
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let (whole, offset) = with_header(layout);
        // SAFETY: `alloc` answered what lies `offset` behind the start of the whole.
        unsafe { System.dealloc(block.sub(offset), whole) }
    }
}

#[global_allocator]
static GLOBAL: Labelled = Labelled;

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
