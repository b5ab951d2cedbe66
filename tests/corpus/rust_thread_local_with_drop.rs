// Values in thread_locals with destructors are dropped when their thread ends, and leave nothing.
// run: HEAPCHECK=normal -> clean
// run: HEAPCHECK=strict -> clean
use std::cell::RefCell;

struct Noisy(Vec<String>);

impl Drop for Noisy {
    fn drop(&mut self) {
        self.0.push(format!("last of {}", self.0.len()));
    }
}

thread_local!(static HELD: RefCell<Vec<Noisy>> = RefCell::default());

fn main() {
    for _ in 0..50 {
        let thread = std::thread::spawn(|| {
            HELD.with(|held| held.borrow_mut().push(Noisy(vec!["x".repeat(1001)])));
        });
        thread.join().unwrap();
    }
}
