// Two Rc that own each other are a cycle, and their payloads are indirect.
// run: HEAPCHECK=normal -> leak cycle 192x2, indirect 1001x2; keeps 2002
#[path = "include/support.rs"]
mod support;

use std::cell::RefCell;
use std::rc::Rc;

// 16 bytes of counts come on top: 192 in all.
struct Node {
    next: RefCell<Option<Rc<Node>>>,
    payload: Vec<u8>,
    _ballast: [u64; 17],
}

fn node() -> Rc<Node> {
    Rc::new(Node { next: RefCell::new(None), payload: vec![1; 1001], _ballast: [0; 17] })
}

fn work() {
    let (first, second) = (node(), node());
    *first.next.borrow_mut() = Some(second.clone());
    *second.next.borrow_mut() = Some(first.clone());
    assert_eq!(first.payload.len(), second.payload.len());
}

fn main() {
    support::apart(work);
}
