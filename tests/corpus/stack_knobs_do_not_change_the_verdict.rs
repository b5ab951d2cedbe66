// How much of each stack is recorded changes nothing in what leaks.
// run: HEAPCHECK=normal HEAPCHECK_STACKS=full -> leak direct 1001
// run: HEAPCHECK=normal HEAPCHECK_STACKS=short -> leak direct 1001
// run: HEAPCHECK=normal HEAPCHECK_STACKS=off -> leak direct 1001
// run: HEAPCHECK=normal HEAPCHECK_DEPTH=1 -> leak direct 1001
// run: HEAPCHECK=normal HEAPCHECK_FREE_STACKS=full -> leak direct 1001
// run: HEAPCHECK=normal HEAPCHECK_VERIFY=1 -> leak direct 1001; stderr 0 differ
#[path = "include/support.rs"]
mod support;

fn descend(depth: u32) {
    if std::hint::black_box(depth) > 0 {
        descend(depth - 1);
        std::hint::black_box(depth);
        return;
    }
    drop(vec![format!("{depth}"); 100]);
    std::mem::forget(std::hint::black_box(Box::new([1u8; 1001])));
}

fn work() {
    descend(300);
}

fn main() {
    for _ in 0..10 {
        drop(std::hint::black_box(vec![1; 100]));
    }
    support::apart(work);
}
