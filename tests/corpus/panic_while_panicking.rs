// A panic in a destructor during a panic aborts, and no check runs.
// run: HEAPCHECK=normal -> no-check; signal 6
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("second");
    }
}

fn main() {
    let _bomb = Bomb;
    panic!("first");
}
