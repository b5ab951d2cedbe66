// An exhausted iterator over a leaked slice points past its end: the block is doubtful, not lost, in normal mode.
// run: HEAPCHECK=normal -> clean
// run: HEAPCHECK=normal HEAPCHECK_ROOTS=all,-ends -> leak direct 4008
// run: HEAPCHECK=strict -> leak 4008
#[path = "include/support.rs"]
mod support;

use std::sync::Mutex;

static ITERATOR: Mutex<Option<std::slice::Iter<'static, u64>>> = Mutex::new(None);

fn work() {
    let all: &'static mut [u64] = Box::leak(vec![7; 501].into_boxed_slice());
    let mut iterator = all.iter();
    while iterator.next().is_some() {}
    *ITERATOR.lock().unwrap() = Some(iterator);
}

fn main() {
    support::apart(work);
    assert!(ITERATOR.lock().unwrap().as_mut().unwrap().next().is_none());
    support::scrub();
}
