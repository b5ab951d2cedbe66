//! A program whose every Rust allocation goes to jemalloc; it loses one block of 1337 bytes.
#[global_allocator]
static GLOBAL: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

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
