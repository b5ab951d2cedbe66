//! Purpose: leaks whose profiles say where they came from. Each has a size that tells which.

use std::cell::RefCell;
use std::rc::Rc;

unsafe extern "C" {
    fn lose_in_c(bytes: u64) -> *mut u8;
    fn lose_in_markup(bytes: u64) -> *mut u8;
}

/// Keeps what it is given for as long as anybody keeps it.
pub struct Cache<K, V> {
    kept: Vec<(K, Rc<V>)>,
}

impl<K, V> Cache<K, V> {
    /// Keeps a value.
    #[inline(never)]
    pub fn insert(&mut self, key: K, value: V) {
        self.kept.push((key, Rc::new(value)));
    }
}

/// A node with a way back.
pub struct Node<T> {
    /// What it holds.
    pub value: T,
    /// The next one.
    pub next: RefCell<Option<Rc<Node<T>>>>,
}

/// Two nodes, each of which keeps the other alive.
#[inline(never)]
pub fn tie<T: Clone>(value: &T) {
    let make = |next| Rc::new(Node { value: value.clone(), next: RefCell::new(next) });
    let first = make(None);
    let second = make(Some(first.clone()));
    *first.next.borrow_mut() = Some(second);
}

#[inline(always)]
fn innermost(bytes: usize) -> Vec<u8> {
    vec![7; bytes]
}

#[inline(always)]
fn in_between(bytes: usize) -> Vec<u8> {
    innermost(bytes)
}

/// Loses a buffer through two functions that are inlined.
#[inline(never)]
pub fn outermost(bytes: usize) {
    std::mem::forget(std::hint::black_box(in_between(bytes)));
}

/// Goes down `depth` steps, and loses a buffer there.
#[inline(never)]
pub fn recurse(depth: u32) {
    match depth {
        0 => outermost(2003),
        _ => recurse(std::hint::black_box(depth - 1)),
    }
}

/// Loses a block of C.
pub fn lose_by_c() {
    // SAFETY: any size will do, and nothing is done with the block.
    std::hint::black_box(unsafe { lose_in_c(3001) });
}

/// Loses blocks whose stack and thread have names full of markup.
pub fn lose_in_a_thread_of_markup() {
    let thread = std::thread::Builder::new().name("</script>\"&'<x>".into());
    let lose = || {
        for _ in 0..3 {
            // SAFETY: any size will do, and nothing is done with the block.
            std::hint::black_box(unsafe { lose_in_markup(1000) });
        }
    };
    thread.spawn(lose).unwrap().join().unwrap();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clean() {
        let mut cache = Cache { kept: Vec::new() };
        cache.insert(1, "one");
    }

    #[test]
    fn a_forgotten_cache() {
        let mut cache: Cache<u8, [u64; 20]> = Cache { kept: Vec::new() };
        for key in 0..5 {
            cache.insert(key, [1; 20]);
        }
        std::mem::forget(cache);
    }

    #[test]
    fn a_tie() {
        tie(&[1u8; 88]);
    }

    #[test]
    fn inlined_and_recursive() {
        outermost(1001);
        recurse(3);
    }

    #[test]
    fn through_c() {
        lose_by_c();
    }

    #[test]
    fn full_of_markup() {
        lose_in_a_thread_of_markup();
    }
}
