// The elements of a VecDeque whose ring has wrapped around are reachable.
// run: HEAPCHECK=normal -> clean
// run: HEAPCHECK=strict -> clean
// run: HEAPCHECK=normal HEAPCHECK_ROOTS=all,-globals -> leak 1001x20, ...
// build: -Copt-level=0
// build: -Copt-level=3
#[path = "include/support.rs"]
mod support;

use std::collections::VecDeque;
use std::sync::Mutex;

static RING: Mutex<VecDeque<Box<[u8; 1001]>>> = Mutex::new(VecDeque::new());

fn work() {
    let mut ring = RING.lock().unwrap();
    for _ in 0..100 {
        ring.push_back(Box::new([1; 1001]));
        if ring.len() > 20 {
            ring.pop_front();
        }
    }
}

fn main() {
    support::apart(work);
    assert!(RING.lock().unwrap().len() == 20);
    support::scrub();
}
