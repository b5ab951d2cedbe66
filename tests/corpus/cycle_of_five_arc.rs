// Five Arc<Mutex> in a ring are one cycle.
// run: HEAPCHECK=normal -> leak cycle 848x5
#[path = "include/support.rs"]
mod support;

use std::sync::{Arc, Mutex};

struct Node {
    next: Mutex<Option<Arc<Node>>>,
    _ballast: [u64; 102],
}

fn work() {
    let ring: Vec<Arc<Node>> =
        (0..5).map(|_| Arc::new(Node { next: Mutex::new(None), _ballast: [0; 102] })).collect();
    for (at, node) in ring.iter().enumerate() {
        *node.next.lock().unwrap() = Some(ring[(at + 1) % 5].clone());
    }
}

fn main() {
    support::apart(work);
}
