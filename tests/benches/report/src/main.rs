//! A program with many different leaks: two thousand places that lose a hundred blocks each.

#![allow(dead_code, clippy::all)]

use std::collections::{BTreeMap, HashMap};

struct Held<K, const SITE: usize>(Option<Box<K>>, [u64; 4]);

include!(concat!(env!("OUT_DIR"), "/sites.rs"));

fn main() {
    lose_all();
    if std::env::args().len() > 1 {
        show_all();
    }
}
