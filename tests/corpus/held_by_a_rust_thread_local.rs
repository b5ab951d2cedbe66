// A value in a thread_local of a thread that still runs, main or another, is reachable.
// run: HEAPCHECK=normal -> clean
// run: HEAPCHECK=normal HEAPCHECK_ROOTS=all,-tls -> leak 1001, ...
#[path = "include/support.rs"]
mod support;

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};

// No destructor of its own: at main's end it is still there for a check that runs late.
thread_local! {
    static HELD: RefCell<std::mem::ManuallyDrop<Vec<u8>>> = const { RefCell::new(std::mem::ManuallyDrop::new(Vec::new())) };
}
static READY: AtomicBool = AtomicBool::new(false);

fn work() {
    HELD.with(|held| *held.borrow_mut() = std::mem::ManuallyDrop::new(vec![1; 1001]));
}

fn other_work() {
    HELD.with(|held| *held.borrow_mut() = std::mem::ManuallyDrop::new(vec![1; 1002]));
}

fn main() {
    std::thread::spawn(|| {
        support::apart(other_work);
        support::scrub();
        READY.store(true, Ordering::SeqCst);
        loop {
            std::thread::park();
        }
    });
    support::apart(work);
    while !READY.load(Ordering::SeqCst) {
        std::thread::yield_now();
    }
    support::scrub();
}
