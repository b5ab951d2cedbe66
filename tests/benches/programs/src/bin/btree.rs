//! Builds, clones and drops a `BTreeMap<String, Vec<String>>`.
//!
//! The keys come from a recursive walk of a made-up tree of folders, so that stacks are as deep as such a walk.

use heapcheck_bench_programs::{Random, begin, end, scaled};
use std::collections::BTreeMap;
use std::hint::black_box;

const ROUNDS: usize = 14;
/// Folders have two children each; the walk is this deep.
const LEVELS: usize = 13;

type Words = BTreeMap<String, Vec<String>>;

fn main() {
    begin();
    for round in 0..scaled(ROUNDS) {
        let mut words = Words::new();
        walk(&mut words, &mut Random(round as u64), LEVELS);
        let copy = words.clone();
        assert_eq!(black_box(&copy).len(), black_box(&words).len());
    }
    end();
}

#[inline(never)]
fn walk(words: &mut Words, random: &mut Random, levels: usize) {
    // An opaque bound keeps this one loop with one call: the two children are entered from the same place, as in a real
    // walk, and the number of different stacks stays that of a real program.
    for _ in 0..black_box(2) {
        insert_files(words, random);
        if levels > 0 {
            walk(words, random, levels - 1);
        }
    }
    black_box(words);
}

#[inline(never)]
fn insert_files(words: &mut Words, random: &mut Random) {
    let name = format!("folder {:016x}", random.next_bits());
    let lines = words.entry(name).or_default();
    for _ in 0..4 {
        lines.push(format!("line {}", random.below(1 << 40)));
    }
}
