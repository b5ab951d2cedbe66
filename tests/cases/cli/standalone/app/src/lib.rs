//! A crate whose tests link the runtime in, and which allows neither warnings nor unsafe code.
#![deny(warnings)]
#![forbid(unsafe_code)]

#[cfg(test)]
heapcheck_rt::standalone!();

/// A page that knows the book it is in.
pub struct Page {
    text: String,
    next: std::cell::RefCell<Option<std::rc::Rc<Page>>>,
}

impl Page {
    /// Makes a page.
    #[inline(never)]
    pub fn new(text: &str) -> std::rc::Rc<Page> {
        std::rc::Rc::new(Page { text: text.to_string(), next: Default::default() })
    }

    /// Makes `next` follow this page.
    pub fn turn(&self, next: std::rc::Rc<Page>) {
        assert!(!self.text.is_empty());
        *self.next.borrow_mut() = Some(next);
    }
}

/// Loses a block.
#[inline(never)]
pub fn lose(bytes: usize) {
    std::mem::forget(std::hint::black_box(vec![1u8; bytes]));
}

#[cfg(test)]
mod tests {
    use super::{lose, Page};
    use heapcheck_rt::heapcheck;
    use std::hint::black_box;

    #[heapcheck]
    #[test]
    fn clean() {
        assert_eq!(black_box(vec![1]).len(), 1);
    }

    #[heapcheck]
    #[test]
    fn leaks() {
        lose(1001);
    }

    #[heapcheck]
    #[test]
    fn leaks_in_a_thread() {
        std::thread::spawn(|| lose(1002)).join().unwrap();
    }

    #[heapcheck]
    #[test]
    fn leaks_a_cycle() {
        let page = Page::new("the only one");
        page.turn(page.clone());
    }

    #[heapcheck(max_allocs = 3)]
    #[test]
    fn leaks_within_a_limit_of_allocations() {
        lose(1003);
    }

    #[heapcheck(warmup = 1, repeat = 8)]
    #[test]
    fn grows() {
        static KEPT: std::sync::Mutex<Vec<String>> = std::sync::Mutex::new(Vec::new());
        KEPT.lock().unwrap().push("kept".repeat(50));
    }

    #[test]
    fn leaks_without_the_attribute() {
        lose(1004);
    }
}
