//! `graph N`: leaves main with N live blocks of 48 to 200 bytes that point at each other at random.
//!
//! Every block is reachable from one static. The first three words of a block point to others: a shuffled ternary tree
//! reaches every block, and the two thirds that are its leaves point anywhere. The remaining words are small numbers.

use heapcheck_bench_programs::{Random, end, malloc, number, write_word};
use std::sync::atomic::{AtomicPtr, Ordering::Relaxed};

static ROOT: AtomicPtr<u8> = AtomicPtr::new(std::ptr::null_mut());

const POINTERS: usize = 3;
const WORDS_MIN: usize = 6;
const WORDS_MAX: usize = 25;

fn main() {
    let count = number(1, 1_000_000);
    build(count);
    end();
    std::hint::black_box(ROOT.load(Relaxed));
}

#[inline(never)]
fn build(count: usize) {
    let mut random = Random(7);
    let mut blocks: Vec<*mut u8> = Vec::with_capacity(count);
    for _ in 0..count {
        let words = WORDS_MIN + random.below(WORDS_MAX - WORDS_MIN + 1);
        let block = malloc(words * 8);
        for word in POINTERS..words {
            write_word(block, word, (word * words) as u64);
        }
        blocks.push(block);
    }
    for last in (1..count).rev() {
        blocks.swap(last, random.below(last + 1));
    }
    for index in 0..count {
        for word in 0..POINTERS {
            let child = index * POINTERS + word + 1;
            let target = if child < count { child } else { random.below(count) };
            write_word(blocks[index], word, blocks[target] as u64);
        }
    }
    ROOT.store(blocks[0], Relaxed);
}
