// A panic keeps its status 101 beside a leak.
// run: HEAPCHECK=normal -> leak direct 1001; exit 101; stderr as it must
#[path = "include/support.rs"]
mod support;

fn work() {
    std::mem::forget(std::hint::black_box(Box::new([1u8; 1001])));
}

fn main() {
    support::apart(work);
    panic!("as it must");
}
