//! A test for each outcome that a report can have.

use std::cell::RefCell;
use std::rc::Rc;

/// Loses a block.
pub fn lose(bytes: usize) {
    std::mem::forget(std::hint::black_box(vec![1u8; bytes]));
}

/// Points at another, or itself.
pub struct Node {
    next: RefCell<Option<Rc<Node>>>,
}

/// Loses a node that holds itself.
pub fn lose_cycle() {
    let node = Rc::new(Node { next: RefCell::new(None) });
    *node.next.borrow_mut() = Some(Rc::clone(&node));
}

#[cfg(test)]
mod tests {
    #[test]
    fn clean() {}

    #[test]
    fn leaks() {
        println!("about to leak");
        eprintln!("\x1b[31min red\x1b[0m");
        super::lose(1001);
    }

    #[test]
    fn leaks_a_cycle() {
        super::lose_cycle();
    }

    #[test]
    fn fails() {
        panic!("<as> & \"it\" should");
    }

    #[test]
    fn is_excused() {
        super::lose(1002);
    }

    #[test]
    fn is_not_checked() {
        super::lose(1003);
    }

    #[test]
    fn takes_too_long() {
        println!("it begins");
        std::thread::sleep(std::time::Duration::from_secs(600));
    }
}
