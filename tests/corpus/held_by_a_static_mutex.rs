// A value in a static Mutex<Option> is reachable.
// run: HEAPCHECK=normal -> clean
// run: HEAPCHECK=strict -> clean
// run: HEAPCHECK=normal HEAPCHECK_ROOTS=all,-globals -> leak 1001, ...
// build: -Copt-level=0
// build: -Copt-level=3
#[path = "include/support.rs"]
mod support;

use std::sync::Mutex;

static CELL: Mutex<Option<Box<[u8; 1001]>>> = Mutex::new(None);

fn work() {
    *CELL.lock().unwrap() = Some(Box::new([1; 1001]));
}

fn main() {
    support::apart(work);
    assert!(CELL.lock().unwrap().is_some());
    support::scrub();
}
