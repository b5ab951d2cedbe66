// Values that wait in a channel are reachable through its ends.
// run: HEAPCHECK=normal -> clean
// run: HEAPCHECK=strict -> clean
// run: HEAPCHECK=normal HEAPCHECK_ROOTS=all,-globals -> leak 1001x50, ...
// build: -Copt-level=0
// build: -Copt-level=3
#[path = "include/support.rs"]
mod support;

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

type Ends = (Sender<Box<[u8; 1001]>>, Receiver<Box<[u8; 1001]>>);
static ENDS: Mutex<Option<Ends>> = Mutex::new(None);

fn work() {
    let ends = channel();
    for _ in 0..50 {
        ends.0.send(Box::new([1; 1001])).unwrap();
    }
    *ENDS.lock().unwrap() = Some(ends);
}

fn main() {
    support::apart(work);
    assert!(ENDS.lock().unwrap().is_some());
    support::scrub();
}
