// The entries of a HashMap in a static are reachable, though the map points into the middle of its table.
// run: HEAPCHECK=normal -> clean
// run: HEAPCHECK=strict -> clean
// run: HEAPCHECK=normal HEAPCHECK_ROOTS=all,-globals -> leak 1001x1000, ...
// build: -Copt-level=0
// build: -Copt-level=3
#[path = "include/support.rs"]
mod support;

use std::collections::HashMap;
use std::sync::Mutex;

static MAP: Mutex<Option<HashMap<u64, Box<[u8; 1001]>>>> = Mutex::new(None);

fn work() {
    *MAP.lock().unwrap() = Some((0..1000).map(|key| (key, Box::new([1; 1001]))).collect());
}

fn main() {
    support::apart(work);
    assert!(MAP.lock().unwrap().as_ref().unwrap().len() == 1000);
    support::scrub();
}
