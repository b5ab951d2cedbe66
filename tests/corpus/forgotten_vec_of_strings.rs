// A forgotten Vec of Strings is one direct leak, its strings are indirect.
// run: HEAPCHECK=normal -> leak direct 240, indirect 37x10
#[path = "include/support.rs"]
mod support;

fn work() {
    let mut list = Vec::with_capacity(10);
    for _ in 0..10 {
        list.push(String::from_utf8(vec![b'x'; 37]).unwrap());
    }
    std::mem::forget(std::hint::black_box(list));
}

fn main() {
    support::apart(work);
}
