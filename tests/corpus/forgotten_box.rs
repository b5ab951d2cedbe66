// A forgotten Box is a direct leak, in a debug build and in an optimised one.
// run: HEAPCHECK=normal -> leak direct 1001
// run: HEAPCHECK=strict -> leak direct 1001
// build: -Copt-level=0
// build: -Copt-level=3
// build: -Copt-level=3 -Cforce-frame-pointers=no -Cpanic=abort
#[path = "include/support.rs"]
mod support;

fn work() {
    std::mem::forget(std::hint::black_box(Box::new([1u8; 1001])));
}

fn main() {
    support::apart(work);
}
