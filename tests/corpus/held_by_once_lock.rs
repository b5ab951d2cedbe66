// A value in a static OnceLock is reachable.
// run: HEAPCHECK=normal -> clean
// run: HEAPCHECK=strict -> clean
// run: HEAPCHECK=normal HEAPCHECK_ROOTS=all,-globals -> leak 1001, ...
// build: -Copt-level=0
// build: -Copt-level=3
#[path = "include/support.rs"]
mod support;

use std::sync::OnceLock;

static CELL: OnceLock<Box<[u8; 1001]>> = OnceLock::new();

fn work() {
    CELL.set(Box::new([1; 1001])).unwrap();
}

fn main() {
    support::apart(work);
    assert!(CELL.get().is_some());
    support::scrub();
}
