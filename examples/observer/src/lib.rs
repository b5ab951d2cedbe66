//! An observer that owns what it observes.
//!
//! The counter's listeners are closures. One of them needs the counter, so it captures an `Rc` of it: now the counter owns
//! the closure, and the closure owns the counter. With a `Weak` it does not.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

type Listener = Box<dyn Fn(u32)>;

/// Counts, and tells its listeners.
#[derive(Default)]
pub struct Counter {
    count: Cell<u32>,
    listeners: RefCell<Vec<Listener>>,
}

impl Counter {
    /// Makes one.
    pub fn new() -> Rc<Self> {
        Rc::default()
    }

    /// Adds a listener.
    pub fn listen(&self, listener: impl Fn(u32) + 'static) {
        self.listeners.borrow_mut().push(Box::new(listener));
    }

    /// Counts one more.
    pub fn increase(&self) {
        self.count.set(self.count.get() + 1);
        for listener in self.listeners.borrow().iter() {
            listener(self.count.get());
        }
    }

    /// Begins anew.
    pub fn reset(&self) {
        self.count.set(0);
    }

    /// What was counted.
    pub fn count(&self) -> u32 {
        self.count.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use heapcheck_rt::heapcheck;

    #[heapcheck]
    #[test]
    fn starts_again_after_three() {
        let counter = Counter::new();
        let own = Rc::clone(&counter);
        counter.listen(move |count| {
            if count == 3 {
                own.reset();
            }
        });
        (0..4).for_each(|_| counter.increase());
        assert_eq!(counter.count(), 1);
    }

    #[heapcheck]
    #[test]
    fn starts_again_after_three_and_lets_go() {
        let counter = Counter::new();
        let weak = Rc::downgrade(&counter);
        counter.listen(move |count| {
            if let Some(counter) = weak.upgrade().filter(|_| count == 3) {
                counter.reset();
            }
        });
        (0..4).for_each(|_| counter.increase());
        assert_eq!(counter.count(), 1);
    }
}
