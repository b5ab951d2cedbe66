// A thread that panics, with boxes in its frames and a payload that is dropped, leaves nothing.
// run: HEAPCHECK=normal -> clean
// run: HEAPCHECK=strict -> clean
// build: -Copt-level=0
// build: -Copt-level=3
fn descend(depth: u32) -> usize {
    let ballast = vec![depth; 100];
    if std::hint::black_box(depth) == 0 {
        panic!("{}", "at the bottom".repeat(20));
    }
    descend(depth - 1) + ballast.len()
}

fn main() {
    for _ in 0..20 {
        let thread = std::thread::spawn(|| descend(50));
        assert!(thread.join().is_err());
    }
}
