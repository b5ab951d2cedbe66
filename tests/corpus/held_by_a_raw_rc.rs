// An Rc that was turned into a raw pointer is reachable: the pointer is to its value, behind the counts.
// run: HEAPCHECK=normal -> clean
// run: HEAPCHECK=strict -> clean
// run: HEAPCHECK=normal HEAPCHECK_ROOTS=all,-globals -> leak 1016, ...
// build: -Copt-level=0
// build: -Copt-level=3
#[path = "include/support.rs"]
mod support;

use std::rc::Rc;
use std::sync::atomic::{AtomicPtr, Ordering};

static RAW: AtomicPtr<[u64; 125]> = AtomicPtr::new(std::ptr::null_mut());

fn work() {
    RAW.store(Rc::into_raw(Rc::new([1; 125])).cast_mut(), Ordering::SeqCst);
}

fn main() {
    support::apart(work);
    assert!(!RAW.load(Ordering::SeqCst).is_null());
    support::scrub();
}
