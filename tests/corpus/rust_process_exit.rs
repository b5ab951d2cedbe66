// std::process::exit is checked as a return from main is, and its status is kept.
// run: HEAPCHECK=normal -> leak direct 1001; exit 23
// run: HEAPCHECK=normal args 3 -> leak direct 1001; exit 3
#[path = "include/support.rs"]
mod support;

fn work() {
    std::mem::forget(std::hint::black_box(Box::new([1u8; 1001])));
}

fn main() {
    support::apart(work);
    let status = std::env::args().nth(1).map_or(0, |word| word.parse().unwrap());
    support::scrub();
    std::process::exit(status)
}
