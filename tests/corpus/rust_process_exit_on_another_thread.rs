// std::process::exit on another thread is checked, though it unmaps the alternate signal stack of the first one.
// run: HEAPCHECK=normal -> leak direct 1001; exit 23
// run: HEAPCHECK=strict -> leak direct 1001; exit 23
#[path = "include/support.rs"]
mod support;

fn work() {
    std::mem::forget(std::hint::black_box(Box::new([1u8; 1001])));
}

fn main() {
    support::apart(work);
    support::scrub();
    let other = std::thread::spawn(|| std::process::exit(0));
    let _ = other.join();
}
