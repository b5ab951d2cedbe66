// A parent and a child that point at each other through Rc and Weak leave nothing.
// run: HEAPCHECK=normal -> clean
// run: HEAPCHECK=strict -> clean
#[path = "include/support.rs"]
mod support;

use std::cell::RefCell;
use std::rc::{Rc, Weak};

struct Node {
    up: RefCell<Weak<Node>>,
    down: RefCell<Option<Rc<Node>>>,
}

fn work() {
    let parent = Rc::new(Node { up: RefCell::default(), down: RefCell::default() });
    let child = Rc::new(Node { up: RefCell::default(), down: RefCell::default() });
    *child.up.borrow_mut() = Rc::downgrade(&parent);
    *parent.down.borrow_mut() = Some(child);
}

fn main() {
    support::apart(work);
}
