//! A program whose global allocator is an arena written in Rust, which frees nothing; it loses one block of 1337 bytes.
use std::alloc::{GlobalAlloc, Layout};
use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicUsize, Ordering};

const ARENA_BYTES: usize = 1 << 20;

#[repr(align(4096))]
struct Arena(UnsafeCell<[u8; ARENA_BYTES]>, AtomicUsize);

// SAFETY: each byte of the arena is given out once, by one atomic step of the counter.
unsafe impl Sync for Arena {}

// SAFETY: a block lies inside the arena, is aligned as asked, and overlaps no other.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let mut begin = 0;
        let taken = self.1.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
            begin = used.checked_next_multiple_of(layout.align())?;
            begin.checked_add(layout.size()).filter(|end| *end <= ARENA_BYTES)
        });
        match taken {
            // SAFETY: `begin` is below `ARENA_BYTES`.
            Ok(_) => unsafe { self.0.get().cast::<u8>().add(begin) },
            Err(_) => std::ptr::null_mut(),
        }
    }

    unsafe fn dealloc(&self, _block: *mut u8, _layout: Layout) {}
}

#[global_allocator]
static GLOBAL: Arena = Arena(UnsafeCell::new([0; ARENA_BYTES]), AtomicUsize::new(0));

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
