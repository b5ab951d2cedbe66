// The entries of a BTreeMap in a static are reachable.
// run: HEAPCHECK=normal -> clean
// run: HEAPCHECK=strict -> clean
// run: HEAPCHECK=normal HEAPCHECK_ROOTS=all,-globals -> leak 1001x500, ...
// build: -Copt-level=0
// build: -Copt-level=3
#[path = "include/support.rs"]
mod support;

use std::collections::BTreeMap;
use std::sync::Mutex;

static MAP: Mutex<BTreeMap<u64, Box<[u8; 1001]>>> = Mutex::new(BTreeMap::new());

fn work() {
    *MAP.lock().unwrap() = (0..500).map(|key| (key, Box::new([1; 1001]))).collect();
}

fn main() {
    support::apart(work);
    assert!(MAP.lock().unwrap().len() == 500);
    support::scrub();
}
