// A blind spot: what the spare capacity of a Vec points at is taken for reachable, because a word is a word.
// run: HEAPCHECK=normal -> clean
#[path = "include/support.rs"]
mod support;

use std::sync::Mutex;

static LIST: Mutex<Vec<Box<[u8; 1001]>>> = Mutex::new(Vec::new());

fn work() {
    let mut list = LIST.lock().unwrap();
    for _ in 0..4 {
        list.push(Box::new([1; 1001]));
    }
    unsafe { list.set_len(1) };
}

fn main() {
    support::apart(work);
    assert_eq!(LIST.lock().unwrap().len(), 1);
    support::scrub();
}
