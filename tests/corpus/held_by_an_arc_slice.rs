// The elements of an Arc<[T]> in a static are reachable: they lie behind its counts.
// run: HEAPCHECK=normal -> clean
// run: HEAPCHECK=strict -> clean
// run: HEAPCHECK=normal HEAPCHECK_ROOTS=all,-globals -> leak 1001x9, ...
// build: -Copt-level=0
// build: -Copt-level=3
#[path = "include/support.rs"]
mod support;

use std::sync::{Arc, Mutex};

static SLICE: Mutex<Option<Arc<[Box<[u8; 1001]>]>>> = Mutex::new(None);

fn work() {
    *SLICE.lock().unwrap() = Some((0..9).map(|_| Box::new([1; 1001])).collect());
}

fn main() {
    support::apart(work);
    assert!(SLICE.lock().unwrap().is_some());
    support::scrub();
}
