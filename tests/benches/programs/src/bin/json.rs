//! Parses a generated JSON document into `serde_json::Value` and drops it, again and again.
//!
//! `Value` recurses once a level, so the stacks are those of a recursive descent parser.

use heapcheck_bench_programs::{Random, begin, end, scaled};
use serde_json::Value;
use std::fmt::Write;
use std::hint::black_box;

const PARSES: usize = 180;
const LEVELS: usize = 6;

fn main() {
    begin();
    let mut text = String::new();
    write_value(&mut text, &mut Random(1), LEVELS);
    for _ in 0..scaled(PARSES) {
        let value: Value = serde_json::from_str(black_box(&text)).expect("the document is JSON");
        black_box(value);
    }
    drop(text);
    end();
}

fn write_value(text: &mut String, random: &mut Random, levels: usize) {
    let written = match (levels, random.below(4)) {
        (0, 0) => write!(text, "{}", random.below(1_000_000)),
        (0, 1) => write!(text, "{}", random.below(2) == 0),
        (0, _) => write!(text, "\"text {:x} of a leaf\"", random.next_bits()),
        (_, 0) => return write_list(text, random, levels - 1),
        (_, _) => return write_object(text, random, levels - 1),
    };
    written.expect("a String takes all text");
}

fn write_list(text: &mut String, random: &mut Random, levels: usize) {
    text.push('[');
    for index in 0..5 {
        if index > 0 {
            text.push(',');
        }
        write_value(text, random, levels);
    }
    text.push(']');
}

fn write_object(text: &mut String, random: &mut Random, levels: usize) {
    text.push('{');
    for index in 0..5 {
        if index > 0 {
            text.push(',');
        }
        write!(text, "\"name {index} {}\":", random.below(100)).expect("a String takes all text");
        write_value(text, random, levels);
    }
    text.push('}');
}
