// A reference to the tail of a leaked slice keeps the whole block.
// run: HEAPCHECK=normal -> clean
// run: HEAPCHECK=strict -> clean
// run: HEAPCHECK=normal HEAPCHECK_ROOTS=all,-globals -> leak 4008, ...
// build: -Copt-level=0
// build: -Copt-level=3
#[path = "include/support.rs"]
mod support;

use std::sync::Mutex;

static TAIL: Mutex<&[u64]> = Mutex::new(&[]);

fn work() {
    let all: &'static mut [u64] = Box::leak(vec![7; 501].into_boxed_slice());
    *TAIL.lock().unwrap() = &all[400..];
}

fn main() {
    support::apart(work);
    assert!(TAIL.lock().unwrap().len() == 101);
    support::scrub();
}
